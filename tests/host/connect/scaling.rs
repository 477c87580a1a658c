//! The statements of docs/scaling.md: applications behind a load balancer, over wss; one of them is killed.

use tempfile::TempDir;

use super::super::examples::is_listening;
use super::super::harness::call::Call;
use super::super::harness::program::Program;
use super::super::harness::{Context, Suite, ports, wait};
use super::{instance, tls};

pub fn tests(suite: &mut Suite) {
    suite.differs("connect/scaling/killed_app_server", "19", killed_app_server).shares("connect", instance);
}

/// One of the example applications, on a free port.
pub struct AppServer {
    /// Its process and its output.
    pub program: Program,
    /// Its address on the loopback network.
    pub address: String,
    _folder: TempDir,
}

impl AppServer {
    /// Starts an application, and waits until it listens.
    pub fn start(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = ports::free();
        let address = format!("127.0.0.1:{port}");
        let program = Program::start(script, &["listen", &address], folder.path());
        wait::until("the application listens", || is_listening(port));
        Self { program, address, _folder: folder }
    }

    /// Reads the start of `count` calls from its output, and returns those of `calls` that it has.
    fn its<'c, 't>(&self, calls: &'c [Call<'t>], count: usize) -> Vec<&'c Call<'t>> {
        let starts: Vec<String> = (0..count).map(|_| self.program.wait_line("MEDIA_START")).collect();
        let is_here =
            |call: &&Call<'_>| starts.iter().any(|start| start.contains(&format!("\"{}\"", call.id)));
        calls.iter().filter(is_here).collect()
    }
}

/// Its calls end; those of the other application continue, and new calls go there.
fn killed_app_server(t: &Context) {
    let (one, other) = (AppServer::start("examples/python/app.py"), AppServer::start("examples/node/app.js"));
    let (_nginx, client) = tls::balanced_client(t, &[one.address.clone(), other.address.clone()]);
    let dial = || t.call(&format!("WebSocket/{client}/c(ulaw)f(json)")).originate();
    let calls: Vec<Call<'_>> = (0..4).map(|_| dial()).collect();
    let (lost, kept) = (one.its(&calls, 2), other.its(&calls, 2));
    assert_eq!((lost.len(), kept.len()), (2, 2));
    calls.iter().for_each(Call::wait_up);

    drop(one);
    for call in lost {
        let ending = call.ending();
        // The C module sets no cause here (19).
        assert_eq!(ending.cause, t.either(0, 38));
    }
    for call in kept {
        assert_eq!(call.state().as_deref(), Some("Up"));
        t.ari().post(&format!("channels/{}/dtmf", call.id), &[("dtmf", "5")]).ok();
        let event = other.program.wait_line("DTMF_END");
        assert!(event.contains(&call.id), "{event}");
    }
    let new: Vec<Call<'_>> = (0..3).map(|_| dial()).collect();
    assert_eq!(other.its(&new, 3).len(), 3);
    new.iter().for_each(Call::wait_up);
}
