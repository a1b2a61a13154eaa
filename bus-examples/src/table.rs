//! Tables for people: a header in capitals, text to the left, numbers to the right, no borders.

use std::fmt;

/// What stands between two columns.
const GAP: &str = "  ";

/// A table; every row has as many cells as there are columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// What stands in a row and a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// To the left.
    Text(String),
    /// To the right.
    Number(u64),
}

impl Table {
    /// A table with these columns and no rows.
    #[must_use]
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self { header: columns.into_iter().map(str::to_uppercase).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width);
        cells.chain(self.header.get(column).map(|name| name.chars().count())).max().unwrap_or_default()
    }

    /// A column of numbers has its name to the right, too.
    fn is_numeric(&self, column: usize) -> bool {
        self.rows.first().is_some_and(|row| matches!(row.get(column), Some(Cell::Number(_))))
    }

    fn line<'a>(&self, cells: impl Iterator<Item = (&'a str, bool)>) -> String {
        let padded = cells.enumerate().map(|(column, (text, to_the_right))| {
            let width = self.width(column);
            if to_the_right { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.header.iter().enumerate();
        writeln!(f, "{}", self.line(names.map(|(column, name)| (name.as_str(), self.is_numeric(column)))))?;
        for row in &self.rows {
            let texts: Vec<String> = row.iter().map(ToString::to_string).collect();
            let cells =
                texts.iter().zip(row).map(|(text, cell)| (text.as_str(), matches!(cell, Cell::Number(_))));
            writeln!(f, "{}", self.line(cells))?;
        }
        Ok(())
    }
}

impl Cell {
    fn width(&self) -> usize {
        self.to_string().chars().count()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A line end, or a colour, in a cell would break the table.
            Self::Text(text) => text.chars().filter(|c| !c.is_control()).try_for_each(|c| write!(f, "{c}")),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_to_the_left_and_numbers_to_the_right() {
        let mut table = Table::new(["handler", "handled", "dead"]);
        table.row(["wiki::index".into(), 1204.into(), 0.into()]);
        table.row(["grüße\n\u{1b}".into(), 7.into(), 12.into()]);
        let expected = "HANDLER      HANDLED  DEAD\n\
                        wiki::index     1204     0\n\
                        grüße              7    12\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn a_table_without_rows_is_its_header() {
        assert_eq!(Table::new(["queue", "reason"]).to_string(), "QUEUE  REASON\n");
    }
}
