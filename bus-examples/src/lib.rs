//! A small forge made of message handlers.
//!
//! It has four applications: [`scm`], [`tracker`], [`wiki`] and [`mail`]. None of them calls another one: each listens to
//! what happens in the others. What happens comes from outside, through the feeds of [`feed`].

pub mod mail;
pub mod scm;
pub mod tracker;
pub mod wiki;

pub mod faults;
pub mod feed;
pub mod table;
