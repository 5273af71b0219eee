use std::fmt;
use std::ops::RangeInclusive;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{Fault, Result, code, type_name};

/// How far an incremental entity came: the greatest value of one column that was committed,
/// as text in full precision so that a person can read it in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The column.
    pub column: String,
    /// Its value, written as [`WatermarkType::show`] does.
    pub value: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: WatermarkType,
}

impl Watermark {
    /// The value as a number that orders like it; see [`WatermarkType::ordinal`].
    pub fn ordinal(&self) -> Result<i128> {
        self.kind.ordinal(&self.value)
    }
}

/// What a column of integers can hold, with a sign or without.
const INTEGERS: RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;

/// The types a watermark can have. Every value maps to an `i128` that orders the same: the
/// integer itself, days for a date, ticks since 1970 for a timestamp, the unscaled number for
/// a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WatermarkType {
    /// Any signed or unsigned integer up to 64 bits.
    Integer,
    /// A calendar day.
    Date,
    /// A moment, with the unit's number of ticks a second; `utc` when the column has a zone.
    Timestamp {
        /// Ticks a second: 1, 1,000, 1,000,000 or 1,000,000,000.
        per_second: u32,
        /// Whether the column's values are moments in UTC, not wall-clock times.
        utc: bool,
    },
    /// A decimal with that many digits behind the point.
    Decimal {
        /// Digits behind the point, 0 to 38.
        scale: u8,
    },
}

const WATERMARKS: &str =
    "use an integer, date or timestamp column, or a decimal of up to 38 digits";

const UNTYPED: &str = "use an integer, date or timestamp column, or a decimal of up to 38 digits; of \
                       CSV or NDJSON without a value in it, say its type in the home's `schema`";

impl WatermarkType {
    /// The type for an Arrow column, or why it can't be a watermark.
    pub fn of(column: &str, data_type: &DataType) -> Result<Self> {
        let kind = match data_type {
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Integer,
            DataType::Date32 => Self::Date,
            DataType::Date64 => Self::Timestamp {
                per_second: 1_000,
                utc: false,
            },
            DataType::Timestamp(unit, zone) => Self::Timestamp {
                per_second: match unit {
                    TimeUnit::Second => 1,
                    TimeUnit::Millisecond => 1_000,
                    TimeUnit::Microsecond => 1_000_000,
                    TimeUnit::Nanosecond => 1_000_000_000,
                },
                utc: zone.is_some(),
            },
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
                if *scale >= 0 =>
            {
                Self::Decimal {
                    scale: scale.unsigned_abs(),
                }
            }
            other => {
                return Err(Fault::new(
                    code::CONFIG,
                    format!(
                        "column {column:?} is {}, which can't be a watermark",
                        type_name(other)
                    ),
                )
                .with("column", column)
                .advise(match other {
                    // As a file has it that holds a header and no rows.
                    DataType::Utf8 => UNTYPED,
                    _ => WATERMARKS,
                }));
            }
        };
        Ok(kind)
    }

    /// Every value of a column of this type as its ordinal; `None` for NULL.
    pub fn ordinals(column: &dyn Array) -> Result<Vec<Option<i128>>> {
        fn all<T: ArrowPrimitiveType>(column: &dyn Array) -> Vec<Option<i128>>
        where
            T::Native: Into<i128>,
        {
            let values: &PrimitiveArray<T> = column.as_primitive();
            values.iter().map(|v| v.map(Into::into)).collect()
        }
        Ok(match column.data_type() {
            DataType::Int8 => all::<Int8Type>(column),
            DataType::Int16 => all::<Int16Type>(column),
            DataType::Int32 => all::<Int32Type>(column),
            DataType::Int64 => all::<Int64Type>(column),
            DataType::UInt8 => all::<UInt8Type>(column),
            DataType::UInt16 => all::<UInt16Type>(column),
            DataType::UInt32 => all::<UInt32Type>(column),
            DataType::UInt64 => all::<UInt64Type>(column),
            DataType::Date32 => all::<Date32Type>(column),
            DataType::Date64 => all::<Date64Type>(column),
            DataType::Timestamp(TimeUnit::Second, _) => all::<TimestampSecondType>(column),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                all::<TimestampMillisecondType>(column)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                all::<TimestampMicrosecondType>(column)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => all::<TimestampNanosecondType>(column),
            DataType::Decimal32(..) => all::<Decimal32Type>(column),
            DataType::Decimal64(..) => all::<Decimal64Type>(column),
            DataType::Decimal128(..) => all::<Decimal128Type>(column),
            other => {
                return Err(Fault::internal(format!(
                    "{} column used as a watermark",
                    type_name(other)
                )));
            }
        })
    }

