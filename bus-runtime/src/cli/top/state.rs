//! What is on the screen, and what keys do to it.

use clap::ValueEnum;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Tab;
use super::grid::{Grid, Row};
use super::seen::Seen;

/// Letters of a filter.
const FILTER_MAX: usize = 100;

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) app: String,
    pub(super) tab: Tab,
    pub(super) seen: Seen,
    pub(super) filter: String,
    /// The row that is chosen.
    pub(super) at: usize,
    pub(super) mode: Mode,
    pub(super) pace: Pace,
    /// Why the last look has failed.
    pub(super) trouble: Option<String>,
    /// What was done, or cannot be; until the next key.
    pub(super) note: Option<String>,
}

/// What keys are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// To move about.
    #[default]
    Rows,
    /// To write the filter.
    Filter,
    /// To read everything about a row.
    Detail,
    /// To say whether this group is to be replayed.
    Question(String),
}

/// Whether the screen follows what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    #[default]
    Live,
    Paused,
}

/// What the program has to do after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// Look at once: something else is shown.
    Look,
    /// Replay this group of dead letters.
    Replay(String),
    Quit,
}

impl Tab {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Handlers => "Handlers",
            Self::Queues => "Queues",
            Self::Failures => "Failures",
            Self::DeadLetters => "Dead letters",
            Self::Workers => "Workers",
        }
    }

    pub(super) fn number(self) -> usize {
        Self::value_variants().iter().position(|tab| *tab == self).unwrap_or_default()
    }

    fn moved(self, by: usize) -> Self {
        let all = Self::value_variants();
        all.get((self.number() + by) % all.len()).copied().unwrap_or_default()
    }
}

impl Screen {
    pub(super) fn grid(&self) -> Grid {
        Grid::of(self.tab, &self.seen, &self.filter)
    }

    /// The row that is chosen.
    pub(super) fn chosen(&self) -> Option<Row> {
        let mut rows = self.grid().rows;
        let last = rows.len().checked_sub(1)?;
        Some(rows.swap_remove(self.at.min(last)))
    }

    /// Does what a key means.
    pub(super) fn press(&mut self, key: KeyEvent) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::Nothing;
        }
        self.note = None;
        // A terminal in raw mode makes no signal of it.
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Action::Quit;
        }
        match self.mode.clone() {
            Mode::Rows => self.press_in_rows(key.code),
            Mode::Filter => self.press_in_filter(key.code),
            Mode::Detail => {
                if matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q')) {
                    self.mode = Mode::Rows;
                }
                Action::Nothing
            }
            Mode::Question(group) => {
                self.mode = Mode::Rows;
                if key.code == KeyCode::Char('y') { Action::Replay(group) } else { Action::Nothing }
            }
        }
    }

    fn press_in_rows(&mut self, key: KeyCode) -> Action {
        let last = self.grid().rows.len().saturating_sub(1);
        match key {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => return self.go(self.tab.moved(1)),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => {
                return self.go(self.tab.moved(Tab::value_variants().len() - 1));
            }
            KeyCode::Char(digit @ '1'..='6') => {
                let number = digit as usize - '1' as usize;
                return self.go(Tab::value_variants().get(number).copied().unwrap_or_default());
            }
            KeyCode::Down | KeyCode::Char('j') => self.at = (self.at + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.at = self.at.min(last).saturating_sub(1),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = last,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Enter if self.chosen().is_some() => self.mode = Mode::Detail,
            KeyCode::Char('p' | 'P') => {
                self.pace = match self.pace {
                    Pace::Live => Pace::Paused,
                    Pace::Paused => Pace::Live,
                };
            }
            KeyCode::Char('r') => match self.chosen().and_then(|row| row.group) {
                Some(group) => self.mode = Mode::Question(group),
                None => {
                    self.note = Some("r replays a group of dead letters: choose one on their tab".to_owned());
                }
            },
            _ => {}
        }
        Action::Nothing
    }

    fn press_in_filter(&mut self, key: KeyCode) -> Action {
        match key {
            KeyCode::Enter => self.mode = Mode::Rows,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Rows;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < FILTER_MAX => self.filter.push(letter),
            _ => {}
        }
        self.at = 0;
        Action::Nothing
    }

    fn go(&mut self, tab: Tab) -> Action {
        self.tab = tab;
        self.at = 0;
        Action::Look
    }
}
