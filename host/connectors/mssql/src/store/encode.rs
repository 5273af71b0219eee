//! Arrow columns as the rows of an INSERT BULK, byte for byte.
//!
//! Measured, and why it is our own: what both drivers offer takes a value at a time in an enum of
//! their own, and tiberius a list of them for each row. Here a column is matched with its wire
//! form once a batch, and its values are written behind each other into one buffer, which the
//! driver then only cuts into packets.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use hygge_core::{Fault, Result, code};
use mssql_tds::datatypes::sql_string::encode_narrow;
use mssql_tds::token::tokens::SqlCollation;

use crate::types::{Length, SqlType};

/// A ROW token; [MS-TDS] 2.2.7.19.
const ROW: u8 = 0xD1;

/// Days from 0001-01-01 and from 1900-01-01 to 1970-01-01.
const FROM_YEAR_1: i64 = 719_162;
const FROM_1900: i64 = 25_567;
const LAST_DAY: i64 = 3_652_058;
const DAY: i128 = 864_000_000_000;

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
}

/// The type a column of that type is staged as: the one that is simplest on the wire, from which
/// the destination's own is reached without loss.
pub(super) fn staged_as(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Char(n) => SqlType::VarChar(Length::Of(n)),
        SqlType::NChar(n) => SqlType::NVarChar(Length::Of(n)),
        SqlType::Binary(n) => SqlType::VarBinary(Length::Of(n)),
        SqlType::Text => SqlType::VarChar(Length::Max),
        SqlType::NText | SqlType::Xml | SqlType::Json => SqlType::NVarChar(Length::Max),
        SqlType::SqlVariant => SqlType::NVarChar(Length::Of(4_000)),
        SqlType::Image | SqlType::HierarchyId | SqlType::Geometry | SqlType::Geography => {
            SqlType::VarBinary(Length::Max)
        }
        other => other,
    }
}

/// Why a value can't be written.
type Wrong = String;

/// Writes the value of a row; never called for one that is NULL.
type Cell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), Wrong> + 'a>;

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
    cell(array.as_ref(), staged_as(to), to, Some(collation)).map(drop)
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
        let cell = cell(array.as_ref(), column.sql_type, *target, column.collation)
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
        for (nulls, cell, column) in &cells {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                if !column.nullable {
                    let what = "no value, and the destination's column is NOT NULL";
                    return Err(fault(&column.name, number + 1, what));
                }
                null(column.sql_type, into);
            } else {
                cell(row, into).map_err(|what| fault(&column.name, number + 1, &what))?;
            }
        }
    }
    Ok(())
}

/// The longest text or bytes of each column, in characters of two bytes or in bytes.
pub(super) fn longest(batch: &RecordBatch, so_far: &mut [u64]) {
    for (array, longest) in batch.columns().iter().zip(so_far) {
        let texts = |texts: &mut dyn Iterator<Item = Option<&str>>| {
            texts
                .flatten()
                .map(|text| match text.is_ascii() {
                    true => text.len(),
                    false => text.encode_utf16().count(),
                })
                .max()
        };
        let most = match array.data_type() {
            DataType::Utf8 => texts(&mut array.as_string::<i32>().iter()),
            DataType::LargeUtf8 => texts(&mut array.as_string::<i64>().iter()),
            DataType::Binary => array
                .as_binary::<i32>()
                .iter()
                .flatten()
                .map(<[u8]>::len)
                .max(),
            DataType::LargeBinary => array
                .as_binary::<i64>()
                .iter()
                .flatten()
                .map(<[u8]>::len)
                .max(),
            _ => None,
        };
        *longest = (*longest).max(most.unwrap_or_default() as u64);
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
) -> Result<Cell<'a>, Wrong> {
    macro_rules! whole {
        ($type:ty) => {{
            let values = array.as_primitive::<$type>().values();
            whole(move |row| i128::from(values[row]), staged)
        }};
    }
    macro_rules! moment {
        ($type:ty, $per_second:expr, $utc:expr) => {{
            let values = array.as_primitive::<$type>().values();
            moment(
                move |row| i128::from(values[row]),
                $per_second,
                $utc,
                staged,
            )
        }};
    }
    let found = match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            whole(move |row| i128::from(values.value(row)), staged)
        }
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            float(move |row| f64::from(values[row]), true, staged)
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            float(move |row| values[row], false, staged)
        }
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            decimal(move |row| values[row], *scale, staged)
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            text(move |row| values.value(row), staged, collation)
        }
        DataType::LargeUtf8 => {
            let values = array.as_string::<i64>();
            text(move |row| values.value(row), staged, collation)
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            bytes(move |row| values.value(row), staged)
        }
        DataType::LargeBinary => {
            let values = array.as_binary::<i64>();
            bytes(move |row| values.value(row), staged)
        }
        DataType::FixedSizeBinary(_) => {
            let values = array.as_fixed_size_binary();
            bytes(move |row| values.value(row), staged)
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            date(move |row| i64::from(values[row]), staged)
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
            time(move |row| i128::from(values[row]), 1, staged)
        }
        DataType::Time32(_) => {
            let values = array.as_primitive::<Time32MillisecondType>().values();
            time(move |row| i128::from(values[row]), 1_000, staged)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let values = array.as_primitive::<Time64MicrosecondType>().values();
            time(move |row| i128::from(values[row]), 1_000_000, staged)
        }
        DataType::Time64(_) => {
            let values = array.as_primitive::<Time64NanosecondType>().values();
            time(move |row| i128::from(values[row]), 1_000_000_000, staged)
        }
        _ => None,
    };
    found.ok_or_else(|| format!("{} can't be written as {target}", array.data_type()))
}

