//! A worker at the control exchange: it announces itself, and does what it is asked for.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::answers::{act, answer, peer};
use super::control::Reach;
use super::station::{Letter, Station, To, next};
use super::words::{Ask, Reply, Request, VERSION, kind};
use crate::app::Running;
use crate::error::{Error, ErrorKind};
use crate::provision::Declare;
use crate::seam;
use crate::transport::{Consumer, Standing};

/// How long to wait before another attempt to join, or to say hello, when the broker was away.
const AGAIN: Duration = Duration::from_secs(2);
/// How long others may take to read a letter.
const LETTER_EXPIRES: Duration = Duration::from_secs(10);
/// How long to say good-bye, and to close.
const BYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Joins the fleet until the app has drained. A user whose permissions do not allow that runs without it: nothing that is
/// handled depends on it.
pub(crate) async fn join(running: Weak<Running>, declare: Declare, mut finished: watch::Receiver<bool>) {
    let (station, consumer) = loop {
        let Some(app) = running.upgrade() else { return };
        let opened = tokio::select! {
            biased;
            () = is_over(&mut finished) => return,
            opened = Station::open(&app.hub.transport, &app.hub.settings.prefix, Some(declare)) => opened,
        };
        match opened {
            Ok((station, consumer)) => {
                app.control.is_now(Reach::Open(Arc::clone(&station)));
                break (station, consumer);
            }
            Err(error) if is_temporary(&error) => tracing::debug!(%error, "the fleet is joined later"),
            Err(error) => {
                tracing::warn!(
                    code = error.kind().code(), %error, help = error.help(),
                    "the control exchange cannot be used: this worker is not seen by `workers`, and handles its messages all the same; BUS_CONTROL=off silences this"
                );
                app.control.is_now(Reach::Refused(error.to_string()));
                return;
            }
        }
        drop(app);
        tokio::select! {
            biased;
            () = is_over(&mut finished) => return,
            () = seam::sleep(AGAIN) => {}
        }
    };
    Member { running, station }.attend(consumer, finished).await;
}

fn is_temporary(error: &Error) -> bool {
    error.kind().is_interruption() || error.kind() == ErrorKind::Connect
}

/// Waits until the app has drained, or is gone.
///
/// # Cancel safety
/// Safe to cancel.
async fn is_over(finished: &mut watch::Receiver<bool>) {
    let _ = finished.wait_for(|finished| *finished).await;
}

/// A worker that has joined.
struct Member {
    running: Weak<Running>,
    station: Arc<Station>,
}

impl Member {
    async fn attend(self, mut consumer: Box<dyn Consumer>, mut finished: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = is_over(&mut finished) => {}
            // Whatever it waits for, the end of the app does not.
            () = self.listen(&mut consumer) => {}
        }
        let _ = tokio::time::timeout(BYE_TIMEOUT, self.station.tell_gone(self.station.id())).await;
        consumer.close(BYE_TIMEOUT).await;
    }

    /// Reads what comes, and says hello: again when others may have come and gone while the connection was lost.
    async fn listen(&self, consumer: &mut Box<dyn Consumer>) {
        let lookout = consumer.lookout();
        let mut hello_at = Some(seam::now());
        loop {
            let hello = async {
                match hello_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                came = next(consumer) => match came {
                    None => break,
                    Some(Ok(incoming)) => self.receive(self.station.read(incoming)).await,
                    Some(Err(error)) => {
                        tracing::debug!(%error, "the control queue was interrupted; it comes back by itself");
                        hello_at = Some(seam::now() + AGAIN);
                    }
                },
                () = hello => {
                    let is_heard = lookout() == Standing::Receiving && self.say_hello().await;
                    hello_at = (!is_heard).then(|| seam::now() + AGAIN);
                }
            }
        }
    }

    /// Tells all others that it is there; false when that did not work.
    async fn say_hello(&self) -> bool {
        let Some(running) = self.running.upgrade() else { return true };
        let hello = peer(&running);
        drop(running);
        let told = self.station.post(kind::HELLO, To::All, &hello, None, LETTER_EXPIRES).await;
        if let Err(error) = &told {
            tracing::debug!(%error, "the other workers are not told of this one yet");
        }
        told.is_ok()
    }

    async fn receive(&self, letter: Option<Letter>) {
        let (Some(letter), Some(running)) = (letter, self.running.upgrade()) else { return };
        let sent = match letter {
            Letter::Hello(other) => {
                let here = peer(&running);
                drop(running);
                let queue = self.station.queue_of(&other.id);
                self.station.post(kind::HERE, To::Queue(&queue), &here, None, LETTER_EXPIRES).await
            }
            Letter::Request { request, from, id } => {
                if !is_meant(&request, &running) {
                    return;
                }
                let answer = match understood(&request) {
                    Ok(ask) => act(&running, ask),
                    Err(why) => answer(&running, Reply::Refused(why)),
                };
                drop(running);
                self.station.post(kind::ANSWER, To::Queue(&from), &answer, Some(&id), LETTER_EXPIRES).await
            }
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a control message is not answered");
        }
    }
}

fn is_meant(request: &Request, running: &Running) -> bool {
    let me = || peer(running);
    request.to.as_ref().is_none_or(|to| to.iter().any(|word| me().is_meant_by(word)))
}

/// What is asked for.
fn understood(request: &Request) -> Result<Ask, String> {
    if request.v != VERSION {
        return Err(format!("this worker speaks version {VERSION} of control messages, not {}", request.v));
    }
    let cut = || request.ask.chars().take(40).collect::<String>();
    Ask::named(&request.ask).ok_or_else(|| format!("this worker does not know the request `{}`", cut()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_told() {
        let request = |v, ask: &str| Request { v, ask: ask.to_owned(), to: None };
        assert_eq!(understood(&request(1, "quiet")), Ok(Ask::Quiet));
        let unknown = understood(&request(1, "explode")).unwrap_err();
        assert!(unknown.contains("does not know the request `explode`"), "{unknown}");
        let later = understood(&request(2, "quiet")).unwrap_err();
        assert!(later.contains("version 1 of control messages, not 2"), "{later}");
        assert!(understood(&request(1, &"x".repeat(9000))).unwrap_err().len() < 100);
    }
}
