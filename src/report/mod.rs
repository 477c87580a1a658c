//! Output for people: metrics, notifications for AMI and ARI, tables for consoles, the record of a call, and limits for
//! the log.
//!
//! The code here uses no Asterisk symbol and no socket.

#![forbid(unsafe_code)]

pub mod call_stats;
pub mod direct_bridge;
pub mod log_limit;
pub mod metric;
pub mod notification;
pub mod prometheus_text;
pub mod table;
