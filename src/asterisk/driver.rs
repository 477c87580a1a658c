//! The driver: the one running module, between load and unload.

use std::io;
use std::sync::Arc;

use parking_lot::RwLock;

use super::call::Call;
use super::services::Services;
use crate::call::played_by::PlayerTurn;
use crate::mono_time::MonoTime;
use crate::settings::config::Config;

static DRIVER: RwLock<Option<Arc<Driver>>> = RwLock::new(None);

/// What lives from load to unload.
pub(crate) type Driver = Services<Call>;

/// Starts the driver. `take_turn` is what a player does when a call's turn has come.
///
/// # Errors
/// Out of threads or descriptors.
pub(super) fn start(config: Config, take_turn: fn(PlayerTurn<Call>, MonoTime)) -> io::Result<()> {
    let driver = Services::start(config, take_turn)?;
    *DRIVER.write() = Some(Arc::new(driver));
    Ok(())
}

/// Ends the driver.
pub(super) fn stop() {
    let driver = DRIVER.write().take();
    if let Some(driver) = driver {
        driver.stop();
    }
}

/// The driver, between load and unload.
pub(crate) fn current() -> Option<Arc<Driver>> {
    DRIVER.read().clone()
}
