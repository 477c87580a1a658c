//! Connection ids cannot be guessed, and can be used once.

use std::collections::HashSet;
use std::thread;

use parking_lot::Mutex;

use super::super::harness::{Context, Suite};
use super::{beside, figures};

pub fn tests(suite: &mut Suite) {
    beside(suite, "hostile/ids/unguessable", unguessable).private();
    beside(suite, "hostile/ids/once", once);
}

const IDS: usize = 2000;

/// Random UUIDs (RFC 9562, version 4): there are no repeats, and every random bit is set half of the time, whatever the
/// previous id.
fn unguessable(t: &Context) {
    let ids = Mutex::new(Vec::new());
    // The C module can deadlock when calls are made in parallel (22).
    let threads = if t.is_ours() { 4 } else { 1 };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..IDS / threads {
                    let parameters =
                        [("external_host", "INCOMING"), ("connection_type", "server"), ("format", "ulaw")];
                    let channel = t.external_media(&parameters).ok();
                    let id = channel["channelvars"]["MEDIA_WEBSOCKET_CONNECTION_ID"]
                        .as_str()
                        .expect("id")
                        .to_owned();
                    ids.lock().push(id);
                    t.ari().hangup(channel["id"].as_str().expect("id"));
                }
            });
        }
    });
    let ids = ids.into_inner();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), IDS);
    let numbers: Vec<u128> = ids.iter().map(|id| number(id)).collect();
    let [mut set, mut changed] = [[0usize; 128]; 2];
    for (index, number) in numbers.iter().enumerate() {
        let last = numbers[index.checked_sub(1).unwrap_or(IDS - 1)];
        for bit in 0..128 {
            set[bit] += usize::from(number >> bit & 1 == 1);
            changed[bit] += usize::from((number ^ last) >> bit & 1 == 1);
        }
    }
    // Six standard deviations of a fair coin.
    let margin = 6.0 * (IDS as f64).sqrt() / 2.0;
    let (mut random, mut worst) = (0, 0.0f64);
    for bit in (0..128).filter(|bit| !matches!(bit, 62 | 63 | 76..=79)) {
        for count in [set[bit], changed[bit]] {
            let off = (count as f64 - IDS as f64 / 2.0).abs();
            worst = worst.max(off);
            assert!(off < margin, "bit {bit}: {count} of {IDS}");
        }
        random += 1;
    }
    figures(
        t,
        format!(
            "ids: {IDS} of {random} random bits, no repeats; the worst bit is off by {worst} ({margin:.0} allowed)"
        ),
    );
    assert_eq!(random, 122);
}

/// The id as a number. Checks its form.
fn number(id: &str) -> u128 {
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
    assert!(id[14..].starts_with('4') && "89ab".contains(&id[19..20]), "{id}");
    u128::from_str_radix(&id.replace('-', ""), 16).expect("hexadecimal digits")
}

/// Of many simultaneous requests one is accepted, and none after the call.
fn once(t: &Context) {
    t.allow_log("already connected");
    t.allow_log("not found");
    for _ in 0..5 {
        let call = t.incoming("c(ulaw)");
        let request = t.upgrade(&call.connection_id());
        let responses: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| t.send(&request))).collect();
            threads.into_iter().map(|thread| thread.join().expect("thread")).collect()
        });
        let (let_in, refused): (Vec<_>, Vec<_>) =
            responses.into_iter().partition(|response| response.status == 101);
        if !t.is_ours() {
            figures(t, format!("{} of 16 were let in", let_in.len()));
            continue;
        }
        assert_eq!(let_in.len(), 1);
        assert!(refused.iter().all(|response| response.status == 409));
        drop(let_in);
        assert_eq!(call.ending().cause, 38);
        assert_eq!(t.send(&request).status, 404);
    }
}
