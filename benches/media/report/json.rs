//! All results, for programs.

use serde_json::{Map, Value, json};

use super::Results;
use super::targets;

/// The whole document.
pub fn render(results: &Results) -> Value {
    let runs: Vec<Value> = results
        .runs
        .iter()
        .map(|run| {
            let head = json!({
                "scenario": run.scenario, "channels": run.channels, "module": run.variant,
                "repetition": run.repetition,
            });
            let rest = match &run.outcome {
                Ok(outcome) => json!({
                    "figures": outcome.figures.iter()
                        .map(|(figure, value)| (figure.key.to_owned(), json!(value))).collect::<Map<_, _>>(),
                    "details": outcome.details,
                    "notes": outcome.notes,
                }),
                Err(why) => json!({ "failed": why }),
            };
            merged(head, rest)
        })
        .collect();
    let targets: Vec<Value> = targets::judge(results)
        .into_iter()
        .map(
            |row| json!({ "what": row.what, "target": row.target, "measured": row.measured, "met": row.met }),
        )
        .collect();
    json!({
        "machine": results.machine, "modules": results.variants, "repetitions": results.repetitions,
        "seconds": results.seconds, "summary": summary(results), "targets": targets, "runs": runs,
    })
}

fn summary(results: &Results) -> Vec<Value> {
    let mut rows = Vec::new();
    for case in results.cases() {
        for figure in results.figures_of(case) {
            for variant in &results.variants {
                let Some(spread) = results.figure(case, variant, figure) else { continue };
                rows.push(json!({
                    "scenario": case.scenario, "channels": case.channels, "module": variant,
                    "figure": figure.key, "unit": figure.unit, "value": spread,
                    "ratio": results.ratio(case, variant, figure),
                }));
            }
        }
    }
    rows
}

fn merged(head: Value, rest: Value) -> Value {
    match (head, rest) {
        (Value::Object(mut head), Value::Object(rest)) => {
            head.extend(rest);
            Value::Object(head)
        }
        (head, _) => head,
    }
}
