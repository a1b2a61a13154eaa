//! Lets the screen follow what happens, until somebody has seen enough.

use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::{event, terminal};

use super::super::fleet::{self, Line};
use super::super::report;
use super::draw::draw;
use super::seen::{Seen, Source};
use super::state::{Action, Pace, Screen};
use super::{Tab, TopArgs};
use crate::app::App;
use crate::error::{Error, ErrorKind};
use crate::seam;
use crate::topology::Plan;

/// How often keys are looked for: nobody notices less.
const KEYS_PAUSE: Duration = Duration::from_millis(40);
/// The size of a frame that goes nowhere near a terminal.
const FRAME: (u16, u16) = (120, 36);
/// Shorter makes rates of nothing.
const INTERVAL_MIN: Duration = Duration::from_millis(200);

/// The command was used where it cannot work.
const REFUSED: u8 = 2;

pub(super) fn run(app: &App, arguments: &TopArgs) -> ExitCode {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    let has_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !arguments.once && !has_terminal {
        report::note("`top` draws on a terminal, and there is none; `top --once` prints one frame");
        return ExitCode::from(REFUSED);
    }
    let done = app.settings().and_then(|config| {
        fleet::with(app, "top", arguments.timeout, async |line| {
            let screen = Screen { app: app.app_name(), tab: arguments.tab, ..Screen::default() };
            show(line, plan, config.plan.prefix, screen, arguments).await
        })
    });
    match done {
        Ok(code) => code,
        Err(error) => report::failed(&[error]),
    }
}

async fn show(
    line: Line,
    plan: Plan,
    prefix: String,
    mut screen: Screen,
    arguments: &TopArgs,
) -> Result<ExitCode, Error> {
    let interval = arguments.interval.max(INTERVAL_MIN);
    let mut source = Source::new(line, plan, prefix);
    // Before the terminal changes: a broker that cannot be used is an error as everywhere else.
    screen.seen = source.look(screen.tab).await?;
    if arguments.once {
        seam::sleep(interval).await;
        screen.seen = source.look(screen.tab).await?;
        let (width, height) = terminal::size().unwrap_or(FRAME);
        return Ok(report::print(&text_of(&frame(&screen, width, height))));
    }
    let mut terminal = ratatui::try_init().map_err(unusable)?;
    let followed = follow(&mut terminal, &mut screen, source, interval).await;
    ratatui::restore();
    followed.map(|()| ExitCode::SUCCESS).map_err(unusable)
}

fn unusable(error: io::Error) -> Error {
    Error::new(ErrorKind::Config, "the terminal cannot be used").with_source(error)
}

/// What is under way beside the keys: a look, or a replay and then a look.
type Work = Pin<Box<dyn Future<Output = (Source, Done)>>>;

/// What came of it.
struct Done {
    seen: Result<Seen, Error>,
    /// What the replay says.
    said: Option<String>,
}

fn begin(mut source: Source, tab: Tab, replay: Option<String>) -> Work {
    Box::pin(async move {
        let mut said = None;
        if let Some(group) = replay {
            said = Some(match source.replay(&group).await {
                Ok(replayed) => {
                    format!("replayed {} of group {group}, {} stay", replayed.moved, replayed.failed)
                }
                Err(error) => format!("group {group} is not replayed: {error}"),
            });
        }
        let seen = source.look(tab).await;
        (source, Done { seen, said })
    })
}

/// Draws, reads keys and looks, until it is to end.
async fn follow<B: Backend<Error = io::Error>>(
    terminal: &mut Terminal<B>,
    screen: &mut Screen,
    source: Source,
    interval: Duration,
) -> io::Result<()> {
    let (mut idle, mut work): (Option<Source>, Option<Work>) = (Some(source), None);
    let (mut next, mut replay) = (seam::now() + interval, None);
    loop {
        terminal.draw(|frame| draw(screen, frame))?;
        let is_due = replay.is_some() || screen.pace == Pace::Live && seam::now() >= next;
        if let (true, Some(source)) = (is_due, idle.take_if(|_| is_due)) {
            work = Some(begin(source, screen.tab, replay.take()));
        }
        let ended = async {
            match &mut work {
                Some(work) => work.as_mut().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (source, done) = ended => {
                (idle, work) = (Some(source), None);
                next = seam::now() + interval;
                screen.note = done.said.or(screen.note.take());
                screen.trouble = done.seen.as_ref().err().map(ToString::to_string);
                if let Ok(seen) = done.seen {
                    screen.seen = seen;
                }
            }
            () = seam::sleep(KEYS_PAUSE) => {}
        }
        while event::poll(Duration::ZERO)? {
            let event::Event::Key(key) = event::read()? else { continue };
            match screen.press(key) {
                Action::Nothing => {}
                Action::Look => next = seam::now(),
                Action::Replay(group) => replay = Some(group),
                Action::Quit => return Ok(()),
            }
        }
    }
}

/// One frame, drawn on nothing.
pub(super) fn frame(screen: &Screen, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(screen, frame));
    terminal.backend().buffer().clone()
}

/// A frame without colours.
pub(super) fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for line in buffer.content.chunks(usize::from(buffer.area.width.max(1))) {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
