//! Tables for people: text to the left, numbers to the right, headers in capitals, no borders.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::clean::clean;

/// Which columns are printed, and whether their names are: `--columns` and `--no-header`.
#[derive(Clone, Debug)]
pub(super) struct Look {
    columns: Vec<String>,
    header: Header,
}

static LOOK: OnceLock<Look> = OnceLock::new();
/// The columns of all tables that were printed.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes what the command line says.
pub(super) fn decide(look: Look) {
    LOOK.get_or_init(|| look);
}

/// A column that was asked for and is in none of the tables that were printed, and those that are.
pub(super) fn missed() -> Option<(String, Vec<String>)> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted =
        LOOK.get().filter(|_| !seen.is_empty())?.columns.iter().find(|name| !seen.contains(*name))?;
    Some((wanted.clone(), seen.iter().cloned().collect()))
}

/// The name of a column, however it is written: `dead letters`, `DEAD_LETTERS`.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '_'], "-")
}

impl Look {
    pub(super) fn new(columns: &[String], header: Header) -> Self {
        Self { columns: columns.iter().map(|name| plain(name)).collect(), header }
    }
}

/// Whether the names of the columns are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Shown,
    Left,
}

/// A table that is filled row by row. Whatever is in a cell, a row stays one line.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    header: Header,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|title| title.to_uppercase()).collect()], header: Header::Shown }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell).into_owned()).collect());
    }

    pub(super) fn render(&self) -> String {
        let names = || self.rows.first().into_iter().flatten().map(|title| plain(title));
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).extend(names());
        match LOOK.get() {
            None => self.text(),
            Some(look) => {
                let chosen: Vec<_> = match look.columns.is_empty() {
                    true => (0..names().count()).collect(),
                    false => look
                        .columns
                        .iter()
                        .filter_map(|wanted| names().position(|name| name == *wanted))
                        .collect(),
                };
                self.with(&chosen, look.header).text()
            }
        }
    }

    /// These columns alone, in this order.
    fn with(&self, columns: &[usize], header: Header) -> Self {
        let rows = self.rows.iter().skip(usize::from(header == Header::Left));
        let cells =
            |row: &Vec<String>| columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
        Self { rows: rows.map(cells).collect(), header }
    }

    fn text(&self) -> String {
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
            let cells = || {
                self.rows
                    .iter()
                    .skip(usize::from(self.header == Header::Shown))
                    .filter_map(|row| row.get(column))
                    .filter(|cell| !cell.is_empty())
            };
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

    #[test]
    fn columns_are_chosen() {
        let mut table = Table::new(&["name", "dead letters", "count"]);
        table.row(["wiki".to_owned(), "1".to_owned(), "7".to_owned()]);
        assert_eq!(table.with(&[2, 0], Header::Shown).text(), "COUNT  NAME\n    7  wiki\n");
        assert_eq!(table.with(&[2], Header::Left).text(), "7\n");
        assert_eq!([plain("DEAD LETTERS"), plain("dead_letters")], ["dead-letters", "dead-letters"]);
    }
}
