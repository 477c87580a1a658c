//! Calls, as a test makes them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::app::App;
use super::ari::Answer;
use super::context::Context;
use super::wait;

/// A call to be made.
#[derive(Debug, Clone)]
pub struct CallBuilder<'t> {
    context: &'t Context,
    endpoint: String,
    extension: Option<String>,
    formats: Option<String>,
    variables: Map<String, Value>,
    timeout: Option<u32>,
}

impl<'t> CallBuilder<'t> {
    pub(super) fn new(context: &'t Context, endpoint: &str) -> Self {
        Self {
            context,
            endpoint: endpoint.to_owned(),
            extension: None,
            formats: None,
            variables: Map::new(),
            timeout: None,
        }
    }

    /// Once it is answered, the channel goes to this extension of the dialplan (`echo`, `wait`, `park`, …) instead of
    /// to the test's Stasis application.
    pub fn extension(mut self, extension: &str) -> Self {
        self.extension = Some(extension.to_owned());
        self
    }

    /// The formats that the call is requested with. Without `c()` the channel has the first of them.
    pub fn formats(mut self, formats: &str) -> Self {
        self.formats = Some(formats.to_owned());
        self
    }

    /// Sets a variable on the channel.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// How many seconds the call may remain unanswered.
    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout = Some(seconds);
        self
    }

    /// Once it is answered, the channel runs Dial() with this dial string, timeout in seconds and options.
    /// [`Call::dial_result`] has the result.
    pub fn dials(self, dial: &str, timeout: &str, options: &str) -> Self {
        let app = self.context.ari().app.clone();
        self.extension("dial")
            .variable("DIAL", dial)
            .variable("DIAL_TIMEOUT", timeout)
            .variable("DIAL_OPTIONS", options)
            .variable("APP", &app)
    }

    /// Makes the call and returns while it is being set up.
    #[track_caller]
    pub fn originate(self) -> Call<'t> {
        let context = self.context;
        Call::new(context, self.try_originate().ok())
    }

    /// Like [`CallBuilder::originate`], for a call that must be refused.
    #[track_caller]
    pub fn try_originate(self) -> Answer {
        let ari = self.context.ari();
        let id = self.context.unique("call");
        let timeout = self.timeout.unwrap_or(30).to_string();
        let mut parameters = vec![("endpoint", &*self.endpoint), ("channelId", &*id), ("timeout", &*timeout)];
        match &self.extension {
            Some(extension) => parameters.extend([("context", "harness"), ("extension", extension)]),
            None => parameters.push(("app", &ari.app)),
        }
        if let Some(formats) = &self.formats {
            parameters.push(("formats", formats));
        }
        ari.request("POST", "channels", &parameters, &json!({ "variables": self.variables }))
    }

    /// Creates the channel in the test's Stasis application without dialling it.
    #[track_caller]
    pub fn create(self) -> Call<'t> {
        let context = self.context;
        Call::new(context, self.try_create().ok())
    }

    /// Like [`CallBuilder::create`], for a request that must be refused.
    #[track_caller]
    pub fn try_create(self) -> Answer {
        let ari = self.context.ari();
        let id = self.context.unique("call");
        let mut parameters = vec![("endpoint", &*self.endpoint), ("channelId", &*id), ("app", &*ari.app)];
        if let Some(formats) = &self.formats {
            parameters.push(("formats", formats));
        }
        ari.request("POST", "channels/create", &parameters, &json!({ "variables": self.variables }))
    }
}

/// A channel that the test made. Dropping it hangs the channel up.
#[derive(Debug)]
pub struct Call<'t> {
    context: &'t Context,
    /// The channel's unique id.
    pub id: String,
    /// The channel's name.
    pub name: String,
}

/// How a channel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Hangup cause (Q.850).
    pub cause: i64,
    /// The driver's own cause; 0 if there is none.
    pub tech_cause: i64,
}

/// The result of a Dial().
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialResult {
    /// DIALSTATUS.
    pub status: String,
    /// HANGUPCAUSE.
    pub cause: String,
}

