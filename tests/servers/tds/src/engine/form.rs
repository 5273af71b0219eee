//! Values as `SQLite` sees them: in forms that it compares as SQL Server would.
//!
//! | type | in SQLite |
//! |---|---|
//! | integers, bit | INTEGER |
//! | real, float | REAL |
//! | decimal, numeric, money | BLOB of 32 bytes, in order whatever the scale |
//! | texts, xml | TEXT, compared by one of three collations |
//! | binaries, rowversion, hierarchyid, geometry, geography | BLOB |
//! | date, datetime, smalldatetime, datetime2, time | INTEGER, ticks of 100 ns |
//! | datetimeoffset | TEXT: 19 digits of ticks in UTC, then the offset, which doesn't count |
//! | uniqueidentifier | BLOB, its bytes in the order of their weight |
//! | `sql_variant` | BLOB, as on the wire; compares for equality only |

use rusqlite::types::{ToSqlOutput, Value as Plain, ValueRef};

use crate::fault::{Result, SqlError};
use crate::types::{Decimal, Kind, SqlType, Value, clock, variant};

/// Bytes of a guid from the one that weighs most: the last six, then backwards by groups.
const WEIGHT: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
/// Added to an offset so that it is never negative.
const SHIFT: i64 = 1000;

pub(crate) fn to_sqlite(value: &Value) -> Result<ToSqlOutput<'_>> {
    let plain = match value {
        Value::Null => Plain::Null,
        Value::Int(number) | Value::Time(number) | Value::Moment(number) => Plain::Integer(*number),
        Value::Real(number) => Plain::Real(f64::from(*number)),
        Value::Float(number) => Plain::Real(*number),
        Value::Decimal(number) => Plain::Blob(number.sortable().to_vec()),
        Value::Text(text) => return Ok(ToSqlOutput::Borrowed(ValueRef::Text(text))),
        Value::Bytes(bytes) => return Ok(ToSqlOutput::Borrowed(ValueRef::Blob(bytes))),
        Value::Date(day) => Plain::Integer(day * clock::DAY),
        Value::Offset(utc, minutes) => {
            Plain::Text(format!("{utc:019}{:04}", i64::from(*minutes) + SHIFT))
        }
        Value::Guid(bytes) => Plain::Blob(WEIGHT.iter().map(|at| bytes[*at]).collect()),
        Value::Variant(_) => Plain::Blob(variant::data(value)?),
    };
    Ok(ToSqlOutput::Owned(plain))
}

pub(crate) fn from_sqlite(value: ValueRef<'_>, ty: &SqlType) -> Result<Value> {
    let wrong = || {
        SqlError::broken(format!(
            "SQLite answered {value:?} where the type is {}",
            ty.declared()
        ))
    };
    let too_long = || {
        SqlError::new(
            8115,
            format!(
                "Arithmetic overflow error converting expression to data type {}.",
                ty.name()
            ),
        )
        .state(2)
    };
    Ok(match (ty.kind, value) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Bit, ValueRef::Integer(number)) => Value::bit(number != 0),
        (Kind::TinyInt | Kind::SmallInt | Kind::Int | Kind::BigInt, ValueRef::Integer(number)) => {
            let fits = match ty.kind {
                Kind::TinyInt => u8::try_from(number).is_ok(),
                Kind::SmallInt => i16::try_from(number).is_ok(),
                Kind::Int => i32::try_from(number).is_ok(),
                _ => true,
            };
            if !fits {
                return Err(too_long());
            }
            Value::Int(number)
        }
        // An addition that overflowed 64 bits goes on as a float in SQLite.
        (Kind::TinyInt | Kind::SmallInt | Kind::Int | Kind::BigInt, ValueRef::Real(_)) => {
            return Err(too_long());
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was a real before")]
        (Kind::Real, ValueRef::Real(number)) => Value::Real(number as f32),
        (Kind::Float, ValueRef::Real(number)) => Value::Float(number),
        #[expect(clippy::cast_precision_loss, reason = "the nearest float")]
        (Kind::Float, ValueRef::Integer(number)) => Value::Float(number as f64),
        (Kind::Decimal | Kind::Numeric | Kind::Money | Kind::SmallMoney, ValueRef::Blob(bytes)) => {
            let number = Decimal::from_sortable(bytes, ty.scale).ok_or_else(too_long)?;
            if !ty.is_money() && !number.fits(ty.precision) {
                return Err(too_long());
            }
            Value::Decimal(number)
        }
        (Kind::Date, ValueRef::Integer(ticks)) => Value::Date(ticks.div_euclid(clock::DAY)),
        (Kind::Time, ValueRef::Integer(ticks)) => Value::Time(ticks),
        (Kind::DateTime | Kind::SmallDateTime | Kind::DateTime2, ValueRef::Integer(ticks)) => {
            Value::Moment(ticks)
        }
        (Kind::DateTimeOffset, ValueRef::Text(text)) => {
            let text = std::str::from_utf8(text)
                .ok()
                .filter(|text| text.len() == 23)
                .ok_or_else(wrong)?;
            let offset = text[19..].parse::<i64>().map_err(|_| wrong())? - SHIFT;
            Value::Offset(
                text[..19].parse().map_err(|_| wrong())?,
                i16::try_from(offset).map_err(|_| wrong())?,
            )
        }
        (Kind::UniqueIdentifier, ValueRef::Blob(bytes)) if bytes.len() == 16 => {
            let mut guid = [0; 16];
            for (from, to) in WEIGHT.iter().enumerate() {
                guid[*to] = bytes[from];
            }
            Value::Guid(guid)
        }
        (Kind::Variant, ValueRef::Blob(bytes)) => variant::parse(bytes)?,
        (_, ValueRef::Text(text)) if ty.is_text() => Value::Text(text.to_vec()),
        (_, ValueRef::Blob(bytes)) if ty.is_binary() => Value::Bytes(bytes.to_vec()),
        _ => return Err(wrong()),
    })
}

/// The digits of a datetimeoffset that count.
pub(crate) const OFFSET_DIGITS: usize = 19;
