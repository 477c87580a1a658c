//! The resources of the process during a soak.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    resident_kib: u64,
    threads: u64,
    descriptors: usize,
}

/// Measures a process once a second.
pub struct Watch {
    pid: u32,
    begin: Instant,
    samples: Mutex<Vec<Sample>>,
}

impl Watch {
    pub fn new(pid: u32) -> Self {
        Self { pid, begin: Instant::now(), samples: Mutex::default() }
    }

    pub fn until(&self, end: Instant) {
        while Instant::now() < end {
            if let Some(sample) = self.sample() {
                self.samples.lock().push(sample);
            }
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn sample(&self) -> Option<Sample> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Some(Sample {
            at: self.begin.elapsed(),
            resident_kib: field("VmRSS:")?,
            threads: field("Threads:")?,
            descriptors: fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?.count(),
        })
    }

    /// The measurements, in one line.
    pub fn report(&self) -> String {
        let samples = self.samples.lock();
        let [first, .., last] = &samples[..] else { return "not watched".into() };
        let most = |of: fn(&Sample) -> u64| samples.iter().map(of).max().unwrap_or_default();
        format!(
            "resident {} KiB at first, {} at most, {} at last; at most {} threads and {} descriptors",
            first.resident_kib,
            most(|sample| sample.resident_kib),
            last.resident_kib,
            most(|sample| sample.threads),
            most(|sample| sample.descriptors as u64)
        )
    }

    /// Memory does not grow with the number of past calls: the last quarter uses no more than the second, apart from
    /// what an allocator may keep. Does not check a soak that is too short for that.
    pub fn check(&self) {
        let samples = self.samples.lock();
        let whole = samples.last().map_or(Duration::ZERO, |sample| sample.at);
        if whole < Duration::from_secs(120) {
            return;
        }
        let mean = |from: u32, to: u32| {
            let of: Vec<u64> = samples
                .iter()
                .filter(|sample| sample.at >= whole * from / 4 && sample.at <= whole * to / 4)
                .map(|sample| sample.resident_kib)
                .collect();
            of.iter().sum::<u64>() / of.len().max(1) as u64
        };
        let (earlier, later) = (mean(1, 2), mean(3, 4));
        assert!(later <= earlier + earlier / 5 + 8 * 1024, "memory grew from {earlier} to {later} KiB");
    }
}
