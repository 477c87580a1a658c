//! TLS for outgoing calls, with the OpenSSL that Asterisk has loaded into the process.

mod context;
mod handshake;

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use self::context::Context;
use crate::net::connector::{TlsConnector, TlsContext};
use crate::settings::client::ClientSettings;

/// How long a loaded trust store and certificate serve further calls: loading the system's store takes milliseconds. A
/// file that is named in the settings is loaded again when it has changed; a directory and the system's store after
/// this time.
const CONTEXT_LIFETIME: Duration = Duration::from_secs(60);

/// The settings that make a context.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ContextKey {
    ca_list_file: Option<String>,
    ca_list_path: Option<String>,
    cert_file: Option<String>,
    priv_key_file: Option<String>,
    verify_cert: bool,
    verify_hostname: bool,
    /// The stamps of the files, in this order.
    stamps: [Option<Stamp>; 3],
}

/// Distinguishes a file from the one that it has replaced: modification time, length.
type Stamp = (SystemTime, u64);

fn stamp(file: Option<&String>) -> Option<Stamp> {
    let metadata = fs::metadata(file?).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl ContextKey {
    fn of(settings: &ClientSettings) -> Self {
        Self {
            ca_list_file: settings.ca_list_file.clone(),
            ca_list_path: settings.ca_list_path.clone(),
            cert_file: settings.cert_file.clone(),
            priv_key_file: settings.priv_key_file.clone(),
            verify_cert: settings.verify_server_cert,
            verify_hostname: settings.verify_server_hostname,
            stamps: [&settings.ca_list_file, &settings.cert_file, &settings.priv_key_file]
                .map(|file| stamp(file.as_ref())),
        }
    }
}

/// Makes TLS contexts and keeps them for a while. One per driver.
#[derive(Default)]
pub(crate) struct OpenSslConnector {
    contexts: Mutex<HashMap<ContextKey, (Instant, Arc<Context>)>>,
}

impl TlsConnector for OpenSslConnector {
    fn prepare(&self, settings: &ClientSettings) -> Result<Arc<dyn TlsContext>, String> {
        let key = ContextKey::of(settings);
        if let Some((made, context)) = self.contexts.lock().get(&key)
            && made.elapsed() < CONTEXT_LIFETIME
        {
            return Ok(context.clone());
        }
        let context = Arc::new(Context::load(&key)?);
        let mut contexts = self.contexts.lock();
        contexts.retain(|_, (made, _)| made.elapsed() < CONTEXT_LIFETIME);
        contexts.insert(key, (Instant::now(), context.clone()));
        Ok(context)
    }
}
