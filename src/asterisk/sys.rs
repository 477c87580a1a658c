//! Bindings to Asterisk's C API, made by bindgen at build time from the headers at hand.

#![allow(
    missing_docs,
    unreachable_pub,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    dead_code
)]
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    unsafe_op_in_unsafe_fn,
    rust_2018_idioms
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
