//! Scripts against one session on a clock of their own, and what comes of them, as a transcript.

use super::fixture::{config, format, session};
use super::*;

/// A call whose channel is read when its clock fires, from 1000 ms on.
struct Call {
    session: Session,
    now: MonoTime,
    transcript: Vec<String>,
    frames: Vec<MediaFrame>,
}

fn ms(ms: u64) -> MonoTime {
    MonoTime::from_nanos(ms * 1_000_000)
}

fn show(time: MonoTime) -> String {
    (time.as_nanos() as f64 / 1e6).to_string()
}

impl Call {
    fn new(config: SessionConfig) -> Self {
        Self { session: session(config), now: ms(1000), transcript: Vec::new(), frames: Vec::new() }
    }

    fn ulaw() -> Self {
        Self::new(config())
    }

    fn mode(mode: MediaMode) -> Self {
        Self::new(SessionConfig { mode, ..config() })
    }

    fn limits(max: usize, xoff: usize, xon: usize) -> Self {
        Self::new(SessionConfig { limits: QueueLimits { max, xoff, xon }, ..config() })
    }

    /// A call on which one frame of live media is just being played, from 1000 to 1020 ms.
    fn playing() -> Self {
        let mut call = Self::ulaw();
        call.media(160).wait(0).expect(&["1000 frame 160"]);
        call
    }

    fn record(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let what = match effect {
                Effect::Send(event) => event.render(ControlMessageFormat::PlainText, "1.1"),
                effect => format!("{effect:?}"),
            };
            self.transcript.push(format!("{} {what}", show(self.now)));
        }
    }

    fn bytes(&mut self, message: impl Into<Bytes>) -> &mut Self {
        let mut effects = Vec::new();
        self.session.on_media(message.into(), self.now, &mut effects);
        self.record(effects);
        self
    }

    fn media(&mut self, len: usize) -> &mut Self {
        self.bytes((0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>())
    }

    fn command(&mut self, text: &str) -> &mut Self {
        let mut effects = Vec::new();
        self.session.on_command(text, self.now, &mut effects);
        self.record(effects);
        self
    }

    fn answered(&mut self) -> &mut Self {
        let mut effects = Vec::new();
        self.session.answered(self.now, &mut effects);
        self.record(effects);
        self
    }

    fn direction(&mut self, direction: MediaDirection) -> &mut Self {
        let format = std::mem::replace(&mut self.session.control_message_format, ControlMessageFormat::Json);
        self.command(&format!(r#"{{"command":"SET_MEDIA_DIRECTION","direction":"{}"}}"#, direction.as_str()));
        self.session.control_message_format = format;
        self
    }

    fn read(&mut self) -> &mut Self {
        let mut effects = Vec::new();
        let frame = self.session.read(self.now, &mut effects);
        self.record(effects);
        if let Some(frame) = frame {
            let late =
                if frame.due == self.now { String::new() } else { format!(" due {}", show(frame.due)) };
            self.transcript.push(format!("{} frame {}{late}", show(self.now), frame.payload.len()));
            self.frames.push(frame);
        }
        self
    }

    /// Time passes, and the channel is read whenever the clock fires.
    fn wait(&mut self, milliseconds: u64) -> &mut Self {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(deadline) = self.session.clock().deadline.filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.read();
        }
        self.now = end;
        self
    }

    /// Time passes, and nobody reads the channel.
    fn stall(&mut self, milliseconds: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(milliseconds);
        self
    }

    /// What has happened since the last look.
    #[track_caller]
    fn expect(&mut self, transcript: &[&str]) -> &mut Self {
        assert_eq!(self.transcript, transcript);
        self.transcript.clear();
        self
    }

    /// Forgets what has happened.
    fn skip(&mut self) -> &mut Self {
        self.transcript.clear();
        self
    }

    #[track_caller]
    fn expect_clock(&mut self, deadline: Option<u64>) -> &mut Self {
        assert_eq!(self.session.clock().deadline, deadline.map(ms));
        self
    }

    #[track_caller]
    fn expect_queued(&mut self, frames: usize) -> &mut Self {
        assert_eq!(self.session.status().queue_length, frames);
        self
    }

    fn played(&self) -> Vec<u8> {
        self.frames.iter().flat_map(|frame| frame.payload.to_vec()).collect()
    }
}

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

// Framing

#[test]
fn a_message_is_cut_into_frames_and_played_one_per_ptime() {
    let mut call = Call::ulaw();
    call.media(400).expect_queued(2).wait(1000);
    call.expect(&["1000 frame 160", "1020 frame 160"]).expect_clock(None);
    assert_eq!(call.played(), numbered(320), "the rest is dropped");
    assert_eq!(call.frames[0].samples, 160);
    let stats = call.session.stats();
    assert_eq!((stats.messages, stats.bytes, stats.bytes_cut_off), (1, 400, 80));
    assert_eq!((stats.frames_in, stats.frames_played, stats.frames_dropped), (2, 2, 0));
}

#[test]
fn a_message_shorter_than_a_frame_gives_nothing() {
    Call::ulaw().media(159).media(159).expect_queued(0).expect_clock(None).wait(100).expect(&[]);
}

#[test]
fn an_empty_message_is_ignored_in_all_modes() {
    for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
        Call::mode(mode).media(0).expect_queued(0).expect_clock(None).wait(100).expect(&[]);
    }
}

