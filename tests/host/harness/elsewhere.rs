//! A network namespace with a link to ours, whose packets a test can have dropped.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace with a link to ours.
#[derive(Debug)]
pub struct Elsewhere {
    /// The name of the namespace.
    pub name: String,
    /// The address of our end of the link.
    pub here: Ipv4Addr,
    /// The address of its end.
    pub there: Ipv4Addr,
}

fn ip(arguments: &str) -> Result<(), String> {
    let output =
        Command::new("ip").args(arguments.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {error}")) }
}

impl Elsewhere {
    /// The error says why this machine cannot have one.
    pub fn new() -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        // In the range for benchmarks, which is not routed (RFC 2544).
        let net = [(pid >> 6) as u8, (pid << 2) as u8, (number * 4) as u8];
        let net = [18 + (net[0] & 1), net[1] ^ net[0], net[2]];
        let address = |last: u8| Ipv4Addr::new(198, net[0], net[1], net[2] | last);
        let (wire, end) = (format!("cw{pid}.{number}"), format!("cx{pid}.{number}"));
        let elsewhere = Self { name: format!("cw-{pid}-{number}"), here: address(1), there: address(2) };
        let Self { name, here, there } = &elsewhere;
        ip(&format!("netns add {name}"))?;
        ip(&format!("link add {wire} type veth peer name {end} netns {name}"))?;
        ip(&format!("address add {here}/30 dev {wire}"))?;
        ip(&format!("link set {wire} up"))?;
        ip(&format!("-n {name} address add {there}/30 dev {end}"))?;
        ip(&format!("-n {name} link set {end} up"))?;
        Ok(elsewhere)
    }

    /// Runs `work` in the namespace. A socket stays in the namespace in which it was made.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.name, work)
    }

    /// From now on the namespace drops every packet in both directions, without an ICMP error (nftables).
    #[track_caller]
    pub fn drop_packets(&self) {
        self.nft("add table inet gone");
        for hook in ["input", "output"] {
            let rule = "priority 0 ; policy drop ;";
            self.nft(&format!("add chain inet gone {hook} {{ type filter hook {hook} {rule} }}"));
        }
    }

    /// Passes packets again.
    #[track_caller]
    pub fn pass_packets(&self) {
        self.nft("delete table inet gone");
    }

    #[track_caller]
    fn nft(&self, arguments: &str) {
        ip(&format!("netns exec {} nft {arguments}", self.name)).expect("nftables");
    }

    /// From now on nothing is received from the namespace, not even from its kernel.
    pub fn vanish(&self) {
        ip(&format!("-n {} route add blackhole {}/32", self.name, self.here)).expect("a route");
    }
}

/// Runs `work` in the namespace of this name.
pub fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = std::fs::File::open(format!("/run/netns/{namespace}")).expect("network namespace");
    thread::scope(|scope| {
        let enter_and_work = || {
            use std::os::fd::AsFd;
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
            work()
        };
        scope.spawn(enter_and_work).join().expect("thread")
    })
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = ip(&format!("netns delete {}", self.name));
    }
}
