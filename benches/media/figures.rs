//! The figures: names, units, and whether more or less is better.

/// Whether more or less of a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less.
    Lower,
    /// More.
    Higher,
    /// Neither: the figure only describes the run.
    Neither,
}

/// One kind of figure.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its name in the JSON file.
    pub key: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// Its unit, if it has one.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// Whether it is in the table of results; other figures are only in the JSON file.
    pub in_table: bool,
}

macro_rules! figures {
    ($($name:ident $key:literal $title:literal $unit:literal $better:ident $shown:ident;)*) => {
        $(
            #[doc = $title]
            pub const $name: Figure = Figure {
                key: $key,
                title: $title,
                unit: $unit,
                better: Better::$better,
                in_table: figures!(@$shown),
            };
        )*
    };
    (@table) => { true };
    (@file) => { false };
}

figures! {
    // Asterisk's cost.
    CPU "cpu_us" "CPU per channel and 20 ms" "µs" Lower table;
    CPU_DRIVER "cpu_driver_threads_us" "of it on the driver's own threads" "µs" Neither file;
    CPU_CHANNELS "cpu_channel_threads_us" "of it on the channels' threads" "µs" Neither file;
    CPU_WAIT "cpu_wait_us" "waiting for a core, per channel and 20 ms" "µs" Lower file;
    SWITCHES_CHANNELS "switches_channel_threads" "voluntary context switches per channel and second, channels' threads" "" Lower table;
    SWITCHES_DRIVER "switches_driver_threads" "the same, the driver's own threads" "" Lower table;
    INVOLUNTARY "switches_involuntary" "involuntary context switches per channel and second" "" Lower file;
    SYSCALLS "syscalls" "syscalls per channel and 20 ms" "" Lower table;
    THREADS "threads_per_channel" "threads per channel" "" Lower table;
    DRIVER_THREADS "driver_threads" "the driver's own threads" "" Neither table;
    DESCRIPTORS "descriptors_per_channel" "descriptors per channel" "" Lower table;
    MEMORY "memory_kib_per_channel" "memory per channel" "KiB" Lower table;
    // As the apps see it.
    LATENCY_P50 "latency_p50_ms" "latency p50" "ms" Lower table;
    LATENCY_P99 "latency_p99_ms" "latency p99" "ms" Lower table;
    LATENCY_P999 "latency_p999_ms" "latency p99.9" "ms" Lower table;
    LATENCY_MAX "latency_max_ms" "latency max" "ms" Lower file;
    JITTER_P50 "jitter_p50_ms" "jitter p50" "ms" Lower file;
    JITTER_P99 "jitter_p99_ms" "jitter p99" "ms" Lower table;
    JITTER_P999 "jitter_p999_ms" "jitter p99.9" "ms" Lower table;
    JITTER_MAX "jitter_max_ms" "jitter max" "ms" Lower file;
    FRAMES "frames" "frames received" "" Neither file;
    LOST "frames_lost" "frames lost" "" Lower table;
    OUT_OF_ORDER "frames_out_of_order" "frames out of order" "" Lower file;
    CORRUPT "frames_corrupt" "frames damaged" "" Lower file;
    // Bulk media.
    INGEST_CPU "ingest_cpu_us" "CPU per frame taken in bulk" "µs" Lower table;
    INGEST_FRAMES "ingest_frames" "frames taken in bulk" "" Neither file;
    INGEST_P50 "ingest_p50_ms" "time to take 18 s, p50" "ms" Lower table;
    STATUS_FIRST_P99 "status_first_p99_ms" "STATUS round trip p99, live, each app's first" "ms" Lower table;
    STATUS_P50 "status_p50_ms" "STATUS round trip p50, live" "ms" Lower file;
    STATUS_P99 "status_p99_ms" "STATUS round trip p99, live" "ms" Lower table;
    STATUS_QUEUED_P50 "status_queued_p50_ms" "STATUS round trip p50, bulk queued" "ms" Lower file;
    STATUS_QUEUED_P99 "status_queued_p99_ms" "STATUS round trip p99, bulk queued" "ms" Lower table;
    FLUSH_P50 "flush_p50_ms" "FLUSH_MEDIA to silence, p50" "ms" Lower file;
    FLUSH_MAX "flush_max_ms" "FLUSH_MEDIA to silence, longest" "ms" Lower table;
    // Set-up.
    SETUP_CPU "setup_cpu_ms" "CPU per call" "ms" Lower table;
    SETUP_RATE "setup_calls_per_second" "calls per second, up and down" "" Higher table;
    SETUP_UP_P50 "setup_up_p50_ms" "from dialling to the first echo, p50" "ms" Lower table;
    SETUP_UP_P99 "setup_up_p99_ms" "from dialling to the first echo, p99" "ms" Lower file;
    SETUP_CALLS "setup_calls" "calls made" "" Neither file;
    SETUP_FAILED "setup_failed" "calls that did not come up or end" "" Lower table;
    // One app that does not read.
    LIST_P50 "list_p50_ms" "ARI list of channels, p50" "ms" Lower file;
    LIST_MAX "list_max_ms" "ARI list of channels, longest" "ms" Lower table;
    VARIABLE_P50 "variable_p50_ms" "ARI variable of the slow channel, p50" "ms" Lower table;
    VARIABLE_MAX "variable_max_ms" "ARI variable of the slow channel, longest" "ms" Lower table;
    // Asterisk is stopped for a while.
    RECOVERED "recovered_percent" "calls back to normal within 1 s" "%" Higher table;
    RECOVERY_P50 "recovery_p50_ms" "back to normal after (3000: never), p50" "ms" Lower table;
    RECOVERY_MAX "recovery_max_ms" "back to normal after (3000: never), longest" "ms" Lower table;
    RESIDUAL_P50 "residual_p50_ms" "delay that stays, p50" "ms" Lower table;
    RESIDUAL_MAX "residual_max_ms" "delay that stays, longest" "ms" Lower file;
    TIMESTAMP_SHIFT "timestamp_shift_ms" "shift of the RTP timestamps that stays, longest" "ms" Lower table;
    // Saturation.
    CAPACITY "capacity_channels" "channels with p99 latency up to 40 ms" "" Higher table;
    // The generator.
    OWN_LATENESS "generator_lateness_p99_ms" "the generator's own lateness p99" "ms" Lower file;
    OWN_TURN "generator_turn_p99_ms" "time from the generator's waking up to its having read all, p99" "ms" Lower file;
    OWN_LOAD "generator_cores" "cores used by the generator" "" Lower file;
    OTHERS "other_cores" "cores used by other processes" "" Lower file;
}

/// The figures of one run, in the order in which they were set.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Figures and values.
    pub figures: Vec<(&'static Figure, f64)>,
    /// Data that does not fit into figures.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// What went wrong.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Sets a figure.
    pub fn set(&mut self, figure: &'static Figure, value: f64) {
        self.figures.push((figure, value));
    }

    /// The value of a figure.
    pub fn get(&self, figure: &Figure) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known.key == figure.key).map(|(_, value)| *value)
    }

    /// Adds a note, once.
    pub fn note(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }
}
