//! The newest rows that were taken, as far down as the next run will read back.
//!
//! How far that is, only the end of the run says: until then the greatest watermark seen so far
//! stands in for it. So rows are let go of early, and what was let go of is noted: a window that
//! should have held some of it fails at the end, and never lacks rows without a word.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::window::Taken;

/// The greatest watermark that any split of the run has seen.
#[derive(Debug, Default)]
pub(crate) struct Highest(Mutex<Option<i128>>);

impl Highest {
    /// Takes notice of one, and gives the greatest.
    pub(crate) fn raise(&self, high: Option<i128>) -> Option<i128> {
        let mut highest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *highest = highest.max(high);
        *highest
    }
}

/// What was let go of; the greatest watermark of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Below what the greatest watermark so far, of whatever split, leaves in the window.
    pub(crate) passed: Option<i128>,
    /// To make room.
    pub(crate) cut: Option<i128>,
}

impl Gone {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed = self.passed.max(other.passed);
        self.cut = self.cut.max(other.cut);
    }
}

/// As it is stored: JSON numbers are too small for an ordinal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct GoneText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cut: Option<String>,
}

impl From<Gone> for GoneText {
    fn from(gone: Gone) -> Self {
        let text = |ordinal: Option<i128>| ordinal.map(|ordinal| ordinal.to_string());
        Self {
            passed: text(gone.passed),
            cut: text(gone.cut),
        }
    }
}

impl TryFrom<GoneText> for Gone {
    type Error = std::num::ParseIntError;

    fn try_from(text: GoneText) -> Result<Self, Self::Error> {
        let ordinal = |text: Option<String>| text.map(|text| text.parse()).transpose();
        Ok(Self {
            passed: ordinal(text.passed)?,
            cut: ordinal(text.cut)?,
        })
    }
}

/// Rows that were taken, newest only.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    pub(crate) rows: Vec<Taken>,
    pub(crate) gone: Gone,
}

impl Newest {
    /// Notes a row that isn't kept, since it is below the edge.
    pub(crate) fn pass(&mut self, ordinal: i128) {
        self.gone.passed = self.gone.passed.max(Some(ordinal));
    }

    /// Lets go of rows below the edge.
    pub(crate) fn trim(&mut self, edge: i128) {
        let passed = &mut self.gone.passed;
        self.rows.retain(|row| {
            let stays = row.ordinal >= edge;
            if !stays {
                *passed = (*passed).max(Some(row.ordinal));
            }
            stays
        });
    }

    /// Lets go of the oldest rows when there are half as many again as may be.
    pub(crate) fn make_room(&mut self, edge: i128, most: usize) {
        if self.rows.len() > most + most / 2 {
            self.trim(edge);
        }
        if self.rows.len() > most + most / 2 {
            let (_, last, older) = self
                .rows
                .select_nth_unstable_by(most, |a, b| b.ordinal.cmp(&a.ordinal));
            let greatest = older.iter().map(|row| row.ordinal).max();
            self.gone.cut = self.gone.cut.max(greatest).max(Some(last.ordinal));
            self.rows.truncate(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever comes in whatever order: above what is said to be gone, nothing is.
        #[test]
        fn nothing_goes_without_a_word(
            ordinals in prop::collection::vec(0_i128..50, 0..200),
            edge in 0_i128..50,
            most in 1_usize..20,
        ) {
            let mut newest = Newest::default();
            for (n, &ordinal) in ordinals.iter().enumerate() {
                match ordinal >= edge {
                    true => newest.rows.push(Taken { ordinal, hash: n as u128 }),
                    false => newest.pass(ordinal),
                }
                newest.make_room(edge, most);
                prop_assert!(newest.rows.len() <= most + most / 2);
            }
            let gone = newest.gone.passed.max(newest.gone.cut);
            for (n, &ordinal) in ordinals.iter().enumerate() {
                let kept = newest.rows.iter().any(|row| row.hash == n as u128);
                prop_assert!(kept || gone >= Some(ordinal));
            }
            let text = GoneText::from(newest.gone);
            prop_assert_eq!(Gone::try_from(text).unwrap(), newest.gone);
        }
    }
}
