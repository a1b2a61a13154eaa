//! Failures on purpose, to show what becomes of them.

use std::num::NonZeroU64;

/// Which commits fail on purpose: none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(Option<NonZeroU64>);

/// A failure on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("commit number {0} fails at its first attempt on purpose")]
pub struct Fault(u64);

impl Faults {
    /// One commit in so many fails, the first one to begin with: so there is a failure however few commits there are.
    #[must_use]
    pub fn one_in(commits: NonZeroU64) -> Self {
        Self(Some(commits))
    }

    /// Fails for the chosen commits, at their first attempt.
    ///
    /// # Errors
    /// That failure.
    pub fn strike(self, sequence: u64, attempt: u32) -> Result<(), Fault> {
        match self.0 {
            Some(every) if attempt == 1 && sequence % every == 1 % every.get() => Err(Fault(sequence)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_fails_once() {
        let faults = Faults::one_in(NonZeroU64::new(50).unwrap());
        let failing: Vec<u64> = (1..=150).filter(|&sequence| faults.strike(sequence, 1).is_err()).collect();
        assert_eq!(failing, [1, 51, 101]);
        assert_eq!(faults.strike(1, 2), Ok(()));
    }

    #[test]
    fn all_or_nothing() {
        let all = Faults::one_in(NonZeroU64::MIN);
        assert!((1..=9).all(|sequence| all.strike(sequence, 1).is_err()));
        assert!((1..=9).all(|sequence| Faults::default().strike(sequence, 1).is_ok()));
    }
}
