//! What was measured, for people and for programs.

mod canvas;
pub mod json;
pub mod markdown;
pub mod picture;
pub mod summary;
pub mod targets;

use crate::Result;
use crate::figures::Outcome;
use crate::machine::Machine;
use crate::variant::Variant;

/// One scenario on one module, once.
#[derive(Debug)]
pub struct Run {
    /// The scenario's name.
    pub scenario: &'static str,
    /// How many channels.
    pub channels: usize,
    /// The module's name.
    pub variant: String,
    /// Whether it is ours.
    pub is_ours: bool,
    /// From 0.
    pub repetition: usize,
    /// Its figures, or why there are none.
    pub outcome: std::result::Result<Outcome, String>,
}

impl Run {
    /// What a run came to.
    pub fn new(
        scenario: &'static str,
        channels: usize,
        variant: &Variant,
        repetition: usize,
        outcome: Result<Outcome>,
    ) -> Self {
        Self {
            scenario,
            channels,
            variant: variant.name.clone(),
            is_ours: variant.is_ours(),
            repetition,
            outcome: outcome.map_err(|error| error.to_string()),
        }
    }
}

/// Everything.
#[derive(Debug)]
pub struct Results {
    /// Where and when.
    pub machine: Machine,
    /// The modules' names; ratios are to the first one.
    pub variants: Vec<String>,
    /// How often everything was done.
    pub repetitions: usize,
    /// Seconds of each measurement.
    pub seconds: f64,
    /// In the order in which they were made.
    pub runs: Vec<Run>,
}
