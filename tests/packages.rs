//! The packages, installed, upgraded and removed in temporary machines: the sandbox with a layer over it and a separate
//! network, in which Asterisk runs as Debian configures it. Here: the Debian package.

// A test reports errors by panicking, and a test binary exports nothing.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, unreachable_pub)]

#[path = "packages/dist.rs"]
mod dist;
#[path = "packages/machine.rs"]
mod machine;
#[path = "packages/readme.rs"]
mod readme;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use machine::{Machine, run};
use tempfile::TempDir;

const NAME: &str = "asterisk-chan-websocket-rust";
const DOC: &str = "/usr/share/doc/asterisk-chan-websocket-rust";

/// Packages of two versions, and a folder for more.
struct Packages {
    folder: TempDir,
    old: PathBuf,
    new: PathBuf,
}

/// The module in the packages.
static MODULE: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::var_os("CHAN_WEBSOCKET_MODULE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/chan_websocket.so"),
        PathBuf::from,
    )
});

static PACKAGES: LazyLock<Packages> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let another = folder.path().join("another.so");
    fs::write(&another, another_build(&fs::read(&*MODULE).expect("the module: run make build")))
        .expect("module");
    let pack = |version: &str, module: &Path| {
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deb"));
        script.env("DEB_VERSION", version).env("DEB_DIR", folder.path()).env("CHAN_WEBSOCKET_MODULE", module);
        PathBuf::from(run(&mut script).lines().next().expect("the package"))
    };
    let old = pack("0.0.1~git20200101000000.0000000", &MODULE);
    let new = pack("0.0.1~git20200101000001.0000000", &another);
    Packages { folder, old, new }
});

/// The same module with another build id.
fn another_build(module: &[u8]) -> Vec<u8> {
    const NOTE: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = module.windows(NOTE.len()).position(|part| part == NOTE).expect("a build id") + NOTE.len();
    module.iter().enumerate().map(|(place, byte)| if place == at { !byte } else { *byte }).collect()
}

/// A package for a test: these files, with their contents.
fn package(name: &str, version: &str, files: &[(&str, &str)]) -> PathBuf {
    let tree = PACKAGES.folder.path().join(format!("{name}_{version}"));
    for (path, text) in files {
        let path = tree.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("not /")).expect("folder");
        fs::write(path, text).expect("file");
    }
    fs::create_dir_all(tree.join("DEBIAN")).expect("folder");
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n\
         Description: for a test\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).expect("control");
    build(&tree)
}

fn build(tree: &Path) -> PathBuf {
    let deb = PathBuf::from(format!("{}.deb", tree.display()));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(tree).arg(&deb));
    deb
}

/// The description of the module that Asterisk has under this name.
fn description(machine: &Machine) -> String {
    let text = machine.cli("module show like chan_websocket.so");
    text.lines().find(|line| line.contains("chan_websocket.so")).unwrap_or_default().to_owned()
}

fn is_ours(machine: &Machine) -> bool {
    let line = description(machine);
    assert!(line.contains("Running") && !line.contains("Not Running"), "{line}");
    line.contains("(Rus")
}

