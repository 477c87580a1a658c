//! The disk for Asterisk's recordings and log is full: calls continue with all their media, and everything else
//! continues once there is space again.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::super::harness::{Context, InstanceConfig, Suite, wait};
use super::super::media::noise;
use super::beside;
use super::resources::next_call;
use super::watchdog::stuck;

/// Signed linear at 48 kHz, so that recordings need much space.
const BYTES_PER_SECOND: usize = 96_000;
const BYTES_PER_FRAME: usize = BYTES_PER_SECOND / 50;

/// The unit in which the disk gives space.
const PAGE: u64 = 4096;

pub fn tests(suite: &mut Suite) {
    beside(suite, "life/disk/full", full).private_with(
        InstanceConfig::new().small_disk(4096).module("app_mixmonitor").dialplan(
            "exten => recorded,1,MixMonitor(mix.sln48,r(rx.sln48)t(tx.sln48))\n\
             \x20same => n,Echo()\n",
        ),
    );
}

/// Writes a file until only this many bytes are free.
fn fill(file: &Path, but: u64) {
    let mut out = File::create(file).expect("a file to fill the disk with");
    let full = loop {
        if let Err(error) = out.write_all(&[0; PAGE as usize]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let len = out.metadata().expect("metadata").len();
    out.set_len(len - but).expect("room");
}

/// Whether there is no space for another page.
fn is_full(folder: &Path) -> bool {
    let file = folder.join("probe");
    let result = fs::write(&file, [0; PAGE as usize]);
    let _ = fs::remove_file(&file);
    result.is_err_and(|error: io::Error| error.kind() == ErrorKind::StorageFull)
}

/// A call is recorded from a time with space to a time without, and again when there is space. Meanwhile other calls
/// begin and end, and lines are logged.
fn full(t: &Context) {
    t.allow_log("");
    let spool = t.asterisk.seen("spool");
    let recorded = || fs::metadata(spool.join("monitor/mix.sln48")).map_or(0, |file| file.len());
    let call = t.call("WebSocket/INCOMING/c(slin48)").extension("recorded").originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Echo");
    let talks = |seconds: usize, meanwhile: &dyn Fn()| {
        let media = noise(BYTES_PER_SECOND * seconds);
        media.chunks(BYTES_PER_FRAME).for_each(|frame| app.send_media(frame));
        meanwhile();
        assert!(app.collect_media(media.len()) == media, "media is lost");
    };
    let ballast = spool.join("ballast");
    // Space for a few seconds of the three recordings.
    fill(&ballast, 256 * 1024);
    talks(6, &|| {
        wait::until("something is recorded", || recorded() > 0);
        wait::until("the disk is full", || is_full(&spool));
        let before = [recorded(), t.asterisk.log.len() as u64];
        for _ in 0..20 {
            let _ = t.send(&t.upgrade("nobody"));
        }
        next_call(t);
        thread::sleep(Duration::from_secs(1));
        let after = [recorded(), t.asterisk.log.len() as u64];
        assert!(
            before.iter().zip(after).all(|(before, after)| after - before < PAGE),
            "{before:?}, {after:?}"
        );
        if t.is_ours() {
            assert_eq!(stuck(t), 0);
        }
    });
    assert!(is_full(&spool));
    let before = recorded();
    fs::remove_file(&ballast).expect("room again");
    t.asterisk.cli("logger reload");
    let mark = t.asterisk.log.len();
    talks(2, &|| next_call(t));
    wait::until("recording goes on", || recorded() > before);
    t.asterisk.cli("module load no_such_module");
    t.asterisk.log.wait_since(mark, &["no_such_module"]);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
    next_call(t);
    if t.is_ours() {
        assert_eq!(stuck(t), 0);
    }
}
