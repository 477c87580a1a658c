//! `make install` and `make uninstall`, on file trees that look like a machine with Asterisk. If a package owns the C
//! module, dpkg itself installs and upgrades that package in such a tree.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const MODULES: &str = "/usr/lib/x86_64-linux-gnu/asterisk/modules";
const SAMPLE_HEAD: &str = "; chan_websocket.conf: media over WebSocket";

/// Text that install accepts as a build of this module.
fn build(version: &str) -> String {
    format!("\x7fELF our module {version} Media over WebSocket channel driver (Rust)\0")
}

/// A file tree, and a build of the module to install into it.
struct Tree {
    dir: TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        tree.set_build("1");
        fs::create_dir(tree.root()).expect("root");
        tree
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("not /")).expect("folder");
        fs::write(path, text).expect("file");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn module(&self) -> String {
        self.read(&format!("{MODULES}/chan_websocket.so"))
    }

    fn set_build(&self, version: &str) {
        fs::write(self.dir.path().join("built.so"), build(version)).expect("built.so");
    }

    /// Every file of the tree except dpkg's own, sorted.
    fn files(&self) -> Vec<String> {
        fn walk(dir: &Path, base: &Path, into: &mut Vec<String>) {
            for entry in fs::read_dir(dir).expect("folder") {
                let path = entry.expect("entry").path();
                if path.ends_with("var/lib/dpkg") {
                    continue;
                }
                if path.is_dir() {
                    walk(&path, base, into);
                } else {
                    into.push(format!("/{}", path.strip_prefix(base).expect("below").display()));
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.root(), &self.root(), &mut files);
        files.sort();
        files
    }

    /// Runs install or uninstall. `Ok` and `Err` say whether it succeeded, with its whole output.
    fn run(&self, script: &str, root_variable: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script))
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("CHAN_WEBSOCKET_MODULE", self.dir.path().join("built.so"))
            .env(root_variable, self.root())
            .envs(variables.iter().copied())
            .output()
            .expect(script);
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// Installs as on the machine whose root folder the tree is.
    fn install(&self) -> Result<String, String> {
        self.run("install", "DPKG_ROOT", &[])
    }

    fn uninstall(&self) -> Result<String, String> {
        self.run("uninstall", "DPKG_ROOT", &[])
    }

    /// Makes a package `asterisk-modules` of this version, whose module contains the version, and installs it with
    /// dpkg.
    fn dpkg_install(&self, version: &str) {
        let package = self.dir.path().join(format!("asterisk-modules-{version}"));
        let modules = package.join(MODULES.trim_start_matches('/'));
        fs::create_dir_all(&modules).expect("folder");
        fs::write(modules.join("chan_websocket.so"), format!("C module {version}")).expect("C module");
        fs::write(modules.join("res_http_websocket.so"), version).expect("another module");
        fs::create_dir_all(package.join("DEBIAN")).expect("folder");
        fs::write(
            package.join("DEBIAN/control"),
            format!(
                "Package: asterisk-modules\nVersion: {version}\nArchitecture: all\n\
                 Maintainer: Nobody <nobody@example.com>\nDescription: for a test\n"
            ),
        )
        .expect("control");
        let deb = package.with_extension("deb");
        run(Command::new("dpkg-deb").args(["--build", "--root-owner-group"]).arg(&package).arg(&deb));
        for dir in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
            fs::create_dir_all(self.path(dir)).expect("folder");
        }
        if !self.path("var/lib/dpkg/status").exists() {
            self.write("var/lib/dpkg/status", "");
        }
        run(self.dpkg().args(["--force-not-root", "--force-bad-path", "--install"]).arg(&deb));
    }

    fn dpkg(&self) -> Command {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("--root").arg(self.root()).arg("--log=/dev/null");
        dpkg
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn distrib() -> String {
    format!("{MODULES}/chan_websocket.so.distrib")
}

fn backup() -> String {
    "/usr/lib/x86_64-linux-gnu/asterisk/modules.before-chan_websocket/chan_websocket.so".to_owned()
}

#[test]
fn destdir_gets_the_module_the_sample_and_the_documentation_and_nothing_else() {
    let tree = Tree::new();
    let variables =
        [("MODULES_DIR", "/opt/ast/modules"), ("ASTETCDIR", "/opt/ast/etc"), ("ASTDATADIR", "/opt/ast/data")];
    tree.run("install", "DESTDIR", &variables).expect("install");
    assert_eq!(
        tree.files(),
        [
            "/opt/ast/data/documentation/thirdparty/chan_websocket-en_US.xml",
            "/opt/ast/etc/chan_websocket.conf",
            "/opt/ast/modules/chan_websocket.so",
        ]
    );
    assert_eq!(tree.read("/opt/ast/modules/chan_websocket.so"), build("1"));
    assert_eq!(
        fs::metadata(tree.path("/opt/ast/modules/chan_websocket.so")).expect("module").mode() & 0o7777,
        0o644
    );

    let said = tree.run("uninstall", "DESTDIR", &variables).expect("uninstall");
    assert_eq!(tree.files(), ["/opt/ast/etc/chan_websocket.conf"]);
    assert!(said.contains("left as is:") && said.contains("/opt/ast/etc/chan_websocket.conf"), "{said}");
}

#[test]
fn asterisk_conf_says_where_things_are() {
    let tree = Tree::new();
    tree.write(
        "/etc/asterisk/asterisk.conf",
        "[options]\nastmoddir => /wrong\n[Directories] ; not a template\n astetcdir=/srv/ast/etc\n\
         astmoddir => /srv/ast/modules ; ours\n[files]\nastmoddir => /wrong/too\n",
    );
    fs::create_dir_all(tree.path("/srv/ast/modules")).expect("folder");
    fs::create_dir_all(tree.path(MODULES)).expect("folder");
    tree.install().expect("install");
    assert_eq!(tree.read("/srv/ast/modules/chan_websocket.so"), build("1"));
    assert!(tree.read("/srv/ast/etc/chan_websocket.conf").starts_with(SAMPLE_HEAD));
    assert!(!tree.path(MODULES).join("chan_websocket.so").exists());
}

/// The running Asterisk may have its asterisk.conf anywhere.
#[test]
fn the_asterisk_that_runs_says_where_things_are() {
    let tree = Tree::new();
    let programs = tree.dir.path().join("bin");
    fs::create_dir(&programs).expect("folder");
    let asterisk = programs.join("asterisk");
    let answer = "  Configuration directory:     /srv/ast/etc\n  Module directory:            /srv/ast/modules\n\
                  \x20 Data directory:              /srv/ast/data\n";
    fs::write(&asterisk, format!("#!/bin/sh\n[ \"$*\" = '-rx core show settings' ] && printf '{answer}'\n"))
        .expect("asterisk");
    fs::set_permissions(&asterisk, fs::Permissions::from_mode(0o755)).expect("mode");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    tree.run("install", "DESTDIR", &[("PATH", &path)]).expect("install");
    assert_eq!(
        tree.files(),
        [
            "/srv/ast/data/documentation/thirdparty/chan_websocket-en_US.xml",
            "/srv/ast/etc/chan_websocket.conf",
            "/srv/ast/modules/chan_websocket.so",
        ]
    );
    // An explicit variable has precedence.
    tree.run("install", "DESTDIR", &[("PATH", &path), ("ASTDATADIR", "/opt/data")]).expect("install");
    assert!(tree.path("/opt/data/documentation/thirdparty/chan_websocket-en_US.xml").exists());
    tree.run("uninstall", "DESTDIR", &[("PATH", &path), ("ASTDATADIR", "/opt/data")]).expect("uninstall");
    tree.run("install", "DESTDIR", &[("PATH", &path)]).expect("install");
    tree.run("uninstall", "DESTDIR", &[("PATH", &path)]).expect("uninstall");
    assert_eq!(tree.files(), ["/srv/ast/etc/chan_websocket.conf"]);
}

#[test]
fn asterisk_conf_as_debian_ships_it() {
    let tree = Tree::new();
    // Asterisk does not read this section; its path is used only if the folder exists.
    tree.write("/etc/asterisk/asterisk.conf", "[directories](!)\nastmoddir => /usr/lib/elsewhere/modules\n");
    fs::create_dir_all(tree.path(MODULES)).expect("folder");
    tree.install().expect("install");
    assert_eq!(tree.module(), build("1"));
    tree.uninstall().expect("uninstall");

    fs::create_dir_all(tree.path("/usr/lib/elsewhere/modules")).expect("folder");
    tree.install().expect("install");
    assert_eq!(tree.read("/usr/lib/elsewhere/modules/chan_websocket.so"), build("1"));
}

#[test]
fn the_documentation_goes_where_asterisk_has_its_own() {
    for (what, conf, folder) in [
        ("by asterisk.conf", "[directories]\nastdatadir => /srv/ast/data\n", "/srv/ast/data"),
        ("as Debian has it", "[directories](!)\nastdatadir => /usr/share/asterisk\n", "/usr/share/asterisk"),
        ("as the sources have it", "", "/var/lib/asterisk"),
    ] {
        let tree = Tree::new();
        fs::create_dir_all(tree.path(MODULES)).expect("folder");
        tree.write("/etc/asterisk/asterisk.conf", conf);
        tree.write(&format!("{folder}/documentation/core-en_US.xml"), "<docs/>");
        tree.install().expect(what);
        let file = format!("{folder}/documentation/thirdparty/chan_websocket-en_US.xml");
        assert!(tree.read(&file).contains("configInfo name=\"chan_websocket\""), "{what}");
        tree.uninstall().expect(what);
        assert!(!tree.path(&file).exists(), "{what}");
        assert!(tree.path(&format!("{folder}/documentation/core-en_US.xml")).exists(), "{what}");
    }
    let none = Tree::new();
    fs::create_dir_all(none.path(MODULES)).expect("folder");
    assert!(none.install().expect("install").contains("ASTDATADIR"));
}

#[test]
fn errors_change_nothing_and_say_what_to_do() {
    let none = Tree::new();
    let said = none.install().expect_err("no Asterisk");
    assert!(said.contains("found no Asterisk") && said.contains("MODULES_DIR"), "{said}");
    assert_eq!(none.files(), [""; 0]);

    let two = Tree::new();
    for dir in [MODULES, "/usr/local/lib/asterisk/modules"] {
        fs::create_dir_all(two.path(dir)).expect("folder");
    }
    let said = two.install().expect_err("two of them");
    assert!(said.contains("more than one") && said.contains("/usr/local/lib/asterisk/modules"), "{said}");

    let missing = Tree::new();
    let said = missing.run("install", "DPKG_ROOT", &[("MODULES_DIR", "/not/there")]).expect_err("no folder");
    assert!(said.contains("/not/there"), "{said}");
    let said = missing.run("install", "DPKG_ROOT", &[("MODULES_DIR", "relative")]).expect_err("relative");
    assert!(said.contains("absolute"), "{said}");
    assert_eq!(missing.files(), [""; 0]);

    let wrong = Tree::new();
    wrong.write(&format!("{MODULES}/chan_websocket.so"), "C module");
    fs::write(wrong.dir.path().join("built.so"), "something else").expect("built.so");
    let said = wrong.install().expect_err("not a build of the module");
    assert!(said.contains("not a build of this module"), "{said}");
    fs::remove_file(wrong.dir.path().join("built.so")).expect("removed");
    let said = wrong.install().expect_err("not built");
    assert!(said.contains("make build"), "{said}");
    assert_eq!(wrong.files(), [format!("{MODULES}/chan_websocket.so")]);
    assert_eq!(wrong.module(), "C module");
}

#[test]
fn modules_conf_that_does_not_load_it() {
    let tree = Tree::new();
    fs::create_dir_all(tree.path(MODULES)).expect("folder");
    for (modules_conf, note) in [
        ("[modules]\nautoload = yes\n", ""),
        ("[modules]\nautoload=no\nload => chan_websocket.so ; media\n", ""),
        (
            "[modules]\nautoload = no\n;load = chan_websocket.so\nload = chan_pjsip.so\n",
            "loads no modules by itself",
        ),
        ("[modules]\nautoload = yes\nnoload => chan_websocket.so\n", "says noload"),
    ] {
        tree.write("/etc/asterisk/modules.conf", modules_conf);
        let said = tree.install().expect("install");
        let notes: Vec<&str> = said.lines().filter(|line| line.contains("modules.conf ")).collect();
        assert!(notes.len() == usize::from(!note.is_empty()), "{modules_conf}: {notes:?}");
        assert!(said.contains(note), "{modules_conf}: {said}");
    }
}

#[test]
fn an_existing_configuration_is_never_touched() {
    let tree = Tree::new();
    fs::create_dir_all(tree.path(MODULES)).expect("folder");
    tree.write("/etc/asterisk/chan_websocket.conf", "[global]\ncontrol_message_format = json\n");
    for _ in 0..2 {
        let said = tree.install().expect("install");
        assert!(said.contains("left as is:"), "{said}");
        assert!(tree.read("/etc/asterisk/chan_websocket.conf.sample").starts_with(SAMPLE_HEAD));
    }
    tree.uninstall().expect("uninstall");
    assert_eq!(tree.files(), ["/etc/asterisk/chan_websocket.conf"]);
    assert_eq!(tree.read("/etc/asterisk/chan_websocket.conf"), "[global]\ncontrol_message_format = json\n");

    tree.write("/etc/asterisk/chan_websocket.conf.sample", "somebody else's\n");
    tree.install().expect("install");
    tree.uninstall().expect("uninstall");
    assert_eq!(tree.read("/etc/asterisk/chan_websocket.conf.sample"), "somebody else's\n");
}

#[test]
fn a_module_of_no_package_is_kept_outside_the_modules_folder() {
    let tree = Tree::new();
    tree.write(&format!("{MODULES}/chan_websocket.so"), "C module");
    let said = tree.install().expect("install");
    assert!(said.contains(&backup()) && said.contains("Restart Asterisk"), "{said}");
    // Asterisk would load a file with such a name.
    let loadable: Vec<_> =
        tree.files().into_iter().filter(|file| file.starts_with(&format!("{MODULES}/"))).collect();
    assert_eq!(loadable, [format!("{MODULES}/chan_websocket.so")]);

    // Installing another build does not change the module that is kept aside.
    tree.set_build("2");
    tree.install().expect("install again");
    assert_eq!(tree.module(), build("2"));
    assert_eq!(tree.read(&backup()), "C module");

    let said = tree.uninstall().expect("uninstall");
    assert!(said.contains("put back:") && said.contains("Restart Asterisk"), "{said}");
    assert_eq!(
        tree.files(),
        ["/etc/asterisk/chan_websocket.conf".to_owned(), format!("{MODULES}/chan_websocket.so")]
    );
    assert_eq!(tree.module(), "C module");

    let said = tree.uninstall().expect("uninstall again");
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(tree.module(), "C module");
}

#[test]
fn no_module_of_any_kind_is_ever_lost() {
    let tree = Tree::new();
    tree.write(&format!("{MODULES}/chan_websocket.so"), "C module 1");
    tree.install().expect("install");
    // Asterisk was installed from source again, over our module.
    tree.write(&format!("{MODULES}/chan_websocket.so"), "C module 2");
    tree.uninstall().expect("uninstall leaves a module alone that is not ours");
    assert_eq!(tree.module(), "C module 2");
    assert_eq!(tree.read(&backup()), "C module 1");

    tree.install().expect("install");
    assert_eq!(tree.module(), build("1"));
    assert_eq!(tree.read(&backup()), "C module 2");
    assert_eq!(tree.read(&format!("{}.~1~", backup())), "C module 1");

    let said = tree.uninstall().expect("uninstall");
    assert_eq!(tree.module(), "C module 2");
    assert_eq!(tree.read(&format!("{}.~1~", backup())), "C module 1");
    assert!(said.contains("left as is:"), "{said}");
}

#[test]
fn a_module_that_is_mapped_is_not_written_into() {
    let tree = Tree::new();
    fs::create_dir_all(tree.path(MODULES)).expect("folder");
    tree.install().expect("install");
    let path = tree.path(MODULES).join("chan_websocket.so");
    let held_open = fs::File::open(&path).expect("module");
    tree.set_build("2");
    tree.install().expect("install again");
    assert_eq!(std::io::read_to_string(&held_open).expect("old module"), build("1"));
    assert_eq!(tree.module(), build("2"));
    assert_ne!(
        held_open.metadata().expect("old module").ino(),
        fs::metadata(&path).expect("new module").ino()
    );
}

#[test]
fn the_module_of_a_package_is_diverted() {
    let tree = Tree::new();
    tree.dpkg_install("1.0");
    assert_eq!(tree.module(), "C module 1.0");

    let said = tree.install().expect("install");
    assert!(said.contains("asterisk-modules, by dpkg-divert"), "{said}");
    assert_eq!(tree.module(), build("1"));
    assert_eq!(tree.read(&distrib()), "C module 1.0");

    tree.set_build("2");
    tree.install().expect("install again");
    assert_eq!(tree.module(), build("2"));
    assert_eq!(tree.read(&distrib()), "C module 1.0");

    // An upgrade of the package does not restore the C module, and uninstall restores the new one.
    tree.dpkg_install("1.1");
    assert_eq!(tree.module(), build("2"));
    assert_eq!(tree.read(&distrib()), "C module 1.1");
    assert!(!tree.path(&backup()).exists());

    tree.uninstall().expect("uninstall");
    assert_eq!(tree.module(), "C module 1.1");
    assert!(!tree.path(&distrib()).exists());
    // Nothing of ours remains.
    assert_eq!(run(tree.dpkg().args(["--verify", "asterisk-modules"])), "");
    assert_eq!(run(Command::new("dpkg-divert").arg("--root").arg(tree.root()).arg("--list")), "");

    let said = tree.uninstall().expect("uninstall again");
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(tree.module(), "C module 1.1");
    tree.install().expect("install after all");
    assert_eq!((tree.module(), tree.read(&distrib())), (build("2"), "C module 1.1".to_owned()));
}

#[test]
fn a_package_that_goes_away_leaves_nothing_to_put_back() {
    let tree = Tree::new();
    tree.dpkg_install("1.0");
    tree.install().expect("install");
    run(tree.dpkg().args(["--force-not-root", "--force-bad-path", "--purge", "asterisk-modules"]));
    assert_eq!(tree.module(), build("1"));
    let said = tree.uninstall().expect("uninstall");
    assert!(said.contains("no package has a module to put back"), "{said}");
    assert_eq!(tree.files(), ["/etc/asterisk/chan_websocket.conf"]);
}

#[test]
fn a_build_that_was_copied_over_the_packages_module_by_hand() {
    let tree = Tree::new();
    tree.dpkg_install("1.0");
    tree.write(&format!("{MODULES}/chan_websocket.so"), &build("by hand"));
    let said = tree.install().expect("install");
    assert!(said.contains("apt-get install --reinstall asterisk-modules"), "{said}");
    assert_eq!(tree.module(), build("1"));
    tree.dpkg_install("1.0");
    assert_eq!(tree.read(&distrib()), "C module 1.0");
    tree.uninstall().expect("uninstall");
    assert_eq!(tree.module(), "C module 1.0");
}

#[test]
fn a_foreign_module_over_a_diverted_one_is_kept() {
    let tree = Tree::new();
    tree.dpkg_install("1.0");
    tree.install().expect("install");
    tree.write(&format!("{MODULES}/chan_websocket.so"), "built by hand");
    tree.uninstall().expect("uninstall");
    assert_eq!(tree.module(), "C module 1.0");
    assert_eq!(tree.read(&backup()), "built by hand");
}

#[test]
fn the_diversion_of_another_package_is_respected() {
    let tree = Tree::new();
    tree.dpkg_install("1.0");
    let file = format!("{MODULES}/chan_websocket.so");
    run(Command::new("dpkg-divert")
        .arg("--root")
        .arg(tree.root())
        .args(["--package", "other-websocket", "--divert"])
        .arg(format!("{file}.other"))
        .args(["--rename", "--add", &file]));
    tree.write(&file, "of other-websocket");
    let said = tree.install().expect_err("a package has diverted it");
    assert!(said.contains("other-websocket"), "{said}");
    assert_eq!(tree.module(), "of other-websocket");
    tree.uninstall().expect("uninstall");
    assert_eq!(tree.module(), "of other-websocket");
    assert_eq!(tree.read(&format!("{file}.other")), "C module 1.0");
}