#[test]
fn what_is_in_it() {
    let field = |name: &str| run(Command::new("dpkg-deb").arg("--field").arg(&PACKAGES.new).arg(name));
    assert_eq!(field("Package").trim(), NAME);
    let depends = field("Depends");
    for part in ["asterisk (>= 1:20.18~)", "asterisk (<< 1:24~)", "libc6 (>= 2.", "libssl3"] {
        assert!(depends.contains(part), "{part} is missing in {depends}");
    }
    let listing = run(Command::new("dpkg-deb").arg("--contents").arg(&PACKAGES.new));
    // The file belongs to Asterisk's own packages.
    assert!(!listing.contains("/etc/"), "{listing}");
    for part in [
        "/asterisk/modules/chan_websocket.so",
        "/asterisk/documentation/thirdparty/chan_websocket-en_US.xml",
        "/copyright",
        "/examples/chan_websocket.conf.sample",
    ] {
        assert!(listing.contains(part), "{part} is missing in {listing}");
    }
    let tree = PACKAGES.folder.path().join("contents");
    run(Command::new("dpkg-deb").arg("--extract").arg(&PACKAGES.new).arg(&tree));
    let module = run(Command::new("find").arg(&tree).args(["-name", "chan_websocket.so"]));
    run(Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check-module")).arg(module.trim()));
    let size = fs::metadata(module.trim()).expect("module").len();
    assert!(size < 4 << 20, "the module has {size} bytes: is it stripped?");
}

#[test]
fn its_version_follows_the_history() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deb");
    let said = run(Command::new(script).env("DEB_DIR", PACKAGES.folder.path().join("own")));
    let deb = Path::new(said.lines().next().expect("the package")).file_name().expect("a file");
    let name = deb.to_string_lossy();
    assert!(name.starts_with(&format!("{NAME}_{}", env!("CARGO_PKG_VERSION"))), "{name}");
    // dpkg sorts it like this: before the release, after an earlier commit's version.
    for (one, relation, other) in [
        ("0.2.0~git20261123092818.8e79b36", "lt", "0.2.0"),
        ("0.2.0~git20261123092818.8e79b36", "lt", "0.2.0~git20261123100000.000000a"),
        ("0.2.0~git20261123092818.8e79b36", "gt", "0.1.0"),
    ] {
        run(Command::new("dpkg").args(["--compare-versions", one, relation, other]));
    }
}

/// A new user's test: only the README is followed.
#[test]
fn install_call_look_and_remove_by_the_readme() {
    let machine = Machine::start();
    let before = machine.files();
    readme::follow(&machine, &PACKAGES.new);
    assert_eq!(machine.module_files(), ["chan_websocket.so"], "the C module is back, and nothing beside it");
    assert_eq!(machine.sh("dpkg-divert --list '*chan_websocket*'"), "");
    machine.restart();
    assert!(!is_ours(&machine), "{}", description(&machine));
    readme::call_once_more(&machine);
    machine.stop();
    machine.sh(&format!("dpkg --purge {NAME}"));
    assert_eq!(machine.files(), before);
    assert_eq!(machine.sh("dpkg --verify asterisk-modules asterisk"), "");
}

#[test]
fn upgrade_and_downgrade() {
    let machine = Machine::start();
    let c_module = machine.read_module("chan_websocket.so");
    let said = machine.dpkg_install(&PACKAGES.old);
    assert!(said.contains("systemctl restart asterisk"), "{said}");
    machine.restart();
    assert!(is_ours(&machine));
    let pid = machine.asterisk_pid();
    let warns =
        || machine.cli("websocket show settings").contains("not the one that was loaded; restart Asterisk");
    assert!(!warns());
    // A reinstalled package puts another file in place than the one that was loaded, although its bytes are the same.
    for next in [&PACKAGES.new, &PACKAGES.new, &PACKAGES.old] {
        machine.dpkg_install(next);
        assert!(warns());
        assert_eq!(machine.module_files(), ["chan_websocket.so", "chan_websocket.so.distrib"]);
        assert_eq!(machine.read_module("chan_websocket.so.distrib"), c_module);
        assert_eq!(machine.asterisk_pid(), pid, "Asterisk is not restarted for you");
    }
    // An update of the C module is installed beside ours, and is restored on removal.
    let update =
        package("asterisk-modules", "1:99", &[(&machine.module_path("chan_websocket.so"), "C module 99")]);
    machine
        .try_sh(&format!("dpkg --force-depends --force-confold -i {}", machine.put(&update)))
        .expect("update");
    assert_eq!(machine.read_module("chan_websocket.so.distrib"), b"C module 99");
    machine.sh(&format!("dpkg --remove {NAME}"));
    assert_eq!(machine.read_module("chan_websocket.so"), b"C module 99");
}

