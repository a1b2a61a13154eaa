//! Inputs that nobody has thought of, made of those that somebody has: the same ones for the same seed.

use fastrand::Rng;

/// An input is not longer than this, or few of them can be tried.
const BYTES_MAX: usize = 2_000;
/// So many changes are made to one input at most.
const CHANGES_MAX: usize = 6;
/// Bytes that mean something in one language or another.
const MARKS: &[u8] = b".*#!&|()=<>~'\"\\/:@%?,{}[]0-9eE\n \0\x7f\xff\x80\xc3FATSV";

/// Makes inputs.
#[derive(Debug)]
pub struct Mutator {
    dice: Rng,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// Makes inputs of these.
    #[must_use]
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { dice: Rng::with_seed(seed), corpus }
    }

    /// Another input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut data = self.known();
        for _ in 0..self.dice.usize(1..=CHANGES_MAX) {
            self.change(&mut data);
        }
        data.truncate(BYTES_MAX);
        data
    }

    fn known(&mut self) -> Vec<u8> {
        let any = self.dice.usize(..self.corpus.len());
        self.corpus[any].clone()
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.dice.usize(..=data.len());
        let end = (at + self.dice.usize(..=16)).min(data.len());
        match self.dice.u8(..8) {
            0 if at < data.len() => data[at] ^= 1 << self.dice.u8(..8),
            1 if at < data.len() => data[at] = self.dice.u8(..),
            2 => data.insert(at, MARKS[self.dice.usize(..MARKS.len())]),
            3 => drop(data.drain(at..end)),
            // A part once more, here or there.
            4 => {
                let part = data[at..end].to_vec();
                let to = self.dice.usize(..=data.len());
                data.splice(to..to, part);
            }
            // A part of another one.
            5 => {
                let other = self.known();
                let from = self.dice.usize(..=other.len());
                let until = (from + self.dice.usize(..=32)).min(other.len());
                data.splice(at..end, other[from..until].iter().copied());
            }
            // Many of one.
            6 => {
                let mark = MARKS[self.dice.usize(..MARKS.len())];
                data.splice(at..at, vec![mark; self.dice.usize(1..80)]);
            }
            _ => data.truncate(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_series_of_inputs() {
        let series = |seed| {
            let mut mutator = Mutator::new(seed, vec![b"wiki.#".to_vec(), b"a.b".to_vec()]);
            (0..50).map(|_| mutator.input()).collect::<Vec<_>>()
        };
        assert_eq!(series(1), series(1));
        assert_ne!(series(1), series(2));
    }
}
