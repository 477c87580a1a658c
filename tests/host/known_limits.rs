//! Limits of Asterisk itself, which both modules have: docs/known-limits.md.

use super::harness::{Context, Suite};

pub fn tests(suite: &mut Suite) {
    suite.same("known_limits/channel_ids", channel_ids);
    suite.beside("known_limits/channel_id_of_a_websocket", channel_id_of_a_websocket).may_ruin_oracle();
}

/// Requests a channel with this id. Returns ARI's status.
#[track_caller]
fn ask(t: &Context, endpoint: &str, id: &str) -> u16 {
    let app = t.ari().app.clone();
    t.ari().post("channels", &[("endpoint", endpoint), ("app", &app), ("channelId", id)]).status
}

/// An id that is a prefix of the id of an existing channel is refused as if it were the same; a longer id is accepted.
/// Asterisk itself refuses it, whatever the technology of the requested channel.
fn channel_ids(t: &Context) {
    for line in ["already in use by channel", "Unable to allocate owner channel"] {
        t.allow_log(line);
    }
    let id = t.unique("known");
    let (first, beginning, longer) = (format!("{id}-1"), format!("{id}-"), format!("{id}-12"));
    assert_eq!(ask(t, "WebSocket/INCOMING/c(ulaw)", &first), 200);
    for refused in [&first, &beginning] {
        assert_eq!(ask(t, "Local/park@harness", refused), 409, "{refused}");
    }
    assert_eq!(ask(t, "Local/park@harness", &longer), 200);
    t.ari().hangup(&longer);
    t.ari().hangup(&first);
    t.ari().wait_channel("ChannelDestroyed", &longer);
    t.ari().wait_channel("ChannelDestroyed", &first);
    // Once both channels are gone, the prefix is free.
    assert_eq!(ask(t, "Local/park@harness", &beginning), 200);
    t.ari().hangup(&beginning);
}

/// The same with a WebSocket: the request is refused, and nothing else happens. The C module crashes (41).
fn channel_id_of_a_websocket(t: &Context) {
    for line in ["already in use by channel", "Unable to allocate channel"] {
        t.allow_log(line);
    }
    let (call, app) = t.incoming_echo("c(ulaw)");
    let server = t.server(&[]);
    for endpoint in ["WebSocket/INCOMING/c(ulaw)".to_owned(), format!("WebSocket/{}/c(ulaw)", server.client)]
    {
        assert_eq!(ask(t, &endpoint, &call.id), 409, "{endpoint}");
    }
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    call.ending();
    t.note("all as expected");
}
