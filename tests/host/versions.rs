//! Other builds of Asterisk than the sandbox's: here, what its build options say. A build from another source tree is
//! what `make versiontest` brings.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::harness::conf::DRIVER;
use super::harness::{Context, InstanceConfig, Suite, sandbox};

pub fn tests(suite: &mut Suite) {
    suite
        .ours("versions/build_options", "the C module is built for one set of options", build_options)
        .private_from(|| InstanceConfig::new().without(DRIVER).environment("LD_PRELOAD", &preload().1));
}

/// What the module asks for in place of the core's function, which nothing can stand in for: the name is as long.
const REAL: &[u8] = b"\0ast_get_build_opts\0";
const FAKE: &[u8] = b"\0ast_get_build_optz\0";

/// The stand-in, compiled: the folder as it is here, and the library as it is inside the sandbox. It says what is in the
/// file `options` beside it.
fn preload() -> (std::path::PathBuf, String) {
    let folder = sandbox::root().join(format!("srv/cw-{}-options", std::process::id()));
    let inside = sandbox::inside(&folder);
    if !folder.exists() {
        fs::create_dir_all(&folder).unwrap();
        let source = format!(
            "#include <stdio.h>\n#include <string.h>\n\
             const char *ast_get_build_optz(void) {{\n static char text[200];\n FILE *file = fopen(\"{inside}/options\", \"r\");\n\
             memset(text, 0, sizeof text);\n if (file) {{ if (!fgets(text, sizeof text, file)) text[0] = 0; fclose(file); }}\n\
             return text;\n}}\n"
        );
        fs::write(folder.join("options.c"), source).unwrap();
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-o"])
            .arg(folder.join("options.so"))
            .arg(folder.join("options.c"));
        assert!(compiler.status().unwrap().success());
    }
    (folder, format!("{inside}/options.so"))
}

/// Our module, asking the stand-in.
fn patched(module: &Path) -> Vec<u8> {
    let mut bytes = fs::read(module).unwrap();
    let places: Vec<usize> =
        bytes.windows(REAL.len()).enumerate().filter(|(_, part)| *part == REAL).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + FAKE.len()].copy_from_slice(FAKE);
    }
    bytes
}

/// Declines where structures are laid out differently, says why, and is at home everywhere else.
fn build_options(t: &Context) {
    let (folder, _) = preload();
    fs::write(t.asterisk.folder().join("modules/chan_websocket.so"), patched(&sandbox::our_module()))
        .unwrap();
    for why in ["declines to load", "declined to load", "failed to load"] {
        t.allow_log(why);
    }
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
        assert!(!t.asterisk.driver_status().is_some_and(|status| status.running), "{options}");
    }
    // None of them, others, and names that only begin alike.
    for options in ["", "OPTIONAL_API", "MALLOC_DEBUG, DONT_OPTIMIZE", "DEBUG_THREADS_NOT, LOW_MEMORY2"] {
        fs::write(folder.join("options"), options).unwrap();
        t.asterisk.driver("load");
        assert!(t.asterisk.driver_status().is_some_and(|status| status.running), "{options}");
        let (call, app) = t.incoming_echo("c(ulaw)");
        app.send_media(&[0x55; 160]);
        assert_eq!(app.collect_media(160), [0x55; 160]);
        drop(call);
        t.asterisk.unload_driver();
    }
}
