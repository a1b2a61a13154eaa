//! Draws the screen.

use clap::ValueEnum;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Sparkline, Table, TableState, Tabs, Wrap};

use super::super::numbers::rate;
use super::super::report;
use super::Tab;
use super::grid::{Grid, Tone};
use super::state::{Mode, Pace, Screen};

const SOFT: Style = Style::new().add_modifier(Modifier::DIM);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// The widest column; what is longer is in the details.
const COLUMN_MAX: usize = 60;
/// The height of the picture of the rate, with its border.
const PICTURE: u16 = 7;

pub(super) fn draw(screen: &Screen, frame: &mut Frame<'_>) {
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head_of(screen)), head);
    let titles = Tab::value_variants().iter().map(|tab| tab.title());
    let bar = Tabs::new(titles)
        .select(screen.tab.number())
        .style(SOFT)
        .highlight_style(Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
    frame.render_widget(bar, tabs);
    let body = match screen.tab {
        Tab::Overview => picture(screen, frame, body),
        _ => body,
    };
    table(screen, frame, body);
    if screen.mode == Mode::Detail {
        detail(screen, frame, body);
    }
    frame.render_widget(Paragraph::new(foot_of(screen)), foot);
}

/// The numbers that are always there.
fn head_of(screen: &Screen) -> Line<'static> {
    let numbers = &screen.seen.numbers;
    let in_flight: u64 = numbers.workers.iter().map(|worker| worker.in_flight).sum();
    let failed = numbers.sum(|handler| handler.failed_per_second);
    let dead = numbers.dead_letters();
    let red = |is_bad: bool| if is_bad { Style::new().fg(Color::Red) } else { Style::new() };
    let mut spans = vec![
        Span::styled(screen.app.clone(), STRONG),
        Span::raw(format!("   {}", report::count(numbers.workers.len() as u64, "worker"))),
        Span::raw(format!("   {}/s handled", rate(numbers.sum(|handler| handler.per_second)))),
        Span::styled(format!("   {}/s failed", rate(failed)), red(failed > 0.0)),
        Span::raw(format!("   {in_flight} in flight   {} waiting", numbers.ready())),
        Span::styled(format!("   {}", report::count(dead, "dead letter")), red(dead > 0)),
    ];
    if let Some(trouble) = &screen.trouble {
        spans =
            vec![Span::styled(screen.app.clone(), STRONG), Span::styled(format!("   {trouble}"), red(true))];
    }
    if screen.pace == Pace::Paused {
        spans.push(Span::styled("   paused", Style::new().fg(Color::Yellow)));
    }
    Line::from(spans)
}

fn foot_of(screen: &Screen) -> Line<'static> {
    match &screen.mode {
        Mode::Filter => Line::from(format!("/{}█", screen.filter)),
        Mode::Question(group) => Line::styled(
            format!("Send the dead letters of group {group} back to their handlers? y, or any other key"),
            Style::new().fg(Color::Yellow),
        ),
        Mode::Detail => Line::styled("Esc closes it", SOFT),
        Mode::Rows => match (&screen.note, screen.filter.as_str()) {
            (Some(note), _) => Line::styled(note.clone(), Style::new().fg(Color::Yellow)),
            (None, "") => Line::styled(
                "Tab tabs   j k rows   Enter details   / filter   r replay   P pause   q quit",
                SOFT,
            ),
            (None, filter) => Line::styled(format!("only rows with \"{filter}\"   Esc shows all"), SOFT),
        },
    }
}

/// The picture of the rate; returns what is left below it.
fn picture(screen: &Screen, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let [above, below] = Layout::vertical([Constraint::Length(PICTURE), Constraint::Min(3)]).areas(area);
    let width = usize::from(above.width.saturating_sub(2));
    let rates = &screen.seen.rates;
    let shown: Vec<u64> = rates.iter().skip(rates.len().saturating_sub(width)).copied().collect();
    let most = shown.iter().copied().max().unwrap_or_default();
    let block = Block::bordered().title(format!(" Handled a second, at most {most} ")).border_style(SOFT);
    frame.render_widget(
        Sparkline::default().data(&shown).block(block).style(Style::new().fg(Color::Green)),
        above,
    );
    below
}

fn style_of(tone: Tone) -> Style {
    match tone {
        Tone::Calm => Style::new(),
        Tone::Warning => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red),
    }
}

fn table(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let Grid { titles, rows, empty } = screen.grid();
    if rows.is_empty() {
        let text =
            if screen.filter.is_empty() { empty.to_owned() } else { "No row has this text.".to_owned() };
        frame.render_widget(Paragraph::new(Line::styled(text, SOFT)), area);
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| cell.chars().count());
        let title = titles.get(column).map_or(0, |title| title.chars().count());
        u16::try_from(cells.chain([title]).max().unwrap_or_default().min(COLUMN_MAX)).unwrap_or(u16::MAX)
    };
    // The last one gets what is left.
    let widths: Vec<Constraint> = (0..titles.len())
        .map(|column| match column + 1 == titles.len() {
            true => Constraint::Min(width(column).min(12)),
            false => Constraint::Length(width(column)),
        })
        .collect();
    let cell = |(title, text): (&&str, String)| match title.starts_with('#') {
        true => Cell::from(Line::from(text).alignment(Alignment::Right)),
        false => Cell::from(text),
    };
    let header: Row<'_> = titles
        .iter()
        .zip(titles.iter().map(|title| title.trim_start_matches('#').to_owned()))
        .map(cell)
        .collect();
    let last = rows.len() - 1;
    let lines = rows.into_iter().map(|row| {
        let tone = style_of(row.tone);
        titles.iter().zip(row.cells).map(cell).collect::<Row<'_>>().style(tone)
    });
    let table = Table::new(lines, widths)
        .header(header.style(STRONG))
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(screen.at.min(last));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Everything about the row that is chosen, over the table.
fn detail(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let Some(row) = screen.chosen() else { return };
    let name_width = row.detail.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines: Vec<Line<'_>> = row
        .detail
        .iter()
        .map(|(name, value)| {
            Line::from(vec![Span::styled(format!("{name:<name_width$}  "), SOFT), Span::raw(value.clone())])
        })
        .collect();
    let paragraph = Paragraph::new(lines).wrap(Wrap { trim: false }).block(Block::bordered());
    frame.render_widget(Clear, area);
    frame.render_widget(paragraph, area);
}