#[test]
fn bulk_media_is_joined_across_messages() {
    let mut call = Call::ulaw();
    let media = numbered(1000);
    call.command("START_MEDIA_BUFFERING");
    for part in [&media[..100], &media[100..150], &media[150..480], &media[480..481], &media[481..]] {
        call.bytes(part.to_vec());
    }
    call.expect_queued(6).command("STOP_MEDIA_BUFFERING b1").expect_queued(7).wait(1000);
    call.expect(&[
        "1000 frame 160",
        "1020 frame 160",
        "1040 frame 160",
        "1060 frame 160",
        "1080 frame 160",
        "1100 frame 160",
        "1120 frame 160",
        "1140 MEDIA_BUFFERING_COMPLETED b1",
    ]);
    assert_eq!(call.played(), [&media[..], &[0xff; 120]].concat(), "byte for byte, then silence");
}

#[test]
fn a_codec_without_known_silence_ends_short_and_still_takes_a_ptime() {
    for (name, frame, rest, samples) in [("gsm", 33, 7, [160, 0, 160]), ("g722", 160, 40, [320, 80, 320])] {
        let mut call = Call::new(SessionConfig { format: format(name), ..config() });
        call.command("START_MEDIA_BUFFERING")
            .media(frame + rest)
            .command("STOP_MEDIA_BUFFERING")
            .media(frame);
        call.wait(1000).expect(&[
            &format!("1000 frame {frame}"),
            &format!("1020 frame {rest}"),
            "1040 MEDIA_BUFFERING_COMPLETED",
            &format!("1040 frame {frame}"),
        ]);
        assert_eq!(call.frames.iter().map(|frame| frame.samples).collect::<Vec<_>>(), samples, "{name}");
    }
}

#[test]
fn a_rest_is_not_mixed_into_later_media() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").media(100).command("FLUSH_MEDIA").media(160).wait(100);
    call.expect(&["1000 frame 160"]);
    assert_eq!(call.played(), numbered(160));
    assert_eq!(call.session.stats().bytes_cut_off, 100);
}

// Buffering and marks

#[test]
fn buffering_without_media_is_answered_at_once() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").command("STOP_MEDIA_BUFFERING x y");
    call.expect(&["1000 MEDIA_BUFFERING_COMPLETED x y"]).expect_clock(None);
}

#[test]
fn a_second_start_is_an_error_and_changes_nothing() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").media(100).command("START_MEDIA_BUFFERING").media(60);
    call.expect(&[
        "1000 ERROR channel_id:1.1 error_text:START_MEDIA_BUFFERING while media is being buffered already",
    ]);
    assert!(call.session.status().bulk_media);
    call.expect_queued(1);
}

#[test]
fn a_stop_without_start_is_an_error_and_is_answered_in_order() {
    let mut call = Call::ulaw();
    call.media(160).command("STOP_MEDIA_BUFFERING s").wait(100).expect(&[
        "1000 ERROR channel_id:1.1 error_text:STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING",
        "1000 frame 160",
        "1020 MEDIA_BUFFERING_COMPLETED s",
    ]);
}

#[test]
fn marks_keep_their_place_and_take_no_time() {
    let mut call = Call::ulaw();
    call.command("MARK_MEDIA a").expect(&["1000 MEDIA_MARK_PROCESSED a"]);
    call.media(160)
        .command("MARK_MEDIA b")
        .command("MARK_MEDIA")
        .media(160)
        .command("MARK_MEDIA c")
        .wait(1000);
    call.expect(&[
        "1000 frame 160",
        "1020 MEDIA_MARK_PROCESSED b",
        "1020 MEDIA_MARK_PROCESSED",
        "1020 frame 160",
        "1040 MEDIA_MARK_PROCESSED c",
    ]);
    call.expect_clock(None);
}

