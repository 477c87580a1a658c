//! The boundary of each piece of work of our threads: no panic ends the thread itself.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

/// How long a thread rests after a panic in its loop itself, so that repeated panics do not fill the log and the
/// processor.
const REST: Duration = Duration::from_millis(100);

/// Runs `work`. `None`: it panicked, which is logged together with `what`; changes by `work` may be half done.
pub(crate) fn contained<T>(what: &str, work: impl FnOnce() -> T) -> Option<T> {
    catch(work).map_err(|text| log::error!("{what}: a fault in chan_websocket was contained: {text}")).ok()
}

/// As [`contained`], for one round of a thread's loop: after a panic the thread rests for a moment.
pub(crate) fn contained_round<T>(thread: &str, round: impl FnOnce() -> T) -> Option<T> {
    let done = contained(thread, round);
    if done.is_none() {
        thread::sleep(REST);
    }
    done
}

/// Runs `work`.
///
/// # Errors
/// It panicked; the error is the panic's text.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(&*panic))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("of an unknown kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained_and_its_message_is_kept() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(catch(|| panic!("as it is")), Err::<(), _>("panic: as it is".to_owned()));
        let number = 7;
        assert_eq!(catch(|| panic!("with {number}")), Err::<(), _>("panic: with 7".to_owned()));
        let odd = catch(|| std::panic::panic_any(number));
        assert_eq!(odd, Err::<(), _>("panic: of an unknown kind".to_owned()));
        assert_eq!(contained("a test", || panic!("on purpose")), None::<()>);
        assert_eq!(contained_round("a thread", || 7), Some(7));
    }
}
