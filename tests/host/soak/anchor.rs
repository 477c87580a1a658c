//! One call that lasts the whole soak and must not be affected, and the operator who tries to disturb it.

use std::thread;
use std::time::Duration;

use super::super::harness::wait;
use super::Soak;
use super::random::Random;

/// Sends media all the time. Returns the number of frames that came back, all of them correct.
pub fn stays(soak: &Soak<'_>) -> u64 {
    let t = soak.context();
    let (call, app) = t.incoming_echo("c(ulaw)");
    let mut frames = 0_u64;
    while !soak.is_over() {
        let mut said = Vec::new();
        for number in frames..frames + 50 {
            let mut frame = [0x7f; 160];
            frame[..8].copy_from_slice(&number.to_be_bytes());
            said.extend_from_slice(&frame);
        }
        app.send_media(&said);
        let heard = app.collect_media_for(said.len(), wait::PATIENCE);
        assert!(heard == said, "of 50 frames from {frames} on {} bytes came, or others", heard.len());
        frames += 50;
    }
    app.command("HANGUP");
    app.rest();
    call.ending();
    frames
}

/// Reloads, tries to unload, and reads the output of the CLI.
pub fn operate(soak: &Soak<'_>, random: &mut Random) {
    // By then the lasting call holds the module.
    wait::until("a call is up", || soak.asterisk.driver_status().is_some_and(|status| status.use_count > 0));
    while !soak.is_over() {
        thread::sleep(Duration::from_millis(random.between(50, 1000)));
        match random.between(0, 3) {
            0 => {
                let answer = soak.asterisk.driver("reload");
                assert!(answer.contains("reload"), "{answer}");
            }
            1 if soak.asterisk.driver_status().is_some_and(|status| status.use_count > 0)
                && !is_ending(soak) =>
            {
                let answer = soak.asterisk.driver("unload");
                assert!(answer.contains("Unable to unload"), "{answer}");
            }
            2 => {
                let answer = soak.asterisk.cli("websocket show stats");
                assert!(answer.contains(" up, "), "{answer}");
            }
            _ => {
                soak.asterisk.cli("websocket show channels");
            }
        }
    }
}

/// The lasting call is about to end, so an attempt to unload could succeed.
fn is_ending(soak: &Soak<'_>) -> bool {
    soak.until.saturating_duration_since(std::time::Instant::now()) < Duration::from_secs(3)
}