    /// Writes an ordinal as text: `42`, `2013-01-01`, `2013-01-01T05:00:00.123456Z`, `1.2500`.
    pub fn show(self, ordinal: i128) -> String {
        match self {
            Self::Integer => ordinal.to_string(),
            Self::Date => match day(ordinal) {
                Some(date) => date.to_string(),
                None => format!("{ordinal}d"),
            },
            Self::Timestamp { per_second, utc } => {
                let Some(text) = moment(ordinal, per_second) else {
                    return format!("{ordinal}/{per_second}s");
                };
                if utc { format!("{text}Z") } else { text }
            }
            Self::Decimal { scale } => {
                let digits = ordinal.unsigned_abs().to_string();
                let scale = usize::from(scale);
                let padded = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = padded.split_at(padded.len() - scale);
                let sign = if ordinal < 0 { "-" } else { "" };
                if scale == 0 {
                    format!("{sign}{whole}")
                } else {
                    format!("{sign}{whole}.{fraction}")
                }
            }
        }
    }

    /// Reads what [`show`](Self::show) wrote, or what a person typed in the same form.
    pub fn ordinal(self, text: &str) -> Result<i128> {
        let text = text.trim();
        let read = match self {
            Self::Integer => text.parse().ok().filter(|number| INTEGERS.contains(number)),
            Self::Date => match text.strip_suffix('d') {
                Some(days) => days.parse().ok(),
                // A day, and not the day of a moment, whose time would be dropped.
                None if after_date(text).is_some_and(|rest| !rest.is_empty()) => None,
                None => text.parse().ok().and_then(days_since_1970),
            },
            Self::Timestamp { utc: false, .. } if has_offset(text) => {
                return Err(Fault::new(
                    code::STATE,
                    format!("{text:?} has an offset from UTC, and a value of type {self} has none"),
                ));
            }
            Self::Timestamp { per_second, .. } => read_moment(text, per_second),
            Self::Decimal { scale } => read_decimal(text, scale),
        };
        read.ok_or_else(|| {
            Fault::new(
                code::STATE,
                format!("{text:?} is not a value of type {self}"),
            )
        })
    }

    /// The same value in another type of the same family: a timestamp in another unit, a
    /// decimal with more digits, an integer as a decimal. `None` when it doesn't fit exactly,
    /// except that a finer timestamp is rounded down to a coarser unit.
    pub fn convert(self, ordinal: i128, to: Self) -> Option<i128> {
        match (self, to) {
            (Self::Integer, Self::Integer) | (Self::Date, Self::Date) => Some(ordinal),
            (
                Self::Timestamp {
                    per_second: from, ..
                },
                Self::Timestamp { per_second: to, .. },
            ) => Some(ordinal.checked_mul(to.into())?.div_euclid(from.into())),
            (Self::Date, Self::Timestamp { per_second, .. }) => {
                ordinal.checked_mul(86_400)?.checked_mul(per_second.into())
            }
            (Self::Decimal { scale: from }, Self::Decimal { scale: to }) if to >= from => {
                ordinal.checked_mul(10_i128.checked_pow(u32::from(to - from))?)
            }
            (Self::Integer, Self::Decimal { scale }) => {
                ordinal.checked_mul(10_i128.checked_pow(u32::from(scale))?)
            }
            _ => None,
        }
    }
}

