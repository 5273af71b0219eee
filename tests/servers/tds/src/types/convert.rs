//! Values from one type to another, as CAST, CONVERT and assignments do it.

use super::show::{hex, parse_guid, parse_hex, show};
use super::{Decimal, Kind, SqlType, Value, clock, document};
use crate::fault::{Result, SqlError};

/// Whether what is too long is cut (a cast) or refused (an assignment to a column).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Cast,
    Assign,
}

pub(super) fn failed(value: &Value, from: &SqlType, to: &SqlType) -> SqlError {
    if to.is_dated() {
        return SqlError::new(
            241,
            "Conversion failed when converting date and/or time from character string.",
        );
    }
    match to.kind {
        Kind::UniqueIdentifier => SqlError::new(
            8169,
            "Conversion failed when converting from a character string to uniqueidentifier.",
        ),
        Kind::Decimal | Kind::Numeric | Kind::Real | Kind::Float => SqlError::new(
            8114,
            format!(
                "Error converting data type {} to {}.",
                from.name(),
                to.name()
            ),
        )
        .state(5),
        _ => SqlError::new(
            245,
            format!(
                "Conversion failed when converting the {} value '{}' to data type {}.",
                from.name(),
                value.lossy(),
                to.name()
            ),
        ),
    }
}

fn clash(from: &SqlType, to: &SqlType) -> SqlError {
    SqlError::new(
        529,
        format!(
            "Explicit conversion from data type {} to {} is not allowed.",
            from.name(),
            to.name()
        ),
    )
    .state(2)
}

fn overflow(to: &SqlType) -> SqlError {
    SqlError::new(
        8115,
        format!(
            "Arithmetic overflow error converting expression to data type {}.",
            to.name()
        ),
    )
    .state(2)
}

/// A value of one type as one of another.
pub(crate) fn convert(
    value: Value,
    from: &SqlType,
    to: &SqlType,
    style: i64,
    how: How,
) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Value::Variant(inner) = value {
        if to.kind == Kind::Variant {
            return Ok(Value::Variant(inner));
        }
        return convert(inner.1, &inner.0, to, style, how);
    }
    match to.kind {
        Kind::TinyInt | Kind::SmallInt | Kind::Int | Kind::BigInt => integer(&value, from, to),
        Kind::Bit => bit(&value, from, to),
        Kind::Decimal | Kind::Numeric | Kind::Money | Kind::SmallMoney => exact(&value, from, to),
        Kind::Real | Kind::Float => float(&value, from, to),
        Kind::Char
        | Kind::VarChar
        | Kind::NChar
        | Kind::NVarChar
        | Kind::Text
        | Kind::NText
        | Kind::Xml => text(value, from, to, style, how),
        Kind::Json => document::json(&value, from, to),
        Kind::Vector => document::vector(&value, from, to),
        Kind::Binary
        | Kind::VarBinary
        | Kind::Image
        | Kind::RowVersion
        | Kind::HierarchyId
        | Kind::Geometry
        | Kind::Geography => binary(value, from, to, style, how),
        Kind::Date
        | Kind::Time
        | Kind::DateTime
        | Kind::SmallDateTime
        | Kind::DateTime2
        | Kind::DateTimeOffset => moment(&value, from, to),
        Kind::UniqueIdentifier => guid(&value, from, to),
        Kind::Variant => Ok(Value::Variant(Box::new((*from, value)))),
    }
}

fn trimmed(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().to_owned()
}

