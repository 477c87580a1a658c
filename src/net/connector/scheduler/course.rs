//! The servers that a job tries one after the other: its websocket_client, then the fallbacks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::{JobId, News, Scheduler};
use crate::net::connector::connect_error::{ConnectError, Failure};
use crate::net::connector::observer::Observer;
use crate::net::connector::{ConnectSettings, Fallback, TlsConnector};
use crate::settings::per_call::read_token;

/// Which websocket_client a job is at, and which are left.
pub(super) struct Course {
    /// The channel's name.
    pub(super) label: String,
    /// The name of the websocket_client whose turn it is.
    pub(super) client: String,
    /// How many were tried before: results of helpers for those come too late.
    pub(super) turn: u32,
    pub(super) tls: Arc<dyn TlsConnector>,
    left: std::vec::IntoIter<Fallback>,
    began: Instant,
    /// See [`ConnectJob::again`](crate::net::connector::ConnectJob).
    again: bool,
    /// See [`ConnectJob::on_step`](crate::net::connector::ConnectJob).
    pub(super) is_check: bool,
    pub(super) observer: Observer,
}

impl Course {
    pub(super) fn new(
        (label, again): (String, bool),
        client: String,
        fallbacks: Vec<Fallback>,
        tls: Arc<dyn TlsConnector>,
        observer: Observer,
    ) -> Self {
        let (left, began, is_check) = (fallbacks.into_iter(), Instant::now(), observer.is_watched());
        Self { label, again, client, turn: 0, tls, left, began, is_check, observer }
    }

    /// The settings of the next client, after this one has failed; `None` if there is none, or the connector stops.
    pub(super) fn next(&mut self, error: &ConnectError) -> Option<ConnectSettings> {
        if matches!(error.failure, Failure::Stopped) {
            return None;
        }
        let Fallback { client, settings } = self.left.next()?;
        let level = if self.again { log::Level::Debug } else { log::Level::Warn };
        log::log!(
            level,
            "{}: WebSocket connection failed to {}: {error}; its fallback '{client}' is tried, {} ms after the call began \
             to connect",
            self.label,
            self.client,
            self.began.elapsed().as_millis()
        );
        self.client = client;
        self.turn = self.turn.saturating_add(1);
        Some(ConnectSettings::Read(settings))
    }

    /// The final error, with the name of the fallback that was tried last.
    pub(super) fn over(&mut self, error: ConnectError) -> ConnectError {
        let last = std::mem::take(&mut self.client).into_boxed_str();
        ConnectError { fallback: (self.turn > 0).then_some(last), ..error }
    }

    /// A fallback is connected.
    pub(super) fn arrived(&self) {
        if self.turn > 0 {
            log::info!(
                "{}: connected to the fallback '{}', {} ms after the call began to connect",
                self.label,
                self.client,
                self.began.elapsed().as_millis()
            );
        }
    }
}

impl Scheduler {
    /// Asks a helper to read the token for an attempt of the client whose turn it is.
    pub(super) fn read_token(&mut self, id: JobId, file: PathBuf, attempt: u32) {
        let Some(turn) = self.jobs.get(&id).map(|job| job.course.turn) else { return };
        let mailbox = self.mailbox.clone();
        let task = Box::new(move || {
            mailbox.post(News::TokenRead { id, turn, attempt, token: read_token(&file) });
        });
        if let Err(err) = self.settings.run(task) {
            let token = Err(format!("no thread can be started to read bearer_token_file: {err}"));
            self.drive(id, |attempts, ctx| attempts.token_read(attempt, token, ctx));
        }
    }

    /// Whether the job is still at the client that a helper was busy with.
    pub(super) fn is_at(&self, id: JobId, turn: u32) -> bool {
        self.jobs.get(&id).is_some_and(|job| job.course.turn == turn)
    }
}
