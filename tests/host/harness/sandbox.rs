//! Paths: the sandbox with Debian's Asterisk, or an installed Asterisk; our module; and a folder for each instance.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use super::conf::DRIVER;
use super::process;

static INSTANCES: AtomicU32 = AtomicU32::new(0);

/// The prefix of an installed Asterisk, which runs outside the sandbox: its root folder is the machine's.
static INSTALLED: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| env::var_os("HOST_ASTERISK").map(PathBuf::from));

static ROOT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    if let Some(prefix) = &*INSTALLED {
        if !prefix.is_absolute() || !prefix.join("sbin/asterisk").exists() {
            return Err(format!("HOST_ASTERISK: no {}/sbin/asterisk (an absolute prefix)", prefix.display()));
        }
        sweep(Path::new("/"));
        return Ok("/".into());
    }
    let root = env::var_os("ASTERISK_SANDBOX").map(PathBuf::from).unwrap_or_else(|| {
        let cache = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
            .unwrap_or_else(|| "/tmp".into());
        cache.join("chan_websocket/sandbox")
    });
    if !root.join("usr/sbin/asterisk").exists() {
        return Err(format!(
            "no Asterisk in the sandbox {}: run `make setup`, or set ASTERISK_SANDBOX",
            root.display()
        ));
    }
    if !rustix::process::geteuid().is_root() {
        return Err("these tests start Asterisk with chroot: run them as root".into());
    }
    sweep(&root);
    Ok(root)
});

/// The root folder that Asterisk is started in: `/` for an installed one. If it is missing, panics with a message that
/// says what to do.
pub fn root() -> &'static Path {
    match &*ROOT {
        Ok(root) => root,
        Err(why) => panic!("{why}"),
    }
}

/// Our chan_websocket.so.
pub fn our_module() -> PathBuf {
    let path = env::var_os("CHAN_WEBSOCKET_MODULE")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/chan_websocket.so"));
    assert!(path.exists(), "no module at {}: run `make build`, or set CHAN_WEBSOCKET_MODULE", path.display());
    path
}

/// Our chan_websocket.so built with the feature `fault-injection`.
pub fn our_faulty_module() -> PathBuf {
    let path = env::var_os("CHAN_WEBSOCKET_FAULTS").map(PathBuf::from).unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/faults/debug/libchan_websocket.so")
    });
    assert!(
        path.exists(),
        "no module at {}: run `make faults`, or set CHAN_WEBSOCKET_FAULTS",
        path.display()
    );
    path
}

/// The path of the program, inside the root folder.
pub fn asterisk() -> String {
    INSTALLED
        .as_ref()
        .map_or_else(|| "asterisk".to_owned(), |prefix| prefix.join("sbin/asterisk").display().to_string())
}

/// The path of Asterisk's data, inside the root folder: Debian's, or that of a build from source.
pub fn data() -> String {
    let Some(prefix) = &*INSTALLED else { return "/usr/share/asterisk".to_owned() };
    let state = if prefix == Path::new("/usr") { PathBuf::from("/var") } else { prefix.join("var") };
    state.join("lib/asterisk").display().to_string()
}

/// Whether there is a C chan_websocket.so to compare with.
pub fn has_oracle() -> bool {
    has_module(DRIVER)
}

/// Whether Asterisk has this module (name without `.so`).
pub fn has_module(name: &str) -> bool {
    let modules = asterisk_modules();
    root().join(modules.strip_prefix("/").unwrap_or(&modules)).join(format!("{name}.so")).exists()
}

/// Where Asterisk's modules are, as a path inside the root folder.
pub fn asterisk_modules() -> PathBuf {
    let prefix = INSTALLED.clone().unwrap_or_else(|| root().join("usr"));
    let (lib, lib64) = (prefix.join("lib"), prefix.join("lib64"));
    let found = fs::read_dir(&lib)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .chain([lib.clone(), lib64])
        .map(|folder| folder.join("asterisk/modules"))
        .find(|modules| modules.join("res_http_websocket.so").exists());
    let found = found.unwrap_or_else(|| panic!("no Asterisk modules under {}", lib.display()));
    Path::new("/").join(found.strip_prefix(root()).expect("inside the root"))
}

