//! Keys of stored rows, as 128-bit hashes.
//!
//! Rows that come and rows that stand may have a key column in two types. Both are brought to
//! the type that holds every value of either, never one to the other: rounding would make
//! different keys one, and an older row as late as a newer one.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, Schema};
use hygge_core::{Fault, Result, WatermarkType, code, type_name, widen};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use xxhash_rust::xxh3::xxh3_128;

use super::origin::Origin;
use crate::home::cast;

/// The columns rows are merged by. A row's key is the hash of their values in a canonical form;
/// that two different keys of 128 bits agree doesn't happen.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    columns: Arc<[(String, DataType)]>,
    latest: Option<(String, DataType)>,
}

/// One row as a merge sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Its number in its file.
    pub(crate) row: u64,
    /// Its key; none when a key column is NULL.
    pub(crate) key: Option<u128>,
    /// How late it is, NULL before everything.
    pub(crate) latest: i128,
    /// The first key column as a number, where it can be one.
    pub(crate) first: Option<i128>,
}

impl Keys {
    /// For rows of any schema that fits into that one without loss.
    pub(crate) fn new(schema: &Schema, key: &[String], latest: Option<&str>) -> Result<Self> {
        let find = |name: &str| {
            let found = schema.column_with_name(name);
            found
                .map(|(_, field)| plain(field.data_type()))
                .ok_or_else(|| {
                    let names: Vec<&str> =
                        schema.fields().iter().map(|f| f.name().as_str()).collect();
                    Fault::new(code::CONFIG, format!("key column {name:?} is not there"))
                        .with("column", name)
                        .advise(format!("the columns are {}", names.join(", ")))
                })
        };
        let columns = key.iter().map(|name| Ok((name.clone(), find(name)?)));
        let columns = columns.collect::<Result<Vec<_>>>()?.into();
        let latest = match latest {
            Some(name) => {
                let data_type = find(name)?;
                WatermarkType::of(name, &data_type)?;
                Some((name.to_owned(), data_type))
            }
            None => None,
        };
        Ok(Self { columns, latest })
    }

    /// The columns' names.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    /// Looks at every row of some row groups, in order.
    pub(crate) fn scan(
        &self,
        origin: &Origin,
        groups: &[usize],
        mut see: impl FnMut(Seen) -> Result<()>,
    ) -> Result<()> {
        let name = origin.file.name();
        let unreadable = |error: &dyn std::fmt::Display| {
            Fault::new(code::DESTINATION_IO, format!("{name}: {error}")).with("file", name)
        };
        let footer = origin.footer()?;
        let schema = Arc::clone(footer.schema());
        let wanted = self.columns.iter().map(|(name, kind)| (name, kind));
        let latest = self.latest.as_ref().map(|(name, kind)| (name, kind));
        let mut roots = Vec::new();
        for (column, data_type) in wanted.chain(latest) {
            let refused = |why: String| {
                let fault = Fault::new(code::SCHEMA, format!("{name} has {why}"));
                fault
                    .with("file", name)
                    .advise("a run with `--full` writes every file anew")
            };
            let Ok(at) = schema.index_of(column) else {
                let why = format!("no column {column:?}, which rows are merged by");
                return Err(refused(why));
            };
            let stored = plain(schema.field(at).data_type());
            if widen(data_type, &stored).as_ref() != Some(data_type) {
                return Err(refused(format!(
                    "column {column:?}, which rows are merged by, as {}, which doesn't fit into {}",
                    type_name(&stored),
                    type_name(data_type)
                )));
            }
            roots.push(at);
        }
        let starts = origin.starts();
        let mask = ProjectionMask::roots(footer.parquet_schema(), roots);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(origin.file.input().clone(), footer)
                .with_projection(mask)
                .with_row_groups(groups.to_vec())
                .with_batch_size(8192)
                .build()
                .map_err(|error| unreadable(&error))?;
        let mut places = groups
            .iter()
            .flat_map(|group| starts[*group]..starts[*group + 1]);
        let fields = self.columns.iter();
        let fields = fields.map(|(_, data_type)| SortField::new(data_type.clone()));
        let converter = RowConverter::new(fields.collect()).map_err(|error| {
            Fault::new(
                code::CONFIG,
                format!("rows can't be merged by that key: {error}"),
            )
        })?;
        for batch in reader {
            let batch = batch.map_err(|error| unreadable(&error))?;
            self.rows(&batch, &converter, &mut places, &mut see)
                .map_err(|fault| fault.with("file", name))?;
        }
        Ok(())
    }

