//! `completions` and `docs man`: the grammar of the command line for shells and for readers.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::{grammar, report};
use crate::app::App;

/// Options of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell; for bash: source <(myapp completions bash)
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(app: &App, arguments: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut grammar(app), app.app_name(), &mut script);
    report::print(&String::from_utf8_lossy(&script))
}

/// The manual page of the program.
pub(super) fn man(app: &App) -> String {
    let mut page = Vec::new();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(grammar(app)).render(&mut page);
    String::from_utf8_lossy(&page).into_owned()
}
