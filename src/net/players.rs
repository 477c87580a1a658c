//! Threads that play what is due. Each thing has an entry in the order of the times at which a thread has to come to
//! it.
//!
//! All clocks fire at multiples of [`CLOCK_GRID`](super::coalescing::CLOCK_GRID), so one wake serves all calls that are
//! due then. A thing is always played by the same thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::clock;
use super::contain::contained_round;
use super::heartbeat::Heartbeat;
use super::watchdog::WatchedThread;
use crate::mono_time::MonoTime;

/// A thing, when it is due, and its place among those that are due at the same time.
struct Scheduled<T> {
    at: MonoTime,
    number: u64,
    thing: T,
}

impl<T> Scheduled<T> {
    fn key(&self) -> (MonoTime, u64) {
        (self.at, self.number)
    }
}

impl<T> PartialEq for Scheduled<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Scheduled<T> {}

impl<T> PartialOrd for Scheduled<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Scheduled<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

struct TurnQueue<T> {
    entries: BinaryHeap<Reverse<Scheduled<T>>>,
    /// The number of entries so far.
    numbers: u64,
    /// Until when the thread sleeps, if it does.
    sleeps_until: Option<MonoTime>,
    stopping: bool,
}

impl<T> TurnQueue<T> {
    fn next_at(&self) -> Option<MonoTime> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Moves what is due at `now` to the end of `due`.
    fn take_due(&mut self, now: MonoTime, due: &mut Vec<T>) {
        while self.next_at().is_some_and(|at| at <= now) {
            due.extend(self.entries.pop().map(|Reverse(entry)| entry.thing));
        }
    }
}

struct PlayerThread<T> {
    queue: Mutex<TurnQueue<T>>,
    woken: Condvar,
    waiting: AtomicUsize,
    heartbeat: Heartbeat,
}

impl<T: Send> WatchedThread for PlayerThread<T> {
    fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    fn is_awaited(&self) -> bool {
        let now = clock::now();
        self.queue.try_lock().is_none_or(|queue| queue.next_at().is_some_and(|at| at <= now))
    }

    fn carries(&self) -> (usize, &'static str) {
        (self.waiting.load(Ordering::Relaxed), "calls in direct bridges")
    }
}

/// The threads and their queues.
pub struct Players<T> {
    shared: Vec<Arc<PlayerThread<T>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<T> std::fmt::Debug for Players<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Players").field("threads", &self.shared.len()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Players<T> {
    /// Starts `count` threads, at least one. Each of them has its own `play`, made by `make`, and calls it for each
    /// thing that is due. A panic in it is contained; the other things that were due then are played a little later.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start<P>(count: usize, make: impl Fn() -> P) -> io::Result<Self>
    where
        P: FnMut(T, MonoTime) + Send + 'static,
    {
        let players = Self {
            shared: (0..count.max(1)).map(PlayerThread::numbered).collect(),
            threads: Mutex::default(),
        };
        for shared in &players.shared {
            let (own, mut play) = (shared.clone(), make());
            let name = shared.heartbeat.name().to_owned();
            let run = move || own.run(&mut play);
            players.threads.lock().push(std::thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(players)
    }

    /// Schedules `thing` to be played at `at`, by the thread for `number`; at once if that time has passed. Any thread,
    /// any lock held but those that `play` takes; never waits.
    pub fn schedule(&self, number: u64, at: MonoTime, thing: T) {
        let count = self.shared.len() as u64;
        let index = usize::try_from(number % count.max(1)).unwrap_or(0);
        if let Some(shared) = self.shared.get(index) {
            shared.schedule(at, thing);
        }
    }

    /// For the watchdog.
    pub fn watched(&self) -> impl Iterator<Item = Arc<dyn WatchedThread>> + '_ {
        self.shared.iter().map(|shared| shared.clone() as Arc<dyn WatchedThread>)
    }

    /// Stops and joins the threads, and forgets what is scheduled. A second call does nothing more.
    pub fn stop(&self) {
        for shared in &self.shared {
            shared.queue.lock().stopping = true;
            shared.woken.notify_one();
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                log::error!("a player had panicked");
            }
        }
    }
}

impl<T> Drop for Players<T> {
    /// Stops the threads if the start failed, or if they were not stopped.
    fn drop(&mut self) {
        for shared in &self.shared {
            shared.queue.lock().stopping = true;
            shared.woken.notify_one();
        }
    }
}

impl<T> PlayerThread<T> {
    fn numbered(number: usize) -> Arc<Self> {
        let queue = TurnQueue { entries: BinaryHeap::new(), numbers: 0, sleeps_until: None, stopping: false };
        Arc::new(Self {
            queue: Mutex::new(queue),
            woken: Condvar::new(),
            waiting: AtomicUsize::new(0),
            heartbeat: Heartbeat::new(format!("ws-player-{number}")),
        })
    }