    fn rows(
        &self,
        batch: &RecordBatch,
        converter: &RowConverter,
        places: &mut impl Iterator<Item = u64>,
        see: &mut impl FnMut(Seen) -> Result<()>,
    ) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| {
            Fault::new(code::SCHEMA, format!("the key can't be compared: {error}"))
        };
        let column = |name: &str, data_type: &DataType| {
            let Some(column) = batch.column_by_name(name) else {
                return Err(Fault::internal(format!("column {name:?} was not read")));
            };
            cast(column, data_type).map_err(|error| failed(&error))
        };
        let columns = self
            .columns
            .iter()
            .map(|(name, data_type)| column(name, data_type))
            .collect::<Result<Vec<_>>>()?;
        let rows = converter
            .convert_columns(&columns)
            .map_err(|error| failed(&error))?;
        let nulls: Vec<_> = columns.iter().filter_map(Array::logical_nulls).collect();
        let first = match (&columns[..], &self.columns[..]) {
            ([first, ..], [(name, data_type), ..])
                if WatermarkType::of(name, data_type).is_ok() =>
            {
                WatermarkType::ordinals(first.as_ref())?
            }
            _ => Vec::new(),
        };
        let latest = match &self.latest {
            Some((name, data_type)) => WatermarkType::ordinals(&column(name, data_type)?)?,
            None => Vec::new(),
        };
        for at in 0..batch.num_rows() {
            let Some(row) = places.next() else {
                return Err(Fault::internal("more rows than the footer says"));
            };
            let null = nulls.iter().any(|nulls| nulls.is_null(at));
            see(Seen {
                row,
                key: (!null).then(|| xxh3_128(rows.row(at).as_ref())),
                latest: latest.get(at).copied().flatten().unwrap_or(i128::MIN),
                first: first.get(at).copied().flatten(),
            })?;
        }
        Ok(())
    }

    /// The row groups in which the first key column may lie in a range; all of them where
    /// statistics don't say.
    pub(crate) fn within(
        &self,
        origin: &Origin,
        range: Option<&RangeInclusive<i128>>,
    ) -> Result<Vec<usize>> {
        let all: Vec<usize> = (0..origin.groups()).collect();
        let (Some(range), Some((name, data_type))) = (range, self.columns.first()) else {
            return Ok(all);
        };
        let footer = origin.footer()?;
        let schema = footer.schema();
        let kinds = schema.column_with_name(name).and_then(|(_, field)| {
            let own = WatermarkType::of(name, field.data_type()).ok()?;
            Some((own, WatermarkType::of(name, data_type).ok()?))
        });
        let Some((own, kind)) = kinds else {
            return Ok(all);
        };
        let groups = footer.metadata().row_groups();
        let bounds =
            StatisticsConverter::try_new(name, schema, footer.parquet_schema()).and_then(|found| {
                Ok((
                    found.row_group_mins(groups)?,
                    found.row_group_maxes(groups)?,
                ))
            });
        let Ok((mins, maxes)) = bounds else {
            return Ok(all);
        };
        let (mins, maxes) = (
            WatermarkType::ordinals(mins.as_ref())?,
            WatermarkType::ordinals(maxes.as_ref())?,
        );
        Ok(all
            .into_iter()
            .filter(|group| match (mins.get(*group), maxes.get(*group)) {
                (Some(Some(min)), Some(Some(max))) => {
                    match (own.convert(*min, kind), own.convert(*max, kind)) {
                        (Some(min), Some(max)) => max >= *range.start() && min <= *range.end(),
                        _ => true,
                    }
                }
                _ => true,
            })
            .collect())
    }
}

/// The type of the values themselves, however they lie in memory.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        other => other.clone(),
    }
}
