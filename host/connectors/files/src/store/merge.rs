//! Merges staged rows into what stands: only files that lose a row are written anew.
//!
//! Which rows go is found from the key columns alone, in one bit a row. The keys of the staged
//! rows are held in memory, as many at a time as the run's memory allows: over that, all keys
//! are passed over several times, each time for another part of the hash space.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use hygge_core::{Action, Context, Fault, Receipt, Result, SplitId, Target, code};

use super::FileStore;
use super::keys::{Keys, Seen};
use super::memory;
use super::origin::Origin;
use super::own::Own;
use super::record::{self, Begun, Staged, StagedFile};
use super::rows::GroupRows;
use super::seal::Written;
use super::writer::FileWriter;
use crate::parquet::RowGroup;

/// What one staged key takes in memory, with the table's slack.
const KEY_BYTES: u64 = 128;

/// A file that takes part.
#[derive(Debug, Clone)]
struct Member {
    path: PathBuf,
    /// Relative to the destination.
    name: String,
    written: Written,
    /// The receipt it is of; none for what stands already.
    receipt: Option<usize>,
    rows: u64,
    /// One bit a row, set when it goes; empty while none does.
    drops: Vec<u64>,
}

impl Member {
    fn drop_row(&mut self, row: u64) -> Result<()> {
        let (word, bit) = (usize::try_from(row / 64), row % 64);
        if self.drops.is_empty() {
            let words = usize::try_from(self.rows.div_ceil(64));
            let words = words.map_err(|_| Fault::internal("a file of too many rows"))?;
            self.drops = vec![0; words];
        }
        let word = word.ok().and_then(|word| self.drops.get_mut(word));
        match word {
            Some(word) => *word |= 1 << bit,
            None => return Err(Fault::internal("a row behind the end of its file")),
        }
        Ok(())
    }

    fn drops(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok();
        let word = word.and_then(|word| self.drops.get(word));
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    fn dropped(&self) -> u64 {
        self.drops.iter().map(|w| u64::from(w.count_ones())).sum()
    }
}

/// The staged row that stays for a key.
#[derive(Debug, Clone, Copy)]
struct Winner {
    latest: i128,
    member: u32,
    row: u64,
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_ne_bytes(word);
        }
    }
}

type Winners = HashMap<u128, Winner, BuildHasherDefault<AsIs>>;

/// Finds the rows that go: of all that have a staged key, those that stand and those that are
/// staged, every one but the latest. Of rows that are equally late a staged one stays, the last.
fn find(members: &mut [Member], keys: &Keys, passes: u64, cx: &Context) -> Result<()> {
    let mut range: Option<RangeInclusive<i128>> = None;
    let mut unsure = false;
    let mut nulls = 0_u64;
    for pass in 0..passes {
        let mut winners = Winners::default();
        let here = |key: u128| (key >> 64) as u64 % passes == pass;
        for at in 0..members.len() {
            if members[at].receipt.is_none() {
                continue;
            }
            cx.stop.check()?;
            let origin = Origin::open(&members[at].path)?;
            let groups: Vec<usize> = (0..origin.groups()).collect();
            let member = u32::try_from(at).map_err(|_| Fault::internal("too many files"))?;
            let mut losers = Vec::new();
            keys.scan(&origin, &groups, |seen| {
                let Some(key) = seen.key else {
                    nulls += 1;
                    return Ok(());
                };
                if pass == 0 {
                    match seen.first {
                        Some(first) => widen(&mut range, first),
                        None => unsure = true,
                    }
                }
                if here(key) {
                    losers.extend(win(&mut winners, key, seen, member));
                }
                Ok(())
            })?;
            for (member, row) in losers {
                members[member as usize].drop_row(row)?;
            }
        }
        if nulls > 0 {
            return Err(null_keys(keys, nulls));
        }
        for at in 0..members.len() {
            if members[at].receipt.is_some() {
                continue;
            }
            cx.stop.check()?;
            let origin = Origin::open(&members[at].path)?;
            let groups = keys.within(&origin, range.as_ref().filter(|_| !unsure))?;
            if groups.is_empty() {
                continue;
            }
            let member = u32::try_from(at).map_err(|_| Fault::internal("too many files"))?;
            let mut losers = Vec::new();
            keys.scan(&origin, &groups, |seen| {
                if let Some(key) = seen.key.filter(|key| here(*key)) {
                    losers.extend(challenge(&mut winners, key, seen, member));
                }
                Ok(())
            })?;
            for (member, row) in losers {
                members[member as usize].drop_row(row)?;
            }
        }
    }
    Ok(())
}