fn integer(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    let number = match value {
        Value::Int(number) => i128::from(*number),
        Value::Decimal(number) => number.whole(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float past an i128 saturates, which no integer type holds"
        )]
        Value::Float(number) => number.trunc() as i128,
        #[expect(clippy::cast_possible_truncation, reason = "as above")]
        Value::Real(number) => number.trunc() as i128,
        Value::Text(text) => {
            let text = trimmed(text);
            if text.is_empty() {
                0
            } else {
                text.parse().map_err(|_| failed(value, from, to))?
            }
        }
        Value::Bytes(bytes) => {
            let mut number = 0_u64;
            for byte in &bytes[bytes.len().saturating_sub(usize::from(to.length))..] {
                number = (number << 8) | u64::from(*byte);
            }
            // The bits, as they are.
            let bits = 64 - 8 * u32::from(to.length.min(8));
            let signed = if to.kind == Kind::TinyInt {
                i128::from(number)
            } else {
                i128::from((number << bits).cast_signed() >> bits)
            };
            return Ok(Value::Int(i64::try_from(signed).map_err(|_| overflow(to))?));
        }
        _ => return Err(clash(from, to)),
    };
    let (least, most) = match to.kind {
        Kind::TinyInt => (0, 255),
        Kind::SmallInt => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Kind::Int => (i128::from(i32::MIN), i128::from(i32::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    if number < least || number > most {
        return Err(match (value, to.kind) {
            (Value::Text(_), _) => SqlError::new(
                248,
                format!(
                    "The conversion of the {} value '{}' overflowed an int column.",
                    from.name(),
                    value.lossy()
                ),
            ),
            (Value::Int(_), Kind::TinyInt | Kind::SmallInt) => SqlError::new(
                220,
                format!(
                    "Arithmetic overflow error for data type {}, value = {number}.",
                    to.name()
                ),
            )
            .state(2),
            _ => overflow(to),
        });
    }
    Ok(Value::Int(i64::try_from(number).map_err(|_| overflow(to))?))
}

fn bit(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    Ok(Value::bit(match value {
        Value::Int(number) => *number != 0,
        Value::Decimal(number) => number.unscaled != 0,
        Value::Float(number) => *number != 0.0,
        Value::Real(number) => *number != 0.0,
        Value::Bytes(bytes) => bytes.iter().any(|byte| *byte != 0),
        Value::Text(text) => match trimmed(text).to_lowercase().as_str() {
            "true" => true,
            "false" | "" => false,
            other => other.parse::<i64>().map_err(|_| failed(value, from, to))? != 0,
        },
        _ => return Err(clash(from, to)),
    }))
}

/// A float as the exact number that its shortest text says.
fn exactly(number: f64) -> Option<Decimal> {
    Decimal::parse(&format!("{number}"))
}

fn exact(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    let number = match value {
        Value::Int(number) => Some(Decimal::new(i128::from(*number), 0)),
        Value::Decimal(number) => Some(*number),
        Value::Float(number) => exactly(*number),
        Value::Real(number) => exactly(f64::from(*number)),
        Value::Text(text) => {
            let mut text = trimmed(text);
            if to.is_money() {
                text = text.trim_start_matches('$').replace(',', "");
            }
            let number = Decimal::parse(&text).or_else(|| {
                text.parse()
                    .ok()
                    .filter(|_| text.contains(['e', 'E']) && to.is_money())
                    .and_then(exactly)
            });
            Some(number.ok_or_else(|| failed(value, from, to))?)
        }
        _ => return Err(clash(from, to)),
    };
    let number = number
        .and_then(|number| number.rescale(to.scale))
        .ok_or_else(|| overflow(to))?;
    let fits = match to.kind {
        Kind::Money => i64::try_from(number.unscaled).is_ok(),
        Kind::SmallMoney => i32::try_from(number.unscaled).is_ok(),
        _ => number.fits(to.precision),
    };
    if fits {
        Ok(Value::Decimal(number))
    } else {
        Err(overflow(to))
    }
}

fn float(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    if let (Value::Real(number), Kind::Real) = (value, to.kind) {
        return Ok(Value::Real(*number));
    }
    let number = match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the nearest float is what is asked for"
        )]
        Value::Int(number) => *number as f64,
        Value::Decimal(number) => number.to_f64(),
        Value::Float(number) => *number,
        Value::Real(number) => f64::from(*number),
        Value::Text(text) => {
            let text = trimmed(text);
            if text.is_empty() {
                0.0
            } else {
                text.parse::<f64>()
                    .ok()
                    .filter(|number| number.is_finite())
                    .ok_or_else(|| failed(value, from, to))?
            }
        }
        _ => return Err(clash(from, to)),
    };
    if to.kind == Kind::Real {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the nearest real is what is asked for"
        )]
        let real = number as f32;
        return if real.is_finite() {
            Ok(Value::Real(real))
        } else {
            Err(overflow(to))
        };
    }
    Ok(Value::Float(number))
}

