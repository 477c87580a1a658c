//! What a peer does, as a scenario of SIPp's.

use std::fmt::Write as _;

/// Who it says it is when it calls or answers.
pub const NAME: &str = "Bob";
/// And by which number.
pub const NUMBER: &str = "200";

/// Payload type of RFC 4733's events.
pub const EVENTS: u8 = 101;

/// A codec in SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    /// Its payload type.
    pub kind: u8,
    name: &'static str,
}

/// ulaw.
pub const ULAW: Codec = Codec { kind: 0, name: "PCMU" };
/// alaw.
pub const ALAW: Codec = Codec { kind: 8, name: "PCMA" };

/// What a peer does, one after the other. Ports are those of its media.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// So many ms pass.
    Wait(u32),
    /// 180.
    Ring,
    /// A final answer that is none: status and reason.
    Refuse(u16, &'static str),
    /// 200 with media at this port, ulaw and RFC 4733's events.
    Answer(u16),
    /// The same with a session timer of 90 s; who of the dialogue refreshes it: `uac` is Asterisk, `uas` the peer.
    AnswerTimed(u16, &'static str),
    /// A re-INVITE with this direction and port: `sendonly` holds, `sendrecv` takes back.
    Direction(&'static str, u16),
    /// A re-INVITE to this codec.
    Change(Codec, u16),
    /// A re-INVITE to T.38, which is refused.
    Fax(u16),
    /// An UPDATE that refreshes the session.
    Refresh,
    /// Asterisk refreshes the session by a re-INVITE.
    ExpectRefresh(u16),
    /// Asterisk sends an INFO: [`super::tell`].
    ExpectInfo,
    /// A REFER to this extension, which Asterisk accepts (without a subscription).
    Refer(&'a str),
    /// A REFER that connects who is at the other end with the other end of this dialogue.
    Replace(&'a Dialog),
    /// It ends the call.
    Bye,
    /// Asterisk ends the call.
    ExpectBye,
}

/// A dialogue of a peer's with Asterisk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    call_id: String,
    own_tag: String,
    tag_of_asterisk: String,
}

impl Dialog {
    /// From the line of SIPp's log that [`KNOWN`] has written.
    pub(super) fn of(log: &str) -> Option<Self> {
        let line = log.lines().find_map(|line| line.split_once("dialogue ").map(|(_, line)| line))?;
        let mut words = line.split_whitespace();
        let (call_id, own_tag) = (words.next()?.to_owned(), words.next()?.to_owned());
        let tag = line.split_once(";tag=")?.1.split([';', ' ']).next()?;
        Some(Self { call_id, own_tag, tag_of_asterisk: tag.to_owned() })
    }

    /// RFC 3891's header, as a part of a URI. Tags are named as who gets it sees them.
    fn replaces(&self) -> String {
        let text = format!("{};to-tag={};from-tag={}", self.call_id, self.tag_of_asterisk, self.own_tag);
        text.replace('%', "%25").replace(';', "%3B").replace('=', "%3D").replace('@', "%40")
    }
}

const OWN_TAG: &str = "[pid]t[call_number]";
const CONTACT: &str =
    "Contact: <sip:bob@[local_ip]:[local_port]>\nAllow: INVITE, ACK, BYE, CANCEL, INFO, REFER\n";
const TIMED: &str = "Supported: timer\nSession-Expires: 90;refresher=";
/// The answer to a request.
const ANSWER: &str = "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n";
/// A request of the peer's in the dialogue.
const REQUEST: &str = "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\nFrom:[$own];tag=[pid]t[call_number]\n\
     To:[$theirs]\nCall-ID: [call_id]\nMax-Forwards: 70\n";
/// The dialogue is known.
const KNOWN: &str =
    "<nop><action><log message=\"dialogue [call_id] [pid]t[call_number] [$theirs]\"/></action></nop>\n";

fn identity() -> String {
    format!("P-Asserted-Identity: \"{NAME}\" <sip:{NUMBER}@127.0.0.1>\n")
}

fn scenario(opening: &str, steps: &[Step<'_>]) -> String {
    // An INVITE of the peer's own has the number 1.
    let steps: String =
        steps.iter().zip(2..).map(|(step, number)| step_of(*step, number) + &done(number - 1)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<scenario name=\"peer\">\n{opening}{KNOWN}\
         <Reference variables=\"theirs,own\"/>\n{steps}</scenario>\n"
    )
}

/// A line of the log: so many steps are done.
fn done(steps: u32) -> String {
    format!("<nop><action><log message=\"{}\"/></action></nop>\n", done_line(steps))
}

pub(super) fn done_line(steps: u32) -> String {
    format!("steps done: {steps}.")
}

/// A header, as a variable.
fn header(name: &str, variable: &str) -> String {
    format!("<ereg regexp=\".*\" search_in=\"hdr\" header=\"{name}:\" assign_to=\"{variable}\"/>\n")
}

/// One who is called.
pub(super) fn called(steps: &[Step<'_>]) -> String {
    let (theirs, own) = (header("From", "theirs"), header("To", "own"));
    let opening = format!("<recv request=\"INVITE\" rrs=\"true\"><action>\n{theirs}{own}</action></recv>\n");
    scenario(&opening, steps)
}

/// One who calls.
pub(super) fn caller(extension: &str, media: u16, steps: &[Step<'_>]) -> String {
    let uri = format!("sip:{extension}@[remote_ip]:[remote_port]");
    let from = "<sip:peer@[local_ip]:[local_port]>";
    let invite = format!(
        "INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n\
         From: {from};tag={OWN_TAG}\nTo: <{uri}>\nCall-ID: [call_id]\nMax-Forwards: 70\nCSeq: 1 INVITE\n{CONTACT}{}",
        identity()
    );
    let own = from.replace('<', "&lt;").replace('>', "&gt;");
    let provisional: String =
        [100, 180, 183].map(|status| format!("<recv response=\"{status}\" optional=\"true\"/>\n")).concat();
    let opening = format!(
        "<nop><action><assignstr assign_to=\"own\" value=\" {own}\"/></action></nop>\n{}{provisional}\
         <recv response=\"200\" rrs=\"true\"><action>\n{}</action></recv>\n{}",
        send(&invite, &audio(ULAW, "sendrecv", media, 1)),
        header("To", "theirs"),
        send(&format!("ACK [next_url] SIP/2.0\n{REQUEST}CSeq: 1 ACK\n"), ""),
    );
    scenario(&opening, steps)
}

fn step_of(step: Step<'_>, number: u32) -> String {
    // In an answer to the first INVITE.
    let opened = ANSWER.replace("[last_To:]", &format!("[last_To:];tag={OWN_TAG}"));
    match step {
        Step::Wait(ms) => format!("<pause milliseconds=\"{ms}\"/>\n"),
        Step::Ring => send(&format!("SIP/2.0 180 Ringing\n{opened}{CONTACT}"), ""),
        Step::Refuse(status, reason) => {
            send(&format!("SIP/2.0 {status} {reason}\n{opened}"), "") + "<recv request=\"ACK\"/>\n"
        }
        Step::Answer(port) => answer(&opened, "", port, number),
        Step::AnswerTimed(port, refresher) => {
            answer(&opened, &format!("Require: timer\n{TIMED}{refresher}\n"), port, number)
        }
        Step::Direction(direction, port) => invite(&audio(ULAW, direction, port, number), number, 200),
        Step::Change(codec, port) => invite(&audio(codec, "sendrecv", port, number), number, 200),
        Step::Fax(port) => invite(&fax(port, number), number, 488),
        Step::Refresh => request("UPDATE", &format!("{CONTACT}{TIMED}uac\n"), number),
        Step::ExpectRefresh(port) => {
            let refreshed = format!("Require: timer\n{TIMED}uac\n");
            format!(
                "<recv request=\"INVITE\" timeout=\"60000\"/>\n{}",
                answer(ANSWER, &refreshed, port, number)
            )
        }
        Step::ExpectInfo => expect("INFO"),
        Step::Refer(extension) => refer(&format!("sip:{extension}@127.0.0.1"), number),
        Step::Replace(dialog) => refer(&format!("sip:bob@127.0.0.1?Replaces={}", dialog.replaces()), number),
        Step::Bye => request("BYE", "", number),
        Step::ExpectBye => expect("BYE"),
    }
}

/// A 200 with media.
fn answer(to: &str, headers: &str, port: u16, number: u32) -> String {
    let head = format!("SIP/2.0 200 OK\n{to}{CONTACT}{headers}{}", identity());
    send(&head, &audio(ULAW, "sendrecv", port, number)) + "<recv request=\"ACK\"/>\n"
}

/// A re-INVITE that gets this final answer.
fn invite(sdp: &str, number: u32, status: u16) -> String {
    let invite = format!("INVITE [next_url] SIP/2.0\n{REQUEST}CSeq: {number} INVITE\n{CONTACT}");
    // That of an INVITE that is refused belongs to its transaction, which has begun three messages ago.
    let request = if status == 200 { REQUEST.into() } else { REQUEST.replace("[branch]", "[branch-3]") };
    let ack = format!("ACK [next_url] SIP/2.0\n{request}CSeq: {number} ACK\n");
    format!(
        "{}<recv response=\"100\" optional=\"true\"/>\n<recv response=\"{status}\"/>\n{}",
        send(&invite, sdp),
        send(&ack, "")
    )
}

fn refer(uri: &str, number: u32) -> String {
    request(
        "REFER",
        &format!("{CONTACT}Refer-To: <{uri}>\nRefer-Sub: false\nSupported: norefersub\n"),
        number,
    )
}

/// A request of the peer's that gets a 200.
fn request(method: &str, headers: &str, number: u32) -> String {
    send(&format!("{method} [next_url] SIP/2.0\n{REQUEST}CSeq: {number} {method}\n{headers}"), "")
        + "<recv response=\"200\"/>\n"
}

/// A request of Asterisk's, and a 200 to it.
fn expect(method: &str) -> String {
    format!("<recv request=\"{method}\"/>\n{}", send(&format!("SIP/2.0 200 OK\n{ANSWER}"), ""))
}

fn audio(Codec { kind, name }: Codec, direction: &str, port: u16, version: u32) -> String {
    format!(
        "v=0\no=peer 1 {version} IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
         m=audio {port} RTP/AVP {kind} {EVENTS}\na=rtpmap:{kind} {name}/8000\n\
         a=rtpmap:{EVENTS} telephone-event/8000\na=fmtp:{EVENTS} 0-15\na={direction}\n"
    )
}

fn fax(port: u16, version: u32) -> String {
    format!(
        "v=0\no=peer 1 {version} IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=image {port} udptl t38\n\
         a=T38FaxVersion:0\na=T38MaxBitRate:14400\na=T38FaxRateManagement:transferredTCF\n\
         a=T38FaxMaxDatagram:400\na=T38FaxUdpEC:t38UDPRedundancy\n"
    )
}

/// A message with this SDP, or none.
fn send(head: &str, sdp: &str) -> String {
    let mut text = format!("<send><![CDATA[\n{head}");
    if sdp.is_empty() {
        text.push_str("Content-Length: 0\n\n");
    } else {
        let _ = write!(text, "Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}");
    }
    text.push_str("]]></send>\n");
    text
}
