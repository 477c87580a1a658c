//! Medians over the repetitions, with their spread, and ratios of runs of the same repetition.

use serde::Serialize;

use super::{Results, Run};
use crate::figures::{Figure, Outcome};

/// The median and the spread of several values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The number of values.
    pub count: usize,
}

impl Spread {
    /// The spread of these values; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let (low, high) = (values.get((count.max(1) - 1) / 2)?, values.get(count / 2)?);
        Some(Self { median: (low + high) / 2.0, min: *values.first()?, max: *values.last()?, count })
    }
}

/// One scenario with one number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The number of channels.
    pub channels: usize,
}

impl Results {
    /// All cases, in the order in which they were run.
    pub fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for run in &self.runs {
            let case = Case { scenario: run.scenario, channels: run.channels };
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        cases
    }

    /// The figures of a case, in the order in which they were set.
    pub fn figures_of(&self, case: Case) -> Vec<&'static Figure> {
        let mut figures: Vec<&'static Figure> = Vec::new();
        for (_, outcome) in self.outcomes(case) {
            for (figure, _) in &outcome.figures {
                if !figures.contains(figure) {
                    figures.push(figure);
                }
            }
        }
        figures
    }

    /// The runs of a case that have a result.
    pub fn outcomes(&self, case: Case) -> impl Iterator<Item = (&Run, &Outcome)> {
        let runs = self.runs.iter();
        let runs = runs.filter(move |run| run.scenario == case.scenario && run.channels == case.channels);
        runs.filter_map(|run| Some((run, run.outcome.as_ref().ok()?)))
    }

    /// The figure of one module.
    pub fn figure(&self, case: Case, variant: &str, figure: &Figure) -> Option<Spread> {
        let outcomes = self.outcomes(case).filter(|(run, _)| run.variant == variant);
        Spread::of(outcomes.filter_map(|(_, outcome)| outcome.get(figure)))
    }

    /// The ratio to the first module's figure in the same repetition.
    pub fn ratio(&self, case: Case, variant: &str, figure: &Figure) -> Option<Spread> {
        let base = self.variants.first().filter(|base| *base != variant)?;
        let value_of = |variant: &str, repetition: usize| {
            let mut outcomes = self.outcomes(case);
            let found = outcomes.find(|(run, _)| run.variant == variant && run.repetition == repetition);
            found.and_then(|(_, outcome)| outcome.get(figure))
        };
        let ratios = (0..self.repetitions).filter_map(|repetition| {
            let base = value_of(base, repetition)?;
            let value = value_of(variant, repetition)?;
            // A ratio to zero has no meaning.
            (base.abs() > f64::EPSILON).then_some(value / base)
        });
        Spread::of(ratios)
    }
}
