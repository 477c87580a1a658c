//! The tarball and the RPM package, on machines that have neither Rust nor make, and some no dpkg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::machine::{Machine, run, try_run};
use super::{MODULE, is_ours};

/// Both packages, and a folder for more.
struct Dist {
    folder: TempDir,
    tarball: PathBuf,
    rpm: PathBuf,
    newer_rpm: PathBuf,
}

static DIST: LazyLock<Dist> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Dist {
        tarball: pack("dist", "1", &MODULE, folder.path()),
        rpm: pack("rpm", "1", &MODULE, folder.path()),
        newer_rpm: pack("rpm", "2", &MODULE, folder.path()),
        folder,
    }
});

fn pack(script: &str, version: &str, module: &Path, into: &Path) -> PathBuf {
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script));
    script.env("DIST_VERSION", version).env("DIST_DIR", into).env("CHAN_WEBSOCKET_MODULE", module);
    PathBuf::from(run(&mut script).lines().next().expect("the package"))
}

/// Unpacks the tarball in the machine, and removes what an installation must not need. Returns the folder.
fn unpack(machine: &Machine) -> String {
    machine.sh("rm -f /usr/bin/make; ! command -v cargo");
    let tarball = machine.put(&DIST.tarball);
    machine.sh(&format!("cd /root && tar -xzf {tarball} && rm {tarball}"));
    let name = DIST.tarball.file_name().expect("a file").to_string_lossy();
    format!("/root/{}", name.trim_end_matches(".tar.gz"))
}

/// A machine like RHEL: no dpkg, and Asterisk's modules in lib64.
fn without_dpkg() -> Machine {
    let machine = Machine::start();
    machine.sh(
        "mkdir -p /var/lib/rpm /usr/lib64/asterisk && mv /usr/lib/*/asterisk/modules /usr/lib64/asterisk/modules
        rm -rf /var/lib/dpkg /usr/bin/dpkg*
        sed -i 's|^\\[directories\\].*|[directories]|; s|^astmoddir.*|astmoddir => /usr/lib64/asterisk/modules|' \
         /etc/asterisk/asterisk.conf",
    );
    machine
}

const LIB64: &str = "/usr/lib64/asterisk/modules/chan_websocket.so";
const ASIDE: &str = "/usr/lib64/asterisk/modules.before-chan_websocket/chan_websocket.so";

fn read(machine: &Machine, path: &str) -> Vec<u8> {
    fs::read(machine.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn in_lib64_is_ours(machine: &Machine) -> bool {
    read(machine, LIB64).windows(6).any(|part| part == b"(Rust)")
}

/// This machine's rpm, which works on the files of `machine` and has a separate package list there.
fn rpm(machine: &Machine, arguments: &[&str]) -> Result<String, String> {
    let mut rpm = machine.where_mounted("rpm");
    // Debian's rpm needs this.
    rpm.args(["--force-debian", "--nodeps", "--dbpath", "/var/lib/rpm", "--root"]).arg(machine.mounted());
    try_run(rpm.args(arguments))
}

#[track_caller]
fn rpm_install(machine: &Machine, package: &Path) -> String {
    let path = package.to_str().expect("a path");
    rpm(machine, &["--upgrade", "--replacefiles", path]).unwrap_or_else(|said| panic!("{path}: {said}"))
}

/// An update of Asterisk's own package, with only the C module's file.
fn asterisk_rpm(version: &str) -> PathBuf {
    let folder = DIST.folder.path().join(format!("asterisk-{version}"));
    fs::create_dir_all(&folder).expect("folder");
    let spec = folder.join("asterisk.spec");
    let text = format!(
        "Name: asterisk\nVersion: {version}\nRelease: 1\nSummary: for a test\nLicense: none\nBuildArch: noarch\n\
         %description\nFor a test.\n%install\nmkdir -p %{{buildroot}}{parent}\n\
         echo C module {version} >%{{buildroot}}{LIB64}\n%files\n{LIB64}\n",
        parent = Path::new(LIB64).parent().expect("a folder").display()
    );
    fs::write(&spec, text).expect("spec");
    let define = |name: &str| format!("{name} {}", folder.display());
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet", "--define", &define("_topdir"), "--define", &define("_rpmdir")])
        .arg(&spec));
    folder.join(format!("noarch/asterisk-{version}-1.noarch.rpm"))
}

/// The command in docs/install.md for a monitoring system.
fn monitoring_check() -> String {
    let page = include_str!("../../docs/install.md");
    let (_, block) = page.split_once("```sh\n").expect("the command");
    block.split("```").next().expect("its end").to_owned()
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let again = tempfile::tempdir().expect("a temporary folder");
    let copy = again.path().join("copy.so");
    fs::copy(&*MODULE, &copy).expect("copy");
    for (script, first) in [("dist", &DIST.tarball), ("rpm", &DIST.rpm)] {
        let second = pack(script, "1", &copy, again.path());
        assert!(fs::read(first).expect("package") == fs::read(second).expect("package"), "{script}");
    }
}

#[test]
fn a_module_that_needs_a_newer_glibc_is_not_packed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let newer = folder.path().join("newer.so");
    let text: Vec<u8> = fs::read(&*MODULE).expect("module");
    let place = text.windows(11).position(|part| part == b"GLIBC_2.34\0").expect("its newest version");
    let mut text = text;
    text[place + 8] = b'9';
    fs::write(&newer, text).expect("module");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/dist");
    let said = Command::new(script)
        .env("DIST_DIR", folder.path())
        .env("CHAN_WEBSOCKET_MODULE", &newer)
        .output()
        .expect("scripts/dist");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("glibc 2.94, which is newer than 2.34"), "{text}");
}

