//! Arrow columns as the rows of an INSERT BULK, byte for byte.
//!
//! Measured, and why it is our own: what both drivers offer takes a value at a time in an enum of
//! their own, and tiberius a list of them for each row. Here a column is matched with its wire
//! form once a batch, and its values are written behind each other into one buffer, which the
//! driver then only cuts into packets.

mod moments;
mod numbers;
mod spans;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use hygge_core::{Fault, Result, code};
use mssql_tds::token::tokens::SqlCollation;

use self::moments::{date, moment, no_offset, time, with_offset};
use self::numbers::{decimal, float, whole};
use self::spans::{bytes, text};
use crate::overflow::OnOverflow;
use crate::types::{Length, SqlType, moment_of};

/// A ROW token; [MS-TDS] 2.2.7.19.
const ROW: u8 = 0xD1;

/// A column as it is staged.
#[derive(Debug, Clone)]
pub(super) struct Staged {
    pub(super) name: String,
    /// The type it is staged as; see [`staged_as`].
    pub(super) sql_type: SqlType,
    /// Of narrow text: the collation, which says the code page.
    pub(super) collation: Option<SqlCollation>,
    /// Whether the destination takes a row without a value.
    pub(super) nullable: bool,
    /// What becomes of a value that doesn't fit.
    pub(super) on_overflow: OnOverflow,
    /// Whether rows are told apart by it, so that `on_overflow` leaves it alone.
    pub(super) key: bool,
    /// Whether its longest value is looked for; it is staged as a `(max)` type then.
    pub(super) measured: bool,
}

/// What is told of a column's values once they are written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// How many didn't fit, and were changed as the column's `on_overflow` says.
    pub(super) unfit: u64,
    /// The longest of a column that is measured, in characters of two bytes, or in bytes.
    pub(super) longest: u64,
}

/// The type a column of that type is staged as: the one that is simplest on the wire, from which
/// the destination's own is reached without loss.
pub(super) fn staged_as(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Char(n) => SqlType::VarChar(Length::Of(n)),
        SqlType::NChar(n) => SqlType::NVarChar(Length::Of(n)),
        SqlType::Binary(n) => SqlType::VarBinary(Length::Of(n)),
        SqlType::Text => SqlType::VarChar(Length::Max),
        SqlType::NText | SqlType::Xml | SqlType::Json | SqlType::Vector(_) => {
            SqlType::NVarChar(Length::Max)
        }
        SqlType::SqlVariant => SqlType::NVarChar(Length::Of(4_000)),
        SqlType::Image | SqlType::HierarchyId | SqlType::Geometry | SqlType::Geography => {
            SqlType::VarBinary(Length::Max)
        }
        other => other,
    }
}

/// Why a value can't be written.
type Wrong = String;

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// As it is.
    Whole,
    /// What of it the column can hold, as was asked for.
    Clipped,
}

impl Fit {
    fn clipped(clipped: bool) -> Self {
        match clipped {
            true => Self::Clipped,
            false => Self::Whole,
        }
    }
}

/// Writes the value of a row; never called for one that is NULL.
type Cell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<Fit, Wrong> + 'a>;

/// Whether values of that Arrow type can be written to a column of that type, as far as their
/// types can tell; single values may still not fit.
pub(crate) fn fits(from: &DataType, to: SqlType) -> Result<(), String> {
    let array = arrow_array::new_empty_array(from);
    let collation = SqlCollation {
        info: 0x0409,
        lcid_language_id: 0x0409,
        col_flags: 0,
        sort_id: 52,
    };
    cell(array.as_ref(), staged_as(to), to, Some(collation), false).map(drop)
}