#[test]
fn a_mark_on_an_empty_queue_waits_for_the_end_of_the_last_frame() {
    Call::playing()
        .wait(7)
        .command("MARK_MEDIA a")
        .expect(&[])
        .wait(30)
        .expect(&["1020 MEDIA_MARK_PROCESSED a"]);
    Call::playing().stall(19).command("MARK_MEDIA a").expect(&[]);
    Call::playing().stall(20).command("MARK_MEDIA a").expect(&["1020 MEDIA_MARK_PROCESSED a"]);
    Call::playing().wait(500).command("MARK_MEDIA a").expect(&["1500 MEDIA_MARK_PROCESSED a"]);
}

#[test]
fn marks_wait_while_paused_also_on_an_empty_queue() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA").command("MARK_MEDIA a").media(160).command("MARK_MEDIA b").wait(500);
    call.expect(&[]).expect_clock(None).command("CONTINUE_MEDIA");
    call.expect(&["1500 MEDIA_MARK_PROCESSED a"]);
    call.wait(100).expect(&["1500 frame 160", "1520 MEDIA_MARK_PROCESSED b"]);
}

#[test]
fn marks_have_no_end_but_memory_has() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA");
    let long = "x".repeat(65000);
    for _ in 0..300 {
        call.command(&format!("MARK_MEDIA {long}"));
    }
    assert!(call.transcript.len() > 10);
    assert!(call.transcript.iter().all(|line| {
        line == "1000 ERROR channel_id:1.1 error_text:MARK_MEDIA refused: too many marks are waiting for media"
    }));
}

// Flow control

#[test]
fn flow_control_at_the_c_modules_levels() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA").media(899 * 160).expect(&[]).media(160).expect(&["1000 MEDIA_XOFF"]);
    call.media(99 * 160).expect(&[]).expect_queued(999);
    call.media(50 * 160).expect(&[]).expect_queued(1049);
    let full = "1000 ERROR channel_id:1.1 error_text:Media dropped: the queue is full with 1049 frames";
    call.media(3 * 160).expect(&[full]).media(160).expect(&[]).expect_queued(1049);
    call.command("GET_STATUS").expect(&["1000 STATUS channel_id:1.1 queue_length:1049 xon_level:800 \
        xoff_level:900 queue_full:true bulk_media:false media_paused:true"]);
    let stats = call.session.stats();
    assert_eq!((stats.messages_dropped, stats.frames_dropped, stats.queue_high_water), (2, 4, 1049));

    call.command("CONTINUE_MEDIA").wait(249 * 20).expect_queued(799);
    let lines = std::mem::take(&mut call.transcript);
    assert_eq!(lines.len(), 251);
    assert_eq!(lines[249..], ["5980 MEDIA_XON", "5980 frame 160"], "with the frame that makes it true");
    call.media(160).expect_queued(800).expect(&[]);
}

#[test]
fn dropped_media_is_said_once_per_episode() {
    let mut call = Call::limits(2, 2, 1);
    let full = "ERROR channel_id:1.1 error_text:Media dropped: the queue is full with 2 frames";
    call.media(320).media(160).media(160).wait(0);
    call.expect(&["1000 MEDIA_XOFF", &format!("1000 {full}"), "1000 frame 160"]);
    call.media(160).expect(&[]).media(160).expect(&[&format!("1000 {full}")]);
    call.command("FLUSH_MEDIA").expect(&["1000 MEDIA_XON"]);
    call.media(320).media(160).expect(&["1000 MEDIA_XOFF", &format!("1000 {full}")]);
}

#[test]
fn a_message_dropped_in_a_bulk_leaves_the_rest_alone() {
    let mut call = Call::limits(2, 2, 1);
    call.command("START_MEDIA_BUFFERING").media(400).media(100).wait(20).skip();
    call.bytes(vec![9; 80]).command("STOP_MEDIA_BUFFERING").wait(100);
    assert_eq!(call.played(), [&numbered(400)[..], &[9; 80]].concat());
}

#[test]
fn xon_is_sent_when_it_is_true_also_while_paused() {
    let mut call = Call::limits(10, 9, 8);
    call.command("PAUSE_MEDIA").media(1600).expect(&["1000 MEDIA_XOFF"]).stall(5).command("FLUSH_MEDIA");
    call.expect(&["1005 MEDIA_XON"]).expect_clock(None);
}

// QUEUE_DRAINED

#[test]
fn an_empty_queue_is_reported_at_once() {
    let mut call = Call::ulaw();
    call.command("REPORT_QUEUE_DRAINED").expect(&["1000 QUEUE_DRAINED"]).wait(1000).expect(&[]);
    call.command("PAUSE_MEDIA").command("REPORT_QUEUE_DRAINED").expect(&["2000 QUEUE_DRAINED"]);
    call.command("CONTINUE_MEDIA").direction(MediaDirection::In).command("REPORT_QUEUE_DRAINED");
    call.expect(&["2000 QUEUE_DRAINED"]);
}

