//! One option: its name, and how its value is read.

/// An option of a section that is read into a `T`.
pub(super) struct ConfigOption<T> {
    /// In lower case.
    pub(super) name: &'static str,
    /// Sets the value from its text, which has no white space around it.
    pub(super) set: fn(&mut T, &str) -> Result<(), OptionFault>,
}

/// Why an option is refused.
pub(super) enum OptionFault {
    /// No such option.
    Unknown,
    /// The value is not allowed; holds the allowed values.
    Invalid(String),
}

/// A row of a table of options.
pub(super) const fn option<T>(
    name: &'static str,
    set: fn(&mut T, &str) -> Result<(), OptionFault>,
) -> ConfigOption<T> {
    ConfigOption { name, set }
}

/// The names of a table's options.
pub(super) fn names<T>(options: &'static [ConfigOption<T>]) -> impl Iterator<Item = &'static str> {
    options.iter().map(|option| option.name)
}

/// Stores a valid value in `place`.
pub(super) fn put<T>(place: &mut T, value: Result<T, OptionFault>) -> Result<(), OptionFault> {
    *place = value?;
    Ok(())
}

/// Sets the option `name` of a table to `value`.
pub(super) fn set<T>(
    options: &[ConfigOption<T>],
    target: &mut T,
    name: &str,
    value: &str,
) -> Result<(), OptionFault> {
    let option = options.iter().find(|option| option.name == name).ok_or(OptionFault::Unknown)?;
    (option.set)(target, value)
}
