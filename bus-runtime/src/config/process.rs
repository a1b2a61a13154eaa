//! What the process was started with: its arguments, and what shells and cargo say about terminals and packages.

use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of the program, without its name.
pub(crate) fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// The folder of the package that `cargo run` has started.
pub(crate) fn package() -> Option<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)
}

/// Whether the user wants colours, by `NO_COLOR` and `CLICOLOR_FORCE`; `None` when nobody says.
pub(crate) fn wants_colours() -> Option<bool> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match (is_set("NO_COLOR"), is_set("CLICOLOR_FORCE")) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}

/// What people edit texts with: `VISUAL`, then `EDITOR`.
pub(crate) fn editor() -> Option<String> {
    let named = |name| {
        let editor = std::env::var_os(name)?.into_string().ok()?;
        (!editor.trim().is_empty()).then_some(editor)
    };
    named("VISUAL").or_else(|| named("EDITOR"))
}
