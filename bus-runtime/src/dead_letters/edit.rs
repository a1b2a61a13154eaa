//! Changing the body of a dead letter: a copy takes its place.

use std::sync::Arc;

use bytes::Bytes;

use super::{DeadLetters, Letter, Selection};
use crate::envelope::{Envelope, header};
use crate::error::{Error, ErrorKind};
use crate::transport::{Confirmation, Verdict};

impl DeadLetters {
    /// Replaces the body of one letter, and says which id the letter has now. All else stays as it is. The letter goes to the
    /// end of its queue: a copy with the new body is confirmed before the old one is removed.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such letter; else what the broker says. Then nothing has changed, or
    /// both letters are there.
    ///
    /// # Cancel safety
    /// When the future is dropped, nothing has changed, or both letters are there.
    pub async fn edit(&self, id: &str, body: impl Into<Bytes> + Send) -> Result<String, Error> {
        let body = body.into();
        let selection = Selection { ids: vec![id.to_owned()], ..Selection::default() };
        self.revise(&selection, |envelope| envelope.body = body).await
    }

    /// Puts a changed copy in the place of the first letter that is meant: see [`edit`](Self::edit).
    pub(crate) async fn revise(
        &self,
        selection: &Selection,
        change: impl FnOnce(&mut Envelope) + Send,
    ) -> Result<String, Error> {
        let mut walk = self.walk(self.chosen(selection).await?, selection);
        let Some(found) = walk.next_letter().await? else {
            let text = format!("there is no dead letter {}", selection.ids.join(", "));
            return Err(Error::new(ErrorKind::NotFound, text));
        };
        let mut envelope = (*found.letter.envelope).clone();
        change(&mut envelope);
        let mut copy = crate::copies::readdressed(&envelope, &found.letter.dead_queue)?;
        // What the broker wrote about it does not survive another publish.
        let story = [
            (header::QUEUE, &found.letter.queue),
            (header::EXCHANGE, &found.letter.exchange),
            (header::ROUTING_KEY, &found.letter.routing_key),
            (header::REASON, &found.letter.reason),
        ];
        for (name, text) in story {
            copy.headers.set(name, text.clone());
        }
        let edited = Letter::of(Arc::new(copy.clone()), &found.letter.dead_queue).id;
        match self.transport.publish(Arc::new(copy)).await? {
            Confirmation::Routed => found.settler.settle(Verdict::Ack)?,
            Confirmation::Unroutable => {
                return Err(Error::new(
                    ErrorKind::Unroutable,
                    format!("queue `{}` is gone", found.letter.dead_queue),
                ));
            }
        }
        walk.end_queue().await?;
        Ok(edited)
    }
}
