//! Parquet, a row group at a time.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hygge_core::{Context, Fault, Result, code};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::bounds::Low;
use super::footers::{encrypted, invalid, read_footer, words};
use super::prune::candidates;
use super::row_size::{Guess, PROBE_ROWS, guess, held_bytes, rows_for};
use super::spool::{self, Spool};
use super::{Chunk, Rows, Source, Task, guarded, io_fault, note};
use crate::home::reconcile::said;
use crate::home::spec::{Part, Place};
use crate::parquet::{
    DAMAGED, Error, Input, Int96, MORE_MEMORY, OUT_OF_RANGE, RowGroup, Sizes, Source as Opened,
    SourceFile, Unturned, Why, can_copy, decode, sizes,
};

/// Reads the row groups of one part.
pub(crate) struct ParquetSource {
    name: String,
    opened: Arc<Opened>,
    /// The same file, read by position: other row groups may be read at the same time.
    input: Input,
    footer: ArrowReaderMetadata,
    /// Row groups still to read, last first.
    groups: Vec<usize>,
    /// Rows to skip in the first of them.
    skip: u64,
    current: Option<Group>,
    encoded: bool,
    /// Bytes of Arrow a row was seen to take.
    row_bytes: Option<f64>,
    /// Bytes of Arrow a row may take, before one was seen.
    guess: Guess,
    int96: Int96,
    /// How many rows of the current row group are spooled at once, when it is too wide to be read
    /// as it is stored.
    portion: Option<u64>,
    /// The rows of it that are.
    spool: Option<Spool>,
    /// Where spools are made.
    work: PathBuf,
    cx: Context,
}

struct Group {
    index: usize,
    rows: u64,
    done: u64,
    /// Rows that the reader comes to.
    until: u64,
    batch_rows: usize,
    reader: ParquetRecordBatchReader,
}

impl ParquetSource {
    pub(crate) fn open(
        file: File,
        part: &Part,
        task: &Task,
        at: &Place,
        low: Option<&Low>,
        cx: &Context,
    ) -> Result<Self> {
        let name = part.path.clone();
        let footer = match task.home.footers.take(&name) {
            Some(footer) => footer,
            None => read_footer(&file, &name)?,
        };
        let [from, to] = part
            .groups
            .unwrap_or([0, footer.metadata().num_row_groups()]);
        let mut groups = candidates(&footer, low);
        groups.retain(|group| (from..to).contains(group) && *group >= at.group);
        groups.reverse();
        let skip = if groups.last() == Some(&at.group) {
            at.rows
        } else {
            0
        };
        let same = footer.schema().fields() == task.schema.fields();
        if task.encoded && !same {
            note(
                cx,
                &format!(
                    "{name} is decoded, not copied: its schema isn't the one all files are \
                     brought to"
                ),
            );
        }
        let input = file
            .try_clone()
            .and_then(Input::from_file)
            .map_err(|e| io_fault(&name, &e))?;
        let opened = Opened {
            path: PathBuf::from(&name),
            file,
            metadata: Arc::clone(footer.metadata()),
            // What differs is metadata of the file as a whole.
            schema: Arc::clone(if same { &task.schema } else { footer.schema() }),
        };
        let work = task.home.work.clone();
        Ok(Self {
            groups,
            encoded: task.encoded && same && low.is_none(),
            skip,
            ..Self::of(name, Arc::new(opened), input, footer, work, cx)?
        })
    }

    /// Reads one row group of a file that is open already, to the types that `footer` has.
    pub(crate) fn of_group(
        name: &str,
        opened: &Arc<Opened>,
        input: &Input,
        footer: ArrowReaderMetadata,
        group: usize,
        work: PathBuf,
        cx: &Context,
    ) -> Result<Self> {
        let (opened, input) = (Arc::clone(opened), input.clone());
        Ok(Self {
            groups: vec![group],
            ..Self::of(name.to_owned(), opened, input, footer, work, cx)?
        })
    }

