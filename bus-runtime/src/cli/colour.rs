//! Whether what people read is coloured: by `--color`, else by `NO_COLOR` and `CLICOLOR_FORCE`, else on terminals.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;

use crate::config;

/// When what people read is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// What somebody has said, if anybody has.
static SAID: OnceLock<Option<bool>> = OnceLock::new();

/// Notes what the command line and the environment say.
pub(super) fn decide(option: Option<Colour>) {
    SAID.get_or_init(|| match option {
        Some(Colour::Always) => Some(true),
        Some(Colour::Never) => Some(false),
        Some(Colour::Auto) | None => config::wants_colours(),
    });
}

/// Whether this stream is coloured.
pub(super) fn is_wanted(stream: Stream) -> bool {
    SAID.get().copied().flatten().unwrap_or_else(|| match stream {
        Stream::Out => std::io::stdout().is_terminal(),
        Stream::Err => std::io::stderr().is_terminal(),
    })
}