impl<'t> Call<'t> {
    #[track_caller]
    pub(super) fn new(context: &'t Context, channel: Value) -> Self {
        let text =
            |key: &str| channel[key].as_str().unwrap_or_else(|| panic!("no channel: {channel}")).to_owned();
        Self { context, id: text("id"), name: text("name") }
    }

    /// The test that the call belongs to.
    pub fn context(&self) -> &'t Context {
        self.context
    }

    /// The connection id, from the channel's variable.
    #[track_caller]
    pub fn connection_id(&self) -> String {
        let id = self.variable("MEDIA_WEBSOCKET_CONNECTION_ID");
        id.unwrap_or_else(|| panic!("{} has no connection id", self.name))
    }

    /// A variable or function of the channel.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.context.ari().variable(&self.id, name)
    }

    /// Dials a channel that was made by [`CallBuilder::create`].
    #[track_caller]
    pub fn dial(&self) {
        self.wait_stasis();
        self.context.ari().post(&format!("channels/{}/dial", self.id), &[("timeout", "30")]).ok();
    }

    /// Waits until it is answered. (A channel that was created is in Stasis before that.)
    #[track_caller]
    pub fn wait_up(&self) {
        wait::until("the channel is up", || self.state().as_deref() == Some("Up"));
    }

    /// Waits until it has entered the test's Stasis application, a little after it is up. Until then ARI refuses its
    /// operations on the channel.
    #[track_caller]
    pub fn wait_stasis(&self) {
        self.context.ari().wait_channel("StasisStart", &self.id);
    }

    /// Waits until the dialplan runs this application on it. Until then the core reads the app's media and discards it.
    #[track_caller]
    pub fn wait_application(&self, name: &str) {
        self.context.ari().wait_application(&self.id, name);
    }

    /// `Down`, `Up`, …; `None` if the channel is gone.
    pub fn state(&self) -> Option<String> {
        let answer = self.context.ari().get(&format!("channels/{}", self.id), &[]);
        answer.body["state"].as_str().filter(|_| answer.status == 200).map(str::to_owned)
    }

    /// Hangs it up.
    #[track_caller]
    pub fn hangup(&self) {
        self.context.ari().hangup(&self.id);
    }

    /// Waits until our module has noticed that the channel ends.
    #[track_caller]
    pub fn wait_ending(&self) {
        let command = format!("websocket show channel {}", self.name);
        let is_ending =
            |text: String| text.lines().any(|line| line.split_whitespace().eq(["state", "ending"]));
        wait::until("the module knows that the call ends", || is_ending(self.context.asterisk.cli(&command)));
    }

    /// Waits until it is gone.
    #[track_caller]
    pub fn ending(&self) -> Ending {
        let event = self.context.ari().wait_channel("ChannelDestroyed", &self.id);
        let number = |key: &str| event[key].as_i64().unwrap_or(0);
        Ending { cause: number("cause"), tech_cause: number("tech_cause") }
    }

    /// Waits until the Dial() of [`CallBuilder::dials`] is over, and hangs up.
    #[track_caller]
    pub fn dial_result(&self) -> DialResult {
        self.try_dial_result(wait::PATIENCE)
            .unwrap_or_else(|| panic!("Dial() of {} did not return", self.name))
    }

    /// Like [`Call::dial_result`], but waits no longer than this.
    pub fn try_dial_result(&self, timeout: Duration) -> Option<DialResult> {
        let wanted = |event: &Value| event["channel"]["id"] == *self.id && event["args"][0] == "dialled";
        let event = self.context.ari().find("StasisStart", timeout, wanted)?;
        let text = |index: usize| event["args"][index].as_str().unwrap_or_default().to_owned();
        Some(DialResult { status: text(1), cause: text(2) })
    }

    /// Connects an app to an INCOMING channel.
    #[track_caller]
    pub fn connect(&self) -> App {
        self.context.connect(&self.connection_id())
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.context.discard(&self.id);
    }
}