#[test]
fn the_queue_is_drained_when_its_last_frame_is_over() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA").media(320).command("REPORT_QUEUE_DRAINED").command("REPORT_QUEUE_DRAINED");
    call.command("MARK_MEDIA m").wait(100).expect(&[]).command("CONTINUE_MEDIA").wait(1000).expect(&[
        "1100 frame 160",
        "1120 frame 160",
        "1140 MEDIA_MARK_PROCESSED m",
        "1140 QUEUE_DRAINED",
    ]);
    call.media(160).wait(1000).expect(&["2100 frame 160"]);
}

#[test]
fn drained_while_the_last_frame_plays() {
    Call::playing()
        .stall(5)
        .command("REPORT_QUEUE_DRAINED")
        .expect(&[])
        .wait(50)
        .expect(&["1020 QUEUE_DRAINED"]);
    let mut call = Call::playing();
    call.stall(5).command("REPORT_QUEUE_DRAINED").media(160).wait(100);
    call.expect(&["1020 frame 160", "1040 QUEUE_DRAINED"]);
    let mut call = Call::playing();
    call.stall(5).command("REPORT_QUEUE_DRAINED").command("PAUSE_MEDIA");
    call.expect(&["1005 QUEUE_DRAINED"]).expect_clock(None);
}

// FLUSH, PAUSE, CONTINUE

#[test]
fn flush_drops_everything_but_the_report() {
    let mut call = Call::limits(10, 3, 2);
    call.command("PAUSE_MEDIA").command("START_MEDIA_BUFFERING").media(500).command("MARK_MEDIA lost");
    call.command("REPORT_QUEUE_DRAINED").expect(&["1000 MEDIA_XOFF"]).stall(7).command("FLUSH_MEDIA");
    call.expect(&["1007 MEDIA_XON", "1007 QUEUE_DRAINED"]);
    let status = call.session.status();
    assert!(!status.bulk_media && !status.media_paused && !status.queue_full);
    assert_eq!((status.queue_length, call.session.stats().frames_flushed), (0, 3));
    call.media(160).wait(100).expect(&["1007 frame 160"]);
    call.command("FLUSH_MEDIA").expect(&[]);
}

#[test]
fn media_behind_a_flush_does_not_overtake_the_frame_that_plays() {
    let mut call = Call::playing();
    call.media(1600).stall(5).command("FLUSH_MEDIA").media(160).wait(100);
    call.expect(&["1020 frame 160"]);
}

#[test]
fn a_pause_keeps_the_queue_and_moves_the_schedule() {
    let mut call = Call::ulaw();
    call.media(800).wait(30).expect(&["1000 frame 160", "1020 frame 160"]);
    call.command("PAUSE_MEDIA").expect_clock(None).wait(1000).expect(&[]).expect_queued(3).media(160);
    call.expect_queued(4).expect_clock(None).command("CONTINUE_MEDIA").wait(45);
    call.expect(&["2030 frame 160", "2050 frame 160", "2070 frame 160"]);
}

#[test]
fn a_pause_within_a_frame_shifts_nothing() {
    let mut call = Call::ulaw();
    call.media(480).wait(5).command("PAUSE_MEDIA").wait(5).command("CONTINUE_MEDIA").wait(100);
    call.expect(&["1000 frame 160", "1020 frame 160", "1040 frame 160"]);
}

#[test]
fn time_in_a_pause_is_not_lateness() {
    let mut call = Call::ulaw();
    call.media(1600).wait(0).stall(200).command("PAUSE_MEDIA").stall(10).command("CONTINUE_MEDIA").wait(40);
    call.expect(&["1000 frame 160", "1210 frame 160", "1230 frame 160", "1250 frame 160"]);
}

// What is allowed when

