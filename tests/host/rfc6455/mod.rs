//! RFC 6455 frame by frame, like the Autobahn test suite: real Asterisk in both roles, with and without TLS, and the
//! exact bytes on both sides.
//!
//! | module | contents |
//! | --- | --- |
//! | [`case`] | the definition of a case |
//! | [`cases`] | all cases |
//! | [`handshake`] | the handshake before the frames |
//! | [`run`] | sends, collects what is received, compares |
//! | [`peer`], [`link`] | the call, and the raw connection to it |
//!
//! `make rfc6455` runs each case in both roles, with and without TLS, whole, byte by byte and frame by frame, on both
//! modules, and prints a table. `make test` runs the quick part on ours: every case in both roles without TLS, the
//! cases that TLS may affect with TLS, and the cases of one group in pieces.

mod case;
mod cases;
mod handshake;
pub mod link;
pub mod peer;
mod run;

use std::env;

use self::case::{Case, Delivery};
use self::peer::Way;
use super::harness::Suite;

pub fn tests(suite: &mut Suite) {
    let all = env::var_os("RFC6455_ALL").is_some();
    handshake::tests(suite, all);
    for case in cases::all() {
        for way in Way::ALL {
            if all || !way.tls || TLS_MATTERS.iter().any(|group| case.name.starts_with(group)) {
                add(suite, &case, way, Delivery::Whole);
            }
            let in_pieces = way == Way::ALL[0] && case.name.starts_with("fragments/");
            for delivery in case.deliveries.iter().filter(|_| all || in_pieces) {
                add(suite, &case, way, *delivery);
            }
        }
    }
}

/// Groups of cases that depend on more than the content of frames: sizes beyond a TLS record, and the end.
const TLS_MATTERS: [&str; 5] =
    ["lengths/", "limits/", "closing/tcp/", "closing/ours_first/", "closing/end_of_tcp/"];

fn add(suite: &mut Suite, case: &Case, way: Way, delivery: Delivery) {
    let suffix = match delivery {
        Delivery::Whole => "",
        Delivery::Octets => "/octets",
        Delivery::Frames => "/frames",
    };
    let name = format!("rfc6455/{}/{}{suffix}", way.name(), case.name);
    let (case, spared) = (case.clone(), case.spares_oracle);
    let body = move |t: &super::harness::Context| run::run(t, &case, way, delivery);
    let test = suite.beside(name, body);
    test.shares("rfc6455", peer::instance);
    if let Some(why) = spared {
        test.spare_oracle(why);
    }
}
