#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chan_websocket::fuzz::dialect(bytes));
