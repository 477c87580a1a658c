//! docs/schema and docs/asyncapi.yaml describe what src/protocol does: they have every command and every event, and no
//! others, and the parser and the schemas agree on each command.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "host/harness/schema.rs"]
#[allow(dead_code, unreachable_pub, reason = "the host tests use the rest")]
mod schema;

#[path = "schemas/asyncapi.rs"]
mod asyncapi;
#[path = "schemas/commands.rs"]
mod commands;
#[path = "schemas/events.rs"]
mod events;
#[path = "schemas/files.rs"]
mod files;
#[path = "schemas/tables.rs"]
mod tables;

/// A list of values with at least one of each variant of a type: a variant without a row does not compile.
macro_rules! every_variant {
    ($type:ty { $($pattern:pat => [$($value:expr),+ $(,)?]),+ $(,)? }) => {{
        let _ = |value: &$type| match value { $($pattern => ()),+ };
        vec![$($($value),+),+]
    }};
}
pub(crate) use every_variant;
