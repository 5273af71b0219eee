//! Incremental reading by a watermark: from where a run reads, which rows an earlier run
//! already took, and what must be remembered for the next.
//!
//! Bounds are inclusive at both ends, so rows at the edge are read again; what tells a row that
//! was taken from one that is new is a hash of its key and watermark (or, without a key, of the
//! whole row), kept for every row in the window `[high - lookback, high]`. Hashes are counted:
//! two equal rows are two rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{BooleanArray, RecordBatch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hygge_core::{Fault, Result, WatermarkType, code};
use serde::{Deserialize, Serialize};

use crate::newest::{Gone, GoneText, Highest, Newest};
use crate::rowhash::hash_rows;
use crate::widened::Widened;

/// Most rows a window may hold: 32 bytes each in the state, so 32 MB.
pub(crate) const WINDOW_ROWS: usize = 1_000_000;

/// A row that was taken: its hash and watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Taken {
    pub(crate) ordinal: i128,
    pub(crate) hash: u128,
}

const TAKEN_BYTES: usize = 32;

/// Packs rows as 32 bytes each, little-endian: ordinal, hash.
pub(crate) fn pack(rows: &[Taken]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * TAKEN_BYTES);
    for row in rows {
        bytes.extend_from_slice(&row.ordinal.to_le_bytes());
        bytes.extend_from_slice(&row.hash.to_le_bytes());
    }
    bytes
}

/// Reads what [`pack`] wrote.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<Taken>> {
    let (rows, rest) = bytes.as_chunks::<TAKEN_BYTES>();
    if !rest.is_empty() {
        return Err(Fault::new(
            code::STATE,
            "the watermark window in the state is cut short",
        )
        .advise("run it once with `--full`, or `hygge state reset` it"));
    }
    Ok(rows
        .iter()
        .map(|row| {
            let (ordinal, hash) = row.split_at(16);
            let half = |part: &[u8]| {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(part);
                bytes
            };
            Taken {
                ordinal: i128::from_le_bytes(half(ordinal)),
                hash: u128::from_le_bytes(half(hash)),
            }
        })
        .collect())
}

/// What the state says about its window, beside the packed rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WindowState {
    /// The least watermark the window covers, as an ordinal's digits: YAML and JSON numbers
    /// are too small for it.
    pub(crate) from: String,
    /// The columns hashed.
    pub(crate) columns: Vec<String>,
    /// Their types, as far as they change a hash.
    pub(crate) types: Vec<String>,
    /// How many rows it holds.
    pub(crate) rows: usize,
}

/// What a run needs to know to follow a watermark column.
#[derive(Debug)]
pub(crate) struct Follow {
    /// The column.
    pub(crate) column: String,
    /// Its type.
    pub(crate) kind: WatermarkType,
    /// How far the next run will read back, in ordinals.
    pub(crate) lookback: i128,
    /// The columns whose hash tells rows apart; empty for merge, which keeps no window.
    pub(crate) columns: Vec<String>,
    /// Their types, as far as they change a hash.
    pub(crate) types: Vec<String>,
    /// Rows an earlier run took, by hash, with the columns it hashed.
    pub(crate) before: Option<Arc<Before>>,
    /// The greatest watermark that this run has seen.
    pub(crate) highest: Highest,
    /// Most rows that a window may hold: [`WINDOW_ROWS`], except in tests.
    pub(crate) most: usize,
}

impl Follow {
    /// The least watermark that the next run reads, when `high` is the greatest there is.
    fn edge(&self, high: i128) -> i128 {
        high.saturating_sub(self.lookback)
    }
}

/// Rows that an earlier run took and that this run may meet again.
#[derive(Debug)]
pub(crate) struct Before {
    columns: Vec<String>,
    widened: Widened,
    high: i128,
    left: Mutex<HashMap<u128, u32>>,
}

impl Before {
    pub(crate) fn new(columns: Vec<String>, high: i128, rows: &[Taken]) -> Self {
        let mut left = HashMap::with_capacity(rows.len());
        for row in rows {
            *left.entry(row.hash).or_insert(0) += 1;
        }
        Self {
            columns,
            widened: Widened::default(),
            high,
            left: Mutex::new(left),
        }
    }

    /// Some of the columns are wider now than they were then.
    pub(crate) fn widened(mut self, widened: Widened) -> Self {
        self.widened = widened;
        self
    }

