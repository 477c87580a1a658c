//! A name server for the zone `test`: UDP, port 53, on an address of the loopback network that is not used otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

const A: u16 = 1;
const AAAA: u16 = 28;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// The server's answer to a question.
struct Answer {
    delay: Duration,
    code: u8,
    addresses: Vec<IpAddr>,
}

/// The answer for a name. `None`: the server does not answer.
fn answer(name: &str) -> Option<Answer> {
    let now =
        |code, addresses: &[IpAddr]| Answer { delay: Duration::ZERO, code, addresses: addresses.to_vec() };
    let v4 = |last| IpAddr::from([127, 0, 0, last]);
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let labels: Vec<&str> = name.split('.').collect();
    Some(match labels.as_slice() {
        // No answer.
        ["silent", ..] => return None,
        // Answers after so many milliseconds.
        [slow, "slow", "test"] => {
            Answer { delay: Duration::from_millis(slow.parse().ok()?), ..now(0, &[v4(1)]) }
        }
        ["broken", "test"] => now(SERVER_FAILURE, &[]),
        ["empty", "test"] => now(0, &[]),
        // Servers listen on the last address; the resolver puts the IPv6 address first.
        ["many", "test"] => now(0, &[v6, v4(5), v4(4), v4(3), v4(2), v4(1)]),
        ["four", "test"] => now(0, &[v4(5), v4(4), v4(3), v4(2)]),
        ["both", "test"] => now(0, &[v6, v4(1)]),
        ["app" | "other", "test"] | [_, "wild", "test"] | [_, _, "wild", "test"] => now(0, &[v4(1)]),
        _ => now(NO_SUCH_NAME, &[]),
    })
}

/// The address of the server. The first caller starts it.
pub fn address() -> Ipv4Addr {
    static ADDRESS: LazyLock<Ipv4Addr> = LazyLock::new(start);
    *ADDRESS
}

fn start() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    let bound = (53..=99).find_map(|second| {
        let address = Ipv4Addr::new(127, second, high, low.clamp(1, 254));
        Some((address, UdpSocket::bind((address, 53)).ok()?))
    });
    let (address, socket) =
        bound.expect("port 53 of an address in 127.0.0.0/8 (is a name server bound to all addresses?)");
    thread::Builder::new()
        .name("name server".into())
        .spawn(move || serve(&Arc::new(socket)))
        .expect("thread");
    address
}

fn serve(socket: &Arc<UdpSocket>) {
    let mut buffer = [0; 512];
    while let Ok((count, from)) = socket.recv_from(&mut buffer) {
        let Some((name, kind, question)) = parse(&buffer[..count]) else { continue };
        let Some(answer) = answer(&name) else { continue };
        let message = encode(&buffer[..2], question, kind, &answer);
        let (socket, delay) = (Arc::clone(socket), answer.delay);
        let send = move |socket: &UdpSocket, from: SocketAddr| {
            let _ = socket.send_to(&message, from);
        };
        if delay.is_zero() {
            send(&socket, from);
        } else {
            thread::spawn(move || {
                thread::sleep(delay);
                send(&socket, from);
            });
        }
    }
}

/// Name, type and bytes of the question (RFC 1035 section 4.1.2).
fn parse(message: &[u8]) -> Option<(String, u16, &[u8])> {
    let mut rest = message.get(12..)?;
    let mut labels = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        if *length == 0 {
            rest = after;
            break;
        }
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = after;
    }
    let kind = u16::from_be_bytes(*rest.first_chunk()?);
    let end = message.len() - rest.len() + 4;
    Some((labels.join("."), kind, message.get(12..end)?))
}

fn encode(id: &[u8], question: &[u8], kind: u16, answer: &Answer) -> Vec<u8> {
    let data: Vec<Vec<u8>> = answer
        .addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) if kind == A => Some(address.octets().to_vec()),
            IpAddr::V6(address) if kind == AAAA => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut message = id.to_vec();
    let count = u8::try_from(data.len()).expect("few addresses");
    // An answer, recursion available, one question.
    message.extend([0x81, 0x80 | answer.code, 0, 1, 0, count, 0, 0, 0, 0]);
    message.extend(question);
    for address in data {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        // Class IN, TTL 0.
        message.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(address.len()).expect("short")]);
        message.extend(address);
    }
    message
}