impl fmt::Display for WatermarkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer => f.write_str("integer"),
            Self::Date => f.write_str("date"),
            Self::Timestamp { per_second, utc } => {
                let unit = match per_second {
                    1 => "s",
                    1_000 => "ms",
                    1_000_000 => "us",
                    _ => "ns",
                };
                let zone = if *utc { ", utc" } else { "" };
                write!(f, "timestamp[{unit}{zone}]")
            }
            Self::Decimal { scale } => write!(f, "decimal[{scale}]"),
        }
    }
}

impl From<WatermarkType> for String {
    fn from(kind: WatermarkType) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for WatermarkType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inside = |prefix: &str| {
            text.strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('['))
                .and_then(|rest| rest.strip_suffix(']'))
        };
        let unknown = || format!("unknown watermark type {text:?}");
        if let Some(scale) = inside("decimal") {
            let scale = scale.parse().ok().filter(|scale| *scale <= 38);
            let scale = scale.ok_or_else(unknown)?;
            return Ok(Self::Decimal { scale });
        }
        if let Some(rest) = inside("timestamp") {
            let (unit, utc) = match rest.strip_suffix(", utc") {
                Some(unit) => (unit, true),
                None => (rest, false),
            };
            let per_second = match unit {
                "s" => 1,
                "ms" => 1_000,
                "us" => 1_000_000,
                "ns" => 1_000_000_000,
                _ => return Err(unknown()),
            };
            return Ok(Self::Timestamp { per_second, utc });
        }
        match text.as_str() {
            "integer" => Ok(Self::Integer),
            "date" => Ok(Self::Date),
            _ => Err(unknown()),
        }
    }
}

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

fn day(days: i128) -> Option<jiff::civil::Date> {
    let span = jiff::Span::new().try_days(i64::try_from(days).ok()?).ok()?;
    EPOCH.checked_add(span).ok()
}

fn days_since_1970(date: jiff::civil::Date) -> Option<i128> {
    Some(EPOCH.until(date).ok()?.get_days().into())
}

/// `2013-01-01T05:00:00.123456`, with as many digits as the unit has; `None` outside the years
/// -9999 to 9999. By the calendar, since a moment ends a day before the year 9999 does, and the
/// last of that is what many write for "open".
fn moment(ticks: i128, per_second: u32) -> Option<String> {
    let per_second_wide = i128::from(per_second);
    let seconds = ticks.div_euclid(per_second_wide);
    let fraction = ticks.rem_euclid(per_second_wide);
    let date = day(seconds.div_euclid(86_400))?;
    let second = seconds.rem_euclid(86_400);
    let (hours, minutes, second) = (second / 3_600, second / 60 % 60, second % 60);
    let whole = format!("{date}T{hours:02}:{minutes:02}:{second:02}");
    Some(match per_second {
        1 => whole,
        1_000 => format!("{whole}.{fraction:03}"),
        1_000_000 => format!("{whole}.{fraction:06}"),
        _ => format!("{whole}.{fraction:09}"),
    })
}

fn read_moment(text: &str, per_second: u32) -> Option<i128> {
    if let Some((ticks, unit)) = text.strip_suffix('s').and_then(|t| t.split_once('/')) {
        let written: i128 = unit.parse().ok()?;
        let ticks: i128 = ticks.parse().ok()?;
        return ticks
            .checked_mul(per_second.into())?
            .checked_div_euclid(written);
    }
    let wall = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if has_leap_second(wall) {
        return None;
    }
    let nanoseconds = if has_offset(wall) {
        text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()
    } else {
        let civil = wall.parse::<jiff::civil::DateTime>().ok()?;
        let time = civil.time().duration_since(jiff::civil::Time::midnight());
        days_since_1970(civil.date())? * 86_400_000_000_000 + time.as_nanos()
    };
    let ticks = nanoseconds * i128::from(per_second);
    // A digit that the unit has no room for isn't dropped.
    (ticks % 1_000_000_000 == 0).then(|| ticks.div_euclid(1_000_000_000))
}

