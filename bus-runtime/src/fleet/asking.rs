//! Asks workers, and hears them until all that are known have answered.
#![cfg(feature = "cli")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::station::{Station, To, next};
use super::words::{Answer, Ask, Peer, Request, VERSION, kind};
use crate::error::{Error, ErrorKind};
use crate::seam;
use crate::transport::{Confirmation, Consumer, Transport};

/// Answers that wait to be read: more than a fleet has workers that one knows of.
const ANSWERS_MAX: usize = 1_024;
/// How long nobody says anything before those who are missing are looked for.
const SILENCE: Duration = Duration::from_millis(400);
/// Workers that are looked for.
const LOOKED_FOR_MAX: usize = 64;

/// What was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// By the names of the workers.
    pub(crate) answers: Vec<Answer>,
    /// Workers that have announced themselves, are there as far as the broker knows, and do not answer.
    pub(crate) silent: Vec<Peer>,
}

/// Whom a question is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whom {
    /// Names or ids; nothing is everybody.
    pub(crate) named: Vec<String>,
    /// Those who are known to be there.
    pub(crate) known: Vec<Peer>,
}

impl Whom {
    fn means(&self, peer: &Peer) -> bool {
        self.named.is_empty() || self.named.iter().any(|word| peer.is_meant_by(word))
    }
}

impl Station {
    /// Opens a station for who asks.
    ///
    /// # Errors
    /// What the broker says.
    pub(crate) async fn to_ask(transport: &Arc<dyn Transport>, prefix: &str) -> Result<Arc<Self>, Error> {
        let (station, consumer) = Self::open(transport, prefix, None).await?;
        seam::spawn("control", listen(Arc::downgrade(&station), consumer));
        Ok(station)
    }

    /// Asks, and hears the answers until every worker that is known has answered, or the time is over. `own` is the answer of
    /// this process, which is not asked by way of the broker.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// Safe to cancel; what was asked for is done nevertheless.
    pub(crate) async fn ask(
        &self,
        ask: Ask,
        whom: &Whom,
        own: Option<Answer>,
        patience: Duration,
    ) -> Result<Heard, Error> {
        let deadline = seam::now() + patience;
        let to = (!whom.named.is_empty()).then(|| whom.named.clone());
        let request = Request { v: VERSION, ask: ask.as_str().to_owned(), to };
        let (sender, mut receiver) = mpsc::channel(ANSWERS_MAX);
        let id = seam::message_id();
        self.waiting().insert(id.clone(), sender);
        let _forgotten = Forgotten { station: self, id: &id };
        let mut hearing = Hearing::new(whom, own);
        match self.post(kind::REQUEST, To::All, &request, Some(&id), patience).await {
            Ok(Confirmation::Routed) => {}
            // Nobody is there.
            Ok(Confirmation::Unroutable) => return Ok(hearing.end()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(hearing.end()),
            Err(error) => return Err(error),
        }
        while !hearing.is_complete() {
            let looks = hearing.missing().any(|peer| !hearing.looked_for.contains(&peer.id));
            let until = if looks { deadline.min(seam::now() + SILENCE) } else { deadline };
            match timeout_at(until, receiver.recv()).await {
                Ok(Some(answer)) => hearing.hear(answer),
                Ok(None) => break,
                Err(_) if seam::now() >= deadline => break,
                Err(_) => self.look_for(&mut hearing, &request, &id, patience).await?,
            }
        }
        Ok(hearing.end())
    }

    /// Sends the request to the queue of each that is missing: the queue of a worker that was killed is gone.
    async fn look_for(
        &self,
        hearing: &mut Hearing<'_>,
        request: &Request,
        id: &str,
        patience: Duration,
    ) -> Result<(), Error> {
        let missing = hearing.missing().filter(|peer| !hearing.looked_for.contains(&peer.id));
        let missing: Vec<Peer> = missing.take(LOOKED_FOR_MAX).cloned().collect();
        for peer in missing {
            let queue = self.queue_of(&peer.id);
            if self.post(kind::REQUEST, To::Queue(&queue), request, Some(id), patience).await?
                == Confirmation::Unroutable
            {
                hearing.expected.remove(&peer.id);
                self.forget(&peer.id);
                self.tell_gone(&peer.id).await;
            }
            hearing.looked_for.insert(peer.id);
        }
        Ok(())
    }
}

/// Who has answered, and who is to.
struct Hearing<'w> {
    whom: &'w Whom,
    answers: BTreeMap<String, Answer>,
    expected: BTreeMap<String, Peer>,
    looked_for: BTreeSet<String>,
}

impl<'w> Hearing<'w> {
    fn new(whom: &'w Whom, own: Option<Answer>) -> Self {
        let expected = whom.known.iter().map(|peer| (peer.id.clone(), peer.clone())).collect();
        let mut hearing = Self { whom, answers: BTreeMap::new(), expected, looked_for: BTreeSet::new() };
        own.into_iter().for_each(|own| hearing.hear(own));
        hearing
    }

    fn hear(&mut self, answer: Answer) {
        let fresh = answer.peers.iter().filter(|peer| self.whom.means(peer));
        let fresh = fresh.filter(|peer| !self.looked_for.contains(&peer.id));
        self.expected.extend(fresh.map(|peer| (peer.id.clone(), peer.clone())));
        if self.whom.means(&answer.worker.peer) {
            self.answers.insert(answer.worker.peer.id.clone(), answer);
        }
    }

    fn missing(&self) -> impl Iterator<Item = &Peer> {
        self.expected.values().filter(|peer| !self.answers.contains_key(&peer.id))
    }

    fn is_complete(&self) -> bool {
        !self.answers.is_empty() && self.missing().next().is_none()
    }

    fn end(self) -> Heard {
        let silent = self.missing().cloned().collect();
        let mut answers: Vec<Answer> = self.answers.into_values().collect();
        answers.sort_by(|a, b| {
            let key = |answer: &Answer| (answer.worker.peer.name.clone(), answer.worker.peer.host.clone());
            key(a).cmp(&key(b))
        });
        Heard { answers, silent }
    }
}

/// Nobody waits for the answers when this is dropped.
struct Forgotten<'a> {
    station: &'a Station,
    id: &'a str,
}

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.station.waiting().remove(self.id);
    }
}

/// Hands out answers for as long as somebody has the station.
async fn listen(station: std::sync::Weak<Station>, mut consumer: Box<dyn Consumer>) {
    while let Some(next) = next(&mut consumer).await {
        let Some(station) = station.upgrade() else { return };
        match next {
            // To ask is no membership: nobody gets an answer here.
            Ok(incoming) => drop(station.read(incoming)),
            Err(error) => tracing::debug!(%error, "the answers of workers were interrupted"),
        }
    }
}