/// Whole numbers into whole numbers, truths and decimals.
fn whole<'a>(get: impl Fn(usize) -> i128 + 'a, to: SqlType) -> Option<Cell<'a>> {
    fn int<'a, const N: usize>(
        get: impl Fn(usize) -> i128 + 'a,
        least: i128,
        most: i128,
        to: SqlType,
    ) -> Cell<'a> {
        Box::new(move |row, into| {
            let value = get(row);
            if value < least || value > most {
                return Err(format!("{value} doesn't fit {to}"));
            }
            into.push(u8::try_from(N).unwrap_or_default());
            into.extend_from_slice(&value.to_le_bytes()[..N]);
            Ok(())
        })
    }
    Some(match to {
        SqlType::Bit => int::<1>(get, 0, 1, to),
        SqlType::TinyInt => int::<1>(get, 0, 255, to),
        SqlType::SmallInt => int::<2>(get, i16::MIN.into(), i16::MAX.into(), to),
        SqlType::Int => int::<4>(get, i32::MIN.into(), i32::MAX.into(), to),
        SqlType::BigInt => int::<8>(get, i64::MIN.into(), i64::MAX.into(), to),
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => {
            return decimal(get, 0, to);
        }
        _ => return None,
    })
}

fn float<'a>(get: impl Fn(usize) -> f64 + 'a, single: bool, to: SqlType) -> Option<Cell<'a>> {
    fn finite(value: f64, to: SqlType) -> Result<(), Wrong> {
        match value.is_finite() {
            true => Ok(()),
            false => Err(format!("{value} has no form in {to}")),
        }
    }
    match to {
        SqlType::Float => Some(Box::new(move |row, into| {
            let value = get(row);
            finite(value, to)?;
            into.push(8);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(())
        })),
        SqlType::Real if single => Some(Box::new(move |row, into| {
            let value = get(row);
            finite(value, to)?;
            #[expect(clippy::cast_possible_truncation, reason = "it was a f32 before")]
            let value = value as f32;
            into.push(4);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(())
        })),
        _ => None,
    }
}

/// Decimals of any scale into those of another, exactly.
fn decimal<'a>(get: impl Fn(usize) -> i128 + 'a, from: i8, to: SqlType) -> Option<Cell<'a>> {
    let (precision, scale) = match to {
        SqlType::Decimal { precision, scale } => (precision, scale),
        SqlType::Money => (19, 4),
        SqlType::SmallMoney => (10, 4),
        _ => return None,
    };
    let shift = i32::from(scale) - i32::from(from);
    let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
    let most = 10_i128.checked_pow(u32::from(precision))? - 1;
    let shown = move |value: i128| {
        hygge_core::WatermarkType::Decimal {
            scale: u8::try_from(from).unwrap_or_default(),
        }
        .show(value)
    };
    let scaled = move |value: i128| {
        let scaled = match shift >= 0 {
            true => value.checked_mul(factor),
            false => (value % factor == 0).then_some(value / factor),
        };
        match scaled {
            Some(scaled) if (-most..=most).contains(&scaled) => Ok(scaled),
            _ => Err(format!("{} doesn't fit {to}", shown(value))),
        }
    };
    Some(match to {
        SqlType::Money => Box::new(move |row, into| {
            let value = scaled(get(row))?;
            let Ok(value) = i64::try_from(value) else {
                return Err(format!("{} doesn't fit money", shown(get(row))));
            };
            // The upper half first; [MS-TDS] 2.2.5.5.1.2.
            let bytes = value.to_le_bytes();
            into.push(8);
            into.extend_from_slice(&bytes[4..]);
            into.extend_from_slice(&bytes[..4]);
            Ok(())
        }),
        SqlType::SmallMoney => Box::new(move |row, into| {
            let value = scaled(get(row))?;
            let Ok(value) = i32::try_from(value) else {
                return Err(format!("{} doesn't fit smallmoney", shown(get(row))));
            };
            into.push(4);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(())
        }),
        _ => {
            // One sign byte, and as many words as the precision needs; [MS-TDS] 2.2.5.5.1.6.
            let width = match precision {
                0..=9 => 4_u8,
                10..=19 => 8,
                20..=28 => 12,
                _ => 16,
            };
            Box::new(move |row, into| {
                let value = scaled(get(row))?;
                into.push(width + 1);
                into.push(u8::from(value >= 0));
                let bytes = value.unsigned_abs().to_le_bytes();
                into.extend_from_slice(&bytes[..usize::from(width)]);
                Ok(())
            })
        }
    })
}

