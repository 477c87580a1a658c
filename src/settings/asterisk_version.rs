//! Which versions of Asterisk this module knows. Asterisk does not compare them for a module without a build sum, and a
//! structure that differs in another version would corrupt memory silently.

/// Oldest release of each major version that is supported, with all newer ones of it. docs/versions.md says what it
/// takes to add one.
const SUPPORTED: [(u32, u32); 3] = [(20, 18), (22, 8), (23, 2)];

/// [`SUPPORTED`] in words.
pub const SUPPORTED_VERSIONS: &str = "20.18 and newer of 20, 22.8 and newer of 22, 23.2 and newer of 23";

/// Why a version is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A release before the first supported one of its major version.
    #[error("it is too old")]
    TooOld,
    /// A major version that is not supported.
    #[error("this module is not tested with Asterisk {0}")]
    Untested(u32),
    /// A build from a repository, or of unknown source.
    #[error("it has no release number")]
    NoNumber,
}

/// Checks the text of `ast_get_version` (asterisk/ast_version.h). Certified versions count as the release that they
/// stem from, release candidates as the release that they become.
///
/// # Errors
/// The reason why it is not supported.
pub fn check(version: &str) -> Result<(), Unsupported> {
    let (major, minor) = release(version).ok_or(Unsupported::NoNumber)?;
    match SUPPORTED.iter().find(|(known, _)| *known == major) {
        Some((_, oldest)) if minor >= *oldest => Ok(()),
        Some(_) => Err(Unsupported::TooOld),
        None => Err(Unsupported::Untested(major)),
    }
}

/// Major and minor number; the distribution adds the rest of the text.
fn release(version: &str) -> Option<(u32, u32)> {
    let text = version.trim();
    let text = text.strip_prefix("certified").and_then(|rest| rest.strip_prefix(['-', '/'])).unwrap_or(text);
    let (major, rest) = text.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((number(major)?, number(minor)?))
}

/// Decimal digits and nothing else.
fn number(text: &str) -> Option<u32> {
    Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_major_and_minor_number() {
        use Unsupported::{NoNumber, TooOld, Untested};
        for (version, expected) in [
            ("20.18.0", Ok(())),
            ("20.18.0-rc1", Ok(())),
            ("20.99.3", Ok(())),
            ("20.17.9", Err(TooOld)),
            ("20.9.0", Err(TooOld)),
            ("22.8.0", Ok(())),
            ("22.8", Ok(())),
            ("22.10.1~dfsg+~cs6.15.60671435-1+b1", Ok(())),
            ("22.10.1", Ok(())),
            ("22.7.0", Err(TooOld)),
            ("22.0.0~rc1", Err(TooOld)),
            ("23.2.0", Ok(())),
            ("23.10.0-pre1", Ok(())),
            ("23.1.0", Err(TooOld)),
            ("certified-22.8-cert4", Ok(())),
            ("certified/22.8-cert4-rc1", Ok(())),
            ("certified-20.7-cert10", Err(TooOld)),
            ("certified-24.1-cert1", Err(Untested(24))),
            ("21.12.0", Err(Untested(21))),
            ("24.0.0", Err(Untested(24))),
            ("25.0.0", Err(Untested(25))),
            ("2.0.18", Err(Untested(2))),
            ("220.8.0", Err(Untested(220))),
            ("1.8.32.3", Err(Untested(1))),
            ("18.26.4", Err(Untested(18))),
            ("GIT-22-0a1b2c3d4e", Err(NoNumber)),
            ("GIT-22.8-0a1b2c3d4e", Err(NoNumber)),
            ("GIT-master-0a1b2c3d4e", Err(NoNumber)),
            ("SVN-branch-11-r435064", Err(NoNumber)),
            ("UNKNOWN__and_probably_unsupported", Err(NoNumber)),
            ("", Err(NoNumber)),
            ("22", Err(NoNumber)),
            ("22.", Err(NoNumber)),
            ("22.x", Err(NoNumber)),
            (".8", Err(NoNumber)),
            ("+22.8", Err(NoNumber)),
            ("99999999999.8", Err(NoNumber)),
            ("certified22.8", Err(NoNumber)),
        ] {
            assert_eq!(check(version), expected, "{version}");
        }
    }

    #[test]
    fn the_words_name_each_of_the_numbers() {
        for (major, minor) in SUPPORTED {
            assert!(SUPPORTED_VERSIONS.contains(&format!("{major}.{minor} and newer of {major}")));
        }
    }
}
