//! Texts for the log, without anything that may be a secret.

use std::fmt;

/// Replaces a secret in a text that is shown.
pub(crate) const HIDDEN: &str = "***";

/// The URI without user and password.
pub(crate) fn uri_for_log(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or_default();
    let rest = if scheme.is_empty() { uri } else { rest };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // Text before an @ may be a password, even in a URI that is not valid.
    let hidden = authority.rsplit_once('@').map_or(0, |(user_info, _)| user_info.len() + 1);
    let shown = rest.get(hidden..).unwrap_or_default();
    if scheme.is_empty() { shown.to_owned() } else { format!("{scheme}://{shown}") }
}

/// A dial string for the log, without the contents of `v()`, which may have a token.
pub fn dialled_for_log(dialled: &str) -> String {
    let Some((client, options)) = dialled.split_once('/') else { return dialled.to_owned() };
    format!("{client}/{}", options_for_log(options))
}

/// The options of a dial string for the log, also without the contents of `v()`.
pub(crate) fn options_for_log(options: &str) -> String {
    let mut shown = String::new();
    let mut rest = options;
    // Every v( is hidden, even where it is not an option: a mistake here could show a secret.
    while let Some((before, argument)) = rest.split_once("v(") {
        let (argument, after) = argument.split_once(')').unwrap_or((argument, ""));
        shown.push_str(&format!("{before}v({})", if argument.is_empty() { "" } else { HIDDEN }));
        rest = after;
    }
    shown + rest
}

/// The parameters of a dial string's `v()`, without their values.
pub(crate) fn params_for_log(params: &str) -> String {
    let shown = params.split(',').map(|param| match param.split_once('=') {
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None => param.to_owned(),
    });
    shown.collect::<Vec<_>>().join(",")
}

/// A user with a hidden password, for `Debug`.
pub(super) struct Credentials<'a>(pub(super) Option<&'a (String, String)>);

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map(|(user, _)| (user, HIDDEN)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_dial_string_are_not_shown() {
        let rows = [
            ("app", "app"),
            ("app/", "app/"),
            ("app/c(ulaw)n", "app/c(ulaw)n"),
            ("app/c(ulaw)v(token=hush,a=b)nf(json)", "app/c(ulaw)v(***)nf(json)"),
            ("app/v()", "app/v()"),
            ("app/nv(hush", "app/nv(***)"),
            ("app/f(json)(xv(hush)", "app/f(json)(xv(***)"),
            ("v(x/y", "v(x/y"),
        ];
        for (dialled, shown) in rows {
            assert_eq!(dialled_for_log(dialled), shown);
        }
    }
}
