//! Table
