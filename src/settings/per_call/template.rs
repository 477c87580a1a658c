//! Texts with `${…}` in them, as in the dialplan (`ast_str_substitute_variables`, asterisk/pbx.h).

use std::fmt;

use super::Evaluate;
use crate::settings::secrets::HIDDEN;

/// A text with `${…}` in it. The rest of the text is literal: `$[…]` is not an expression here.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Literal text.
    Literal(String),
    /// A `${…}`, which may contain others.
    Expression(String),
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Template {
    /// Parses `text`; `None` if a `${` has no end.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(start) = rest.find("${") {
            let (before, expression) = rest.split_at(start);
            let (expression, after) = expression.split_at(end_of_expression(expression)?);
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(Part::Expression(expression.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Some(Self { parts })
    }

    /// Whether there is anything to evaluate.
    pub fn has_expressions(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Expression(_)))
    }

    /// The text with its values in place.
    pub fn fill(&self, evaluate: Evaluate<'_>) -> Vec<u8> {
        let mut filled = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => filled.extend_from_slice(text.as_bytes()),
                Part::Expression(expression) => filled.extend(evaluate(expression)),
            }
        }
        filled
    }

    /// As it is configured.
    pub(super) fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Literal(text) | Part::Expression(text) => text.clone(),
        };
        self.parts.iter().map(text).collect()
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    pub(super) fn from_parts(parts: Vec<Part>) -> Self {
        Self { parts }
    }
}

/// The length of the `${…}` that `text` begins with. Braces within count, as they do for Asterisk.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
