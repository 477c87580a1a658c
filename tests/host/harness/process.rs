//! Child processes that end when this process does, however it ends.

use std::io;
use std::process::{Child, Command};
use std::sync::{LazyLock, mpsc};

use parking_lot::Mutex;

type Request = (Command, mpsc::Sender<io::Result<Child>>);

/// The kernel sends the parent-death signal when the forking *thread* ends. So one thread, which lives as long as the
/// process, does all the forking.
static SPAWNER: LazyLock<Mutex<mpsc::Sender<Request>>> = LazyLock::new(|| {
    let (requests, inbox) = mpsc::channel::<Request>();
    std::thread::Builder::new()
        .name("spawner".into())
        .spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        })
        .expect("a thread for spawning");
    Mutex::new(requests)
});

/// A command that runs `program` and kills it with SIGKILL when this process ends. Start it with [`spawn`].
pub fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// Starts a command made by [`command`].
pub fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = mpsc::channel();
    SPAWNER.lock().send((command, reply)).expect("spawner is alive");
    answer.recv().expect("spawner answers")
}

/// Whether a process with this id exists.
pub fn exists(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}
