//! `f(telnyx)`, `f(vonage)`, `f(plivo)` and `f(exotel)`: the messages in both directions, in either role, and how the
//! call ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::harness::call::{Call, CallBuilder};
use super::super::harness::{Context, Item, Suite};
use super::super::media::noise;
use super::super::playback::{WAYS, Way};
use super::OURS;
use super::carrier::{Bot, Carrier, Codec};

pub fn tests(suite: &mut Suite) {
    for carrier in Carrier::ALL {
        let name = |what: &str| format!("dialect/{}/{what}", carrier.name());
        for way in WAYS {
            suite.ours(name(&format!("call/{}", way.name)), OURS, move |t| whole_call(t, carrier, way));
        }
        for codec in carrier.codecs() {
            suite.ours(name(&format!("codec/{}", codec.0)), OURS, move |t| echo(t, carrier, *codec));
        }
        suite.ours(name("default_codec"), OURS, move |t| default_codec(t, carrier));
        suite.ours(name("opening"), OURS, move |t| opening(t, carrier));
        suite.ours(name("bad_input"), OURS, move |t| bad_input(t, carrier));
        suite.ours(name("refused"), OURS, move |t| refused(t, carrier));
    }
    suite.ours("dialect/telnyx/codec/opus", OURS, opus);
    suite.ours("dialect/plivo/other_format", OURS, other_format);
}

fn first_codec(carrier: Carrier) -> Codec {
    carrier.codecs()[0]
}

/// A call that is up, and its application.
#[track_caller]
fn call<'t>(
    t: &'t Context,
    carrier: Carrier,
    codec: Codec,
    way: Way,
    does: fn(CallBuilder<'t>) -> CallBuilder<'t>,
) -> (Call<'t>, Bot) {
    let (call, app) = way.dial(t, &carrier.options(codec), does);
    let bot = Bot::open(app, carrier, codec);
    call.wait_up();
    (call, bot)
}