/// The folder of the instances' folders, inside the root folder.
fn instances() -> &'static str {
    if INSTALLED.is_some() { "tmp" } else { "srv" }
}

/// A new folder for an instance: its path here, and its path inside the sandbox. The name contains our process id, so
/// that a later run can tell that the folder is not in use any more.
pub fn instance_folder() -> (PathBuf, String) {
    let number = INSTANCES.fetch_add(1, Ordering::Relaxed);
    let inside = format!("/{}/cw-{}-{number}", instances(), std::process::id());
    let here = root().join(&inside[1..]);
    fs::create_dir_all(&here).unwrap_or_else(|err| panic!("{}: {err}", here.display()));
    (here, inside)
}

/// What a process sees that the sandbox does not have, in a separate mount namespace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mounts {
    /// A resolv.conf that names this server.
    pub name_server: Option<IpAddr>,
    /// One file system of so many KiB for `spool` and `log` in its folder. [`seen_by`] gives its path from outside.
    pub small_disk: Option<u32>,
}

/// The path here of a path inside the sandbox that another process sees with its mounts.
pub fn seen_by(pid: u32, inside: &str) -> PathBuf {
    format!("/proc/{pid}/root{inside}").into()
}

/// A command to which the caller adds a program and arguments to run inside the sandbox, for [`process::spawn`].
/// HOST_WRAPPER comes first, and `folder` has files for its mounts. With a wrapper the sandbox has a /proc.
pub fn command(folder: &Path, own: Mounts) -> Command {
    let wrapper = env::var("HOST_WRAPPER").unwrap_or_default();
    let mut mounts = String::new();
    if let Some(size) = own.small_disk {
        mounts.push_str(&format!(
            r#"mount -t tmpfs -o size={size}k tmpfs "$1/spool"; mkdir "$1/spool/log"; mount --bind "$1/spool/log" "$1/log"; "#
        ));
    }
    if let Some(server) = own.name_server {
        let file = folder.join("resolv.conf");
        fs::write(&file, format!("nameserver {server}\n")).expect("resolv.conf");
        mounts.push_str(r#"mount --bind "$1/resolv.conf" "$2/etc/resolv.conf"; "#);
    }
    if !wrapper.is_empty() {
        mounts.push_str(r#"mount -t proc proc "$2/proc"; "#);
    }
    let mut command = if let Some(prefix) = INSTALLED.as_ref().filter(|_| mounts.is_empty()) {
        // The installed Asterisk may have a prefix that the dynamic linker does not search.
        let mut command = process::command("env");
        command.arg(format!("LD_LIBRARY_PATH={}", prefix.join("lib").display()));
        command
    } else if mounts.is_empty() {
        let mut command = process::command("chroot");
        command.arg(root());
        command
    } else {
        let mut command = process::command("unshare");
        command.args(["--mount", "sh", "-ec", &format!(r#"{mounts}shift; exec chroot "$@""#), "sh"]);
        command.arg(folder).arg(root());
        command
    };
    command.args(wrapper.split_whitespace());
    command
}

/// The path inside the sandbox of a path here.
pub fn inside(path: &Path) -> String {
    let path =
        path.strip_prefix(root()).unwrap_or_else(|_| panic!("{} is not in the sandbox", path.display()));
    format!("/{}", path.display())
}

/// Removes this run's folders, unless HOST_KEEP is set.
pub(super) fn clean_up() {
    if env::var_os("HOST_KEEP").is_none() {
        remove_folders(root(), |pid| pid == std::process::id());
    }
}

/// Removes the folders of earlier runs that did not remove them.
fn sweep(root: &Path) {
    remove_folders(root, |pid| !process::exists(pid));
}

fn remove_folders(root: &Path, of: impl Fn(u32) -> bool) {
    for entry in fs::read_dir(root.join(instances())).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("cw-")?.split('-').next()?.parse().ok());
        if pid.is_some_and(&of) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