/// However dpkg fails, nothing has changed afterwards.
#[test]
fn a_failed_installation_changes_nothing() {
    let machine = Machine::start();
    let c_module = machine.read_module("chan_websocket.so");
    let before = machine.files();
    let in_the_way = package("in-the-way", "1", &[(&format!("{DOC}/README.md"), "not ours")]);
    machine.dpkg_install(&in_the_way);
    machine
        .try_sh(&format!("dpkg -i {}", machine.put(&PACKAGES.new)))
        .expect_err("a file of another package");
    assert_eq!(machine.sh("dpkg-divert --list '*chan_websocket*'"), "");
    assert_eq!(machine.read_module("chan_websocket.so"), c_module);
    machine.sh("dpkg --purge in-the-way");
    assert_eq!(machine.files(), before);

    // An upgrade that fails leaves the old version in place.
    machine.dpkg_install(&PACKAGES.old);
    let ours = machine.read_module("chan_websocket.so");
    let tree = PACKAGES.folder.path().join("upgrade-in-the-way");
    run(Command::new("dpkg-deb").arg("--raw-extract").arg(&PACKAGES.new).arg(&tree));
    fs::write(tree.join("usr/share/more"), "ours").expect("file");
    machine.dpkg_install(&package("in-the-way", "2", &[("/usr/share/more", "not ours")]));
    machine
        .try_sh(&format!("dpkg -i {}", machine.put(&build(&tree))))
        .expect_err("a file of another package");
    assert!(machine.sh(&format!("dpkg -s {NAME}")).contains("install ok installed"));
    assert_eq!(machine.read_module("chan_websocket.so"), ours);
    assert_eq!(machine.read_module("chan_websocket.so.distrib"), c_module);

    // dpkg may run these scripts again.
    for call in ["preinst upgrade 1", "postinst configure 1", "postrm upgrade 2", "postinst abort-upgrade 2"]
    {
        machine.sh(&format!("DPKG_MAINTSCRIPT_PACKAGE={NAME} /var/lib/dpkg/info/{NAME}.{call}"));
    }
    assert_eq!(machine.read_module("chan_websocket.so.distrib"), c_module);
    machine.sh(&format!("dpkg --remove {NAME} && dpkg --purge {NAME} in-the-way"));
    assert_eq!(machine.files(), before);
}

/// `make install` and the package do not interfere with each other.
#[test]
fn a_module_that_was_installed_by_hand() {
    let machine = Machine::start();
    let c_module = machine.read_module("chan_websocket.so");
    machine.make("install");
    let by_hand = machine.files();
    let said = machine.try_sh(&format!("dpkg -i {}", machine.put(&PACKAGES.new))).expect_err("by hand");
    assert!(said.contains("make uninstall"), "{said}");
    assert_eq!(machine.files(), by_hand);
    // The commands in its message.
    let commands: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("rm ") || line.starts_with("dpkg-divert "))
        .collect();
    assert_eq!(commands.len(), 2, "{said}");
    machine.sh(&commands.join("\n"));
    machine.dpkg_install(&PACKAGES.new);
    assert_eq!(machine.read_module("chan_websocket.so.distrib"), c_module);
    // And the reverse.
    let said = machine.try_make("install").expect_err("the package has it");
    assert!(said.contains(NAME), "{said}");
    machine.sh(&format!("dpkg --purge {NAME}"));
    assert_eq!(machine.read_module("chan_websocket.so"), c_module);
}

/// The C module refuses a file with options that only our module has.
#[test]
fn removal_says_what_the_c_module_does_not_know() {
    let machine = Machine::start();
    machine.dpkg_install(&PACKAGES.new);
    let refuses = |said: &str| said.contains("does not know all");
    let said = machine.sh(&format!("dpkg --remove {NAME}"));
    assert!(said.contains("Restart Asterisk") && !refuses(&said), "{said}");
    machine.dpkg_install(&PACKAGES.new);
    machine.sh("echo 'write_timeout = 5000' >>/etc/asterisk/chan_websocket.conf");
    assert!(refuses(&machine.sh(&format!("dpkg --remove {NAME}"))));
}
