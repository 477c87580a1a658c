//! Calls that are not possible with a dialect: they are refused at the request, with an error that says why and what is
//! allowed.

use super::super::super::harness::{Context, Suite};
use super::super::OURS;

pub fn tests(suite: &mut Suite) {
    for (name, options, error) in ROWS {
        suite.ours(format!("dialect/twilio/refused/{name}"), OURS, move |t| refused(t, options, error));
    }
}

const NO_FRAMES: &str =
    "media comes in messages of any size, which are no frames. Allowed are calls in twilio without it";

const ROWS: [(&str, &str, &str); 6] = [
    (
        "codec",
        "f(twilio)c(slin16)",
        "format 'slin16' in c() is not possible with f(twilio) in WebSocket/INCOMING. Must be ulaw",
    ),
    ("alaw", "c(alaw)f(Twilio)", "format 'alaw' in c() is not possible with f(twilio)"),
    (
        "no_answer",
        "f(twilio)n",
        "Option 'n' is not possible with f(twilio) in WebSocket/INCOMING: its applications have no message",
    ),
    ("passthrough", "f(twilio)p", NO_FRAMES),
    ("unbuffered", "f(twilio)u", NO_FRAMES),
    ("parameters", "f(json)v(a=1)", "URI parameters are not allowed for 'WebSocket/INCOMING' channels"),
];

fn refused(t: &Context, options: &str, error: &str) {
    t.allow_log(error);
    t.allow_log("Unable to create channel of type");
    let answer = t.call(&format!("WebSocket/INCOMING/{options}")).formats("ulaw").try_originate();
    assert!(answer.status >= 400, "{answer:?}");
    t.wait_log(&[error]);
}
