//! Text for consoles: columns that line up, and nothing but ASCII.

/// `text` with everything but printable ASCII escaped, as Rust writes it (`\n`, `\u{e9}`). What comes from outside,
/// a name or an address, can then neither break a line nor play with a terminal.
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

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows as lines: the cells escaped, as wide as their column, two spaces between. `aligns` is per column; beyond it,
/// left.
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
