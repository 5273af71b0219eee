//! Row groups that can be passed over, by their statistics.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray};
use arrow_schema::{Field, SchemaRef};
use hygge_core::WatermarkType;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type as Physical;

use super::bounds::Low;

/// What planning keeps of a footer: a footer itself may take megabytes, and a folder may have
/// thousands of files.
#[derive(Debug)]
pub(crate) struct Outline {
    pub schema: SchemaRef,
    /// Rows and bytes of each row group.
    pub groups: Vec<(u64, u64)>,
    bounds: Option<Extents>,
}

impl Outline {
    /// Outlines a file; with the column whose bounds will be asked for.
    pub(crate) fn new(footer: &ArrowReaderMetadata, column: Option<&str>) -> Self {
        let groups = footer.metadata().row_groups();
        Self {
            schema: Arc::clone(footer.schema()),
            groups: groups
                .iter()
                .map(|group| {
                    let number = |n| u64::try_from(n).unwrap_or(0);
                    (number(group.num_rows()), number(group.compressed_size()))
                })
                .collect(),
            bounds: column.and_then(|column| greatest_values(footer, column)),
        }
    }

    /// The row groups that may hold rows at or above the bound.
    pub(crate) fn candidates(&self, low: Option<&Low>) -> Vec<usize> {
        not_ruled_out(self.groups.len(), self.bounds.as_ref(), low)
    }

    /// Rows without a value in all others: these are not met by reading.
    pub(crate) fn nulls_ruled_out(&self, low: Option<&Low>) -> u64 {
        let Some((_, extents)) = &self.bounds else {
            return 0;
        };
        let mut read = self.candidates(low).into_iter().peekable();
        let nulls = extents.iter().enumerate().filter_map(|(group, extent)| {
            let ruled_out = read.next_if_eq(&group).is_none();
            ruled_out.then_some(extent.nulls?)
        });
        nulls.sum()
    }

    /// All its rows.
    pub(crate) fn rows(&self) -> u64 {
        self.groups.iter().map(|(rows, _)| rows).sum()
    }
}

/// The row groups of a file that may hold rows at or above the bound: all that its statistics
/// don't rule out.
pub(super) fn candidates(footer: &ArrowReaderMetadata, low: Option<&Low>) -> Vec<usize> {
    let bounds = low.and_then(|low| greatest_values(footer, low.column()));
    not_ruled_out(footer.metadata().num_row_groups(), bounds.as_ref(), low)
}

fn not_ruled_out(groups: usize, bounds: Option<&Extents>, low: Option<&Low>) -> Vec<usize> {
    let (Some((kind, extents)), Some(low)) = (bounds, low) else {
        return (0..groups).collect();
    };
    (0..groups)
        .filter(|&group| {
            // How many rows have no value must be known too: they are left out, but not silently.
            let extent = extents.get(group).filter(|extent| extent.nulls.is_some());
            match extent.map(|extent| &extent.greatest) {
                Some(Greatest::Value(value)) => low.excludes(*kind, *value) != Some(true),
                Some(Greatest::OnlyNulls) => false,
                Some(Greatest::Unknown) | None => true,
            }
        })
        .collect()
}

/// What is known of a column in each row group.
type Extents = (WatermarkType, Vec<Extent>);

#[derive(Debug)]
struct Extent {
    greatest: Greatest,
    /// Rows that have no value there, when that is known.
    nulls: Option<u64>,
}

/// The greatest value of a column in a row group.
#[derive(Debug)]
enum Greatest {
    Value(i128),
    OnlyNulls,
    Unknown,
}

fn greatest_values(footer: &ArrowReaderMetadata, column: &str) -> Option<Extents> {
    let field: &Field = footer.schema().field_with_name(column).ok()?;
    let kind = WatermarkType::of(column, field.data_type()).ok()?;
    let converter =
        StatisticsConverter::try_new(column, footer.schema(), footer.parquet_schema()).ok()?;
    let leaf = converter.parquet_column_index()?;
    let groups = footer.metadata().row_groups();
    let maxes = converter.row_group_maxes(groups).ok()?;
    let mins = converter.row_group_mins(groups).ok()?;
    let exact: BooleanArray = converter.row_group_is_max_value_exact(groups).ok()?;
    let maxes = WatermarkType::ordinals(&maxes).ok()?;
    let mins = WatermarkType::ordinals(&mins).ok()?;
    if maxes.len() != groups.len() || mins.len() != groups.len() {
        return None;
    }
    let greatest = groups
        .iter()
        .enumerate()
        .map(|(n, group)| {
            let column = group.column(leaf);
            let Some(statistics) = column.statistics() else {
                return Extent {
                    greatest: Greatest::Unknown,
                    nulls: None,
                };
            };
            let required = column.column_descr().max_def_level() == 0;
            let nulls = statistics.null_count_opt().or(required.then_some(0));
            let extent = |greatest| Extent { greatest, nulls };
            if nulls.map(i64::try_from) == Some(Ok(group.num_rows())) && group.num_rows() > 0 {
                return extent(Greatest::OnlyNulls);
            }
            // Writers of the deprecated fields compared everything but plain signed integers
            // wrongly, and no one said by which order.
            let physical = statistics.physical_type();
            let signed = matches!(physical, Physical::INT32 | Physical::INT64)
                && !field.data_type().is_unsigned_integer();
            let truncated = exact.is_valid(n) && !exact.value(n);
            if physical == Physical::INT96
                || truncated
                || (statistics.is_min_max_deprecated() && !signed)
            {
                return extent(Greatest::Unknown);
            }
            extent(match (mins[n], maxes[n]) {
                (Some(min), Some(max)) if min <= max => Greatest::Value(max),
                _ => Greatest::Unknown,
            })
        })
        .collect();
    Some((kind, greatest))
}
