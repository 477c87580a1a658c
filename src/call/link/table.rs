//! The states of a call's connection, and the transitions between them.

use super::happening::HappeningKind;

/// The state of a call's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no connection yet: an INCOMING channel waits for its application, an outgoing one was not called yet.
    None,
    /// An outgoing attempt is under way, or an application has claimed the connection id and gets its 101.
    Connecting,
    /// The application has been sent MEDIA_START.
    Up,
    /// It is still up, and the channel is being hung up; the core's hangup closes the connection.
    Ending,
    /// It was lost, and the call waits for another until a deadline.
    Lost,
    /// It is over, and no other follows: the channel is hung up, or being hung up.
    Closed,
}

impl State {
    /// Whether the end of the call is known.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Ending | Self::Closed)
    }
}

/// Where a step leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    To(State),
    /// To `Lost` as long as there is a deadline for another connection; else the call ends, `Closed`.
    LostOrEnd,
    /// The call ends, and its attempt with it. The state stays if an application is getting its 101; then no other
    /// attempt follows.
    LastAttempt,
}

/// What has to be done about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// The new connection or attempt does not get this call.
    Refuse,
    /// Cancel the attempt.
    Cancel,
    /// Close the connection.
    Close,
}

/// A cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) next: Next,
    pub(super) act: Act,
    /// This ends the call.
    pub(super) ends: bool,
}

/// Nothing changes.
pub(super) const STAY: Step = Step { next: Next::Stay, act: Act::Nothing, ends: false };
/// Nothing changes, and what came is refused.
pub(super) const REFUSE: Step = Step { act: Act::Refuse, ..STAY };
/// The call waits for another connection, or ends.
const LOSE: Step = Step { next: Next::LostOrEnd, ..STAY };
/// There is no more time for another connection.
const LAST: Step = Step { next: Next::LastAttempt, ..STAY };
/// The call ends.
const END: Step = end_in(State::Closed);
/// The call ends, and no connection is made any more.
pub(super) const CANCEL: Step = Step { act: Act::Cancel, ..END };
/// The call ends, and its connection with it.
const CLOSE: Step = Step { act: Act::Close, ..END };
/// The connection of a call that ends is closed.
const CLOSE_ENDED: Step = Step { act: Act::Close, ..to(State::Closed) };

const fn to(state: State) -> Step {
    Step { next: Next::To(state), ..STAY }
}

const fn end_in(state: State) -> Step {
    Step { ends: true, ..to(state) }
}

/// What `kind` does in `state`.
pub(super) const fn step(state: State, kind: HappeningKind) -> Step {
    let [none, connecting, up, ending, lost, closed] = row(kind);
    match state {
        State::None => none,
        State::Connecting => connecting,
        State::Up => up,
        State::Ending => ending,
        State::Lost => lost,
        State::Closed => closed,
    }
}

/// The table. What cannot happen in a state does nothing there. The end of a connection that we have closed changes
/// nothing: closing it was the step.
#[rustfmt::skip]
const fn row(kind: HappeningKind) -> [Step; 6] {
    const CONNECTING: Step = to(State::Connecting);
    const UP: Step = to(State::Up);
    const CLOSED: Step = to(State::Closed);
    const END_UP: Step = end_in(State::Ending);
    match kind {
        //                       None        Connecting  Up      Ending       Lost        Closed
        HappeningKind::Claim =>           [CONNECTING, REFUSE,    REFUSE, REFUSE,      CONNECTING, REFUSE],
        HappeningKind::ConnectStarted =>  [CONNECTING, REFUSE,    REFUSE, REFUSE,      CONNECTING, REFUSE],
        HappeningKind::Established =>     [REFUSE,     UP,        REFUSE, REFUSE,      REFUSE,     REFUSE],
        HappeningKind::AttemptFailed =>   [STAY,       LOSE,      STAY,   STAY,        STAY,       STAY],
        HappeningKind::AttemptRefused =>  [STAY,       END,       STAY,   STAY,        STAY,       STAY],
        HappeningKind::ClosedByUs =>      [STAY,       STAY,      STAY,   STAY,        STAY,       STAY],
        HappeningKind::ConnectionOver =>  [STAY,       STAY,      END,    CLOSED,      STAY,       STAY],
        HappeningKind::ConnectionLost =>  [STAY,       STAY,      LOSE,   CLOSED,      STAY,       STAY],
        HappeningKind::Hangup =>          [END,        CANCEL,    CLOSE,  CLOSE_ENDED, END,        STAY],
        HappeningKind::HangupCommand =>   [STAY,       STAY,      END_UP, STAY,        STAY,       STAY],
        HappeningKind::Operator =>        [END,        CANCEL,    END_UP, STAY,        END,        STAY],
        HappeningKind::Transferred =>     [END,        CANCEL,    END_UP, STAY,        END,        STAY],
        HappeningKind::IncomingTimeout => [END,        STAY,      STAY,   STAY,        STAY,       STAY],
        HappeningKind::LostDeadline =>    [STAY,       LAST,      STAY,   STAY,        END,        STAY],
        HappeningKind::Fault =>           [END,        CANCEL,    END_UP, STAY,        END,        STAY],
    }
}
