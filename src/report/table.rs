//! Text for people and their tools: text from outside stays on one line. On consoles, columns are aligned and only
//! ASCII is printed.

use std::borrow::Cow;

/// Whether `c` could end a line or control a terminal: control characters (including NUL, CR, LF, ESC, DEL and C1), and
/// Unicode's separators of lines and paragraphs.
fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `text` on one line: characters that could break it are escaped as Rust writes them (`\r`, `\n`, `\u{1b}`). So a
/// peer's text can forge neither a log line nor an AMI header, and cannot cut a C string short.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(breaks_line) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if breaks_line(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    Cow::Owned(line)
}

/// At most `max_chars` characters of `text`, on one line; `…` replaces the rest.
pub fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", one_line(text.get(..end).unwrap_or_default())),
        None => one_line(text).into_owned(),
    }
}

/// `text` with everything but printable ASCII escaped as Rust writes it (`\n`, `\u{e9}`), so that a name or an address
/// from outside can neither break a line nor control a terminal.
pub fn ascii(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => escaped.push(c),
            _ => escaped.extend(c.escape_default()),
        }
    }
    escaped
}

/// The alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// For words.
    Left,
    /// For numbers.
    Right,
}

/// Formats rows as lines. Cells are escaped and as wide as their column, with two spaces between. `aligns` has one
/// entry per column; columns without one are aligned left.
pub fn table(rows: &[Vec<String>], aligns: &[Align]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| ascii(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match aligns.get(column) {
                Some(Align::Right) => format!("{cell:>width$}", width = *width),
                _ => format!("{cell:width$}", width = *width),
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_break_a_line_are_escaped() {
        for (text, expected) in [
            ("", ""),
            ("caf\u{e9} \\n 100 %", "caf\u{e9} \\n 100 %"),
            ("bye\r\nEvent: Forged\r\n\r\n", "bye\\r\\nEvent: Forged\\r\\n\\r\\n"),
            ("a\0b\tc\u{b}\u{c}\u{1b}[2J\u{7f}", "a\\u{0}b\\tc\\u{b}\\u{c}\\u{1b}[2J\\u{7f}"),
            (
                "c1 \u{85}\u{9b}31m, separators \u{2028}\u{2029}",
                "c1 \\u{85}\\u{9b}31m, separators \\u{2028}\\u{2029}",
            ),
        ] {
            assert_eq!(one_line(text), expected);
            assert_eq!(one_line(expected), expected, "once is enough");
        }
    }

    #[test]
    fn a_shortened_text_says_so() {
        for (text, expected) in
            [("", ""), ("\u{e9}\u{e9}\n", "\u{e9}\u{e9}\\n"), ("\u{e9}\n\u{e9}b", "\u{e9}\\n\u{e9}…")]
        {
            assert_eq!(shortened(text, 3), expected);
        }
    }

    #[test]
    fn nothing_but_printable_ascii() {
        for (text, expected) in [
            ("WebSocket/bot/0x1 ~", "WebSocket/bot/0x1 ~"),
            ("caf\u{e9}", "caf\\u{e9}"),
            ("a\nb\tc\u{1b}[31m", "a\\nb\\tc\\u{1b}[31m"),
            ("", ""),
        ] {
            assert_eq!(ascii(text), expected);
        }
    }

    #[test]
    fn columns_line_up_also_behind_an_escape() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["Name", "Count", "Word"]), row(["\u{e9}", "7", "x"]), row(["b", "1000", ""])];
        assert_eq!(
            table(&rows, &[Align::Left, Align::Right]),
            "Name    Count  Word\n\\u{e9}      7  x\nb        1000\n"
        );
    }
}
