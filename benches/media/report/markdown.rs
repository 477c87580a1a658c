//! Tables for people, and for the README.

use std::fmt::{self, Write as _};

use super::Results;
use super::summary::Spread;
use super::targets;
use crate::figures::Figure;
use crate::scenarios;

/// All tables.
pub fn render(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, results);
    text
}

fn write(text: &mut String, results: &Results) -> fmt::Result {
    let machine = &results.machine;
    writeln!(text, "`{}`, {}", machine.command, machine.date)?;
    writeln!(
        text,
        "\n{} cores ({}), {} GiB, Linux {}, {}, commit {}; {} repetitions of {} s in alternation; medians, smallest \
         and largest in parentheses\n",
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.kernel,
        machine.asterisk,
        machine.commit,
        results.repetitions,
        results.seconds
    )?;
    if machine.load_before > 0.3 {
        writeln!(text, "The machine was busy before: {:.2} ready to run per core.\n", machine.load_before)?;
    }
    targets_table(text, results)?;
    results_table(text, results)?;
    syscalls_table(text, results)?;
    notes(text, results)
}

fn targets_table(text: &mut String, results: &Results) -> fmt::Result {
    let rows = targets::judge(results);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(text, "| what | target | measured | met |\n| --- | --- | --- | --- |")?;
    for row in rows {
        let met = if row.met { "yes" } else { "**no**" };
        writeln!(text, "| {} | {} | {} | {met} |", row.what, row.target, row.measured)?;
    }
    writeln!(text)
}

fn results_table(text: &mut String, results: &Results) -> fmt::Result {
    write!(text, "| scenario | n | figure |")?;
    for variant in &results.variants {
        write!(text, " {variant} |")?;
    }
    for variant in results.variants.iter().skip(1) {
        write!(text, " {variant} : {} |", results.variants.first().map_or("", String::as_str))?;
    }
    writeln!(text, "\n|{}", " --- |".repeat(2 + results.variants.len() * 2))?;
    for case in results.cases() {
        let (mut scenario, mut channels) = (case.scenario.to_owned(), case.channels.to_string());
        for figure in results.figures_of(case).into_iter().filter(|figure| figure.in_table) {
            write!(text, "| {scenario} | {channels} | {} |", figure.title)?;
            for variant in &results.variants {
                let spread = results.figure(case, variant, figure);
                write!(text, " {} |", spread.map_or_else(|| "–".into(), |spread| with_unit(spread, figure)))?;
            }
            for variant in results.variants.iter().skip(1) {
                let ratio = results.ratio(case, variant, figure);
                write!(text, " {} |", ratio.map_or_else(|| "–".into(), ratio_text))?;
            }
            writeln!(text)?;
            scenario.clear();
            channels.clear();
        }
    }
    writeln!(text)?;
    for case in results.cases() {
        let first = results.cases().into_iter().find(|other| other.scenario == case.scenario) == Some(case);
        if let Some(scenario) = scenarios::ALL.iter().find(|known| first && known.name == case.scenario) {
            writeln!(text, "- {}: {}", scenario.name, scenario.about)?;
        }
    }
    writeln!(text)
}

/// The syscalls, per channel and 20 ms.
fn syscalls_table(text: &mut String, results: &Results) -> fmt::Result {
    for case in results.cases().into_iter().filter(|case| case.scenario.starts_with("syscalls-")) {
        let mut names: Vec<(String, f64)> = Vec::new();
        for (_, outcome) in results.outcomes(case) {
            for (name, value) in &outcome.details {
                let value = value.as_f64().unwrap_or(0.0);
                match names.iter_mut().find(|(known, _)| known == name) {
                    Some((_, most)) => *most = most.max(value),
                    None => names.push((name.clone(), value)),
                }
            }
        }
        names.retain(|(_, most)| *most >= 0.01);
        names.sort_by(|left, right| right.1.total_cmp(&left.1));
        if names.is_empty() {
            continue;
        }
        let variants = results.variants.join(" | ");
        writeln!(text, "| {}, n = {} | {variants} |", case.scenario, case.channels)?;
        writeln!(text, "| --- |{}", " --- |".repeat(results.variants.len()))?;
        for (name, _) in names {
            write!(text, "| {name} |")?;
            for variant in &results.variants {
                let outcomes = results.outcomes(case).filter(|(run, _)| run.variant == *variant);
                let counts = outcomes.map(|(_, outcome)| {
                    outcome.details.get(&name).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
                });
                write!(text, " {:.2} |", Spread::of(counts).map_or(0.0, |spread| spread.median))?;
            }
            writeln!(text)?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn notes(text: &mut String, results: &Results) -> fmt::Result {
    let mut notes: Vec<String> = Vec::new();
    for run in &results.runs {
        let about = format!("{}, n = {}, {}", run.scenario, run.channels, run.variant);
        let lines = match &run.outcome {
            Ok(outcome) => outcome.notes.clone(),
            Err(why) => vec![format!("failed: {}", why.lines().next().unwrap_or_default())],
        };
        for line in lines {
            let note = format!("- {about}: {line}");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    if !notes.is_empty() {
        writeln!(text, "Notes:\n\n{}\n", notes.join("\n"))?;
    }
    Ok(())
}

fn with_unit(spread: Spread, figure: &Figure) -> String {
    let unit = if figure.unit.is_empty() { String::new() } else { format!(" {}", figure.unit) };
    if spread.count < 2 || rounded(spread.min) == rounded(spread.max) {
        return format!("{}{unit}", rounded(spread.median));
    }
    format!("{}{unit} ({}–{})", rounded(spread.median), rounded(spread.min), rounded(spread.max))
}

/// A ratio with its spread.
pub fn ratio_text(ratio: Spread) -> String {
    if ratio.count < 2 || format!("{:.2}", ratio.min) == format!("{:.2}", ratio.max) {
        return format!("{:.2}", ratio.median);
    }
    format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max)
}

/// A value with three significant digits.
pub fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => {
            let text = format!("{value:.2}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if text == "-0" { "0".into() } else { text.to_owned() }
        }
    }
}
