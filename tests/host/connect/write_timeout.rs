//! `write_timeout` of websocket_client.conf, as in Asterisk 23.6: an explicit value is used, its default is not. A
//! module of the test (write_timeout.c) adds the option to the Asterisk of these tests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::harness::{Context, InstanceConfig, Suite};
use super::dial_string;

const WHY: &str = "the C module minds its own 100 ms";

pub fn tests(suite: &mut Suite) {
    suite.ours("connect/write_timeout", WHY, written).private_from(InstanceConfig::new);
}

/// Asterisk's headers, found as build.rs finds them.
fn headers() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = env::var_os("ASTERISK_INCLUDE_DIR").map(PathBuf::from);
    let others = ["/usr/include", "/usr/local/include"].map(PathBuf::from).into_iter();
    let mut places = named.into_iter().chain(others).chain([root.join("asterisk-headers/include")]);
    places.find(|folder| folder.join("asterisk.h").is_file()).expect("Asterisk's headers")
}

/// Builds the module into the instance's folder, and loads it.
fn load_module(t: &Context) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let module = t.asterisk.folder().join("modules/test_write_timeout.so");
    let mut compile = Command::new("cc");
    compile.args(["-std=gnu11", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o"]);
    compile.arg(&module).arg(root.join("tests/host/connect/write_timeout.c"));
    compile.arg("-I").arg(headers());
    let built = compile.output().expect("cc");
    assert!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
    let answer = t.asterisk.cli("module load test_write_timeout.so");
    assert!(answer.contains("Loaded test_write_timeout"), "{answer}");
}

fn written(t: &Context) {
    load_module(t);
    type Options = &'static [(&'static str, &'static str)];
    let rows: [(Options, Options, &str); 4] = [
        (&[], &[], "30000"),
        (&[("write_timeout", "100")], &[], "100"),
        (&[("write_timeout", "5000")], &[], "5000"),
        (&[], &[("write_timeout", "700")], "700"),
    ];
    for (options, section, expected) in rows {
        let server = t.server(options);
        if !section.is_empty() {
            t.asterisk.add_connection(&server.client, section);
        }
        let call = t.call(&dial_string(&server.client)).originate();
        let app = server.accept();
        app.expect_media_start();
        call.wait_up();
        let timeout = call.variable("CHANNEL(websocket,write_timeout)");
        assert_eq!(timeout.as_deref(), Some(expected), "{options:?} {section:?}");
    }
}
