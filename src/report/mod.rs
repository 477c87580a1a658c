//! What people see: metrics, notifications for AMI and ARI, tables for consoles, the record of a call, and how much
//! of all that goes into the log.
//!
//! Nothing here knows an Asterisk symbol or a socket.

#![forbid(unsafe_code)]

pub mod call_stats;
pub mod direct_bridge;
pub mod log_limit;
pub mod metric;
pub mod notification;
pub mod prometheus_text;
pub mod table;