/// Enters a staged row; gives the one that loses, if another has its key.
fn win(winners: &mut Winners, key: u128, seen: Seen, member: u32) -> Option<(u32, u64)> {
    let new = Winner {
        latest: seen.latest,
        member,
        row: seen.row,
    };
    match winners.entry(key) {
        std::collections::hash_map::Entry::Vacant(entry) => {
            entry.insert(new);
            None
        }
        std::collections::hash_map::Entry::Occupied(mut entry) => {
            // Staged rows come in order, so of equals the one seen now is the last.
            if entry.get().latest > new.latest {
                return Some((new.member, new.row));
            }
            let old = entry.insert(new);
            Some((old.member, old.row))
        }
    }
}

/// Holds a row that stands against the one that stays so far; gives the one that loses.
fn challenge(winners: &mut Winners, key: u128, seen: Seen, member: u32) -> Option<(u32, u64)> {
    let best = winners.get_mut(&key)?;
    // Read again within the lookback, or late: an older version doesn't undo a newer one.
    if best.latest >= seen.latest {
        return Some((member, seen.row));
    }
    let old = std::mem::replace(
        best,
        Winner {
            latest: seen.latest,
            member,
            row: seen.row,
        },
    );
    Some((old.member, old.row))
}

fn widen(range: &mut Option<RangeInclusive<i128>>, value: i128) {
    *range = Some(match range.take() {
        Some(range) => value.min(*range.start())..=value.max(*range.end()),
        None => value..=value,
    });
}

fn null_keys(keys: &Keys, rows: u64) -> Fault {
    let rows = match rows {
        1 => "a row has".to_owned(),
        rows => format!("{rows} rows have"),
    };
    Fault::new(
        code::SOURCE_INVALID,
        format!(
            "{rows} NULL in the key ({}), so they can't be merged",
            keys.names()
        ),
    )
    .advise("choose key columns that are never NULL, or leave such rows out at the source")
}

