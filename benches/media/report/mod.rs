//! The results, for people and for programs.

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
    /// The number of channels.
    pub channels: usize,
    /// The module's name.
    pub variant: String,
    /// Whether it is ours.
    pub is_ours: bool,
    /// The number of the repetition, from 0.
    pub repetition: usize,
    /// Its figures, or why it has none.
    pub outcome: std::result::Result<Outcome, String>,
}

impl Run {
    /// A run and its result.
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

/// All results.
#[derive(Debug)]
pub struct Results {
    /// The circumstances.
    pub machine: Machine,
    /// The modules' names; ratios are to the first one.
    pub variants: Vec<String>,
    /// The number of repetitions.
    pub repetitions: usize,
    /// The duration of each measurement in seconds.
    pub seconds: f64,
    /// The runs, in the order in which they were made.
    pub runs: Vec<Run>,
}