fn itself(call: CallBuilder<'_>) -> CallBuilder<'_> {
    call
}

/// Marks, an interruption, digits and both ends of a call.
fn whole_call(t: &Context, carrier: Carrier, way: Way) {
    let codec = first_codec(carrier);
    let frame = codec.1;
    let (first, bot) = call(t, carrier, codec, way, itself);
    let begun = Instant::now();
    bot.mark("at once");
    bot.media(&noise(frame * 10));
    bot.mark("after 200 ms");
    bot.media(&noise(frame * 10 + 2));
    bot.mark("after 420 ms");
    bot.expect_marks(&["at once", "after 200 ms"]);
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    bot.expect_marks(&["after 420 ms"]);
    assert!(begun.elapsed() >= Duration::from_millis(420), "{:?}", begun.elapsed());

    bot.media(&noise(frame * 1500));
    bot.mark("half");
    bot.media(&noise(frame * 1500));
    bot.mark("end");
    bot.clear();
    if carrier.brings_marks_back() {
        bot.expect_marks(&["half", "end"]);
    }
    bot.expect_cleared();
    bot.mark("after the clear");
    bot.expect_marks(&["after the clear"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "nothing of it was played: {:?}", begun.elapsed());

    first.wait_stasis();
    t.ari().post(&format!("channels/{}/dtmf", first.id), &[("dtmf", "4#")]).ok();
    for digit in ["4", "#"] {
        expect_digit(&bot, digit);
    }
    first.hangup();
    match carrier {
        Carrier::Telnyx => {
            let stop = bot.expect("stop");
            let field = |name: &str| bot.start.value("start")[name].clone();
            let ids = json!({ "user_id": field("user_id"), "call_control_id": field("call_control_id") });
            assert_eq!(stop.value("stop"), &ids, "{}", stop.raw);
        }
        Carrier::Exotel => {
            let stop = bot.expect("stop");
            assert_eq!(stop.value("stop")["reason"], "callended", "{}", stop.raw);
            assert_eq!(stop.value("stop")["call_sid"], bot.start.value("start")["call_sid"], "{}", stop.raw);
        }
        // These carriers only close.
        Carrier::Vonage | Carrier::Plivo => {}
    }
    assert!(matches!(bot.next(), Item::Close(1000)));

    let (second, bot) = call(t, carrier, codec, way, itself);
    bot.media(&noise(frame * 100));
    bot.app.close(1000);
    assert!(matches!(bot.next(), Item::Close(1000)), "an application that has closed gets no last message");
    assert_eq!(second.ending().cause, 16);
}

#[track_caller]
fn expect_digit(bot: &Bot, digit: &str) {
    let name = if bot.carrier == Carrier::Vonage { "websocket:dtmf" } else { "dtmf" };
    let dtmf = bot.expect(name);
    let read: Value = serde_json::from_str(&dtmf.raw).expect("JSON");
    let (found, length) = match bot.carrier {
        Carrier::Vonage => (&read["digit"], read["duration"].as_u64()),
        Carrier::Exotel => {
            let length = read["dtmf"]["duration"].as_str().and_then(|text| text.parse().ok());
            (&read["dtmf"]["digit"], length)
        }
        Carrier::Telnyx | Carrier::Plivo => (&read["dtmf"]["digit"], Some(1)),
    };
    assert_eq!(found, digit, "{}", dtmf.raw);
    assert!(length.is_some_and(|length| length > 0), "{}", dtmf.raw);
}

/// Media both ways in each codec, in messages of any size, byte for byte; and what the opening message says of the
/// codec.
fn echo(t: &Context, carrier: Carrier, codec: Codec) {
    let (echo, bot) = call(t, carrier, codec, WAYS[0], |call| call.extension("echo"));
    assert!(bot.start.raw.contains(codec.2), "{}", bot.start.raw);
    echo.wait_application("Echo");
    let media = noise(codec.1 * 20);
    let (mut rest, sizes) = (&media[..], [1, 159, 160, 161, 7, 640, 1000, 3]);
    for size in sizes.into_iter().cycle() {
        let (message, after) = rest.split_at(size.min(rest.len()));
        bot.media(message);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    assert!(bot.hear(media.len()) == media, "what comes back is what was sent");
}

/// Each packet of Opus is one message in each direction, whatever its length.
fn opus(t: &Context) {
    let codec: Codec = ("opus", 0, r#""media_format":{"encoding":"OPUS","sample_rate":16000,"channels":1}"#);
    let (echo, app) = WAYS[0].dial(t, &Carrier::Telnyx.options(codec), |call| call.extension("echo"));
    let start = {
        app.expect_event("connected");
        app.expect_event("start")
    };
    assert!(start.raw.contains(codec.2), "{}", start.raw);
    echo.wait_application("Echo");
    // Packets of 20 ms (configuration 31, one frame), of different lengths.
    let packets: Vec<Vec<u8>> =
        [7, 60, 160, 3].into_iter().map(|len| [&[0xf8][..], &noise(len)].concat()).collect();
    let encode = |packet: &Vec<u8>| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(packet)
    };
    for packet in &packets {
        let media = json!({ "event": "media", "media": { "payload": encode(packet) } });
        app.send_text(&media.to_string());
    }
    for packet in &packets {
        let media = app.expect_event("media");
        assert_eq!(media.value("media")["payload"], encode(packet), "{}", media.raw);
    }
}

fn default_codec(t: &Context, carrier: Carrier) {
    let way = WAYS[2];
    let (call, app) = way.dial(t, &format!("f({})", carrier.name()), |call| call.formats("g722"));
    let codec = first_codec(carrier);
    let bot = Bot::open(app, carrier, codec);
    assert!(bot.start.raw.contains(codec.2), "{}", bot.start.raw);
    let native = t.ari().variable(&call.id, "CHANNEL(audionativeformat)");
    assert_eq!(native, Some(format!("({})", codec.0)));
}

/// The call in the opening message: caller, callee and parameters. Another call has other ids.
fn opening(t: &Context, carrier: Carrier) {
    let options = format!("f({})v(tenant=a+b,from=%2B1,to=200)", carrier.name());
    let (call, app) = WAYS[2].dial(t, &options, |call| call.variable("LANG", "en"));
    let bot = Bot::open(app, carrier, first_codec(carrier));
    let read: Value = serde_json::from_str(&bot.start.raw).expect("JSON");
    let at = |place: &str| read.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    match carrier {
        Carrier::Telnyx | Carrier::Exotel => {
            assert_eq!((at("/start/from"), at("/start/to")), ("+1".into(), "200".into()), "{read}");
            let parameter = |name: &str| at(&format!("/start/custom_parameters/{name}"));
            assert_eq!((parameter("tenant"), parameter("LANG")), ("a b".into(), "en".into()), "{read}");
            assert_eq!(parameter("channel_id"), call.id);
        }
        Carrier::Vonage => {
            assert_eq!((at("/tenant"), at("/from"), at("/LANG")), ("a b".into(), "+1".into(), "en".into()));
            assert_eq!(at("/channel_id"), call.id);
        }
        Carrier::Plivo => {
            assert_eq!(at("/extra_headers"), format!("tenant=a b;from=+1;to=200;channel_id={}", call.id));
        }
    }
    let (_other, app) = WAYS[2].dial(t, &options, itself);
    let other = Bot::open(app, carrier, first_codec(carrier));
    assert_ne!(other.stream, bot.stream);
}

/// Input that the carrier would not understand has no effect. Telnyx has an error message for it; otherwise the log
/// says what was wrong.
fn bad_input(t: &Context, carrier: Carrier) {
    t.allow_log("has no message that says so");
    let codec = first_codec(carrier);
    let (echo, bot) = call(t, carrier, codec, WAYS[0], |call| call.extension("echo"));
    echo.wait_application("Echo");
    bot.app.send_text("ANSWER");
    bot.say(&json!({ "command": "HANGUP" }));
    bot.say(&json!({ "event": "stop", "action": "stop" }));
    let mut wrong = bot.mark_message("x");
    let mark = if wrong.get("mark").is_some() { "mark" } else { "payload" };
    wrong[mark] = json!(7);
    wrong["name"] = json!(7);
    bot.say(&wrong);
    let media = noise(codec.1 * 3);
    if carrier == Carrier::Telnyx {
        for detail in [
            "a text that is no JSON object",
            "'event' is missing; allowed: 'media', 'mark' or 'clear'",
            "'event' is \"stop\"; allowed: 'media', 'mark' or 'clear'",
            "'mark.name' of a mark message is missing; allowed: a string",
        ] {
            let error = bot.expect("error");
            let expected = json!({ "code": 100_003, "title": "malformed_frame", "detail": detail });
            assert_eq!(error.value("payload"), &expected, "{}", error.raw);
            assert_eq!(error.value("stream_id"), &*bot.stream, "{}", error.raw);
        }
        bot.say(&json!({ "event": "media", "media": { "payload": "-" } }));
        let error = bot.expect("error");
        assert_eq!(error.value("payload")["code"], 100_004, "{}", error.raw);
        bot.media(&media);
    } else {
        bot.media(&media);
        let says = format!("{} has no message that says so", carrier.name());
        t.wait_log(&[&echo.name, "a text that is no JSON object", &says]);
        let last = echo.variable("CHANNEL(websocket,last_error)").unwrap_or_default();
        assert!(last.contains("allowed: a"), "{last}");
        assert_eq!(echo.variable("CHANNEL(websocket,commands_refused)").as_deref(), Some("4"));
    }
    assert_eq!(bot.hear(media.len()), media, "the call goes on, and nothing else is played");
}

/// Media in another format than the stream's would be noise.
fn other_format(t: &Context) {
    t.allow_log("has no message that says so");
    let codec = first_codec(Carrier::Plivo);
    let (echo, bot) = call(t, Carrier::Plivo, codec, WAYS[0], |call| call.extension("echo"));
    echo.wait_application("Echo");
    let media = json!({ "contentType": "audio/x-l16", "sampleRate": 8000, "payload": "AAAA" });
    bot.say(&json!({ "event": "playAudio", "media": media }));
    let wrong = "'media.contentType' of a playAudio message is \"audio/x-l16\"; allowed: 'audio/x-mulaw'";
    t.wait_log(&[&echo.name, wrong, "plivo has no message that says so"]);
    let media = noise(codec.1 * 3);
    bot.media(&media);
    assert_eq!(bot.hear(media.len()), media);
}

/// A codec that the carrier does not have, and options that are not possible with the dialect.
fn refused(t: &Context, carrier: Carrier) {
    let name = carrier.name();
    let codecs = match carrier {
        Carrier::Telnyx => "ulaw, alaw, g722, slin16, slin, slin24, opus",
        Carrier::Vonage => "slin16, slin, slin24",
        Carrier::Plivo => "ulaw, slin, slin16",
        Carrier::Exotel => "slin, slin16, slin24",
    };
    t.allow_log("Unable to create channel of type");
    for (options, error) in [
        (format!("f({name})c(gsm)"), {
            format!(
                "format 'gsm' in c() is not possible with f({name}) in WebSocket/INCOMING. Must be {codecs}"
            )
        }),
        (format!("f({name})n"), format!("Option 'n' is not possible with f({name}) in WebSocket/INCOMING")),
        (format!("f({name})p"), format!("Option 'p' is not possible with f({name}) in WebSocket/INCOMING")),
    ] {
        t.allow_log(&error);
        let answer = t.call(&format!("WebSocket/INCOMING/{options}")).formats("ulaw").try_originate();
        assert!(answer.status >= 400, "{answer:?}");
        t.wait_log(&[&error]);
    }
}
