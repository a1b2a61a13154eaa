//! Deleting dead letters: those that were there when it began, and no others.

use super::{DeadLetters, Selection};
use crate::error::Error;
use crate::transport::Verdict;

impl DeadLetters {
    /// Deletes the letters that are meant and says how many they were. What arrives in the meantime stays.
    ///
    /// # Errors
    /// What the broker says; what was deleted until then stays deleted.
    ///
    /// # Cancel safety
    /// When the future is dropped, what was not deleted until then goes back.
    pub async fn purge(&self, selection: &Selection) -> Result<u64, Error> {
        let mut walk = self.walk(self.chosen(selection).await?, selection);
        let mut count = 0;
        while let Some(found) = walk.next_letter().await? {
            found.settler.settle(Verdict::Ack)?;
            count += 1;
        }
        Ok(count)
    }
}