    /// Nothing of a file yet.
    fn of(
        name: String,
        opened: Arc<Opened>,
        input: Input,
        footer: ArrowReaderMetadata,
        work: PathBuf,
        cx: &Context,
    ) -> Result<Self> {
        let int96 = Int96::of(&footer)
            .map_err(|e| invalid(&name, format!("its schema can't be read: {}", words(&e))))?;
        Ok(Self {
            name,
            opened,
            input,
            footer,
            groups: Vec::new(),
            skip: 0,
            current: None,
            encoded: false,
            row_bytes: None,
            guess: Guess::AtLeast(1.0),
            int96,
            portion: None,
            spool: None,
            work,
            cx: cx.clone(),
        })
    }

    /// Why a row group can't be decoded, if need be by decoding its columns one after the other.
    fn damaged(&self, group: usize, why: &str) -> Fault {
        if let Some(error) = self.input.refused() {
            return io_fault(&self.name, &error).with("row_group", group);
        }
        if let Some(error) = self.spool.as_ref().and_then(|spool| spool.input.refused()) {
            return spool::fault("read", &self.work, &error);
        }
        let source = SourceFile::of(&self.opened).ok();
        if let Some(fault) = source.as_ref().and_then(|file| self.locked(file, group)) {
            return fault;
        }
        let found = source.map(|file| decode(&file, group));
        let (what, column) = match found {
            Some(Err(Error::Column { column, what, .. })) => (
                format!("row group {group}, column {column:?}: {what}"),
                Some(column),
            ),
            Some(Err(Error::Read { source, .. })) => {
                return io_fault(&self.name, &source).with("row_group", group);
            }
            _ => (format!("row group {group} can't be decoded: {why}"), None),
        };
        let fault = invalid(&self.name, what)
            .advise(DAMAGED)
            .with("row_group", group);
        match column {
            Some(column) => fault.with("column", column),
            None => fault,
        }
    }

    /// The fault for a column that is encrypted, which looks like damage to a decoder.
    fn locked(&self, file: &SourceFile, group: usize) -> Option<Fault> {
        match can_copy(file, group..group + 1, &Default::default()) {
            Err(Why::Encrypted { column }) => {
                let how = format!("column {column:?} is encrypted");
                Some(encrypted(&self.name, &how).with("row_group", group))
            }
            _ => None,
        }
    }

    /// Looks at a row group before any of it is decoded: whether its pages can be held, and its
    /// old timestamps be told in nanoseconds. What was seen decides how it is read.
    fn look(&mut self, index: usize) -> Result<()> {
        let metadata = self.footer.metadata();
        let (groups, most) = (index..index + 1, self.cx.share.whole() as u64);
        let seen = sizes(&self.name, &self.input, metadata, groups.clone(), most);
        let seen = seen.map_err(|error| self.unfit(index, &error))?;
        for root in self.int96.roots() {
            let rows = usize::try_from(metadata.row_group(index).num_rows()).unwrap_or(0);
            self.int96
                .check(self.input.clone(), root, groups.clone(), 0..rows)
                .map_err(|error| self.int96_fault(index, root, &error))?;
        }
        let row = guess(metadata.row_group(index), self.footer.schema(), &seen);
        let portion = spool::portion(&seen, row, &self.cx.share);
        if portion.is_some() && self.portion.is_none() {
            note(
                &self.cx,
                &format!(
                    "{}: pages of all columns from row group {index} on don't fit the memory at \
                     once; its columns pass one by one through a spare file in {}",
                    self.name,
                    self.work.display()
                ),
            );
        }
        (self.guess, self.portion, self.spool) = (row, portion, None);
        Ok(())
    }

