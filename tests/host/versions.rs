//! Builds of Asterisk other than the sandbox's: here, their version and their build options. `make versiontest` tests
//! builds from other sources.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::conf::DRIVER;
use super::harness::{Context, InstanceConfig, Suite, sandbox};

pub fn tests(suite: &mut Suite) {
    type Body = fn(&Context);
    let tests: [(&str, &str, Body); 3] = [
        ("build_options", "the C module is built for one set of options", build_options),
        ("version", "the C module is built for one version", version),
        ("untested", "the C module is built for one version", untested),
    ];
    for (name, why, body) in tests {
        suite.ours(format!("versions/{name}"), why, body).private_from(preload);
    }
}

/// The names that the module looks up instead of the core's functions, which cannot be replaced: they have the same
/// length.
const NAMES: [(&[u8], &[u8]); 2] = [
    (b"\0ast_get_build_opts\0", b"\0ast_get_build_optz\0"),
    (b"\0ast_get_version\0", b"\0ast_get_versioz\0"),
];

/// An instance with stand-ins, which return the content of the files `options` and `version` beside them.
fn preload() -> InstanceConfig {
    let (folder, _) = sandbox::instance_folder();
    fs::write(folder.join("options"), "OPTIONAL_API").unwrap();
    fs::write(folder.join("version"), "22.10.1").unwrap();
    let inside = sandbox::inside(&folder);
    let mut source = String::from("#include <stdio.h>\n#include <string.h>\n");
    for (function, file) in [("ast_get_build_optz", "options"), ("ast_get_versioz", "version")] {
        let _ = write!(
            source,
            "const char *{function}(void)\n{{\n static char text[200];\n\
             FILE *file = fopen(\"{inside}/{file}\", \"r\");\n memset(text, 0, sizeof text);\n\
             if (file) {{ if (!fgets(text, sizeof text, file)) text[0] = 0; fclose(file); }}\n return text;\n}}\n"
        );
    }
    fs::write(folder.join("stand_in.c"), source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.join("stand_in.so")).arg(folder.join("stand_in.c"));
    assert!(compiler.status().unwrap().success());
    InstanceConfig::new().without(DRIVER).environment("LD_PRELOAD", &format!("{inside}/stand_in.so"))
}

/// The folder of this instance's stand-ins.
fn folder(t: &Context) -> PathBuf {
    let environment = fs::read(format!("/proc/{}/environ", t.asterisk.pid())).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let library = environment.split('\0').find_map(|entry| entry.strip_prefix("LD_PRELOAD=")).unwrap();
    sandbox::root().join(Path::new(library).parent().unwrap().strip_prefix("/").unwrap())
}

/// Our module, changed so that it calls the stand-ins.
fn patched(module: &Path) -> Vec<u8> {
    let mut bytes = fs::read(module).unwrap();
    for (real, fake) in NAMES {
        let places: Vec<usize> = bytes
            .windows(real.len())
            .enumerate()
            .filter(|(_, part)| *part == real)
            .map(|(at, _)| at)
            .collect();
        assert!(!places.is_empty(), "{}", String::from_utf8_lossy(real));
        for at in places {
            bytes[at..at + fake.len()].copy_from_slice(fake);
        }
    }
    bytes
}

/// Installs it in the instance's module folder.
fn prepare(t: &Context) {
    fs::write(t.asterisk.folder().join("modules/chan_websocket.so"), patched(&sandbox::our_module()))
        .unwrap();
    for why in ["declines to load", "declined to load", "failed to load", "not tested", "allow_untested"] {
        t.allow_log(why);
    }
}

fn is_running(t: &Context) -> bool {
    t.asterisk.driver_status().is_some_and(|status| status.running)
}

fn expect_call(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160), [0x55; 160]);
    drop(call);
}

