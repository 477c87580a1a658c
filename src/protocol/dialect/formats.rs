//! The table of dialects.

use super::{CallFacts, Dialect, Profile, exotel, json, plain_text, plivo, telnyx, twilio, vonage};

/// A row: description, name, file.
macro_rules! formats {
    ($($(#[$attribute:meta])* $format:ident = $name:literal in $file:ident,)+) => {
        /// How control messages (commands and events) and media are written on one call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum ControlMessageFormat {
            $($(#[$attribute])* $format,)+
        }

        impl ControlMessageFormat {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$format,)+];

            /// As it is written in a dial string and in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$format => $name,)+
                }
            }

            /// What calls in this format have in common.
            pub const fn profile(self) -> &'static Profile {
                match self {
                    $(Self::$format => &$file::PROFILE,)+
                }
            }

            /// The dialect of one call.
            pub fn dialect(self, call: &CallFacts) -> Box<dyn Dialect> {
                match self {
                    $(Self::$format => $file::dialect(call),)+
                }
            }
        }
    };
}

formats! {
    /// `WORD argument`, the default.
    #[default]
    PlainText = "plain-text" in plain_text,
    /// One JSON object per message.
    Json = "json" in json,
    /// Twilio Media Streams.
    Twilio = "twilio" in twilio,
    /// Telnyx Media Streaming.
    Telnyx = "telnyx" in telnyx,
    /// WebSockets of the Vonage Voice API.
    Vonage = "vonage" in vonage,
    /// Plivo Audio Streaming.
    Plivo = "plivo" in plivo,
    /// Exotel AgentStream.
    Exotel = "exotel" in exotel,
}

impl ControlMessageFormat {
    /// The format that `f()` or `control_message_format` names, whatever its case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| text.eq_ignore_ascii_case(format.as_str()))
    }
}

/// The values of `f()` and of `control_message_format`, for messages about a wrong one.
pub fn control_message_formats() -> String {
    let names: Vec<String> =
        ControlMessageFormat::ALL.iter().map(|format| format!("'{}'", format.as_str())).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}