    /// Sees that the rows from `done` on are spooled, if they have to be.
    fn fill(&mut self, index: usize, done: u64) -> Result<()> {
        let metadata = self.footer.metadata();
        let rows = u64::try_from(metadata.row_group(index).num_rows()).unwrap_or(0);
        let have = self.spool.as_ref().map(|spool| &spool.rows);
        let Some(portion) = self.portion else {
            return Ok(());
        };
        if done >= rows || have.is_some_and(|have| have.contains(&done)) {
            return Ok(());
        }
        // The old one's room on the disk is there for the new one.
        self.spool = None;
        let part = done..done.saturating_add(portion).min(rows);
        let made = Spool::new(&self.input, &self.footer, index, part, &self.work, &self.cx);
        let spool = made.map_err(|why| match why {
            Unturned::Source(error) => self.damaged(index, &words(&error)),
            Unturned::Ends(after) => self.ends(index, after, rows),
            Unturned::GoesOn => self.goes_on(index),
            Unturned::Spare(error) => spool::fault("write", &self.work, &error),
            Unturned::Stopped => Fault::stopped(),
        })?;
        let plain = vec![Sizes::default(); spool.footer.parquet_schema().num_columns()];
        let group = spool.footer.metadata().row_group(0);
        self.guess = guess(group, spool.footer.schema(), &plain);
        self.spool = Some(spool);
        Ok(())
    }

    /// Pages that can't be held, or can't be.
    fn unfit(&self, group: usize, error: &Error) -> Fault {
        let fault = match error {
            Error::TooLarge { column, .. } => Fault::new(code::MEMORY, error.to_string())
                .with("file", &self.name)
                .with("column", column)
                .advise(MORE_MEMORY),
            Error::Read { source, .. } => io_fault(&self.name, source),
            Error::Column { column, what, .. } => {
                // Headers that are encrypted look like damage.
                let file = SourceFile::of(&self.opened).ok();
                if let Some(fault) = file.and_then(|file| self.locked(&file, group)) {
                    return fault;
                }
                let what = format!("row group {group}, column {column:?}: {what}");
                invalid(&self.name, what)
                    .with("column", column)
                    .advise(DAMAGED)
            }
            other => invalid(&self.name, other).advise(DAMAGED),
        };
        fault.with("row_group", group)
    }

    fn ends(&self, group: usize, after: u64, rows: u64) -> Fault {
        self.damaged(group, &format!("it ends after {after} of {rows} rows"))
    }

    fn goes_on(&self, group: usize) -> Fault {
        self.damaged(group, "it has more rows than the footer says")
    }

    fn int96_fault(&self, group: usize, root: usize, error: &ParquetError) -> Fault {
        let what = words(error);
        if !what.contains(OUT_OF_RANGE) {
            return self.damaged(group, &what);
        }
        let file = SourceFile::of(&self.opened).ok();
        if let Some(fault) = file.and_then(|file| self.locked(&file, group)) {
            return fault;
        }
        invalid(&self.name, format!("row group {group}, {what}"))
            .with("row_group", group)
            .with("column", self.footer.schema().field(root).name())
            .advise("write the column as timestamp[us]; a Parquet Store copies it as it is")
    }

    fn start(&mut self, index: usize, done: u64, batch_bytes: usize) -> Result<Group> {
        self.fill(index, done)?;
        let batch_rows = match (self.row_bytes, self.guess) {
            (Some(row_bytes), _) => rows_for(batch_bytes, row_bytes),
            (None, Guess::Row(row_bytes)) => rows_for(batch_bytes, row_bytes),
            // A dictionary can make any width look small, so see a few rows first.
            (None, Guess::AtLeast(row_bytes)) => rows_for(batch_bytes, row_bytes).min(PROBE_ROWS),
        };
        self.start_with(index, done, batch_rows)
    }

    fn start_with(&self, index: usize, done: u64, batch_rows: usize) -> Result<Group> {
        let metadata = self.footer.metadata().row_group(index);
        let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let batch_rows = batch_rows.min(usize::try_from(rows).unwrap_or(1));
        let (input, footer, at, stored) = match &self.spool {
            Some(Spool {
                rows,
                input,
                footer,
            }) => (input, footer, 0, rows.clone()),
            None => (&self.input, &self.footer, index, 0..rows),
        };
        let offset = usize::try_from(done.saturating_sub(stored.start))
            .map_err(|_| self.damaged(index, "it is too long"))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(input.clone(), footer.clone())
                .with_row_groups(vec![at])
                .with_batch_size(batch_rows.max(1));
        let builder = if offset > 0 {
            builder.with_offset(offset)
        } else {
            builder
        };
        let reader = builder
            .build()
            .map_err(|e| self.damaged(index, &words(&e)))?;
        Ok(Group {
            index,
            rows,
            done,
            until: stored.end,
            batch_rows,
            reader,
        })
    }
}