fn truncated(value: &str) -> SqlError {
    let shown: String = value.chars().take(40).collect();
    SqlError::new(
        2628,
        format!("String or binary data would be truncated. Truncated value: '{shown}'."),
    )
}

/// Units of a text as the type counts them, and the bytes of the text where they are used up.
fn measure(text: &[u8], to: &SqlType, room: usize) -> (usize, usize) {
    if text.is_ascii() {
        return (text.len(), room.min(text.len()));
    }
    let lossy = String::from_utf8_lossy(text);
    let mut used = 0;
    let mut cut = None;
    let mut at = 0;
    for char in lossy.chars() {
        let mut buffer = [0; 4];
        let width = if to.is_unicode() {
            char.len_utf16()
        } else {
            super::text::to_narrow(char.encode_utf8(&mut buffer).as_bytes(), to.collation).len()
        };
        if used + width > room && cut.is_none() {
            cut = Some(at);
        }
        used += width;
        at += char.len_utf8();
    }
    (used, cut.unwrap_or(text.len()))
}

fn text(value: Value, from: &SqlType, to: &SqlType, style: i64, how: How) -> Result<Value> {
    let mut text = match value {
        Value::Text(text) => text,
        Value::Bytes(bytes) if style == 1 => format!("0x{}", hex(&bytes)).into_bytes(),
        Value::Bytes(bytes) if style == 2 => hex(&bytes).into_bytes(),
        Value::Bytes(bytes) if to.is_unicode() => super::text::from_utf16(&bytes),
        Value::Bytes(bytes) => super::text::from_narrow(&bytes, to.collation),
        other => show(&other, from, style).into_bytes(),
    };
    let was_text = from.is_text();
    // What the code page lacks becomes a question mark, at once and not only on the wire.
    if to.is_narrow() && !text.is_ascii() && !to.collation.is_utf8() {
        text = super::text::from_narrow(&super::text::to_narrow(&text, to.collation), to.collation);
    }
    if let Some(room) = to.capacity() {
        let (used, cut) = measure(&text, to, room);
        if used > room {
            let blank = text[cut..].iter().all(|byte| *byte == b' ');
            if (how == How::Assign && !blank)
                || (!was_text && !from.is_binary() && (how == How::Assign || !from.is_dated()))
            {
                return Err(if was_text || from.is_binary() {
                    truncated(&String::from_utf8_lossy(&text))
                } else {
                    overflow(to)
                });
            }
            text.truncate(cut);
        } else if matches!(to.kind, Kind::Char | Kind::NChar) {
            text.extend(std::iter::repeat_n(b' ', room - used));
        }
    }
    Ok(Value::Text(text))
}

fn binary(value: Value, from: &SqlType, to: &SqlType, style: i64, how: How) -> Result<Value> {
    let mut bytes = match value {
        Value::Bytes(bytes) => bytes,
        Value::Int(number) => {
            let width = usize::from(from.length.min(8));
            number.to_be_bytes()[8 - width..].to_vec()
        }
        Value::Text(text) if style == 1 || style == 2 => {
            let text = String::from_utf8_lossy(&text).into_owned();
            let digits = if style == 1 {
                text.strip_prefix("0x")
                    .or_else(|| text.strip_prefix("0X"))
                    .unwrap_or("?")
            } else {
                &text
            };
            parse_hex(digits).ok_or_else(|| {
                SqlError::new(
                    8114,
                    format!(
                        "Error converting data type {} to {}.",
                        from.name(),
                        to.name()
                    ),
                )
            })?
        }
        Value::Text(text) if from.is_unicode() => super::text::to_utf16(&text),
        Value::Text(text) => super::text::to_narrow(&text, from.collation),
        Value::Guid(bytes) => bytes.to_vec(),
        _ => return Err(clash(from, to)),
    };
    if let Some(room) = to.capacity() {
        if bytes.len() > room {
            if how == How::Assign && bytes[room..].iter().any(|byte| *byte != 0) {
                return Err(truncated(&format!("0x{}", hex(&bytes[..room.min(20)]))));
            }
            // The end of a number counts, the beginning of everything else.
            if from.is_integer() {
                drop(bytes.drain(..bytes.len() - room));
            } else {
                bytes.truncate(room);
            }
        } else if matches!(to.kind, Kind::Binary | Kind::RowVersion) {
            let missing = room - bytes.len();
            if from.is_integer() {
                bytes
                    .splice(..0, std::iter::repeat_n(0, missing))
                    .for_each(drop);
            } else {
                bytes.resize(room, 0);
            }
        }
    }
    Ok(Value::Bytes(bytes))
}