fn text<'a>(
    get: impl Fn(usize) -> &'a str + 'a,
    to: SqlType,
    collation: Option<SqlCollation>,
) -> Option<Cell<'a>> {
    match to {
        SqlType::NVarChar(length) => Some(Box::new(move |row, into| {
            spans(length, 2, to, into, |into| {
                let text = get(row);
                into.reserve(text.len() * 2);
                if text.is_ascii() {
                    into.extend(text.bytes().flat_map(|byte| [byte, 0]));
                } else {
                    into.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
                }
                Ok(())
            })
        })),
        SqlType::VarChar(length) => {
            let collation = collation?;
            Some(Box::new(move |row, into| {
                spans(length, 1, to, into, |into| {
                    let text = get(row);
                    if text.is_ascii() {
                        into.extend_from_slice(text.as_bytes());
                        return Ok(());
                    }
                    let narrow = encode_narrow(text, collation);
                    if narrow.had_loss {
                        return Err(format!(
                            "{} has characters that the column's collation has no code for",
                            excerpt(text)
                        ));
                    }
                    into.extend_from_slice(&narrow.bytes);
                    Ok(())
                })
            }))
        }
        SqlType::UniqueIdentifier => Some(Box::new(move |row, into| {
            let text = get(row);
            let Ok(uuid) = tiberius::Uuid::parse_str(text.trim()) else {
                return Err(format!("{} is no uniqueidentifier", excerpt(text)));
            };
            into.push(16);
            into.extend_from_slice(&uuid.to_bytes_le());
            Ok(())
        })),
        _ => None,
    }
}

fn bytes<'a>(get: impl Fn(usize) -> &'a [u8] + 'a, to: SqlType) -> Option<Cell<'a>> {
    match to {
        SqlType::VarBinary(length) => Some(Box::new(move |row, into| {
            spans(length, 1, to, into, |into| {
                into.extend_from_slice(get(row));
                Ok(())
            })
        })),
        // Sixteen bytes in the order of RFC 4122; SQL Server has the first three parts reversed.
        SqlType::UniqueIdentifier => Some(Box::new(move |row, into| {
            let Ok(uuid) = tiberius::Uuid::from_slice(get(row)) else {
                return Err("bytes that aren't the 16 of a uniqueidentifier".to_owned());
            };
            into.push(16);
            into.extend_from_slice(&uuid.to_bytes_le());
            Ok(())
        })),
        _ => None,
    }
}

/// A value of any length, with its length in front; `unit` bytes are one character.
fn spans(
    length: Length,
    unit: usize,
    to: SqlType,
    into: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    let start = into.len();
    match length {
        Length::Of(most) => {
            into.extend_from_slice(&[0; 2]);
            write(into)?;
            let len = into.len() - start - 2;
            if len > usize::from(most) * unit {
                return Err(format!("a value of {} doesn't fit {to}", len / unit));
            }
            let len = u16::try_from(len).map_err(|_| format!("a value doesn't fit {to}"))?;
            into[start..start + 2].copy_from_slice(&len.to_le_bytes());
        }
        // In one chunk, with the length known; [MS-TDS] 2.2.5.2.3.
        Length::Max => {
            into.extend_from_slice(&[0; 12]);
            write(into)?;
            let len = into.len() - start - 12;
            let chunk = i32::try_from(len)
                .map_err(|_| "a value is larger than the 2 GB that SQL Server takes".to_owned())?;
            into[start..start + 8].copy_from_slice(&(len as u64).to_le_bytes());
            into[start + 8..start + 12].copy_from_slice(&chunk.to_le_bytes());
            match len {
                // The end of chunks is itself an empty chunk.
                0 => {}
                _ => into.extend_from_slice(&[0; 4]),
            }
        }
    }
    Ok(())
}

fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn date<'a>(get: impl Fn(usize) -> i64 + 'a, to: SqlType) -> Option<Cell<'a>> {
    match to {
        SqlType::Date => Some(Box::new(move |row, into| {
            let days = get(row).saturating_add(FROM_YEAR_1);
            if !(0..=LAST_DAY).contains(&days) {
                return Err("a date outside the years 1 to 9999".to_owned());
            }
            into.push(3);
            into.extend_from_slice(&days.to_le_bytes()[..3]);
            Ok(())
        })),
        SqlType::DateTime | SqlType::SmallDateTime | SqlType::DateTime2(_) => {
            moment(move |row| i128::from(get(row)) * 86_400, 1, false, to)
        }
        _ => None,
    }
}