impl Source for ParquetSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.footer.schema())
    }

    fn next(&mut self, batch_bytes: usize) -> Result<Option<Chunk>> {
        loop {
            let Some(mut group) = self.current.take() else {
                let Some(index) = self.groups.pop() else {
                    return Ok(None);
                };
                let skip = std::mem::take(&mut self.skip);
                if self.encoded && skip == 0 {
                    let encoded = RowGroup {
                        source: Arc::clone(&self.opened),
                        index,
                    };
                    return Ok(Some(Chunk {
                        rows: Rows::Encoded(Arc::new(encoded)),
                        group: index + 1,
                        done: 0,
                    }));
                }
                let name = self.name.clone();
                let started = guarded(&name, || {
                    self.look(index)?;
                    self.start(index, skip, batch_bytes)
                });
                self.current = Some(started.map_err(|f| self.in_group(index, f))?);
                continue;
            };
            let index = group.index;
            if group.done >= group.rows {
                // Ask once more: what comes behind the promised rows is damage.
                let after = guarded(&self.name, || {
                    group
                        .reader
                        .next()
                        .transpose()
                        .map_err(|e| self.damaged(index, &said(&e)))
                });
                match after.map_err(|f| self.in_group(index, f))? {
                    Some(more) if more.num_rows() > 0 => {
                        return Err(self.goes_on(index));
                    }
                    _ => continue,
                }
            }
            let next = guarded(&self.name, || {
                group
                    .reader
                    .next()
                    .transpose()
                    .map_err(|e| self.damaged(index, &said(&e)))
            })
            .map_err(|f| self.in_group(index, f));
            let next = match next {
                // Offsets of 32 bits can't point beyond 2 GiB of text; fewer rows may do.
                Err(fault) if group.batch_rows > 1 && fault.message.contains("index overflow") => {
                    let rows = group.batch_rows / 2;
                    self.current = Some(self.start_with(index, group.done, rows)?);
                    continue;
                }
                next => next?,
            };
            let Some(batch) = next else {
                return Err(self.ends(index, group.done, group.rows));
            };
            group.done += batch.num_rows() as u64;
            let (at, done) = if group.done >= group.rows {
                (index + 1, 0)
            } else {
                (index, group.done)
            };
            self.measure(&batch);
            let fitting = self
                .row_bytes
                .map_or(group.batch_rows, |row| rows_for(batch_bytes, row));
            let unfit = fitting < group.batch_rows / 2 || fitting / 4 > group.batch_rows;
            // What the reader comes to may be read, or rows be wider or narrower than they seemed:
            // go on with what comes next, in batches that fit.
            if (unfit || group.done >= group.until) && group.done < group.rows {
                let done = group.done;
                drop(group);
                let name = self.name.clone();
                let restarted = guarded(&name, || self.start(index, done, batch_bytes))
                    .map_err(|f| self.in_group(index, f))?;
                self.current = Some(restarted);
            } else {
                self.current = Some(group);
            }
            return Ok(Some(Chunk {
                rows: Rows::Decoded(batch),
                group: at,
                done,
            }));
        }
    }
}

impl ParquetSource {
    /// A decoder that panicked only knew the file.
    fn in_group(&self, group: usize, fault: Fault) -> Fault {
        if fault.attribute("row_group").is_some() || fault.code != code::SOURCE_INVALID {
            fault
        } else {
            self.damaged(group, "its pages contradict each other")
        }
    }

    fn measure(&mut self, batch: &RecordBatch) {
        if batch.num_rows() == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seen = batch
            .columns()
            .iter()
            .map(|c| held_bytes(c.as_ref()))
            .sum::<usize>() as f64
            / batch.num_rows() as f64;
        self.row_bytes = Some(match self.row_bytes {
            Some(before) => before.mul_add(0.5, seen * 0.5),
            None => seen,
        });
    }
}