fn moment(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    let (ticks, offset) = match value {
        Value::Date(day) => (day * clock::DAY, None),
        Value::Time(ticks) => (clock::YEAR_1900 * clock::DAY + ticks, None),
        Value::Moment(ticks) => (*ticks, None),
        Value::Offset(utc, minutes) => (
            utc + i64::from(*minutes) * clock::MINUTE,
            Some(i64::from(*minutes)),
        ),
        Value::Text(text) => {
            let found = clock::parse(&String::from_utf8_lossy(text))
                .ok_or_else(|| failed(value, from, to))?;
            (found.ticks, found.offset)
        }
        Value::Int(days) if matches!(to.kind, Kind::DateTime | Kind::SmallDateTime) => (
            days.checked_add(clock::YEAR_1900)
                .and_then(|days| days.checked_mul(clock::DAY))
                .ok_or_else(|| overflow(to))?,
            None,
        ),
        Value::Bytes(_) => return Err(SqlError::unknown("a binary as a date or time")),
        _ => return Err(clash(from, to)),
    };
    let out_of_range = || {
        SqlError::new(242, format!("The conversion of a {} data type to a {} data type resulted in an out-of-range value.", from.name(), to.name())).state(3)
    };
    let in_years = |ticks: i64| {
        if (0..clock::END * clock::DAY).contains(&ticks) {
            Ok(ticks)
        } else {
            Err(out_of_range())
        }
    };
    Ok(match to.kind {
        Kind::Date => Value::Date(in_years(ticks)?.div_euclid(clock::DAY)),
        Kind::Time => {
            let rounded = clock::round(ticks.rem_euclid(clock::DAY), to.scale);
            Value::Time(rounded % clock::DAY)
        }
        Kind::DateTime2 => Value::Moment(in_years(clock::round(ticks, to.scale))?),
        Kind::DateTime => {
            let rounded = in_years(clock::round_datetime(ticks))?;
            // The first of 1753.
            if rounded < 639_905 * clock::DAY {
                return Err(out_of_range());
            }
            Value::Moment(rounded)
        }
        Kind::SmallDateTime => {
            let rounded = (ticks + clock::MINUTE / 2).div_euclid(clock::MINUTE) * clock::MINUTE;
            let days = rounded.div_euclid(clock::DAY) - clock::YEAR_1900;
            if !(0..=65_535).contains(&days) {
                return Err(out_of_range());
            }
            Value::Moment(rounded)
        }
        _ => {
            let minutes = offset.unwrap_or_default();
            let utc = clock::round(ticks, to.scale) - minutes * clock::MINUTE;
            Value::Offset(
                in_years(utc)?,
                i16::try_from(minutes).map_err(|_| out_of_range())?,
            )
        }
    })
}

fn guid(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    Ok(Value::Guid(match value {
        Value::Guid(bytes) => *bytes,
        Value::Text(text) => {
            parse_guid(&String::from_utf8_lossy(text)).ok_or_else(|| failed(value, from, to))?
        }
        Value::Bytes(bytes) => {
            let mut guid = [0; 16];
            let count = bytes.len().min(16);
            guid[..count].copy_from_slice(&bytes[..count]);
            guid
        }
        _ => return Err(clash(from, to)),
    }))
}
