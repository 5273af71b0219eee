//! Values at the ends of a range: read from the server in full precision, and handed back as
//! parameters of the column's own type, so that an index on it can be used and no text is
//! compared.

use hygge_core::{Fault, Result, WatermarkType, code};
use mssql_tds::datatypes::column_values::{
    SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlSmallDateTime, SqlTime,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::sqltypes::SqlType as Parameter;
use tiberius::ColumnData;

use crate::types::{SqlType, Times, Unit};

/// Days from 0001-01-01 to 1970-01-01, and from 1900-01-01.
const FROM_YEAR_1: i128 = 719_162;
const FROM_1900: i128 = 25_567;
/// The last day there is, 9999-12-31, from 0001-01-01.
const LAST_DAY: i128 = 3_652_058;
/// Ticks of 100 ns in a day.
const DAY: i128 = 864_000_000_000;

/// Which end of a range a value is; both are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Low,
    High,
}

/// The watermark type that a column of that type has, as its Arrow type says.
pub(crate) fn kind(column: &str, sql_type: SqlType, unit: Unit) -> Result<WatermarkType> {
    if matches!(sql_type, SqlType::Money | SqlType::SmallMoney) {
        return Err(Fault::new(
            code::CONFIG,
            format!("column {column:?} is {sql_type}, which can't be followed or split by"),
        )
        .with("column", column)
        .advise("follow a column that is a whole number, decimal, date or time, or a rowversion"));
    }
    let times = Times {
        unit,
        offsets: false,
    };
    WatermarkType::of(column, &sql_type.arrow(times))
}

/// A cell as an ordinal of [`kind`]; the outer none when it can't be one.
pub(crate) fn ordinal(
    cell: &ColumnData<'_>,
    sql_type: SqlType,
    unit: Unit,
) -> Option<Option<i128>> {
    let ticks = |ticks: i128| match unit {
        Unit::Micro => ticks.div_euclid(10),
        Unit::Nano => ticks * 100,
    };
    Some(match cell {
        ColumnData::U8(n) => n.map(i128::from),
        ColumnData::I16(n) => n.map(i128::from),
        ColumnData::I32(n) => n.map(i128::from),
        ColumnData::I64(n) => n.map(i128::from),
        ColumnData::Numeric(n) => n.map(tiberius::numeric::Numeric::value),
        ColumnData::Date(d) => d.map(|d| i128::from(d.days()) - FROM_YEAR_1),
        ColumnData::DateTime(d) => d.map(|d| {
            let day = i128::from(d.days()) - FROM_1900;
            day * DAY / 10 + i128::from(millis(i64::from(d.seconds_fragments()))) * 1_000
        }),
        ColumnData::SmallDateTime(d) => d.map(|d| {
            let day = i128::from(d.days()) - FROM_1900;
            day * DAY / 10 + i128::from(d.seconds_fragments()) * 60_000_000
        }),
        ColumnData::DateTime2(d) => d.map(|d| ticks(moment(d.date().days(), d.time()))),
        ColumnData::DateTimeOffset(d) => {
            d.map(|d| ticks(moment(d.datetime2().date().days(), d.datetime2().time())))
        }
        ColumnData::Binary(bytes) if sql_type == SqlType::RowVersion => match bytes {
            None => None,
            Some(bytes) => {
                let bytes = <[u8; 8]>::try_from(bytes.as_ref()).ok()?;
                Some(i128::from(u64::from_be_bytes(bytes)))
            }
        },
        _ => return None,
    })
}

fn moment(days: u32, time: tiberius::time::Time) -> i128 {
    let scale = 7_u32.saturating_sub(u32::from(time.scale()));
    let ticks = i128::from(time.increments()) * 10_i128.pow(scale);
    (i128::from(days) - FROM_YEAR_1) * DAY + ticks
}

/// A tick of `datetime`, 1/300 s, as the whole milliseconds SQL Server shows.
fn millis(tick: i64) -> i64 {
    (tick * 10 + 1) / 3
}