/// Declines to load in an Asterisk of another version, with a line that names it and the supported ones.
fn version(t: &Context) {
    let folder = folder(t);
    prepare(t);
    for version in [
        "20.17.1",
        "22.7.0~dfsg-1",
        "23.1.0-rc1",
        "certified-20.7-cert5",
        "21.12.0",
        "24.0.0",
        "25.0.0-pre1",
        "GIT-22-0a1b2c3",
        "GIT-master-0a1b2c3",
        "SVN-branch-1.8-r1",
        "UNKNOWN__and_probably_unsupported",
    ] {
        fs::write(folder.join("version"), version).unwrap();
        t.asterisk.driver("load");
        let line = t.wait_log(&["ERROR", "declines to load", &format!("Asterisk {version} ")]);
        for part in ["20.18", "22.8", "23.2", "allow_untested_version"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!is_running(t), "{version}");
        assert!(!t.asterisk.cli("core show channeltypes").contains("WebSocket"), "{version}");
    }
    for version in ["20.18.0", "22.8.0~dfsg+~cs6-1", "22.99.1", "23.2.0-rc1", "certified-22.8-cert4"] {
        fs::write(folder.join("version"), version).unwrap();
        t.asterisk.driver("load");
        assert!(is_running(t), "{version}");
        t.asterisk.unload_driver();
    }
}

/// The operator can allow an untested version.
fn untested(t: &Context) {
    let folder = folder(t);
    prepare(t);
    fs::write(folder.join("version"), "25.1.0").unwrap();
    for (text, runs) in [
        ("[global]\nallow_untested_version = no\n", false),
        ("[global]\nallow_untested_version = perhaps\n", false),
        ("[other]\nallow_untested_version = yes\n", false),
        ("[global]\nallow_untested_version = yes\n", true),
    ] {
        t.asterisk.write_config("chan_websocket.conf", text);
        t.asterisk.driver("load");
        assert_eq!(is_running(t), runs, "{text}");
    }
    t.wait_log(&["ERROR", "allow_untested_version", "'perhaps'", "yes or no"]);
    t.wait_log(&["WARNING", "25.1.0", "not tested", "allow_untested_version"]);
    expect_call(t);
    assert!(t.asterisk.cli("websocket show settings").contains("allow_untested_version"));
    t.asterisk.unload_driver();
    // That does not turn off the check of build options.
    fs::write(folder.join("options"), "DEBUG_THREADS").unwrap();
    t.asterisk.driver("load");
    t.wait_log(&["ERROR", "declines to load", "DEBUG_THREADS"]);
    assert!(!is_running(t));
}

/// Declines to load if structures have another layout, says why, and loads in all other cases.
fn build_options(t: &Context) {
    let folder = folder(t);
    prepare(t);
    for (options, named) in [
        ("DEBUG_THREADS", "DEBUG_THREADS"),
        ("OPTIONAL_API, LOW_MEMORY, TEST_FRAMEWORK", "LOW_MEMORY"),
        ("DEBUG_FD_LEAKS, OPTIONAL_API", "DEBUG_FD_LEAKS"),
        ("DEBUG_THREADS, LOW_MEMORY", "DEBUG_THREADS, LOW_MEMORY"),
    ] {
        fs::write(folder.join("options"), options).unwrap();
        t.asterisk.driver("load");
        let line =
            t.wait_log(&["ERROR", "declines to load", &format!("is built with {named}, which changes")]);
        assert!(line.contains("Asterisk 2"), "{line}");
        assert!(!is_running(t), "{options}");
    }
    // None of these options, other options, and names that only begin alike.
    for options in ["", "OPTIONAL_API", "MALLOC_DEBUG, DONT_OPTIMIZE", "DEBUG_THREADS_NOT, LOW_MEMORY2"] {
        fs::write(folder.join("options"), options).unwrap();
        t.asterisk.driver("load");
        assert!(is_running(t), "{options}");
        expect_call(t);
        t.asterisk.unload_driver();
    }
}