#[test]
fn commands_are_refused_as_the_table_says() {
    const PASSTHROUGH: &str = "not supported in passthrough mode";
    const IN: &str = "not supported while media direction is 'in'";
    // In passthrough, with direction in, with both.
    let table = [
        ("ANSWER", None, None, None),
        ("HANGUP", None, None, None),
        ("START_MEDIA_BUFFERING", Some(PASSTHROUGH), Some(IN), Some(PASSTHROUGH)),
        ("STOP_MEDIA_BUFFERING", Some(PASSTHROUGH), Some(IN), Some(PASSTHROUGH)),
        ("MARK_MEDIA", None, Some(IN), Some(IN)),
        ("FLUSH_MEDIA", Some(PASSTHROUGH), None, Some(PASSTHROUGH)),
        ("PAUSE_MEDIA", Some(PASSTHROUGH), Some(IN), Some(PASSTHROUGH)),
        ("CONTINUE_MEDIA", Some(PASSTHROUGH), Some(IN), Some(PASSTHROUGH)),
        ("REPORT_QUEUE_DRAINED", Some(PASSTHROUGH), None, Some(PASSTHROUGH)),
        ("GET_STATUS", None, None, None),
        ("SET_MEDIA_DIRECTION", Some(PASSTHROUGH), None, Some(PASSTHROUGH)),
    ];
    for (name, passthrough, direction_in, both) in table {
        for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
            for direction in [MediaDirection::Both, MediaDirection::In, MediaDirection::Out] {
                for format in [ControlMessageFormat::PlainText, ControlMessageFormat::Json] {
                    let expected = match (mode == MediaMode::Passthrough, direction == MediaDirection::In) {
                        (true, true) => both,
                        (true, false) => passthrough,
                        (false, true) => direction_in,
                        (false, false) => None,
                    };
                    let text = match format {
                        ControlMessageFormat::PlainText => name.to_owned(),
                        ControlMessageFormat::Json => {
                            format!(r#"{{"command":"{name}","direction":"out","correlation_id":"x"}}"#)
                        }
                    };
                    let config =
                        SessionConfig { mode, direction, control_message_format: format, ..config() };
                    let mut session = session(config);
                    let mut effects = Vec::new();
                    session.on_command(&text, ms(1000), &mut effects);
                    let refused: Vec<_> = effects
                        .iter()
                        .filter_map(|effect| match effect {
                            Effect::Send(Event::Error { error_text }) => Some(error_text.as_str()),
                            _ => None,
                        })
                        .filter(|text| text.contains("not supported"))
                        .collect();
                    let expected: Vec<_> = expected.map(|why| format!("{name} {why}")).into_iter().collect();
                    assert_eq!(refused, expected, "{text}, {mode:?}, {direction:?}");
                }
            }
        }
    }
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut call = Call::mode(MediaMode::Passthrough);
    call.media(160).media(160);
    for command in ["START_MEDIA_BUFFERING", "PAUSE_MEDIA", "FLUSH_MEDIA", "REPORT_QUEUE_DRAINED"] {
        call.command(command).skip();
    }
    call.command("GET_STATUS")
        .expect(&["1000 STATUS channel_id:1.1 queue_length:2 xon_level:800 xoff_level:900 \
        queue_full:false bulk_media:false media_paused:false"]);
    call.wait(1000).expect(&["1000 frame 160", "1020 frame 160"]);
}

#[test]
fn what_is_no_command_is_said() {
    for (text, error_text) in [
        ("", "Empty command"),
        (" \n", "Empty command"),
        ("answer", "Unknown command 'answer'"),
        ("SET_MEDIA_DIRECTION in", "SET_MEDIA_DIRECTION only supports JSON format."),
    ] {
        let mut call = Call::ulaw();
        call.command(text).expect(&[&format!("1000 ERROR channel_id:1.1 error_text:{error_text}")]);
    }
    let mut call = Call::new(SessionConfig { max_command_size: 6, ..config() });
    call.command("ANSWER").expect(&["1000 Answer"]).command(" ANSWER");
    assert!(call.transcript[0].contains("ERROR"));
    assert_eq!(call.session.stats().commands, 2);
}

#[test]
fn answer_and_hangup_are_the_callers_to_do() {
    Call::ulaw().command("ANSWER").command("HANGUP\n").expect(&["1000 Answer", "1000 Hangup"]);
}

// Passthrough

#[test]
fn media_does_not_overtake_the_answer() {
    for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
        let mut call = Call::mode(mode);
        call.command("ANSWER").media(160).media(160).expect(&["1000 Answer"]).expect_clock(None);
        // Marks and commands do not wait for it, only what they stand behind.
        call.command("MARK_MEDIA a").wait(5).read().expect(&[]).answered().expect_clock(Some(1005));
        let second = if mode == MediaMode::Unbuffered { 1005 } else { 1025 };
        let (frame, mark) = (format!("{second} frame 160"), call.wait(100).transcript.pop().unwrap());
        assert!(mark.ends_with("MEDIA_MARK_PROCESSED a"), "{mark}");
        call.expect(&["1005 frame 160", &frame]);
        // Nobody waits for a second one.
        call.command("ANSWER").media(160).wait(0).expect(&["1105 Answer", "1105 frame 160"]);
    }
}

#[test]
fn what_came_before_the_answer_is_read_by_who_waits_for_it() {
    Call::ulaw()
        .media(160)
        .wait(30)
        .expect(&["1000 frame 160"])
        .command("ANSWER")
        .command("MARK_MEDIA a")
        .expect(&["1030 Answer", "1030 MEDIA_MARK_PROCESSED a"]);
}

#[test]
fn passthrough_messages_are_frames_and_last_as_long_as_they_are() {
    let mut call = Call::mode(MediaMode::Passthrough);
    call.media(80).media(480).media(161).command("MARK_MEDIA m").wait(1000);
    call.expect(&["1000 frame 80", "1010 frame 480", "1070 frame 161", "1090.125 MEDIA_MARK_PROCESSED m"]);
}