impl FileStore {
    /// Makes the run's receipts say the whole new set: staged rows without those that another
    /// one replaces, files that stay, and files that are written anew because they lose rows.
    pub(super) async fn merge(
        &self,
        target: &Target,
        mut receipts: Vec<Receipt>,
        passes: Option<u64>,
        cx: &Context,
    ) -> Result<Vec<Receipt>> {
        let begun = Begun::read(&target.begun, &self.place.root)?;
        let mut staged = receipts
            .iter()
            .map(Staged::read)
            .collect::<Result<Vec<_>>>()?;
        let rows: u64 = staged.iter().flat_map(|s| &s.files).map(|f| f.rows).sum();
        if rows == 0 {
            return Ok(receipts);
        }
        // Rows are told apart in types that hold those that come and those that stand.
        let joined = begun.columns.as_deref().and_then(memory::columns);
        let joined = joined.ok_or_else(|| Fault::internal("a merge into unknown columns"))?;
        let keys = Keys::new(&joined, &target.key, target.latest_by.as_deref())?;
        let mut members = Vec::new();
        if target.action == Action::Upsert {
            for (name, written) in &begun.own.0 {
                members.push(Member {
                    path: begun.destination.join(name),
                    name: name.clone(),
                    written: *written,
                    receipt: None,
                    rows: 0,
                    drops: Vec::new(),
                });
            }
        }
        for (receipt, staged) in staged.iter().enumerate() {
            members.extend(staged.files.iter().map(|file| Member {
                path: begun.staging.join(&file.staged),
                name: file.name.clone(),
                written: file.written(None),
                receipt: Some(receipt),
                rows: file.rows,
                drops: Vec::new(),
            }));
        }
        let budget = u64::try_from(cx.share.bytes() / 2)
            .unwrap_or(u64::MAX)
            .max(1);
        let passes = passes.unwrap_or((rows * KEY_BYTES).div_ceil(budget)).max(1);
        let members = {
            let (keys, lent) = (keys.clone(), cx.clone());
            cx.cpu(move || {
                for member in members.iter_mut().filter(|m| m.receipt.is_none()) {
                    member.rows = Origin::open(&member.path)?.rows();
                }
                find(&mut members, &keys, passes, &lent)?;
                Ok(members)
            })
            .await?
        };
        let mut merged = Staged::default();
        let mut keep = Own::default();
        for (number, member) in members.iter().enumerate() {
            let dropped = member.dropped();
            let files = if dropped == 0 {
                None
            } else {
                Some(self.rewrite(target, &begun, member, number, cx).await?)
            };
            match (member.receipt, files) {
                (None, None) => {
                    keep.0.insert(member.name.clone(), member.written);
                }
                (None, Some(files)) => merged.files.extend(files),
                (Some(_), None) => {}
                (Some(receipt), Some(files)) => {
                    // The file itself stays in staging: a run that dies now prepares again.
                    let named = |file: &StagedFile| file.name == member.name;
                    staged[receipt].files.retain(|file| !named(file));
                    staged[receipt].files.extend(files);
                    receipts[receipt].rows -= dropped;
                }
            }
        }
        merged.keep = Some(keep);
        for (receipt, staged) in receipts.iter_mut().zip(&staged) {
            receipt.bytes = staged.files.iter().map(|file| file.size).sum();
            receipt.data = record::write(staged)?;
        }
        receipts.push(Receipt {
            split: SplitId("merge".into()),
            attempt: 1,
            // They stood there before.
            rows: 0,
            bytes: merged.files.iter().map(|file| file.size).sum(),
            data: record::write(&merged)?,
        });
        Ok(receipts)
    }

    /// Writes a file anew without the rows that go. Row groups that lose none are copied.
    async fn rewrite(
        &self,
        target: &Target,
        begun: &Begun,
        member: &Member,
        number: usize,
        cx: &Context,
    ) -> Result<Vec<StagedFile>> {
        let path = member.path.clone();
        let origin = cx.io(move || Origin::open(&path)).await?;
        let mut desk = self.desk(
            target,
            begun.clone(),
            &SplitId(format!("merge-{number:06}")),
            1,
            cx,
        );
        // As it was written, also when the source has other columns by now.
        desk.schema = origin.schema();
        desk.fit = None;
        let partition = member
            .name
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let mut writer = FileWriter::open(desk).await?;
        let starts = origin.starts();
        for group in 0..origin.groups() {
            cx.stop.check()?;
            let rows = starts[group]..starts[group + 1];
            if rows.clone().all(|row| member.drops(row)) {
                continue;
            }
            if !rows.clone().any(|row| member.drops(row)) {
                let group = RowGroup {
                    source: Arc::clone(origin.source()),
                    index: group,
                };
                writer.stored(partition, &group).await?;
                continue;
            }
            let mut stays = Stays(rows.map(|row| !member.drops(row)).collect(), 0);
            let mut rows = GroupRows::new(&origin, group, &begun.staging, cx)?;
            while let Some(batch) = rows.next().await? {
                let filter = move || Ok((stays.of(&batch)?, stays));
                let (batch, left) = cx.cpu(filter).await?;
                stays = left;
                if batch.num_rows() > 0 {
                    writer.rows_to(partition.to_owned(), batch).await?;
                }
            }
        }
        let receipt = hygge_core::Writer::finish(Box::new(writer)).await?;
        Ok(Staged::read(&receipt)?.files)
    }
}

/// Which rows of a row group stay, and how many of them were met.
struct Stays(Vec<bool>, usize);

impl Stays {
    /// The next rows without those that go.
    fn of(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let end = self.1 + batch.num_rows();
        let stays = self.0.get(self.1..end);
        let stays = stays.ok_or_else(|| Fault::internal("more rows than the footer says"))?;
        self.1 = end;
        filter_record_batch(batch, &BooleanArray::from(stays.to_vec()))
            .map_err(|error| Fault::internal(format!("rows can't be filtered: {error}")))
    }
}