/// Appends all rows of a batch. `first` is the number of its first row, within its split; with
/// `numbered` it is written in front of each row.
pub(super) fn rows(
    batch: &RecordBatch,
    columns: &[Staged],
    targets: &[SqlType],
    numbered: bool,
    first: u64,
    into: &mut Vec<u8>,
    tally: &mut [Tally],
) -> Result<()> {
    let fault = |name: &str, row: u64, what: &str| {
        Fault::new(
            code::DESTINATION_IO,
            format!("column {name:?}, row {row} of its split: {what}"),
        )
        .with("column", name)
    };
    let mut cells = Vec::with_capacity(columns.len());
    for ((array, column), target) in batch.columns().iter().zip(columns).zip(targets) {
        let clip = column.on_overflow == OnOverflow::Clip;
        let cell = cell(
            array.as_ref(),
            column.sql_type,
            *target,
            column.collation,
            clip,
        )
        .map_err(|what| fault(&column.name, first + 1, &what))?;
        cells.push((array.nulls(), cell, column));
    }
    for row in 0..batch.num_rows() {
        into.push(ROW);
        let number = first + row as u64;
        if numbered {
            into.push(8);
            into.extend_from_slice(&number.to_le_bytes());
        }
        for (at, (nulls, cell, column)) in cells.iter().enumerate() {
            let tally = &mut tally[at];
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                if !column.nullable {
                    let (what, advice) = match column.key {
                        true => ("no value, and rows are told apart by it", NO_KEY),
                        false => (
                            "no value, and the destination's column is NOT NULL",
                            NO_VALUE,
                        ),
                    };
                    return Err(fault(&column.name, number + 1, what).advise(advice));
                }
                null(column.sql_type, into);
                continue;
            }
            let before = into.len();
            match cell(row, into) {
                Ok(Fit::Whole) if column.measured => {
                    let length = length(&into[before..], column.sql_type);
                    tally.longest = tally.longest.max(length);
                }
                Ok(Fit::Whole) => {}
                Ok(Fit::Clipped) => tally.unfit += 1,
                Err(_) if column.on_overflow == OnOverflow::SetNull && column.nullable => {
                    into.truncate(before);
                    null(column.sql_type, into);
                    tally.unfit += 1;
                }
                Err(what) => {
                    let fault = fault(&column.name, number + 1, &what);
                    let (staged, collation) = (column.sql_type, column.collation);
                    let array = batch.column(at).as_ref();
                    let clips = self::cell(array, staged, targets[at], collation, true)
                        .and_then(|cell| cell(row, &mut Vec::new()))
                        .is_ok();
                    return Err(fault.advise(way_out(column, clips)));
                }
            }
        }
    }
    Ok(())
}

/// What can be done about a row without a value.
pub(super) const NO_VALUE: &str =
    "fill the column in the source, or let the destination's column be NULL";

/// The same, where rows are told apart by the column.
const NO_KEY: &str = "fill the column in the source, or leave such rows out";

/// What can be done about a value that doesn't fit; `clips` says whether another one is near.
fn way_out(column: &Staged, clips: bool) -> &'static str {
    match (column.on_overflow, clips) {
        _ if column.key => {
            "rows are told apart by it, so it isn't changed: mend it in the source, or widen the column"
        }
        (OnOverflow::Error, true) if column.nullable => {
            "widen the column, or say `on_overflow: set_null` or `clip` in the store"
        }
        (OnOverflow::Error, true) => "widen the column, or say `on_overflow: clip` in the store",
        (OnOverflow::Error, false) if column.nullable => {
            "mend it in the source, or say `on_overflow: set_null` in the store"
        }
        (OnOverflow::SetNull, true) => "the column takes no NULL: widen it",
        (OnOverflow::Clip, _) => "no other value is near: mend it in the source",
        (OnOverflow::Error | OnOverflow::SetNull, false) => "mend it in the source",
    }
}

/// The length of a value of a `(max)` type, as it stands in front of it.
fn length(cell: &[u8], sql_type: SqlType) -> u64 {
    let bytes = cell.first_chunk().copied().map_or(0, u64::from_le_bytes);
    match sql_type {
        SqlType::NVarChar(_) => bytes / 2,
        _ => bytes,
    }
}

/// NULL, as the type says it; [MS-TDS] 2.2.5.4.
fn null(sql_type: SqlType, into: &mut Vec<u8>) {
    match sql_type {
        SqlType::VarChar(length) | SqlType::NVarChar(length) | SqlType::VarBinary(length) => {
            match length {
                Length::Of(_) => into.extend_from_slice(&u16::MAX.to_le_bytes()),
                Length::Max => into.extend_from_slice(&u64::MAX.to_le_bytes()),
            }
        }
        _ => into.push(0),
    }
}