    fn left(&self) -> MutexGuard<'_, HashMap<u128, u32>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of the rows with that hash, if any is left.
    fn meet(&self, hash: u128) -> bool {
        match self.left().get_mut(&hash) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    /// The rows met by an attempt that failed can be met again.
    fn put_back(&self, met: &[u128]) {
        let mut left = self.left();
        for hash in met {
            *left.entry(*hash).or_insert(0) += 1;
        }
    }
}

/// Follows the watermark through the batches of one attempt at one split.
#[derive(Debug)]
pub(crate) struct Observer {
    follow: Arc<Follow>,
    high: Option<i128>,
    taken: Newest,
    met: Vec<u128>,
    done: bool,
}

impl Observer {
    pub(crate) fn new(follow: Arc<Follow>) -> Self {
        Self {
            follow,
            high: None,
            taken: Newest::default(),
            met: Vec::new(),
            done: false,
        }
    }

    /// Notes a batch and drops the rows that an earlier run took.
    pub(crate) fn take(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let follow = Arc::clone(&self.follow);
        let column = batch.column_by_name(&follow.column).ok_or_else(|| {
            Fault::new(
                code::CONFIG,
                format!(
                    "the source has no column {:?} to use as watermark",
                    follow.column
                ),
            )
            .with("column", &follow.column)
        })?;
        let ordinals = WatermarkType::ordinals(column.as_ref())?;
        let batch = self.drop_met(batch, &ordinals)?;
        let (batch, ordinals) = match batch {
            Kept::All(batch) => (batch, ordinals),
            Kept::Some(batch) => {
                let column = batch.column_by_name(&follow.column);
                let ordinals = column.map(|c| WatermarkType::ordinals(c.as_ref()));
                (batch, ordinals.transpose()?.unwrap_or_default())
            }
        };
        self.high = self.high.max(ordinals.iter().copied().flatten().max());
        if !follow.columns.is_empty() {
            self.remember(&batch, &ordinals)?;
        }
        Ok(batch)
    }

    fn drop_met(&mut self, batch: RecordBatch, ordinals: &[Option<i128>]) -> Result<Kept> {
        let Some(before) = &self.follow.before else {
            return Ok(Kept::All(batch));
        };
        // Nothing above the earlier run's high can have been taken by it.
        let perhaps: Vec<usize> = ordinals
            .iter()
            .enumerate()
            .filter_map(|(row, ordinal)| ordinal.is_some_and(|o| o <= before.high).then_some(row))
            .collect();
        if perhaps.is_empty() {
            return Ok(Kept::All(batch));
        }
        let (then, perhaps) = before.widened.narrow(&batch, perhaps)?;
        let hashes = hash_rows(&then, &before.columns, &perhaps)?;
        let mut keep = vec![true; batch.num_rows()];
        let met = self.met.len();
        let mut again = Vec::new();
        for (row, hash) in perhaps.into_iter().zip(hashes) {
            if before.meet(hash) {
                keep[row] = false;
                again.push(row);
                self.met.push(hash);
            }
        }
        // The source has other columns or types now: what was taken must be known by its new hash.
        if before.columns != self.follow.columns || !before.widened.is_empty() {
            let hashes = hash_rows(&batch, &self.follow.columns, &again)?;
            let rows = again.into_iter().zip(hashes);
            let rows =
                rows.filter_map(|(row, hash)| ordinals[row].map(|ordinal| Taken { ordinal, hash }));
            self.taken.rows.extend(rows);
        }
        if self.met.len() == met {
            return Ok(Kept::All(batch));
        }
        let kept = arrow_select::filter::filter_record_batch(&batch, &BooleanArray::from(keep))
            .map_err(|e| Fault::internal(format!("can't drop rows: {e}")))?;
        Ok(Kept::Some(kept))
    }

    /// Keeps the hashes of rows that the next run will read again.
    fn remember(&mut self, batch: &RecordBatch, ordinals: &[Option<i128>]) -> Result<()> {
        let Some(high) = self.follow.highest.raise(self.high) else {
            return Ok(());
        };
        let edge = self.follow.edge(high);
        let mut inside = Vec::new();
        for (row, ordinal) in ordinals.iter().enumerate() {
            match ordinal {
                Some(ordinal) if *ordinal >= edge => inside.push(row),
                Some(ordinal) => self.taken.pass(*ordinal),
                None => {}
            }
        }
        if inside.is_empty() {
            return Ok(());
        }
        let hashes = hash_rows(batch, &self.follow.columns, &inside)?;
        let rows = inside.into_iter().zip(hashes);
        self.taken.rows.extend(
            rows.filter_map(|(row, hash)| ordinals[row].map(|ordinal| Taken { ordinal, hash })),
        );
        self.taken.make_room(edge, self.follow.most);
        Ok(())
    }