/// Ticks of 100 ns; none when there is something finer.
fn ticks(value: i128, per_second: i128) -> Option<i128> {
    let scaled = value * 10_000_000;
    (scaled % per_second == 0).then_some(scaled / per_second)
}

/// A time of day of `scale` digits: steps, and the bytes they take; [MS-TDS] 2.2.5.5.1.8.
fn steps(within: i128, scale: u8, to: SqlType) -> Result<(i128, usize), Wrong> {
    let size = 10_i128.pow(u32::from(7 - scale.min(7)));
    if within % size != 0 {
        return Err(format!(
            "a time with more digits behind the second than {to} has"
        ));
    }
    let width = match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    };
    Ok((within / size, width))
}

fn time<'a>(get: impl Fn(usize) -> i128 + 'a, per_second: i128, to: SqlType) -> Option<Cell<'a>> {
    let SqlType::Time(scale) = to else {
        return None;
    };
    Some(Box::new(move |row, into| {
        let ticks = ticks(get(row), per_second)
            .ok_or_else(|| format!("a time with more digits behind the second than {to} has"))?;
        if !(0..DAY).contains(&ticks) {
            return Err("a time outside of a day".to_owned());
        }
        let (steps, width) = steps(ticks, scale, to)?;
        into.push(u8::try_from(width).unwrap_or_default());
        into.extend_from_slice(&steps.to_le_bytes()[..width]);
        Ok(())
    }))
}

/// Moments. Those with a zone are in UTC: `datetimeoffset` keeps that, the others take the
/// wall clock of UTC.
fn moment<'a>(
    get: impl Fn(usize) -> i128 + 'a,
    per_second: i128,
    utc: bool,
    to: SqlType,
) -> Option<Cell<'a>> {
    let finer = move || format!("a time with more digits behind the second than {to} has");
    let apart = move |row| {
        let ticks = ticks(get(row), per_second).ok_or_else(finer)?;
        Ok::<_, Wrong>((ticks.div_euclid(DAY), ticks.rem_euclid(DAY)))
    };
    Some(match to {
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale)
            if utc || matches!(to, SqlType::DateTime2(_)) =>
        {
            let offset = matches!(to, SqlType::DateTimeOffset(_));
            Box::new(move |row, into| {
                let (day, within) = apart(row)?;
                let day = day + i128::from(FROM_YEAR_1);
                if !(0..=i128::from(LAST_DAY)).contains(&day) {
                    return Err("a moment outside the years 1 to 9999".to_owned());
                }
                let (steps, width) = steps(within, scale, to)?;
                let len = width + 3 + if offset { 2 } else { 0 };
                into.push(u8::try_from(len).unwrap_or_default());
                into.extend_from_slice(&steps.to_le_bytes()[..width]);
                into.extend_from_slice(&day.to_le_bytes()[..3]);
                if offset {
                    into.extend_from_slice(&[0; 2]);
                }
                Ok(())
            })
        }
        SqlType::DateTime => Box::new(move |row, into| {
            let (day, within) = apart(row)?;
            let day = day + i128::from(FROM_1900);
            let Some(day) = i32::try_from(day)
                .ok()
                .filter(|d| (-53_690..=2_958_463).contains(d))
            else {
                return Err("a moment outside the years 1753 to 9999".to_owned());
            };
            // Exactly what such a column shows: milliseconds that end in 0, 3 or 7.
            let millis = within / 10_000;
            let tick = (millis * 3 + 5) / 10;
            if within % 10_000 != 0 || (tick * 10 + 1) / 3 != millis || tick >= 25_920_000 {
                return Err(
                    "a time that datetime would round: it counts in 1/300 of a second".to_owned(),
                );
            }
            into.push(8);
            into.extend_from_slice(&day.to_le_bytes());
            into.extend_from_slice(&tick.to_le_bytes()[..4]);
            Ok(())
        }),
        SqlType::SmallDateTime => Box::new(move |row, into| {
            let (day, within) = apart(row)?;
            let day = day + i128::from(FROM_1900);
            let Ok(day) = u16::try_from(day) else {
                return Err("a moment outside the years 1900 to 2079".to_owned());
            };
            if within % 600_000_000 != 0 {
                return Err("a time with seconds, which smalldatetime doesn't have".to_owned());
            }
            into.push(4);
            into.extend_from_slice(&day.to_le_bytes());
            into.extend_from_slice(&(within / 600_000_000).to_le_bytes()[..2]);
            Ok(())
        }),
        _ => return None,
    })
}
