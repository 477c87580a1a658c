//! The steps of a peer, as a scenario for SIPp.

use std::fmt::Write as _;

/// The name that it gives when it calls or answers.
pub const NAME: &str = "Bob";
/// The number that it gives.
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

/// A step of a peer. Steps run one after the other. Ports are those of the peer's media.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Waits so many ms.
    Wait(u32),
    /// 180.
    Ring,
    /// A final answer that refuses the call: status and reason.
    Refuse(u16, &'static str),
    /// 200 with media at this port, ulaw and RFC 4733's events.
    Answer(u16),
    /// The same with a session timer of 90 s. The string is the refresher: `uac` is Asterisk, `uas` the peer.
    AnswerTimed(u16, &'static str),
    /// A re-INVITE with this direction and port: `sendonly` puts on hold, `sendrecv` resumes.
    Direction(&'static str, u16),
    /// A re-INVITE to this codec.
    Change(Codec, u16),
    /// A re-INVITE to T.38, which is refused.
    Fax(u16),
    /// An UPDATE that refreshes the session.
    Refresh,
    /// Asterisk refreshes the session by a re-INVITE.
    ExpectRefresh(u16),
    /// Asterisk sends an INFO; see [`super::tell`].
    ExpectInfo,
    /// A REFER to this extension, which Asterisk accepts (without a subscription).
    Refer(&'a str),
    /// A REFER that connects the other end of this call with the other end of this dialogue.
    Replace(&'a Dialog),
    /// The peer ends the call.
    Bye,
    /// Asterisk ends the call.
    ExpectBye,
}

/// A dialogue between a peer and Asterisk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    call_id: String,
    own_tag: String,
    tag_of_asterisk: String,
}

impl Dialog {
    /// From the line of SIPp's log that [`KNOWN`] writes.
    pub(super) fn of(log: &str) -> Option<Self> {
        let line = log.lines().find_map(|line| line.split_once("dialogue ").map(|(_, line)| line))?;
        let mut words = line.split_whitespace();
        let (call_id, own_tag) = (words.next()?.to_owned(), words.next()?.to_owned());
        let tag = line.split_once(";tag=")?.1.split([';', ' ']).next()?;
        Some(Self { call_id, own_tag, tag_of_asterisk: tag.to_owned() })
    }

    /// The Replaces header of RFC 3891, as a part of a URI. The tags are named from the recipient's point of view.
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
/// A request of the peer in the dialogue.
const REQUEST: &str = "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\nFrom:[$own];tag=[pid]t[call_number]\n\
     To:[$theirs]\nCall-ID: [call_id]\nMax-Forwards: 70\n";
/// Logs the dialogue.
const KNOWN: &str =
    "<nop><action><log message=\"dialogue [call_id] [pid]t[call_number] [$theirs]\"/></action></nop>\n";

fn identity() -> String {
    format!("P-Asserted-Identity: \"{NAME}\" <sip:{NUMBER}@127.0.0.1>\n")
}

fn scenario(opening: &str, steps: &[Step<'_>]) -> String {
    // The peer's own INVITE has the number 1.
    let steps: String =
        steps.iter().zip(2..).map(|(step, number)| step_of(*step, number) + &done(number - 1)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<scenario name=\"peer\">\n{opening}{KNOWN}\
         <Reference variables=\"theirs,own\"/>\n{steps}</scenario>\n"
    )
}

/// A line of the log: this many steps are done.
fn done(steps: u32) -> String {
    format!("<nop><action><log message=\"{}\"/></action></nop>\n", done_line(steps))
}

pub(super) fn done_line(steps: u32) -> String {
    format!("steps done: {steps}.")
}

/// Stores a header in a variable.
fn header(name: &str, variable: &str) -> String {
    format!("<ereg regexp=\".*\" search_in=\"hdr\" header=\"{name}:\" assign_to=\"{variable}\"/>\n")
}

/// The scenario of a peer that is called.
pub(super) fn called(steps: &[Step<'_>]) -> String {
    let (theirs, own) = (header("From", "theirs"), header("To", "own"));
    let opening = format!("<recv request=\"INVITE\" rrs=\"true\"><action>\n{theirs}{own}</action></recv>\n");
    scenario(&opening, steps)
}

/// The scenario of a peer that calls.
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
    // This goes into an answer to the first INVITE.
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
    // The ACK of a refused INVITE belongs to the INVITE's transaction, which began three messages before.
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

/// A request of the peer, and the 200 that it gets.
fn request(method: &str, headers: &str, number: u32) -> String {
    send(&format!("{method} [next_url] SIP/2.0\n{REQUEST}CSeq: {number} {method}\n{headers}"), "")
        + "<recv response=\"200\"/>\n"
}

/// A request from Asterisk, and a 200 to it.
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

/// Sends a message with this SDP; without a body if it is empty.
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