#[test]
fn an_uncuttable_codec_is_passthrough_unless_unbuffered() {
    for (mode, is) in [
        (MediaMode::Framed, MediaMode::Passthrough),
        (MediaMode::Passthrough, MediaMode::Passthrough),
        (MediaMode::Unbuffered, MediaMode::Unbuffered),
    ] {
        assert_eq!(session(SessionConfig { mode, format: format("opus"), ..config() }).mode(), is);
    }
    let mut call = Call::new(SessionConfig { format: format("opus"), ..config() });
    call.bytes(vec![60, 1]).bytes(vec![0]).bytes(vec![120, 1, 2]).bytes(vec![5]).bytes(vec![20]).wait(1000);
    call.expect(&[
        "1000 frame 2",
        "1060 frame 1", // Length unknown: one ptime.
        "1080 frame 3",
        "1200 frame 1",
        "1205 frame 1",
    ]);
}

#[test]
fn passthrough_is_flow_controlled() {
    let mut call = Call::new(SessionConfig {
        mode: MediaMode::Passthrough,
        limits: QueueLimits { max: 3, xoff: 2, xon: 1 },
        ..config()
    });
    (0..4).for_each(|_| _ = call.media(1000));
    call.expect(&[
        "1000 MEDIA_XOFF",
        "1000 ERROR channel_id:1.1 error_text:Media dropped: the queue is full with 3 frames",
    ]);
    call.wait(1000).expect(&["1000 frame 1000", "1125 frame 1000", "1250 MEDIA_XON", "1250 frame 1000"]);
    assert_eq!(call.session.stats().frames_dropped, 1);
}

// Unbuffered

#[test]
fn unbuffered_messages_go_to_the_core_as_they_come() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(160).media(7).command("MARK_MEDIA m").media(1000).expect_clock(Some(1000)).wait(0);
    call.expect(&["1000 frame 160", "1000 frame 7", "1000 MEDIA_MARK_PROCESSED m", "1000 frame 1000"]);
    call.expect_clock(None).stall(3).media(160).wait(0).expect(&["1003 frame 160"]);
    call.media(160).command("MARK_MEDIA m").read().expect(&["1003 frame 160"]);
    call.read().expect(&["1003 MEDIA_MARK_PROCESSED m"]).expect_clock(None); // Once the core has the frame.
    assert_eq!(call.session.stats().underruns, 0);
}

#[test]
fn unbuffered_bulk_media_is_framed_and_timed() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(7).command("START_MEDIA_BUFFERING").media(200).media(200).command("STOP_MEDIA_BUFFERING b");
    call.media(8).media(9).command("REPORT_QUEUE_DRAINED").wait(1000).expect(&[
        "1000 frame 7",
        "1000 frame 160",
        "1020 frame 160",
        "1040 frame 160",
        "1060 MEDIA_BUFFERING_COMPLETED b",
        "1060 frame 8",
        "1060 frame 9",
        "1060 QUEUE_DRAINED",
    ]);
}

#[test]
fn unbuffered_takes_all_other_commands() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.command("PAUSE_MEDIA").media(160).media(160).wait(100).expect(&[]).command("CONTINUE_MEDIA").wait(0);
    call.expect(&["1100 frame 160", "1100 frame 160"]);
    call.media(160).media(160).command("FLUSH_MEDIA").wait(100).expect(&[]);
}

#[test]
fn unbuffered_media_of_an_uncuttable_codec_is_timed_in_bulk() {
    let mut call =
        Call::new(SessionConfig { format: format("opus"), mode: MediaMode::Unbuffered, ..config() });
    call.bytes(vec![60]).command("START_MEDIA_BUFFERING").bytes(vec![40]).bytes(vec![20, 1]);
    call.command("STOP_MEDIA_BUFFERING").bytes(vec![60]).wait(1000).expect(&[
        "1000 frame 1",
        "1000 frame 1",
        "1040 frame 2",
        "1060 MEDIA_BUFFERING_COMPLETED",
        "1060 frame 1",
    ]);
}

// Directions

#[test]
fn directions_say_which_way_media_goes() {
    for (direction, sends, wants) in [
        (MediaDirection::Both, true, true),
        (MediaDirection::In, true, false),
        (MediaDirection::Out, false, true),
    ] {
        let mut call = Call::new(SessionConfig { direction, ..config() });
        assert_eq!((call.session.sends_media(), call.session.wants_media()), (sends, wants), "{direction:?}");
        call.media(160).wait(100);
        assert_eq!(call.frames.len(), usize::from(wants), "{direction:?}");
        assert_eq!(call.session.stats().messages_unwanted, u64::from(!wants), "{direction:?}");
        call.expect_clock(None);
    }
}

