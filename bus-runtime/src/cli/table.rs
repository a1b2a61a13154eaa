//! Tables for people: text to the left, numbers to the right, headers in capitals, no borders.

use super::clean::clean;

/// A table that is filled row by row. Whatever is in a cell, a row stays one line.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|title| title.to_uppercase()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell).into_owned()).collect());
    }

    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        // Numbers among words stand as words do.
        let numbers = |column: usize| {
            let cells =
                || self.rows.iter().skip(1).filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
            cells().next().is_some() && cells().all(|cell| is_number(cell))
        };
        let columns: Vec<_> = (0..columns).map(|column| (width(column), numbers(column))).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, (width, numbers)) in row.iter().zip(&columns) {
                line.push_str(&if *numbers {
                    format!("{cell:>width$}  ")
                } else {
                    format!("{cell:<width$}  ")
                });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|character| character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["name", "count"]);
        table.row(["wiki".to_owned(), "7".to_owned()]);
        table.row(["tracker".to_owned(), "12".to_owned()]);
        assert_eq!(table.render(), "NAME     COUNT\nwiki         7\ntracker     12\n");
        table.row(["mail".to_owned(), "none".to_owned()]);
        assert_eq!(table.render(), "NAME     COUNT\nwiki     7\ntracker  12\nmail     none\n");
    }
}
