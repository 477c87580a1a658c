//! The decisions of `make setup`: the Debian mirror of the sandbox, and the machines that it does not change. Every
//! test that runs in the sandbox shows that it can be made.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// apt with the test's own sources.
struct Apt {
    dir: TempDir,
}

impl Apt {
    fn new() -> Self {
        let apt = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        for dir in ["parts", "lists/partial"] {
            fs::create_dir_all(apt.path(dir)).expect("folder");
        }
        let base = apt.path("").display().to_string();
        fs::write(
            apt.path("apt.conf"),
            format!(
                "Dir::Etc::SourceList \"{base}one-line.list\";\nDir::Etc::SourceParts \"{base}parts\";\n\
                 Dir::State::Lists \"{base}lists\";\n"
            ),
        )
        .expect("apt.conf");
        apt
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A repository in the folder `name`, whose sid has this `origin`. Returns its address.
    fn repository(&self, name: &str, origin: Option<&str>) -> String {
        let dir = self.path(name);
        fs::create_dir_all(dir.join("dists/sid")).expect("folder");
        if let Some(origin) = origin {
            fs::write(
                dir.join("dists/sid/InRelease"),
                format!("Hash: SHA256\n\nOrigin: {origin}\nSuite: unstable\n"),
            )
            .expect("InRelease");
        }
        format!("file:{}", dir.display())
    }

    fn mirror(&self, variables: &[(&str, &str)]) -> Result<String, String> {
        sandbox("mirror", |command| {
            command.env("APT_CONFIG", self.path("apt.conf")).envs(variables.iter().copied());
        })
    }
}

/// Runs scripts/sandbox. Returns its standard output, or its standard error if it failed.
fn sandbox(verb: &str, prepare: impl FnOnce(&mut Command)) -> Result<String, String> {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sandbox"));
    command.arg(verb).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/nonexistent");
    prepare(&mut command);
    let output = command.output().expect("scripts/sandbox");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn the_mirror_of_a_one_line_source() {
    let apt = Apt::new();
    let debian = apt.repository("debian", Some("Debian"));
    fs::write(
        apt.path("one-line.list"),
        format!("# comment\ndeb [trusted=yes arch=amd64] {debian}/ bookworm main contrib\n"),
    )
    .expect("sources");
    assert_eq!(apt.mirror(&[]), Ok(debian));
}

#[test]
fn the_mirror_of_a_deb822_source() {
    let apt = Apt::new();
    let debian = apt.repository("debian", Some("Debian"));
    fs::write(
        apt.path("parts/debian.sources"),
        format!(
            "Types: deb deb-src\nURIs: {debian}\nSuites: bookworm bookworm-updates\nComponents: main\nTrusted: yes\n"
        ),
    )
    .expect("sources");
    assert_eq!(apt.mirror(&[]), Ok(debian));
}

#[test]
fn the_first_that_is_a_debian_mirror() {
    let apt = Apt::new();
    let vendor = apt.repository("vendor", Some("A Vendor"));
    let security = apt.repository("debian-security", None);
    let debian = apt.repository("debian", Some("Debian"));
    let second = apt.repository("second", Some("Debian"));
    let sources: String = [&vendor, &security, &debian, &second]
        .iter()
        .map(|address| format!("deb [trusted=yes] {address} bookworm main\n"))
        .collect();
    fs::write(apt.path("one-line.list"), sources).expect("sources");
    assert_eq!(apt.mirror(&[]), Ok(debian));
    assert_eq!(apt.mirror(&[("ASTERISK_SANDBOX_MIRROR", &second)]), Ok(second));
}

#[test]
fn the_mirror_of_a_list_of_mirrors() {
    let apt = Apt::new();
    let debian = apt.repository("debian", Some("Debian"));
    fs::write(apt.path("mirrors"), format!("# nearest first\n{debian}/ priority:1\n")).expect("mirrors");
    fs::write(
        apt.path("one-line.list"),
        format!("deb [trusted=yes] mirror+file:{} bookworm main\n", apt.path("mirrors").display()),
    )
    .expect("sources");
    assert_eq!(apt.mirror(&[]), Ok(debian));
}

#[test]
fn no_mirror_says_what_to_do() {
    let apt = Apt::new();
    let vendor = apt.repository("vendor", Some("A Vendor"));
    fs::write(apt.path("one-line.list"), format!("deb [trusted=yes] {vendor} bookworm main\n"))
        .expect("sources");
    let said = apt.mirror(&[]).expect_err("no Debian mirror");
    assert!(said.contains("ASTERISK_SANDBOX_MIRROR") && said.contains(&vendor), "{said}");
}

#[test]
fn a_folder_that_is_no_sandbox_is_left_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let place = dir.path().join("work");
    fs::create_dir(&place).expect("folder");
    fs::write(place.join("thesis"), "years of it").expect("file");
    for verb in ["check", "make", "remove"] {
        let said = sandbox(verb, |command| {
            command.env("ASTERISK_SANDBOX", &place);
        })
        .expect_err("not a sandbox");
        assert!(said.contains(&place.display().to_string()), "{verb}: {said}");
        assert_eq!(fs::read_to_string(place.join("thesis")).expect("file"), "years of it", "{verb}");
    }
}

#[test]
fn its_place() {
    let place = |variables: &[(&str, &str)]| {
        sandbox("path", |command| {
            command.envs(variables.iter().copied());
        })
    };
    let cases = [
        ("the default", vec![], "/nonexistent/.cache/chan_websocket/sandbox"),
        ("another cache", vec![("XDG_CACHE_HOME", "/cache")], "/cache/chan_websocket/sandbox"),
        ("named", vec![("XDG_CACHE_HOME", "/cache"), ("ASTERISK_SANDBOX", "/srv/sid")], "/srv/sid"),
    ];
    for (case, variables, expected) in cases {
        assert_eq!(place(&variables), Ok(expected.to_owned()), "{case}");
    }
    let said = place(&[("ASTERISK_SANDBOX", "sandbox")]).expect_err("relative");
    assert!(said.contains("absolute"), "{said}");
}
