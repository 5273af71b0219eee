//! One schema for many files, and batches cast to it.
//!
//! Types only widen where every value stays exactly what it was; anything else is an error that
//! names both files, since a silent loss can't be undone at the destination.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, FieldRef, Fields, Metadata, Schema, SchemaRef};
use hygge_core::{Fault, Result, cast_by_name, code, type_name, widen_field};

use super::partition;

/// Gathers the schemas of files, in order, into one.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    fields: Vec<FieldRef>,
    by_name: HashMap<String, usize>,
    /// For each column the file whose type it has, and in how many files it was seen.
    seen: Vec<(String, usize)>,
    metadata: Option<Metadata>,
    files: usize,
    /// The schema seen last: most files of a folder have the very same.
    last: Option<SchemaRef>,
}

impl Merged {
    /// Takes part of one more file.
    pub(crate) fn add(&mut self, file: &str, schema: &SchemaRef) -> Result<()> {
        if self
            .last
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, schema))
        {
            self.files += 1;
            for field in schema.fields() {
                if let Some(index) = self.by_name.get(field.name()) {
                    self.seen[*index].1 += 1;
                }
            }
            return Ok(());
        }
        if let Some((one, other)) = namesakes(schema.fields()) {
            return Err(twice(file, schema.field(one).name(), one, other));
        }
        for field in schema.fields() {
            match self.by_name.get(field.name()) {
                None => {
                    self.by_name.insert(field.name().clone(), self.fields.len());
                    self.fields.push(Arc::clone(field));
                    self.seen.push((file.to_owned(), 1));
                }
                Some(&index) => {
                    let known = &self.fields[index];
                    let merged = widen_field(known, field).ok_or_else(|| {
                        let (first, _) = &self.seen[index];
                        disagree(known, first, field, file)
                    })?;
                    if merged.data_type() != known.data_type()
                        && merged.data_type() == field.data_type()
                    {
                        file.clone_into(&mut self.seen[index].0);
                    }
                    self.fields[index] = merged;
                    self.seen[index].1 += 1;
                }
            }
        }
        match &mut self.metadata {
            None => self.metadata = Some(schema.metadata().clone()),
            // What differs between files says something about a file, not about the data.
            Some(kept) => kept.retain(|key, value| schema.metadata().get(key) == Some(value)),
        }
        self.files += 1;
        self.last = Some(Arc::clone(schema));
        Ok(())
    }

    /// The schema that all files fit into.
    pub(crate) fn finish(self) -> SchemaRef {
        let fields: Vec<FieldRef> = self
            .fields
            .into_iter()
            .zip(&self.seen)
            .map(|(field, (_, seen))| {
                if *seen == self.files || field.is_nullable() {
                    field
                } else {
                    Arc::new(field.as_ref().clone().with_nullable(true))
                }
            })
            .collect();
        Arc::new(Schema::new_with_metadata(
            fields,
            self.metadata.unwrap_or_default(),
        ))
    }
}

/// Two columns that have one name, if there are any.
fn namesakes(fields: &Fields) -> Option<(usize, usize)> {
    let mut places = HashMap::with_capacity(fields.len());
    fields
        .iter()
        .enumerate()
        .find_map(|(at, field)| Some((places.insert(field.name(), at)?, at)))
}

/// Columns are told apart by name, so one of two namesakes would be lost.
fn twice(file: &str, name: &str, one: usize, other: usize) -> Fault {
    Fault::new(
        code::SOURCE_INVALID,
        format!(
            "{file} has two columns {name:?}, the {} and the {}",
            nth(one + 1),
            nth(other + 1)
        ),
    )
    .with("file", file)
    .with("column", name)
    .advise("give one of them another name where the file is written")
}

fn nth(number: usize) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn disagree(known: &Field, first: &str, field: &Field, file: &str) -> Fault {
    Fault::new(
        code::SCHEMA,
        format!(
            "column {:?} is {} in {first}, but {} in {file}",
            field.name(),
            type_name(known.data_type()),
            type_name(field.data_type())
        ),
    )
    .with("column", field.name())
    .with("file", file)
    .advise("read these files as separate entities, or write one of them again with the other type")
}

/// Brings the batches of one file to the plan's schema.
#[derive(Debug)]
pub(crate) struct Fit {
    target: SchemaRef,
    /// For each column of the target, where it comes from; `None` for a column of NULLs.
    columns: Vec<Option<usize>>,
    /// Columns that have one value in the whole file.
    constants: HashMap<String, ArrayRef>,
    same: bool,
}

impl Fit {
    /// From a file's schema to the plan's.
    pub(crate) fn new(source: &SchemaRef, target: &SchemaRef) -> Self {
        let columns = target
            .fields()
            .iter()
            .map(|field| source.index_of(field.name()).ok())
            .collect();
        Self {
            target: Arc::clone(target),
            columns,
            constants: HashMap::new(),
            same: source.fields() == target.fields(),
        }
    }

    /// With the values of columns that the file itself doesn't hold.
    pub(crate) fn with(mut self, constants: HashMap<String, ArrayRef>) -> Self {
        self.constants = constants;
        self
    }

    /// Whether nothing has to be done.
    pub(crate) fn is_same(&self) -> bool {
        self.same
    }

    /// Casts a batch.
    pub(crate) fn apply(&self, batch: &RecordBatch, file: &str) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let columns = self
            .columns
            .iter()
            .zip(self.target.fields())
            .map(|(index, field)| match index {
                Some(index) => cast(batch.column(*index), field.data_type()).map_err(|why| {
                    Fault::new(
                        code::SCHEMA,
                        format!(
                            "{file}: column {:?} can't become {}: {why}",
                            field.name(),
                            type_name(field.data_type())
                        ),
                    )
                    .with("file", file)
                    .with("column", field.name())
                }),
                None => match self.constants.get(field.name()) {
                    Some(value) => partition::repeat(value, rows)
                        .map_err(|e| Fault::internal(format!("a value can't be repeated: {e}"))),
                    None => Ok(new_null_array(field.data_type(), rows)),
                },
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.target), columns, &options).map_err(
            |error| {
                Fault::new(code::SOURCE_INVALID, format!("{file}: {}", said(&error)))
                    .with("file", file)
            },
        )
    }
}

/// Arrow's words without the names of error types in front.
pub(crate) fn said(error: &arrow_schema::ArrowError) -> String {
    crate::parquet::words(&error.to_string()).to_owned()
}

/// Casts by name where types nest. What doesn't fit fails.
pub(crate) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    cast_by_name(array, to).map_err(|error| said(&error))
}
