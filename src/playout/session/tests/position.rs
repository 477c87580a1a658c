//! MEDIA_POSITION, and the times in other events.

use super::*;

fn call(interval_ms: u64) -> Call {
    let mut call =
        Call::new(SessionConfig { control_message_format: ControlMessageFormat::Json, ..config() });
    subscribe(&mut call, r#"["MEDIA_POSITION"]"#, interval_ms);
    call
}

fn subscribe(call: &mut Call, events: &str, interval_ms: u64) {
    let fields = format!(r#""events":{events},"position_interval":{interval_ms}"#);
    call.command(&format!(r#"{{"command":"SUBSCRIBE",{fields}}}"#)).skip();
}

fn position(at_ms: u64, played_ms: u64, queued_ms: u64) -> String {
    let times = format!(r#""played_ms":{played_ms},"queued_ms":{queued_ms}"#);
    format!(r#"{at_ms} {{"event":"MEDIA_POSITION","channel_id":"1.1",{times}}}"#)
}

impl Call {
    /// Takes the positions since the last call; all else is discarded.
    fn positions(&mut self) -> Vec<String> {
        let positions = self.transcript.drain(..).filter(|event| event.contains("MEDIA_POSITION"));
        positions.collect()
    }
}

#[test]
fn each_interval_of_media_is_told_and_the_end_of_it_once() {
    let mut call = call(100);
    call.media(160 * 12).wait(1000);
    // 240 ms are played: the underrun reports what the intervals have not.
    assert_eq!(call.positions(), [position(1080, 100, 140), position(1180, 200, 40), position(1240, 240, 0)]);
    // The last frame reaches an interval, and the queue runs empty after it: one event.
    call.media(160 * 3).wait(1000);
    assert_eq!(call.positions(), [position(2040, 300, 0)]);
}

#[test]
fn a_flush_does_not_move_it_and_a_subscribe_does() {
    let mut call = call(100);
    call.media(160 * 4).wait(50).command(r#"{"command":"FLUSH_MEDIA"}"#).media(160 * 4).wait(80);
    assert_eq!(call.positions(), [position(1080, 100, 40)]);
    subscribe(&mut call, r#"["MEDIA_POSITION"]"#, 100);
    call.media(160 * 8).wait(100);
    assert_eq!(call.positions(), [position(1220, 240, 60)], "100 ms after the SUBSCRIBE, at 140 ms");
    subscribe(&mut call, "[]", 100);
    call.wait(1000);
    assert_eq!(call.positions(), [""; 0]);
}

#[test]
fn underruns_are_told_at_most_ten_times_a_second() {
    let mut call = call(60_000);
    for _ in 0..50 {
        call.media(160).wait(22);
    }
    let positions = call.positions();
    assert!((9..=12).contains(&positions.len()), "{positions:?}");
    assert_eq!(call.session.stats().underruns, 50);
}

#[test]
fn a_frame_that_lasts_longer_than_the_interval_is_told_of_once() {
    let mut call = Call::new(SessionConfig {
        format: format("opus"),
        control_message_format: ControlMessageFormat::Json,
        ..config()
    });
    subscribe(&mut call, r#"["MEDIA_POSITION"]"#, 100);
    (0..3).for_each(|_| _ = call.bytes(vec![240]));
    call.wait(2000);
    assert_eq!(
        call.positions(),
        [position(1000, 240, 480), position(1240, 480, 240), position(1480, 720, 0)]
    );
}

#[test]
fn other_events_say_where_playback_is_after_a_subscribe() {
    let mut call = call(60_000);
    subscribe(&mut call, "[]", 1000);
    call.media(160 * 3).wait(25).skip();
    for command in ["MARK_MEDIA", "STOP_MEDIA_BUFFERING", "GET_STATUS"] {
        call.command(&format!(r#"{{"command":"{command}","correlation_id":"x"}}"#));
    }
    call.wait(1000).expect(&[
        r#"1025 {"event":"ERROR","channel_id":"1.1","error_text":"STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING"}"#,
        r#"1025 {"event":"STATUS","channel_id":"1.1","queue_length":1,"xon_level":800,"xoff_level":900,"queue_full":false,"bulk_media":false,"media_paused":false,"queued_ms":20,"played_ms":40,"dropped_ms":0,"marks_waiting":1}"#,
        "1040 frame 160",
        r#"1060 {"event":"MEDIA_MARK_PROCESSED","channel_id":"1.1","correlation_id":"x","played_ms":60}"#,
        r#"1060 {"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"1.1","correlation_id":"x","played_ms":60}"#,
    ]);
}

#[test]
fn what_is_dropped_counts_in_whole_frames_and_what_is_not_wanted_nowhere() {
    let mut call = Call::limits(2, 2, 1);
    call.media(330).media(490).direction(MediaDirection::In).media(1600);
    let stats = call.session.stats();
    assert_eq!(
        (stats.media_dropped, stats.media_played, call.session.queue.media()),
        (ms_of(60), ms_of(0), ms_of(40))
    );
}

fn ms_of(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_message_without_a_pace_lasts_as_long_as_it_is() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(1000).media(160).wait(0).expect(&["1000 frame 1000", "1000 frame 160"]);
    assert_eq!(call.session.stats().media_played, ms_of(145));
}
