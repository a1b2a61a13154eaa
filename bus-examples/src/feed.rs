//! What goes into the forge from outside: the history of a git repository, and mail folders.

pub mod git;
pub mod mbox;