/// An ordinal as a parameter of the column's type. One that lies outside of what the type can
/// hold is moved to the type's own end.
pub(crate) fn parameter(
    ordinal: i128,
    from: WatermarkType,
    sql_type: SqlType,
    end: End,
) -> Result<Parameter> {
    let unfit = || {
        Fault::new(
            code::SCHEMA,
            format!(
                "a watermark of type {from} can't be compared with a column of type {sql_type}"
            ),
        )
        .advise("run it once with `--full`")
    };
    let whole = matches!(from, WatermarkType::Integer);
    Ok(match (sql_type, from) {
        (SqlType::TinyInt, _) if whole => Parameter::TinyInt(Some(clamp(ordinal))),
        (SqlType::SmallInt, _) if whole => Parameter::SmallInt(Some(clamp(ordinal))),
        (SqlType::Int, _) if whole => Parameter::Int(Some(clamp(ordinal))),
        (SqlType::BigInt, _) if whole => Parameter::BigInt(Some(clamp(ordinal))),
        (SqlType::RowVersion, _) if whole => {
            let version: u64 = clamp(ordinal);
            Parameter::Binary(Some(version.to_be_bytes().to_vec()), 8)
        }
        (SqlType::Decimal { precision, scale }, WatermarkType::Decimal { scale: of }) => {
            let value = rescale(ordinal, of, scale, end).ok_or_else(unfit)?;
            let most = 10_u128.pow(u32::from(precision)) - 1;
            let magnitude = value.unsigned_abs().min(most);
            Parameter::Decimal(Some(DecimalParts::new(
                value >= 0,
                precision,
                scale,
                magnitude,
            )))
        }
        (SqlType::Money | SqlType::SmallMoney, WatermarkType::Decimal { scale: of }) => {
            let value = rescale(ordinal, of, 4, end).ok_or_else(unfit)?;
            let magnitude = value.unsigned_abs().min(10_u128.pow(19) - 1);
            Parameter::Decimal(Some(DecimalParts::new(value >= 0, 19, 4, magnitude)))
        }
        (SqlType::Date, WatermarkType::Date) => Parameter::Date(Some(date(ordinal)?)),
        (
            SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_),
            WatermarkType::Timestamp { per_second, .. },
        ) => {
            let unit = 10_000_000_i128;
            let per_second = i128::from(per_second);
            // What is finer than the watermark's unit belongs to it: up to the next one's start.
            let ticks = match end {
                End::Low => (ordinal.saturating_mul(unit)).div_euclid(per_second),
                End::High => {
                    (ordinal.saturating_add(1))
                        .saturating_mul(unit)
                        .div_euclid(per_second)
                        - 1
                }
            };
            time(ticks, sql_type, end)
        }
        _ => return Err(unfit()),
    })
}

fn clamp<T: TryFrom<i128> + Bounded>(value: i128) -> T {
    T::try_from(value).unwrap_or(if value < 0 { T::LEAST } else { T::MOST })
}

/// The ends of a type.
trait Bounded {
    const LEAST: Self;
    const MOST: Self;
}

macro_rules! bounded {
    ($($name:ident)*) => {
        $(impl Bounded for $name {
            const LEAST: Self = Self::MIN;
            const MOST: Self = Self::MAX;
        })*
    };
}

bounded!(u8 i16 i32 i64 u64);

/// The nearest value within the range that has `to` digits behind the point.
fn rescale(value: i128, from: u8, to: u8, end: End) -> Option<i128> {
    if to >= from {
        return value.checked_mul(10_i128.checked_pow(u32::from(to - from))?);
    }
    let by = 10_i128.checked_pow(u32::from(from - to))?;
    let down = value.div_euclid(by);
    let exact = value.rem_euclid(by) == 0;
    Some(if exact || end == End::High {
        down
    } else {
        down + 1
    })
}

fn date(days: i128) -> Result<SqlDate> {
    let days = (days + FROM_YEAR_1).clamp(0, LAST_DAY);
    let days = u32::try_from(days).unwrap_or_default();
    SqlDate::create(days).map_err(|error| Fault::internal(error.to_string()))
}

