//! What can be seen of a program from outside: files for other programs, traces and logs.

#![allow(clippy::unwrap_used, reason = "clippy does not see that these modules are tests")]

#[path = "observe/docs.rs"]
mod docs;
#[cfg(unix)]
#[path = "observe/exported.rs"]
mod exported;
#[cfg(unix)]
#[path = "observe/health.rs"]
mod health;
#[cfg(unix)]
#[path = "observe/logs.rs"]
mod logs;
#[path = "observe/traces.rs"]
mod traces;
#[cfg(unix)]
#[allow(dead_code, clippy::disallowed_methods, reason = "other tests need all of it, and it is a test")]
#[path = "worst/worker.rs"]
mod worker;
