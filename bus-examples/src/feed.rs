//! What goes into the forge from outside.

pub mod git;
