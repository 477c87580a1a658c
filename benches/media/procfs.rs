//! A process in /proc: processor time, context switches, memory, descriptors, by thread.

use std::collections::BTreeMap;
use std::fs;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use crate::Result;

/// Length of a tick in /proc/<pid>/stat (USER_HZ, always 100 for user space on Linux).
const TICK_MS: u64 = 10;

/// The counts of a thread since it began, or the difference of two.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Time on a processor, ns.
    pub cpu_ns: u64,
    /// Time during which it was ready to run but had no processor, ns.
    pub waiting_ns: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
}

impl Usage {
    fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            waiting_ns: self.waiting_ns.saturating_sub(earlier.waiting_ns),
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.cpu_ns += other.cpu_ns;
        self.waiting_ns += other.waiting_ns;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

#[derive(Debug, Clone)]
struct Task {
    name: String,
    usage: Usage,
}

/// A process at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    at: Instant,
    /// Processor time of all its threads, including those that have ended.
    ticks: Duration,
    tasks: BTreeMap<u32, Task>,
}

impl Snapshot {
    /// Takes a snapshot.
    pub fn take(pid: u32) -> Result<Self> {
        let ticks = process_ticks(pid)?;
        let at = Instant::now();
        let mut tasks = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let name = entry.file_name();
            let Some(tid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // The thread may have ended just now.
            if let Some(task) = read_task(&entry.path()) {
                tasks.insert(tid, task);
            }
        }
        Ok(Self { at, ticks, tasks })
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.tasks.len()
    }

    /// The names of threads with this prefix.
    pub fn threads_named(&self, prefix: &str) -> Vec<&str> {
        let names = self.tasks.values().map(|task| task.name.as_str());
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    /// The processor time since `earlier` of the threads whose names have this prefix.
    pub fn cpu_of(&self, earlier: &Self, prefix: &str) -> Duration {
        let named = self.tasks.iter().filter(|(_, task)| task.name.starts_with(prefix));
        let used = named.map(|(tid, task)| {
            let before = earlier.tasks.get(tid).map_or(0, |task| task.usage.cpu_ns);
            task.usage.cpu_ns.saturating_sub(before)
        });
        Duration::from_nanos(used.sum())
    }

    fn has(&self, tid: u32) -> bool {
        self.tasks.contains_key(&tid)
    }
}

/// Threads of Asterisk, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The driver's threads.
    Driver,
    /// Threads that were started with the calls.
    Channels,
    /// Other threads.
    Core,
}

/// The prefix of the names of the driver's threads.
pub const DRIVER_THREADS: &str = "ws-";

/// What a process used between two moments.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The time between them.
    pub elapsed: Duration,
    /// Processor time.
    pub cpu: Duration,
    driver: Usage,
    channels: Usage,
    core: Usage,
}

impl Difference {
    /// The difference from `before` to `after`. Threads that are not in `idle`, which was taken without calls, are
    /// those of the channels.
    pub fn between(before: &Snapshot, after: &Snapshot, idle: Option<&Snapshot>) -> Self {
        let mut groups = [Usage::default(); 3];
        for (tid, task) in &after.tasks {
            let earlier = before.tasks.get(tid).map(|task| task.usage).unwrap_or_default();
            let group = if task.name.starts_with(DRIVER_THREADS) {
                Group::Driver
            } else if idle.is_some_and(|idle| !idle.has(*tid)) {
                Group::Channels
            } else {
                Group::Core
            };
            if let Some(usage) = groups.get_mut(group as usize) {
                *usage += task.usage.since(earlier);
            }
        }
        let [driver, channels, core] = groups;
        // The sum over the threads is exact, but lacks threads that came and went, and some kernels do not count it.
        // The clock of the process has everything, in ticks.
        let sum = Duration::from_nanos(driver.cpu_ns + channels.cpu_ns + core.cpu_ns);
        let ticks = after.ticks.saturating_sub(before.ticks);
        let cpu = if ticks > sum + Duration::from_millis(2 * TICK_MS) { ticks } else { sum };
        Self { elapsed: after.at.saturating_duration_since(before.at), cpu, driver, channels, core }
    }

    /// The usage of a group of threads.
    pub fn of(&self, group: Group) -> Usage {
        match group {
            Group::Driver => self.driver,
            Group::Channels => self.channels,
            Group::Core => self.core,
        }
    }

    /// The usage of all threads. Its processor time lacks threads that have ended: see [`Difference::cpu`].
    pub fn all(&self) -> Usage {
        let mut all = self.driver;
        all += self.channels;
        all += self.core;
        all
    }
}

/// Anonymous memory in use, KiB.
pub fn memory_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    number_after(&status, "RssAnon:").ok_or_else(|| "no RssAnon".into())
}

/// The number of open descriptors.
pub fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Whether each thread is watched by a tracer.
pub fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut tasks = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    tasks.all(|status| number_after(&status, "TracerPid:").is_some_and(|tracer| tracer != 0))
}

/// Processor time used on the whole machine since it was started.
pub fn machine_cpu() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields = stat.lines().next().ok_or("no first line in stat")?.split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is included in the first two.
    let busy =
        ticks.iter().enumerate().take(8).filter(|(field, _)| !matches!(field, 3 | 4)).map(|(_, ticks)| ticks);
    Ok(Duration::from_millis(TICK_MS * busy.sum::<u64>()))
}

fn process_ticks(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may contain anything; utime and stime are the 12th and 13th field after it.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).ok_or("no fields in stat")?;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(TICK_MS * ticks))
}

fn read_task(folder: &std::path::Path) -> Option<Task> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let name = read("comm")?.trim().to_owned();
    let schedstat = read("schedstat")?;
    let mut times = schedstat.split_whitespace().map_while(|field| field.parse().ok());
    let status = read("status")?;
    let usage = Usage {
        cpu_ns: times.next()?,
        waiting_ns: times.next()?,
        voluntary: number_after(&status, "\nvoluntary_ctxt_switches:")?,
        involuntary: number_after(&status, "nonvoluntary_ctxt_switches:")?,
    };
    Some(Task { name, usage })
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    rest.split_whitespace().next()?.parse().ok()
}
