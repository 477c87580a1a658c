//! The processor time and memory that the process uses.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use super::super::harness::Context;

/// The unit of the kernel's counters (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// A measurement of Asterisk's process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    at: Instant,
    /// User and system time of all its threads so far.
    cpu: Duration,
    /// Its resident memory.
    pub resident_bytes: u64,
}

impl Usage {
    /// Measures now.
    pub fn of(t: &Context) -> Self {
        Self::try_of(t).expect("Asterisk's process")
    }

    /// Measures now; `None` if the process has ended.
    pub fn try_of(t: &Context) -> Option<Self> {
        let pid = t.asterisk.pid();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let number = |index: usize| fields[index].parse::<u32>().expect("a number");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let resident = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
        Some(Self {
            at: Instant::now(),
            cpu: TICK * (number(11) + number(12)),
            resident_bytes: resident.expect("VmRSS") * 1024,
        })
    }

    /// The difference from an earlier measurement.
    pub fn since(&self, earlier: &Self) -> Spent {
        let time = self.at - earlier.at;
        Spent {
            cores: (self.cpu - earlier.cpu).as_secs_f64() / time.as_secs_f64().max(0.001),
            grown_bytes: self.resident_bytes.saturating_sub(earlier.resident_bytes),
        }
    }
}

/// What a process has used between two measurements.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Processor time divided by elapsed time.
    pub cores: f64,
    /// Growth of resident memory.
    pub grown_bytes: u64,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} cores, memory +{} KiB", self.cores, self.grown_bytes / 1024)
    }
}