/// A moment, in ticks of 100 ns since 1970, as the column's type: the first value at or after it
/// for a low end, the last at or before it for a high one.
fn time(ticks: i128, sql_type: SqlType, end: End) -> Parameter {
    let (first, last) = match sql_type {
        SqlType::DateTime => (-53_690, LAST_DAY - 693_595),
        SqlType::SmallDateTime => (0, 65_535),
        _ => (-693_595, LAST_DAY - 693_595),
    };
    // Days since 1900 and ticks within the day.
    let mut day = ticks.div_euclid(DAY) + FROM_1900;
    let mut within = ticks.rem_euclid(DAY);
    if day < first {
        (day, within) = (first, 0);
    } else if day > last {
        (day, within) = (last, DAY - 1);
    }
    // The steps a type counts in, and where within the day the value lies.
    let step = |size: i128, within: i128| match end {
        End::Low => (within + size - 1).div_euclid(size),
        End::High => within.div_euclid(size),
    };
    match sql_type {
        SqlType::SmallDateTime => {
            let mut minutes = step(600_000_000, within);
            if minutes == 1_440 && day < last {
                (day, minutes) = (day + 1, 0);
            }
            Parameter::SmallDateTime(Some(SqlSmallDateTime {
                days: u16::try_from(day).unwrap_or_default(),
                time: u16::try_from(minutes.min(1_439)).unwrap_or_default(),
            }))
        }
        SqlType::DateTime => {
            let mut tick = fragment(step(10_000, within), end);
            if tick == 25_920_000 && day < last {
                (day, tick) = (day + 1, 0);
            }
            Parameter::DateTime(Some(SqlDateTime {
                days: i32::try_from(day).unwrap_or_default(),
                time: u32::try_from(tick.min(25_919_999)).unwrap_or_default(),
            }))
        }
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => {
            let size = 10_i128.pow(u32::from(7 - scale.min(7)));
            let mut steps = step(size, within);
            let whole_day = DAY / size;
            if steps == whole_day {
                if day < last {
                    (day, steps) = (day + 1, 0);
                } else {
                    steps = whole_day - 1;
                }
            }
            let moment = SqlDateTime2 {
                days: u32::try_from(day + 693_595).unwrap_or_default(),
                time: SqlTime {
                    // The driver counts ticks of 100 ns here, whatever the name says.
                    time_nanoseconds: u64::try_from(steps * size).unwrap_or_default(),
                    scale: scale.min(7),
                },
            };
            match sql_type {
                SqlType::DateTimeOffset(_) => Parameter::DateTimeOffset(Some(SqlDateTimeOffset {
                    datetime2: moment,
                    offset: 0,
                })),
                _ => Parameter::DateTime2(Some(moment)),
            }
        }
        _ => Parameter::DateTime2(None),
    }
}

/// The tick of `datetime` nearest to that millisecond of a day, from within the range.
fn fragment(millisecond: i128, end: End) -> i128 {
    let shown = |tick: i128| (tick * 10 + 1).div_euclid(3);
    let mut tick = millisecond * 3 / 10;
    match end {
        End::Low => {
            while shown(tick) < millisecond {
                tick += 1;
            }
        }
        End::High => {
            tick += 1;
            while shown(tick) > millisecond {
                tick -= 1;
            }
        }
    }
    tick
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MICROS: WatermarkType = WatermarkType::Timestamp {
        per_second: 1_000_000,
        utc: false,
    };

    fn datetime(ordinal: i128, end: End) -> (i32, u32) {
        match parameter(ordinal, MICROS, SqlType::DateTime, end) {
            Ok(Parameter::DateTime(Some(value))) => (value.days, value.time),
            other => panic!("{other:?}"),
        }
    }

    fn datetime2(ordinal: i128, scale: u8, end: End) -> i128 {
        match parameter(ordinal, MICROS, SqlType::DateTime2(scale), end) {
            Ok(Parameter::DateTime2(Some(value))) => {
                (i128::from(value.days) - FROM_YEAR_1) * DAY
                    + i128::from(value.time.time_nanoseconds)
            }
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        /// What a `datetime` was read as finds exactly its own row, from either end.
        #[test]
        fn a_datetime_is_found_again(days in -53_690_i32..2_958_463, time in 0_u32..25_920_000) {
            let cell = ColumnData::DateTime(Some(tiberius::time::DateTime::new(days, time)));
            let read = ordinal(&cell, SqlType::DateTime, Unit::Micro).unwrap().unwrap();
            prop_assert_eq!(datetime(read, End::Low), (days, time));
            prop_assert_eq!(datetime(read, End::High), (days, time));
        }

        /// A value is within a range of watermarks exactly when its own watermark is.
        #[test]
        fn bounds_agree_with_what_was_read(ticks in 0_i64..100_000_000, low in 0_i64..10_000_000, scale in 0_u8..=7) {
            let size = 10_i128.pow(u32::from(7 - scale));
            let value = i128::from(ticks).div_euclid(size) * size;
            let read = value.div_euclid(10);
            prop_assert_eq!(value >= datetime2(low.into(), scale, End::Low), read >= i128::from(low));
            prop_assert_eq!(value <= datetime2(low.into(), scale, End::High), read <= i128::from(low));
        }
    }

    #[test]
    fn what_lies_outside_a_type_is_moved_to_its_end() {
        assert_eq!(datetime(-100_000_000_000_000_000, End::Low), (-53_690, 0));
        let tiny = parameter(-5, WatermarkType::Integer, SqlType::TinyInt, End::Low);
        assert!(matches!(tiny, Ok(Parameter::TinyInt(Some(0)))));
        assert!(parameter(1, WatermarkType::Integer, SqlType::Date, End::Low).is_err());
    }

    #[test]
    fn a_rowversion_counts_as_a_number() {
        let cell = ColumnData::Binary(Some(vec![0, 0, 0, 0, 0, 0, 7, 209].into()));
        assert_eq!(
            ordinal(&cell, SqlType::RowVersion, Unit::Micro),
            Some(Some(2001))
        );
    }
}
