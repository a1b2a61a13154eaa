//! A small forge made of message handlers.

pub mod mail;
pub mod scm;
pub mod tracker;
pub mod wiki;

pub mod feed;
