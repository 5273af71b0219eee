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

    pub(crate) fn show(&self) -> String {
        let wide = |cell: &Cell| cell.text.chars().count();
        let widths: Vec<usize> = (0..self.rights.len())
            .map(|i| {
                self.rows
                    .iter()
                    .filter_map(|r| r.get(i))
                    .map(wide)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    line.push_str("  ");
                }
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