#[test]
fn direction_in_keeps_queue_and_marks_and_stops_the_clock() {
    let mut call = Call::ulaw();
    call.media(480).command("MARK_MEDIA m").wait(5).direction(MediaDirection::In).expect_clock(None);
    call.media(160).wait(500).expect(&["1000 frame 160"]).expect_queued(2);
    call.command("REPORT_QUEUE_DRAINED").expect(&[]);
    call.direction(MediaDirection::Out).wait(500).expect(&[
        "1505 frame 160",
        "1525 frame 160",
        "1545 MEDIA_MARK_PROCESSED m",
        "1545 QUEUE_DRAINED",
    ]);
    assert_eq!(call.session.direction(), MediaDirection::Out);
}

#[test]
fn a_flush_with_direction_in_reports() {
    let mut call = Call::limits(10, 2, 1);
    call.media(480).command("REPORT_QUEUE_DRAINED").direction(MediaDirection::In).command("FLUSH_MEDIA");
    call.expect(&["1000 MEDIA_XOFF", "1000 MEDIA_XON", "1000 QUEUE_DRAINED"]).expect_clock(None);
}

// The clock

#[test]
fn a_steady_stream_needs_no_setting_of_the_clock() {
    let mut call = Call::ulaw();
    call.media(160).wait(0);
    for _ in 0..50 {
        call.wait(19);
        let clock = call.session.clock();
        call.media(160);
        assert_eq!(call.session.clock(), clock, "the tick after the last frame serves");
        call.wait(1);
    }
    assert_eq!(call.frames.len(), 51);
    assert!(call.frames.windows(2).all(|pair| pair[1].due == pair[0].due + Duration::from_millis(20)));
    assert_eq!(call.session.stats().underruns, 0);
}

#[test]
fn silence_costs_nothing() {
    let mut call = Call::ulaw();
    call.expect_clock(None).media(160).expect_clock(Some(1000)).wait(0).expect_clock(Some(1020)).wait(20);
    call.expect_clock(None);
    assert_eq!(call.session.stats().underruns, 1);
}

#[test]
fn the_first_frame_after_silence_leaves_at_once_and_the_schedule_outlives_it() {
    let mut call = Call::playing();
    call.wait(3003).media(160).wait(5).media(160).wait(5).media(160).wait(100);
    call.expect(&["4003 frame 160", "4023 frame 160", "4043 frame 160"]);
    assert_eq!(call.session.stats().late_reads, 0);
}

#[test]
fn a_read_before_its_time_does_nothing() {
    let mut call = Call::ulaw();
    call.read().media(320).wait(0).skip();
    let clock = call.session.clock();
    call.stall(19).read().read().expect(&[]);
    assert_eq!(call.session.clock(), clock);
    call.stall(1).read().expect(&["1020 frame 160"]);
    assert_eq!(call.session.clock().seq, clock.seq + 1);
}

#[test]
fn every_used_tick_asks_for_the_next_one() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(160).media(160).media(160);
    for _ in 0..3 {
        let seq = call.session.clock().seq;
        call.read();
        assert_eq!(call.session.clock().seq, seq + 1, "also where the deadline is the same");
    }
    call.expect_clock(None);
}

#[test]
fn a_tick_on_its_way_is_not_set_again() {
    let mut call = Call::playing();
    call.stall(30);
    let clock = call.session.clock();
    call.media(160);
    assert_eq!(call.session.clock(), clock);
    call.read().expect(&["1030 frame 160"]);
}

// Pacing

#[test]
fn n_frames_take_n_times_ptime_however_the_reads_jitter() {
    for buffering in [false, true] {
        let mut call = Call::ulaw();
        if buffering {
            call.command("START_MEDIA_BUFFERING");
        }
        call.media(900 * 160).skip();
        let mut latest = Duration::ZERO;
        for n in 0..900_u64 {
            let deadline = call.session.clock().deadline.unwrap();
            assert_eq!(deadline, ms(1000 + 20 * n));
            call.now = deadline + Duration::from_micros(if n == 0 { 0 } else { n * 7919 % 10_000 });
            latest = latest.max(call.now.since(deadline));
            call.read();
            assert_eq!(call.frames.last().unwrap().due, deadline);
        }
        assert_eq!(call.session.stats().late_reads, 0);
        assert_eq!(call.session.stats().longest_lateness, latest);
    }
}

