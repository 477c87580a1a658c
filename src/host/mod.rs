//! The Asterisk side.
