use crate::units;

/// Rows of text in columns as wide as they must be; the last column isn't padded.
#[derive(Debug)]
pub(crate) struct Table {
    rights: Vec<bool>,
    rows: Vec<Vec<Cell>>,
}

/// A text, and how it looks with colour.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    painted: String,
}

impl Cell {
    pub(crate) fn painted(text: &str, painted: String) -> Self {
        Self {
            text: text.to_owned(),
            painted,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        let text = text.into();
        Self {
            painted: text.clone(),
            text,
        }
    }
}

impl Table {
    /// A table with these headings; those that begin with `>` are set to the right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = Self {
            rights: headings.iter().map(|h| h.starts_with('>')).collect(),
            rows: Vec::new(),
        };
        table.row(
            headings
                .iter()
                .map(|h| h.trim_start_matches('>').into())
                .collect(),
        );
        table
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// All of it, however wide.
    pub(crate) fn show(&self) -> String {
        self.within(None)
    }

    /// As [`show`](Self::show), in lines of at most so many characters: the widest columns of text
    /// give way, as far as names can still be told apart.
    pub(crate) fn within(&self, room: Option<usize>) -> String {
        const LEAST: usize = 12;
        let wide = |cell: &Cell| units::width(&cell.text);
        let mut widths: Vec<usize> = (0..self.rights.len())
            .map(|i| {
                self.rows
                    .iter()
                    .filter_map(|r| r.get(i))
                    .map(wide)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let gaps = 2 * widths.len().saturating_sub(1);
        while room.is_some_and(|room| widths.iter().sum::<usize>() + gaps > room) {
            let texts = (0..widths.len()).filter(|i| !self.rights[*i] && widths[*i] > LEAST);
            let Some(widest) = texts.max_by_key(|i| widths[*i]) else {
                break;
            };
            widths[widest] -= 1;
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    line.push_str("  ");
                }
                let cell = match wide(cell) > widths[i] {
                    true => &Cell::from(units::shortened(&cell.text, widths[i])),
                    false => cell,
                };
                let gap = " ".repeat(widths[i].saturating_sub(wide(cell)));
                if self.rights[i] {
                    line.push_str(&gap);
                    line.push_str(&cell.painted);
                } else {
                    line.push_str(&cell.painted);
                    line.push_str(&gap);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_narrow_columns() {
        let mut table = Table::new(&["NAME", ">ROWS", "WHERE"]);
        table.row(vec![
            "sales.orders_since_the_beginning".into(),
            "1,000".into(),
            "lake/sales/orders_since_the_beginning".into(),
        ]);
        let shown = table.within(Some(50));
        assert_eq!(
            shown,
            "NAME                    ROWS  WHERE\n\
             sales.orde…_beginning  1,000  lake/sales…beginning\n"
        );
        let least = table.within(Some(3));
        assert!(least.contains("sales.…nning"), "{least}");
    }

    #[test]
    fn columns_line_up_whatever_the_letters() {
        let mut table = Table::new(&["NAME", ">ROWS", "WHERE"]);
        for name in ["abc", "日本語の表", "e\u{301}te\u{301}", "👩‍👩‍👧‍👦"] {
            table.row(vec![name.into(), "10".into(), "here".into()]);
        }
        assert_eq!(
            table.show(),
            "NAME        ROWS  WHERE\n\
             abc           10  here\n\
             日本語の表    10  here\n\
             e\u{301}te\u{301}           10  here\n\
             👩‍👩‍👧‍👦            10  here\n"
        );
        assert_eq!(units::shortened("日本語の表", 8), "日本…表");
        assert_eq!(units::shortened("日本語の表", 10), "日本語の表");
        assert_eq!(units::shortened("日本", 1), "…");
    }

    #[test]
    fn columns_line_up_whatever_the_colour() {
        let mut table = Table::new(&["NAME", ">ROWS", "WHERE"]);
        table.row(vec![
            Cell::painted("ä", "\u{1b}[1mä\u{1b}[0m".into()),
            "1,000".into(),
            "here".into(),
        ]);
        table.row(vec!["longer".into(), "1".into(), "".into()]);
        assert_eq!(
            table.show(),
            "NAME     ROWS  WHERE\n\u{1b}[1mä\u{1b}[0m       1,000  here\nlonger      1\n"
        );
    }
}