#[test]
fn a_stall_of_live_media_is_caught_up() {
    let mut call = Call::ulaw();
    call.media(1600).wait(20).stall(60).wait(120).expect(&[
        "1000 frame 160",
        "1020 frame 160",
        "1080 frame 160 due 1040",
        "1090 frame 160 due 1060",
        "1100 frame 160 due 1080",
        "1110 frame 160 due 1100",
        "1120 frame 160",
        "1140 frame 160",
        "1160 frame 160",
        "1180 frame 160",
    ]);
    let stats = call.session.stats();
    assert_eq!((stats.late_reads, stats.longest_lateness), (1, Duration::from_millis(40)));
}

#[test]
fn a_live_stream_that_waited_outside_during_a_stall_is_caught_up() {
    // What came while the process stood still is read from the socket before the channel is, or after it.
    for reads_first in [false, true] {
        let mut call = Call::ulaw();
        call.media(160).wait(0).skip();
        call.wait(19).stall(81);
        if reads_first {
            call.read().expect(&[]);
        }
        for _ in 0..5 {
            call.media(160);
        }
        call.wait(60).media(160).wait(20).media(160).wait(0);
        call.expect(&[
            "1100 frame 160 due 1020",
            "1110 frame 160 due 1040",
            "1120 frame 160 due 1060",
            "1130 frame 160 due 1080",
            "1140 frame 160 due 1100",
            "1160 frame 160 due 1120",
            "1180 frame 160 due 1140",
        ]);
    }
}

#[test]
fn after_a_stall_only_what_had_waited_is_late() {
    let stalled = || {
        let mut call = Call::ulaw();
        call.media(160).wait(0).stall(500).wait(0).skip();
        call
    };
    stalled().wait(199).media(320).wait(20).expect(&["1699 frame 160 due 1020", "1709 frame 160 due 1040"]);
    stalled().wait(200).media(320).wait(20).expect(&["1700 frame 160", "1720 frame 160"]);
    // A flush, a pause or the other direction says that something else begins.
    stalled()
        .command("FLUSH_MEDIA")
        .wait(9)
        .media(320)
        .wait(20)
        .expect(&["1509 frame 160", "1529 frame 160"]);
    let mut paused = stalled();
    paused.command("PAUSE_MEDIA").wait(9).command("CONTINUE_MEDIA").media(320).wait(20);
    paused.expect(&["1509 frame 160", "1529 frame 160"]);
    // Bulk media is never late.
    let mut bulk = stalled();
    bulk.command("START_MEDIA_BUFFERING").media(320).wait(20).expect(&["1500 frame 160", "1520 frame 160"]);
}

#[test]
fn silence_is_no_stall() {
    let mut call = Call::playing();
    // The clock has ticked once more and is off.
    call.wait(500).expect_clock(None).media(480).wait(40);
    call.expect(&["1500 frame 160", "1520 frame 160", "1540 frame 160"]);
}

#[test]
fn at_most_one_second_is_caught_up() {
    let mut call = Call::ulaw();
    call.media(600 * 160).wait(0).stall(8000).wait(2000);
    let extra = call.frames.iter().filter(|frame| frame.due > ms(1000)).count();
    assert_eq!(call.frames[1].due, ms(8000), "9000 less one second");
    assert_eq!(extra, 50 + 100 + 1, "one second caught up within two");
    assert!(call.frames[1..].windows(2).all(|pair| pair[1].due == pair[0].due + Duration::from_millis(20)));
}

#[test]
fn bulk_media_is_not_hurried() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").media(800).wait(0).stall(500).wait(60);
    call.expect(&["1000 frame 160", "1500 frame 160", "1520 frame 160", "1540 frame 160", "1560 frame 160"]);
}

#[test]
fn a_channel_that_nobody_reads_yet_gathers_no_credit() {
    let mut call = Call::ulaw();
    call.media(480).stall(5000).wait(100);
    call.expect(&["6000 frame 160", "6020 frame 160", "6040 frame 160"]);
    assert_eq!(call.session.stats().late_reads, 0);
}

#[test]
fn frames_share_the_memory_of_their_message() {
    let mut call = Call::ulaw();
    let message = Bytes::from(numbered(1000));
    call.bytes(message.clone()).wait(200);
    for (n, frame) in call.frames.iter().enumerate() {
        assert_eq!(frame.payload.as_ptr(), message[n * 160..].as_ptr());
    }
}

#[test]
fn the_ends_of_time_are_survived() {
    for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
        let mut call = Call::mode(mode);
        for now in [0, u64::MAX, 1, u64::MAX - 1, u64::MAX, 0] {
            call.now = MonoTime::from_nanos(now);
            call.media(480).command("MARK_MEDIA m").read().command("REPORT_QUEUE_DRAINED").read();
            call.command("PAUSE_MEDIA").read().command("CONTINUE_MEDIA").read();
        }
        call.now = MonoTime::from_nanos(u64::MAX);
        (0..100).for_each(|_| _ = call.read());
        call.expect_queued(0);
    }
}