    /// What to store with the split's receipt, an [`Observed`].
    pub(crate) fn finish(mut self) -> Result<serde_json::Value> {
        self.done = true;
        if let Some(high) = self.follow.highest.raise(self.high) {
            self.taken.trim(self.follow.edge(high));
        }
        let met: Vec<Taken> = self
            .met
            .iter()
            .map(|&hash| Taken { ordinal: 0, hash })
            .collect();
        let observed = Observed {
            high: self.high.map(|high| high.to_string()),
            taken: STANDARD_NO_PAD.encode(pack(&self.taken.rows)),
            gone: self.taken.gone.into(),
            met: STANDARD_NO_PAD.encode(pack(&met)),
        };
        serde_json::to_value(observed).map_err(|error| Fault::internal(error.to_string()))
    }
}

/// An attempt that fails, or is dropped, gives back the rows it met, so that the next one
/// meets them again.
impl Drop for Observer {
    fn drop(&mut self) {
        if let (false, Some(before)) = (self.done, &self.follow.before) {
            before.put_back(&self.met);
        }
    }
}

enum Kept {
    All(RecordBatch),
    Some(RecordBatch),
}

fn too_many(follow: &Follow) -> Fault {
    Fault::new(
        code::MEMORY,
        format!(
            "more than {} rows lie within the lookback of the newest {:?}",
            follow.most, follow.column
        ),
    )
    .with("column", &follow.column)
    .advise("use `strategy: merge` with a key, or a shorter `lookback`")
}

/// What was seen in one split; stored with its receipt.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Observed {
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<String>,
    taken: String,
    #[serde(flatten)]
    gone: GoneText,
    met: String,
}

/// What was seen in all splits of a run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    high: Option<i128>,
    taken: Newest,
}

impl Seen {
    /// Adds one split's; `again` when it was read by an earlier process, so that the rows it
    /// met must be taken out of what is left.
    pub(crate) fn add(
        &mut self,
        observed: &serde_json::Value,
        follow: &Follow,
        again: bool,
    ) -> Result<()> {
        if observed.is_null() {
            return Ok(());
        }
        let damaged = || Fault::new(code::STATE, "a stored receipt is damaged");
        let observed: Observed = serde_json::from_value(observed.clone()).map_err(|_| damaged())?;
        let rows = |text: &str| -> Result<Vec<Taken>> {
            unpack(&STANDARD_NO_PAD.decode(text).map_err(|_| damaged())?)
        };
        if let Some(high) = observed.high {
            self.high = self.high.max(Some(high.parse().map_err(|_| damaged())?));
        }
        self.taken.rows.extend(rows(&observed.taken)?);
        let gone = Gone::try_from(observed.gone).map_err(|_| damaged())?;
        self.taken.gone.add(gone);
        if let (true, Some(before)) = (again, &follow.before) {
            for row in rows(&observed.met)? {
                before.meet(row.hash);
            }
        }
        if let Some(high) = self.high {
            self.taken.trim(follow.edge(high));
            self.taken.make_room(follow.edge(high), follow.most);
        }
        Ok(())
    }

    /// The watermark after the run: the greatest seen, never less than `before`.
    pub(crate) fn high(&self, before: Option<i128>) -> Option<i128> {
        self.high.max(before)
    }

    /// The window after the run, of rows taken now and, when the destination still holds them,
    /// `before`. It never covers more than was read, from `low` on: rows below that were taken
    /// by nobody who remembers.
    pub(crate) fn window(
        self,
        before: Vec<Taken>,
        high: Option<i128>,
        low: Option<i128>,
        follow: &Follow,
    ) -> Result<(WindowState, Vec<u8>)> {
        let edge = high.map_or(i128::MIN, |high| follow.edge(high));
        let edge = low.map_or(edge, |low| edge.max(low));
        let Newest { mut rows, gone } = self.taken;
        rows.extend(before);
        rows.retain(|row| row.ordinal >= edge);
        if rows.len() > follow.most || gone.cut >= Some(edge) {
            return Err(too_many(follow));
        }
        if gone.passed >= Some(edge) {
            return Err(Fault::new(
                code::SOURCE_CHANGED,
                format!(
                    "the newest {:?} went away while the source was read",
                    follow.column
                ),
            )
            .with("column", &follow.column)
            .advise("run it again once the source is at rest"));
        }
        rows.sort_unstable();
        let state = WindowState {
            from: edge.to_string(),
            columns: follow.columns.clone(),
            types: follow.types.clone(),
            rows: rows.len(),
        };
        Ok((state, pack(&rows)))
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