/// How a column's values are written, or why they can't be.
fn cell<'a>(
    array: &'a dyn Array,
    staged: SqlType,
    target: SqlType,
    collation: Option<SqlCollation>,
    clip: bool,
) -> Result<Cell<'a>, Wrong> {
    macro_rules! whole {
        ($type:ty) => {{
            let values = array.as_primitive::<$type>().values();
            whole(move |row| i128::from(values[row]), staged, clip)
        }};
    }
    macro_rules! moment {
        ($type:ty, $per_second:expr, $utc:expr) => {{
            let values = array.as_primitive::<$type>().values();
            moment(
                move |row| i128::from(values[row]),
                $per_second,
                $utc,
                no_offset,
                staged,
                clip,
            )
        }};
    }
    let found = match array.data_type() {
        DataType::Dictionary(..) => {
            let words = array.as_any_dictionary();
            let inner = cell(words.values().as_ref(), staged, target, collation, clip)?;
            // Without words all is NULL.
            let keys = match words.values().is_empty() {
                true => Vec::new(),
                false => words.normalized_keys(),
            };
            return Ok(Box::new(move |row, into| inner(keys[row], into)));
        }
        DataType::Boolean => {
            let values = array.as_boolean();
            whole(move |row| i128::from(values.value(row)), staged, clip)
        }
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values();
            float(move |row| f64::from(values[row]), true, staged, clip)
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            float(move |row| f64::from(values[row]), true, staged, clip)
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            float(move |row| values[row], false, staged, clip)
        }
        DataType::Decimal32(_, scale) => {
            let values = array.as_primitive::<Decimal32Type>().values();
            decimal(move |row| i128::from(values[row]), *scale, staged, clip)
        }
        DataType::Decimal64(_, scale) => {
            let values = array.as_primitive::<Decimal64Type>().values();
            decimal(move |row| i128::from(values[row]), *scale, staged, clip)
        }
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            decimal(move |row| values[row], *scale, staged, clip)
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            text(
                move |row| values.value(row),
                (staged, target),
                collation,
                clip,
            )
        }
        DataType::LargeUtf8 => {
            let values = array.as_string::<i64>();
            text(
                move |row| values.value(row),
                (staged, target),
                collation,
                clip,
            )
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            bytes(move |row| values.value(row), (staged, target), clip)
        }
        DataType::LargeBinary => {
            let values = array.as_binary::<i64>();
            bytes(move |row| values.value(row), (staged, target), clip)
        }
        DataType::FixedSizeBinary(_) => {
            let values = array.as_fixed_size_binary();
            bytes(move |row| values.value(row), (staged, target), clip)
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            date(move |row| i64::from(values[row]), staged, clip)
        }
        DataType::Date64 => moment!(Date64Type, 1_000, false),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            moment!(TimestampSecondType, 1, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            moment!(TimestampMillisecondType, 1_000, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            moment!(TimestampMicrosecondType, 1_000_000, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            moment!(TimestampNanosecondType, 1_000_000_000, zone.is_some())
        }
        DataType::Time32(TimeUnit::Second) => {
            let values = array.as_primitive::<Time32SecondType>().values();
            time(move |row| i128::from(values[row]), 1, staged, clip)
        }
        DataType::Time32(_) => {
            let values = array.as_primitive::<Time32MillisecondType>().values();
            time(move |row| i128::from(values[row]), 1_000, staged, clip)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let values = array.as_primitive::<Time64MicrosecondType>().values();
            time(move |row| i128::from(values[row]), 1_000_000, staged, clip)
        }
        DataType::Time64(_) => {
            let values = array.as_primitive::<Time64NanosecondType>().values();
            time(
                move |row| i128::from(values[row]),
                1_000_000_000,
                staged,
                clip,
            )
        }
        data_type @ DataType::Struct(_) if moment_of(data_type).is_some() => {
            with_offset(array.as_struct(), staged, clip)
        }
        _ => None,
    };
    found.ok_or_else(|| format!("{} can't be written as {target}", array.data_type()))
}