/// What follows a date, whose year has six digits where it has a sign.
fn after_date(text: &str) -> Option<&str> {
    let date = match text.starts_with(['-', '+']) {
        true => "-000001-01-01",
        false => "2013-01-01",
    };
    text.get(date.len()..)
}

/// Whether something follows the date and time that moves them: `Z`, `+05:00`, `[Asia/Almaty]`.
fn has_offset(text: &str) -> bool {
    after_date(text).is_some_and(|rest| rest.contains(['Z', 'z', '+', '-', '[']))
}

/// Whether the seconds of a moment are 60, which is no moment of its own in any type here: jiff would
/// take it for the second before.
fn has_leap_second(text: &str) -> bool {
    let time = text.split_once(['T', 't', ' ']).map(|(_, time)| time);
    // With colons or without.
    let digits = time.unwrap_or_default().replace(':', "");
    digits.get(4..6) == Some("60")
}

fn read_decimal(text: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::from(scale);
    if fraction.len() > scale || whole.is_empty() {
        return None;
    }
    let all = format!("{whole}{fraction:0<scale$}");
    if !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i128 = all.parse().ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_column_without_values_may_want_its_type_said() {
        let advice = |kind: DataType| WatermarkType::of("a", &kind).unwrap_err().advice.unwrap();
        assert!(advice(DataType::Utf8).contains("`schema`"));
        assert!(!advice(DataType::Boolean).contains("`schema`"));
    }

    fn kinds() -> impl Strategy<Value = WatermarkType> {
        prop_oneof![
            Just(WatermarkType::Integer),
            Just(WatermarkType::Date),
            (
                prop_oneof![
                    Just(1_u32),
                    Just(1_000),
                    Just(1_000_000),
                    Just(1_000_000_000)
                ],
                any::<bool>()
            )
                .prop_map(|(per_second, utc)| WatermarkType::Timestamp { per_second, utc }),
            (0_u8..38).prop_map(|scale| WatermarkType::Decimal { scale }),
        ]
    }

    proptest! {
        #[test]
        fn text_keeps_full_precision(kind in kinds(), ordinal in any::<i64>()) {
            let text = kind.show(ordinal.into());
            prop_assert_eq!(kind.ordinal(&text).unwrap(), i128::from(ordinal), "{}", text);
        }

        #[test]
        fn type_names_read_back(kind in kinds()) {
            prop_assert_eq!(WatermarkType::try_from(kind.to_string()).unwrap(), kind);
        }
    }

    /// Days and moments of all years that a calendar here has, and a little around them.
    fn ticks() -> impl Strategy<Value = (u32, i128)> {
        let days = -4_400_000_i64..3_000_000;
        let unit = prop_oneof![
            Just(1_u32),
            Just(1_000),
            Just(1_000_000),
            Just(1_000_000_000)
        ];
        (days, 0_i64..86_400, unit, 0_u32..1_000_000_000).prop_map(|(day, second, unit, part)| {
            let whole = i128::from(day * 86_400 + second) * i128::from(unit);
            (unit, whole + i128::from(part % unit))
        })
    }

    proptest! {
        #[test]
        fn moments_of_every_year_read_back((per_second, ticks) in ticks(), utc in any::<bool>()) {
            let kind = WatermarkType::Timestamp { per_second, utc };
            let text = kind.show(ticks);
            prop_assert_eq!(kind.ordinal(&text).unwrap(), ticks, "{}", text);
        }

        #[test]
        fn days_of_every_year_read_back(day in -4_400_000_i64..3_000_000) {
            let text = WatermarkType::Date.show(day.into());
            let read = WatermarkType::Date.ordinal(&text).unwrap();
            prop_assert_eq!(read, i128::from(day), "{}", text);
        }
    }

    #[test]
    fn the_last_day_there_is_and_the_first_are_shown_and_read() {
        let both = |per_second, utc, text: &str| {
            let kind = WatermarkType::Timestamp { per_second, utc };
            assert_eq!(kind.show(kind.ordinal(text).unwrap()), text);
        };
        both(1_000_000, false, "9999-12-31T23:59:59.999999");
        both(1_000_000, true, "9999-12-31T23:59:59.999999Z");
        both(1_000, false, "9999-12-31T00:00:00.000");
        both(1, false, "-009999-01-01T00:00:00");
        both(1, true, "-000001-12-31T23:59:59Z");
        let date = WatermarkType::Date;
        let last = date.ordinal("9999-12-31").unwrap();
        assert_eq!(last, 2_932_896);
        assert_eq!(date.show(last), "9999-12-31");
        assert_eq!(date.show(last + 1), "2932897d");
        let seconds = WatermarkType::Timestamp {
            per_second: 1,
            utc: false,
        };
        let beyond = seconds.ordinal("9999-12-31T23:59:59").unwrap() + 1;
        assert_eq!(seconds.show(beyond), "253402300800/1s");
        assert_eq!(seconds.ordinal("253402300800/1s").unwrap(), beyond);
        assert!(seconds.ordinal("1/0s").is_err());
    }

    #[test]
    fn values_read_as_people_write_them() {
        let us = WatermarkType::Timestamp {
            per_second: 1_000_000,
            utc: true,
        };
        assert_eq!(
            us.show(1_356_998_400_000_001),
            "2013-01-01T00:00:00.000001Z"
        );
        assert_eq!(us.ordinal("2013-01-01").unwrap(), 1_356_998_400_000_000);
        assert!(WatermarkType::Date.ordinal("2013-01-01T23:00:00").is_err());
        for leap in [
            "2016-12-31T23:59:60",
            "2016-12-31 23:59:60.5",
            "20161231T235960",
        ] {
            assert!(us.ordinal(leap).is_err(), "{leap}");
        }
        assert!(us.ordinal("2016-12-31T23:59:59.60").is_ok());
        let cents = WatermarkType::Decimal { scale: 2 };
        assert_eq!(cents.show(-5), "-0.05");
        assert_eq!(cents.ordinal("12").unwrap(), 1_200);
        assert!(cents.ordinal("1.234").is_err());
        let integer = |text| WatermarkType::Integer.ordinal(text).is_ok();
        assert!(integer("18446744073709551615") && integer("-9223372036854775808"));
        assert!(!integer("18446744073709551616") && !integer("-9223372036854775809"));
    }

    #[test]
    fn an_offset_from_utc_counts_or_is_refused() {
        let kind = |utc| WatermarkType::Timestamp { per_second: 1, utc };
        for (text, shown) in [
            ("2026-01-01T00:00:00+05:00", "2025-12-31T19:00:00Z"),
            ("2026-01-01 00:00:00-05", "2026-01-01T05:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z"),
        ] {
            let ordinal = kind(true).ordinal(text).unwrap();
            assert_eq!(kind(true).show(ordinal), shown, "{text}");
        }
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+05:00"] {
            let fault = kind(false).ordinal(text).unwrap_err();
            assert!(fault.message.contains("offset from UTC"), "{fault}");
        }
        assert!(
            kind(true).ordinal("2026-01-01+05:00").is_err(),
            "of what time?"
        );
    }

    #[test]
    fn converting_between_units_never_moves_a_watermark_forward() {
        let ms = WatermarkType::Timestamp {
            per_second: 1_000,
            utc: false,
        };
        let us = WatermarkType::Timestamp {
            per_second: 1_000_000,
            utc: false,
        };
        assert_eq!(ms.convert(5, us), Some(5_000));
        assert_eq!(us.convert(5_999, ms), Some(5));
        assert_eq!(us.convert(-1, ms), Some(-1));
        assert_eq!(us.convert(1, WatermarkType::Integer), None);
    }
}
