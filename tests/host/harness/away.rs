//! A channel whose thread is busy in its dialplan and does not look at the channel.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use super::call::Call;

/// The thread of a channel, which is away until it is told to come back.
#[derive(Debug)]
pub struct Away {
    // Both ends, so that opening it does not block.
    fifo: File,
}

impl Away {
    /// Sends a channel in the test's Stasis application to the extension `away`.
    #[track_caller]
    pub fn send(call: &Call<'_>) -> Self {
        let (ari, asterisk) = (call.context().ari(), &call.context().asterisk);
        let fifo = format!("run/{}", call.id);
        let path = asterisk.folder().join(&fifo);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        let away = Self { fifo: File::options().read(true).write(true).open(path).expect("fifo") };
        call.wait_stasis();
        ari.set_variable(&call.id, "FIFO", &asterisk.inside(&fifo));
        let target = [("context", "harness"), ("extension", "away")];
        ari.post(&format!("channels/{}/continue", call.id), &target).ok();
        call.wait_application("System");
        away
    }

    /// Lets the thread come back. The value must not be dropped before the thread has done so.
    pub fn come_back(&mut self) {
        self.fifo.write_all(b"x").expect("fifo");
    }
}
