//! Dial strings.

use super::input::text;
use crate::protocol::dialect::ControlMessageFormat;
use crate::settings::config::MediaOptions;
use crate::settings::dial_string::{DialOptions, DialString, parse};
use crate::settings::secrets::dialled_for_log;

/// The text after `WebSocket/`.
pub fn dial_string(bytes: &[u8]) {
    let data = text(bytes);
    let Ok(dialled) = parse(&data) else {
        dialled_for_log(&data);
        return;
    };
    assert!(!dialled.connection_id.is_empty());
    if let Some(params) = &dialled.options.uri_params {
        assert!(!dialled.is_incoming() || dialled.check(ControlMessageFormat::Json).is_err());
        dialled.options.parameters();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+%=&".contains(c);
        assert!(!params.is_empty() && params.chars().all(allowed), "{data:?}");
        check_hidden(&data, params);
    }
    let again = parse(&written(&dialled)).expect("the parsed dial string can be written again");
    assert_eq!((again.connection_id, again.options), (dialled.connection_id, dialled.options), "{data:?}");
}

/// A token in `v()` does not reach the log.
fn check_hidden(data: &str, params: &str) {
    let params = params.replace('&', ",");
    // Only if it occurs once, in `v()`: it may also occur elsewhere, or result from quoted pieces.
    let is_written = data.contains(&format!("v({params})"));
    if params.len() >= 6 && is_written && data.matches(&params).count() == 1 {
        assert!(!dialled_for_log(data).contains(&params), "{data:?}");
    }
}

/// The dial string with every special character quoted.
fn written(dialled: &DialString) -> String {
    let literal = |text: &str| text.chars().flat_map(|c| ['\\', c]).collect::<String>();
    let DialOptions { codec, no_auto_answer, passthrough, unbuffered, format, direction, uri_params, media } =
        &dialled.options;
    let mut text = format!("{}/d({})", literal(&dialled.connection_id), direction.as_str());
    for (letter, is_set) in [('n', no_auto_answer), ('p', passthrough), ('u', unbuffered)] {
        if *is_set {
            text.push(letter);
        }
    }
    let arguments = [
        ('c', codec.clone()),
        ('f', format.map(|format| format.as_str().to_owned())),
        ('X', Some(media_options(*media))),
        ('v', uri_params.as_ref().map(|params| params.replace('&', ","))),
    ];
    for (letter, argument) in arguments {
        if let Some(argument) = argument {
            text.push_str(&format!("{letter}({})", literal(&argument)));
        }
    }
    text
}

fn media_options(media: MediaOptions) -> String {
    let MediaOptions { queue_overflow, max_latency, music_on_hold, silence_fill } = media;
    let yes = |on| if on { "yes" } else { "no" };
    let pairs = [
        queue_overflow.map(|overflow| format!("queue_overflow={}", overflow.as_str())),
        max_latency.map(|limit| format!("max_latency={}", limit.as_millis())),
        music_on_hold.map(|on| format!("music_on_hold={}", yes(on))),
        silence_fill.map(|on| format!("silence_fill={}", yes(on))),
    ];
    pairs.into_iter().flatten().collect::<Vec<_>>().join(",")
}