    fn schedule(&self, at: MonoTime, thing: T) {
        let wakes = {
            let mut queue = self.queue.lock();
            if queue.stopping {
                // The caller's thread drops it, without the lock.
                drop(queue);
                return drop(thing);
            }
            queue.numbers += 1;
            let number = queue.numbers;
            queue.entries.push(Reverse(Scheduled { at, number, thing }));
            self.waiting.store(queue.entries.len(), Ordering::Relaxed);
            queue.sleeps_until.is_some_and(|until| at < until)
        };
        if wakes {
            self.woken.notify_one();
        }
    }

    fn run(&self, play: &mut impl FnMut(T, MonoTime)) {
        let mut due = Vec::new();
        loop {
            match contained_round(self.heartbeat.name(), || self.round(&mut due, play)) {
                Some(true) => {}
                Some(false) => return,
                // The thing that panicked is gone; the others are played in the next round.
                None => {}
            }
        }
    }

    /// Waits until something is due, and plays all that is. False when the thread has to end.
    fn round(&self, due: &mut Vec<T>, play: &mut impl FnMut(T, MonoTime)) -> bool {
        if due.is_empty() && !self.wait(due) {
            return false;
        }
        // Taken from the end, so that a panic loses only its own thing; `wait` has put the first to the end.
        while let Some(thing) = due.pop() {
            self.heartbeat.works();
            play(thing, clock::now());
        }
        true
    }

    fn wait(&self, due: &mut Vec<T>) -> bool {
        self.heartbeat.waits();
        let mut queue = self.queue.lock();
        loop {
            if queue.stopping {
                let forgotten = std::mem::take(&mut queue.entries);
                drop(queue);
                drop(forgotten);
                return false;
            }
            let now = clock::now();
            queue.take_due(now, due);
            if !due.is_empty() {
                due.reverse();
                return true;
            }
            let next = queue.next_at();
            queue.sleeps_until = Some(next.unwrap_or(MonoTime::from_nanos(u64::MAX)));
            match next {
                Some(at) => drop(self.woken.wait_until(&mut queue, Instant::now() + at.since(now))),
                None => self.woken.wait(&mut queue),
            }
            queue.sleeps_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(30);

    type Played = (u32, MonoTime, String);

    /// Players that report what they play, when, and which of them does. A thing 13 panics.
    fn players(count: usize) -> (Players<u32>, Receiver<Played>) {
        let (send, played) = channel();
        let make = || {
            let send = send.clone();
            move |thing, now| {
                assert_ne!(thing, 13, "on purpose");
                let thread = std::thread::current().name().unwrap_or_default().to_owned();
                send.send((thing, now, thread)).unwrap();
            }
        };
        (Players::start(count, make).unwrap(), played)
    }

    fn next(played: &Receiver<Played>) -> Played {
        played.recv_timeout(PATIENCE).unwrap()
    }

    #[test]
    fn things_are_played_in_the_order_of_their_times_and_not_before_them() {
        let (players, played) = players(1);
        let begin = clock::now();
        let at = |ms| begin + Duration::from_millis(ms);
        for (thing, ms) in [(4, 40), (1, 10), (2, 20), (3, 20)] {
            players.schedule(0, at(ms), thing);
        }
        for (thing, ms) in [(1, 10), (2, 20), (3, 20), (4, 40)] {
            let (found, now, _) = next(&played);
            assert_eq!(found, thing);
            assert!(now >= at(ms));
        }
    }

    #[test]
    fn an_earlier_deadline_wakes_a_sleeping_player() {
        let (players, played) = players(1);
        players.schedule(0, clock::now() + PATIENCE * 10, 1);
        players.schedule(0, clock::now(), 2);
        assert_eq!(next(&played).0, 2);
    }

    #[test]
    fn a_number_always_comes_to_the_same_thread() {
        let (players, played) = players(3);
        for round in 0..2 {
            for number in 0..6 {
                players.schedule(number, clock::now(), round * 6 + number as u32);
            }
        }
        for _ in 0..12 {
            let (thing, _, thread) = next(&played);
            assert_eq!(thread, format!("ws-player-{}", thing % 3));
        }
    }

    #[test]
    fn a_panic_takes_nothing_else_away() {
        let (players, played) = players(1);
        let at = clock::now() + Duration::from_millis(20);
        for thing in [1, 13, 2] {
            players.schedule(0, at, thing);
        }
        assert_eq!([next(&played).0, next(&played).0], [1, 2]);
    }

    #[test]
    fn calls_that_wait_at_a_stop_and_later_ones_are_dropped() {
        let count = Arc::new(());
        let players = Players::start(2, || |_: Arc<()>, _| panic!("it is not due")).unwrap();
        for number in 0..4 {
            players.schedule(number, clock::now() + PATIENCE * 10, count.clone());
        }
        assert_eq!(Arc::strong_count(&count), 5);
        players.stop();
        players.schedule(0, clock::now(), count.clone());
        assert_eq!(Arc::strong_count(&count), 1);
        players.stop();
    }
}
