//! Who connects to whom.

/// Who connects to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallRole {
    /// The application connects to Asterisk's HTTP server.
    Incoming,
    /// Asterisk connects to the websocket_client that the dial string names.
    Outgoing,
}

impl CallRole {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }

    /// The option that says how long a call outlives a connection.
    pub const fn reconnect_option(self) -> &'static str {
        match self {
            Self::Incoming => "incoming_reconnect",
            Self::Outgoing => "reconnect",
        }
    }
}

/// A number for each role.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PerRole {
    /// Calls whose application connects.
    pub incoming: u64,
    /// Calls that Asterisk connects.
    pub outgoing: u64,
}

impl PerRole {
    /// Counts one.
    pub fn count(&mut self, role: CallRole) {
        match role {
            CallRole::Incoming => self.incoming += 1,
            CallRole::Outgoing => self.outgoing += 1,
        }
    }
}
