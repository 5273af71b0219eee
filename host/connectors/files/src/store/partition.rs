//! Tells rows apart by the values of the partition columns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Schema};
use arrow_select::take::take_record_batch;
use hygge_core::{Fault, Result, code, columns_instead, type_name, zone};

use super::name;
use super::record::StagedFile;

/// Splits batches by partition.
#[derive(Debug, Clone)]
pub(crate) struct Partitioner {
    columns: Arc<[(usize, String)]>,
}

impl Partitioner {
    /// For those columns of a schema.
    pub(crate) fn new(schema: &Schema, columns: &[String]) -> Result<Self> {
        let found = columns.iter().map(|name| {
            let Some((at, field)) = schema.column_with_name(name) else {
                return Err(Fault::new(
                    code::CONFIG,
                    format!("partition_by names {name:?}, which is not a column"),
                )
                .with("column", name)
                .advise(columns_instead(name, schema)));
            };
            let binary = matches!(
                field.data_type(),
                DataType::Binary
                    | DataType::LargeBinary
                    | DataType::BinaryView
                    | DataType::FixedSizeBinary(_)
            );
            if field.data_type().is_nested() || binary {
                return Err(Fault::new(
                    code::CONFIG,
                    format!(
                        "column {name:?} is {}, which can't name a folder",
                        type_name(field.data_type())
                    ),
                )
                .with("column", name)
                .advise("partition by columns of text, numbers or dates"));
            }
            Ok((at, name.clone()))
        });
        Ok(Self {
            columns: found.collect::<Result<Vec<_>>>()?.into(),
        })
    }

    /// The rows of every partition, in their order, by the partition's folder.
    pub(crate) fn split(&self, batch: &RecordBatch) -> Result<BTreeMap<String, RecordBatch>> {
        let failed = |error: arrow_schema::ArrowError| {
            Fault::internal(format!("rows can't be partitioned: {error}"))
        };
        let mut keys = vec![String::new(); batch.num_rows()];
        for (at, name) in self.columns.iter() {
            append_segments(&mut keys, batch.column(*at), name).map_err(failed)?;
        }
        let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (row, key) in keys.into_iter().enumerate() {
            let row = u32::try_from(row)
                .map_err(|_| Fault::internal("a batch of more than 4 billion rows"))?;
            match rows.get_mut(&key) {
                Some(rows) => rows.push(row),
                None => {
                    rows.insert(key, vec![row]);
                }
            }
        }
        let segments = rows.keys().flat_map(|key| key.split('/'));
        if let Some(long) = segments.map(str::len).find(|bytes| *bytes > 255) {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!("a partition folder would have a name of {long} bytes"),
            )
            .advise("partition by columns with short values"));
        }
        if rows.len() == 1 {
            return Ok(rows.into_keys().map(|key| (key, batch.clone())).collect());
        }
        rows.into_iter()
            .map(|(key, rows)| {
                let rows = take_record_batch(batch, &UInt32Array::from(rows)).map_err(failed)?;
                Ok((key, rows))
            })
            .collect()
    }
}

/// More files than this may be too many.
const MANY_FILES: usize = 1_000;

/// Less than this on average makes them slow to list and to read.
const TINY_BYTES: u64 = 128 << 10;

/// What is said of a great many files that hold next to nothing: nobody asked for them, and the
/// ways out are a person's to choose.
pub(crate) fn tiny(staged: &[StagedFile]) -> Option<String> {
    let bytes: u64 = staged.iter().map(|file| file.size).sum();
    let average = bytes / (staged.len().max(1) as u64);
    if staged.len() <= MANY_FILES || average >= TINY_BYTES {
        return None;
    }
    let folder = |file: &StagedFile| {
        file.name
            .rsplit_once('/')
            .map(|(folder, _)| folder.to_owned())
    };
    let partitions: BTreeSet<_> = staged.iter().filter_map(folder).collect();
    Some(format!(
        "{} files of {} KiB on average were written for {} partitions: partition by columns with \
         fewer values, bring rows sorted by them, or raise max_open_partitions",
        staged.len(),
        average.div_ceil(1024),
        partitions.len()
    ))
}

fn append_segments(
    keys: &mut [String],
    column: &ArrayRef,
    name: &str,
) -> Result<(), arrow_schema::ArrowError> {
    let format = FormatOptions::new().with_display_error(false);
    let column = &zone::column(column)?;
    let formatter = ArrayFormatter::try_new(column.as_ref(), &format)?;
    // Values repeat, mostly one after the other.
    let mut last: Option<(Option<String>, String)> = None;
    let nulls = column.logical_nulls();
    for (row, key) in keys.iter_mut().enumerate() {
        let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let value = if null {
            None
        } else {
            Some(formatter.value(row).try_to_string()?)
        };
        if !key.is_empty() {
            key.push('/');
        }
        match &last {
            Some((same, segment)) if *same == value => key.push_str(segment),
            _ => {
                let segment = name::partition(name, value.as_deref());
                key.push_str(&segment);
                last = Some((value, segment));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Date32Array, Int64Array, StringArray};

    #[test]
    fn many_tiny_files_are_warned_of() {
        let files = |count: usize, size: u64| -> Vec<StagedFile> {
            let file = |at: usize| StagedFile {
                staged: String::new(),
                name: format!("day={}/part-{at}.parquet", at % 500),
                size,
                rows: 1,
                modified: None,
                hash: None,
            };
            (0..count).map(file).collect()
        };
        assert_eq!(tiny(&[]), None);
        assert_eq!(tiny(&files(1_000, 1)), None);
        assert_eq!(tiny(&files(2_000, 1 << 20)), None);
        assert_eq!(
            tiny(&files(1_500, 2_000)).unwrap(),
            "1500 files of 2 KiB on average were written for 500 partitions: partition by columns \
             with fewer values, bring rows sorted by them, or raise max_open_partitions"
        );
    }

    #[test]
    fn every_row_goes_to_one_partition_in_order() {
        let batch = RecordBatch::try_from_iter_with_nullable([
            (
                "id",
                Arc::new(Int64Array::from_iter_values(0..5)) as ArrayRef,
                true,
            ),
            (
                "day",
                Arc::new(Date32Array::from(vec![
                    Some(0),
                    Some(1),
                    Some(0),
                    None,
                    Some(1),
                ])),
                true,
            ),
            (
                "who",
                Arc::new(StringArray::from(vec!["a", "b/c", "a", "a", "b/c"])),
                true,
            ),
        ])
        .unwrap();
        let columns = ["day".to_owned(), "who".to_owned()];
        let parts = Partitioner::new(&batch.schema(), &columns)
            .unwrap()
            .split(&batch)
            .unwrap();
        let seen: Vec<_> = parts
            .iter()
            .map(|(key, rows)| {
                let ids: &Int64Array = arrow_array::cast::AsArray::as_primitive(rows.column(0));
                (key.as_str(), ids.values().to_vec())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("day=1970-01-01/who=a", vec![0, 2]),
                ("day=1970-01-02/who=b%2Fc", vec![1, 4]),
                ("day=__HIVE_DEFAULT_PARTITION__/who=a", vec![3]),
            ]
        );
        assert!(Partitioner::new(&batch.schema(), &["no".to_owned()]).is_err());
    }
}
