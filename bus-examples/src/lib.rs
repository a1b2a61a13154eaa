//! A small forge made of message handlers.
//!
//! It has four applications: [`scm`], [`tracker`], [`wiki`] and [`mail`]. None of them calls another one: each listens to
//! what happens in the others. What happens comes from outside, through [`feed`].

use bus_runtime::App;

pub mod mail;
pub mod scm;
pub mod tracker;
pub mod wiki;

pub mod cli;
pub mod demo;
pub mod faults;
pub mod feed;
pub mod progress;
pub mod summary;

mod table;

#[cfg(test)]
mod specification;

/// What the forge remembers. It lives in this process: a real one would have a database here.
#[derive(Clone, Debug, Default)]
pub struct Forge {
    /// The commits.
    pub repository: scm::Repository,
    /// The tickets.
    pub tickets: tracker::Tickets,
    /// The pages.
    pub wiki: wiki::Wiki,
    /// The letters that went out.
    pub outbox: mail::Outbox,
    /// The parts of mails that came in and that nobody wants.
    pub archive: mail::Archive,
    /// Which commits fail on purpose.
    pub faults: faults::Faults,
}

impl Forge {
    /// The forge as an app: its handlers find what they need as their `State`, those of the wiki in the wiki itself.
    pub fn app(&self) -> App {
        let Self { repository, tickets, wiki, outbox, archive, faults } = self.clone();
        bus_runtime::app()
            .name("forge")
            .version(env!("CARGO_PKG_VERSION"))
            .state(repository)
            .state(tickets)
            .instance(wiki)
            .state(outbox)
            .state(archive)
            .state(faults)
    }
}