#[test]
fn install_and_uninstall_without_rust_and_make() {
    let machine = Machine::start();
    let before = machine.files();
    let folder = unpack(&machine);
    let said = machine.sh(&format!("{folder}/install.sh"));
    assert!(said.contains(&format!("{folder}/uninstall.sh")), "{said}");
    machine.restart();
    assert!(is_ours(&machine));
    assert_eq!(machine.sh(&monitoring_check()), "");
    machine.sh(&format!("{folder}/uninstall.sh"));
    machine.restart();
    assert!(!is_ours(&machine));
    assert_eq!(machine.sh(&monitoring_check()), "Asterisk's own module runs\n");
    machine.stop();
    machine.sh(&format!("rm -r {folder}"));
    let gone: Vec<&str> = before.lines().filter(|line| *line != "/usr/bin/make").collect();
    let after = machine.files();
    let differs = after.lines().zip(gone).find(|(after, before)| after != before);
    assert_eq!(differs, None);
}

#[test]
fn a_library_that_is_missing_is_named_and_nothing_is_changed() {
    let machine = Machine::start();
    let folder = unpack(&machine);
    let c_module = machine.read_module("chan_websocket.so");
    machine.sh("rm /usr/lib/*/libssl.so.3");
    let said = machine.try_sh(&format!("{folder}/install.sh")).expect_err("no OpenSSL 3");
    assert!(said.contains("OpenSSL 3") && said.contains("libssl.so.3 => not found"), "{said}");
    assert_eq!(machine.read_module("chan_websocket.so"), c_module);
}

#[test]
fn without_dpkg_the_c_module_is_kept_aside_and_selinux_gets_its_label() {
    let machine = without_dpkg();
    let folder = unpack(&machine);
    let c_module = read(&machine, LIB64);
    machine.sh(
        "printf '#!/bin/sh\\necho \"$@\" >>/root/labelled\\n' >/usr/sbin/restorecon; chmod 755 /usr/sbin/restorecon",
    );
    machine.sh(&format!("{folder}/install.sh"));
    assert!(in_lib64_is_ours(&machine));
    assert_eq!(read(&machine, ASIDE), c_module);
    assert_eq!(machine.sh("cat /root/labelled").trim(), LIB64);
    machine.restart();
    assert!(is_ours(&machine));
    machine.sh(&format!("{folder}/uninstall.sh"));
    assert_eq!(read(&machine, LIB64), c_module);
}

#[test]
fn the_rpm_installs_survives_an_update_of_asterisk_and_goes() {
    let machine = without_dpkg();
    rpm_install(&machine, &asterisk_rpm("1"));
    let said = rpm_install(&machine, &DIST.rpm);
    assert!(said.contains("rpm -e asterisk-chan-websocket-rust"), "{said}");
    assert!(in_lib64_is_ours(&machine), "{said}");
    machine.restart();
    assert!(is_ours(&machine));
    rpm_install(&machine, &DIST.newer_rpm);
    assert!(in_lib64_is_ours(&machine));
    assert_eq!(read(&machine, ASIDE), b"C module 1\n");
    // The update installs its own file. Ours is restored at once, and the newer one is kept aside.
    let said = rpm_install(&machine, &asterisk_rpm("2"));
    assert!(in_lib64_is_ours(&machine), "{said}");
    assert_eq!(read(&machine, ASIDE), b"C module 2\n");
    rpm(&machine, &["--erase", "asterisk-chan-websocket-rust"]).expect("erase");
    assert_eq!(read(&machine, LIB64), b"C module 2\n");
    assert!(!machine.path("/usr/lib/chan_websocket").exists());
}
