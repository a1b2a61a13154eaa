//! What can be seen of a program from outside: files for other programs, traces and logs.

#[path = "observe/docs.rs"]
mod docs;
#[path = "observe/traces.rs"]
mod traces;
