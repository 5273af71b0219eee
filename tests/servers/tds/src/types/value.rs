//! One value, and its two byte forms: on the wire, and kept. A kept value stands as on the wire,
//! nullable, with a (max) value in one chunk; so a row that is only looked up is copied, not made.

use super::info::{Declared, Form};
use super::{Decimal, Kind, Layout, SqlType, clock, text, variant};
use crate::fault::{Result, SqlError};
use crate::wire::reader::{Reader, Short};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Real(f32),
    Float(f64),
    Decimal(Decimal),
    /// As [`text`] keeps it.
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    /// Days since the first of year 1.
    Date(i64),
    /// Ticks since midnight.
    Time(i64),
    /// Ticks since the first of year 1; of all the types with a date and a time.
    Moment(i64),
    /// The same in UTC, and minutes that the clock is ahead of it.
    Offset(i64, i16),
    /// As on the wire.
    Guid([u8; 16]),
    Variant(Box<(SqlType, Value)>),
}

const NO_VALUE: u64 = u64::MAX;
/// A text pointer that points nowhere, and a time stamp.
const POINTER: [u8; 25] = [
    16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
];

impl Value {
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().as_bytes().to_vec())
    }

    pub(crate) fn bit(value: bool) -> Self {
        Self::Int(i64::from(value))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// For messages, and where a text is asked for: what it says.
    pub(crate) fn lossy(&self) -> String {
        match self {
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// Where the bytes of a kept value end.
pub(crate) fn skip(ty: &SqlType, reader: &mut Reader<'_>) -> std::result::Result<(), Short> {
    match ty.layout() {
        Layout::Byte => {
            let length = usize::from(reader.u8()?);
            reader.take(length)?;
        }
        Layout::Short => {
            let length = reader.u16()?;
            if length != u16::MAX {
                reader.take(usize::from(length))?;
            }
        }
        Layout::Chunked => {
            if reader.u64()? != NO_VALUE {
                loop {
                    let length = usize::try_from(reader.u32()?).map_err(|_| Short)?;
                    if length == 0 {
                        break;
                    }
                    reader.take(length)?;
                }
            }
        }
        Layout::Pointer => {
            let pointer = usize::from(reader.u8()?);
            if pointer > 0 {
                reader.take(pointer + 8)?;
                let length = usize::try_from(reader.u32()?).map_err(|_| Short)?;
                reader.take(length)?;
            }
        }
        Layout::Long => {
            let length = usize::try_from(reader.u32()?).map_err(|_| Short)?;
            reader.take(length)?;
        }
    }
    Ok(())
}

/// Bytes before the data of a kept value that isn't NULL and whose type can be declared fixed.
pub(crate) const FIXED_PREFIX: usize = 1;

/// The data of a value in a client's message; `None` for NULL.
pub(crate) fn raw<'a>(
    declared: &Declared,
    reader: &mut Reader<'a>,
) -> std::result::Result<Option<std::borrow::Cow<'a, [u8]>>, Short> {
    use std::borrow::Cow;
    match declared.form {
        Form::Null => return Ok(None),
        Form::Fixed(length) => return Ok(Some(Cow::Borrowed(reader.take(usize::from(length))?))),
        Form::Short => {
            let length = usize::from(reader.u8()?);
            return Ok(if length == 0 {
                None
            } else {
                Some(Cow::Borrowed(reader.take(length)?))
            });
        }
        Form::Usual => {}
    }
    Ok(match declared.ty.layout() {
        Layout::Byte => match usize::from(reader.u8()?) {
            0 => None,
            length => Some(Cow::Borrowed(reader.take(length)?)),
        },
        Layout::Short => match reader.u16()? {
            u16::MAX => None,
            length => Some(Cow::Borrowed(reader.take(usize::from(length))?)),
        },
        Layout::Chunked => match reader.u64()? {
            NO_VALUE => None,
            _ => {
                let mut data: Option<Cow<'a, [u8]>> = None;
                loop {
                    let length = usize::try_from(reader.u32()?).map_err(|_| Short)?;
                    if length == 0 {
                        break Some(data.unwrap_or_default());
                    }
                    let chunk = reader.take(length)?;
                    match &mut data {
                        None => data = Some(Cow::Borrowed(chunk)),
                        Some(data) => data.to_mut().extend_from_slice(chunk),
                    }
                }
            }
        },
        Layout::Pointer => match usize::from(reader.u8()?) {
            0 => None,
            pointer => {
                reader.take(pointer + 8)?;
                let length = usize::try_from(reader.u32()?).map_err(|_| Short)?;
                Some(Cow::Borrowed(reader.take(length)?))
            }
        },
        Layout::Long => match usize::try_from(reader.u32()?).map_err(|_| Short)? {
            0 => None,
            length => Some(Cow::Borrowed(reader.take(length)?)),
        },
    })
}

/// The value that stands kept at the reader.
pub(crate) fn read_kept(ty: &SqlType, reader: &mut Reader<'_>) -> Result<Value> {
    let declared = Declared {
        ty: *ty,
        form: Form::Usual,
    };
    match raw(&declared, reader)? {
        None => Ok(Value::Null),
        Some(data) => parse(ty, &data),
    }
}

/// A value from its data, the length and all before it taken off.
pub(crate) fn parse(ty: &SqlType, data: &[u8]) -> Result<Value> {
    let mut reader = Reader::new(data);
    let value = match ty.kind {
        Kind::TinyInt | Kind::Bit => Value::Int(i64::from(reader.u8()?)),
        Kind::SmallInt => Value::Int(i64::from(i16::from_le_bytes(reader.array()?))),
        Kind::Int => Value::Int(i64::from(reader.i32()?)),
        Kind::BigInt => Value::Int(i64::from_le_bytes(reader.array()?)),
        Kind::Real => Value::Real(f32::from_le_bytes(reader.array()?)),
        Kind::Float => Value::Float(f64::from_le_bytes(reader.array()?)),
        Kind::SmallMoney => Value::Decimal(Decimal::new(i128::from(reader.i32()?), 4)),
        Kind::Money => {
            let (high, low) = (reader.i32()?, reader.u32()?);
            Value::Decimal(Decimal::new((i128::from(high) << 32) | i128::from(low), 4))
        }
        Kind::Decimal | Kind::Numeric => {
            let positive = reader.u8()? != 0;
            let rest = reader.take(reader.left())?;
            if rest.len() > 16 {
                return Err(SqlError::protocol("a decimal is too long"));
            }
            let mut bytes = [0; 16];
            bytes[..rest.len()].copy_from_slice(rest);
            let magnitude =
                i128::try_from(u128::from_le_bytes(bytes)).map_err(SqlError::protocol)?;
            let number = Decimal::new(if positive { magnitude } else { -magnitude }, ty.scale);
            if !number.fits(super::decimal::DIGITS) {
                return Err(SqlError::protocol("a decimal has more than 38 digits"));
            }
            Value::Decimal(number)
        }
        Kind::Date => Value::Date(day(&mut reader)?),
        Kind::Time => Value::Time(time(&mut reader, data.len(), ty.scale)?),
        Kind::DateTime2 => {
            let time = time(&mut reader, data.len().saturating_sub(3), ty.scale)?;
            Value::Moment(day(&mut reader)? * clock::DAY + time)
        }
        Kind::DateTimeOffset => {
            let time = time(&mut reader, data.len().saturating_sub(5), ty.scale)?;
            let utc = day(&mut reader)? * clock::DAY + time;
            let offset = i16::from_le_bytes(reader.array()?);
            if offset.unsigned_abs() > 14 * 60 {
                return Err(SqlError::protocol("an offset is more than 14 hours"));
            }
            Value::Offset(utc, offset)
        }
        Kind::DateTime => {
            let (days, units) = (
                i64::from(reader.i32()?) + clock::YEAR_1900,
                i64::from(reader.u32()?),
            );
            if !(639_905..clock::END).contains(&days) || units >= 300 * 86_400 {
                return Err(SqlError::protocol("a datetime is out of its range"));
            }
            Value::Moment(clock::from_threehundredths(days, units))
        }
        Kind::SmallDateTime => {
            let (days, minutes) = (i64::from(reader.u16()?), i64::from(reader.u16()?));
            if minutes >= 1440 {
                return Err(SqlError::protocol("a smalldatetime is out of its range"));
            }
            Value::Moment((days + clock::YEAR_1900) * clock::DAY + minutes * clock::MINUTE)
        }
        Kind::UniqueIdentifier => Value::Guid(reader.array()?),
        Kind::Char | Kind::VarChar | Kind::Text => {
            return Ok(Value::Text(text::from_narrow(data, ty.collation)));
        }
        Kind::NChar | Kind::NVarChar | Kind::NText | Kind::Json | Kind::Vector => {
            if !data.len().is_multiple_of(2) {
                return Err(SqlError::protocol("a text has half a character"));
            }
            return Ok(Value::Text(text::from_utf16(data)));
        }
        Kind::Xml => {
            return Ok(Value::Text(text::from_utf16(
                data.strip_prefix(&[0xFF, 0xFE]).unwrap_or(data),
            )));
        }
        Kind::Binary
        | Kind::VarBinary
        | Kind::Image
        | Kind::RowVersion
        | Kind::HierarchyId
        | Kind::Geometry
        | Kind::Geography => {
            return Ok(Value::Bytes(data.to_vec()));
        }
        Kind::Variant => return variant::parse(data),
    };
    if reader.left() > 0 {
        return Err(SqlError::protocol(format!(
            "a value of the type {} is too long",
            ty.name()
        )));
    }
    Ok(value)
}

fn day(reader: &mut Reader<'_>) -> Result<i64> {
    let [a, b, c] = reader.array()?;
    let day = i64::from(u32::from_le_bytes([a, b, c, 0]));
    if day < clock::END {
        Ok(day)
    } else {
        Err(SqlError::protocol("a date is past the year 9999"))
    }
}

fn time(reader: &mut Reader<'_>, length: usize, scale: u8) -> Result<i64> {
    if !(3..=5).contains(&length) {
        return Err(SqlError::protocol("a time has an odd length"));
    }
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(reader.take(length)?);
    let ticks = i64::from_le_bytes(bytes) * clock::unit(scale);
    if ticks < clock::DAY {
        Ok(ticks)
    } else {
        Err(SqlError::protocol("a time is past midnight"))
    }
}

/// Appends a value in the form that it is kept in. It must be of the type: [`super::convert`] sees
/// to that.
pub(crate) fn put(out: &mut Vec<u8>, ty: &SqlType, value: &Value) -> Result<()> {
    if value.is_null() {
        match ty.layout() {
            Layout::Byte | Layout::Pointer => out.push(0),
            Layout::Short => out.extend(u16::MAX.to_le_bytes()),
            Layout::Chunked => out.extend(NO_VALUE.to_le_bytes()),
            Layout::Long => out.extend(0_u32.to_le_bytes()),
        }
        return Ok(());
    }
    if ty.layout() == Layout::Byte {
        let at = out.len();
        out.push(0);
        put_scalar(out, ty, value)?;
        out[at] = u8::try_from(out.len() - at - 1).map_err(SqlError::broken)?;
        return Ok(());
    }
    let data = data(ty, value)?;
    let long = || {
        u32::try_from(data.len())
            .map_err(|_| SqlError::new(7119, "Attempting to grow LOB beyond maximum allowed size."))
    };
    match ty.layout() {
        Layout::Short => out.extend(
            u16::try_from(data.len())
                .map_err(SqlError::broken)?
                .to_le_bytes(),
        ),
        Layout::Chunked => {
            out.extend(u64::from(long()?).to_le_bytes());
            for chunk in data.chunks(CHUNK) {
                let length = u32::try_from(chunk.len()).map_err(SqlError::broken)?;
                out.extend(length.to_le_bytes());
                out.extend(chunk);
            }
            out.extend(0_u32.to_le_bytes());
            return Ok(());
        }
        Layout::Pointer => {
            out.extend(POINTER);
            out.extend(long()?.to_le_bytes());
        }
        Layout::Long | Layout::Byte => out.extend(long()?.to_le_bytes()),
    }
    out.extend(&data);
    Ok(())
}

/// The most bytes of a chunk of a long value: what ends within a character is right, too.
const CHUNK: usize = 7_777;

/// The bytes of a text, a binary or a variant, without a length.
pub(crate) fn data(ty: &SqlType, value: &Value) -> Result<Vec<u8>> {
    Ok(match (ty.kind, value) {
        (Kind::Char | Kind::VarChar | Kind::Text, Value::Text(text)) => {
            text::to_narrow(text, ty.collation)
        }
        (_, Value::Text(text)) if ty.is_unicode() => text::to_utf16(text),
        (_, Value::Bytes(bytes)) if ty.is_binary() => bytes.clone(),
        (Kind::Variant, value) => variant::data(value)?,
        _ if ty.layout() == Layout::Byte => {
            let mut bytes = Vec::new();
            put_scalar(&mut bytes, ty, value)?;
            bytes
        }
        _ => return Err(mismatch(ty, value)),
    })
}

fn mismatch(ty: &SqlType, value: &Value) -> SqlError {
    SqlError::broken(format!(
        "{value:?} isn't a value of the type {}",
        ty.declared()
    ))
}

/// Appends a value of a fixed length, without that length.
fn put_scalar(out: &mut Vec<u8>, ty: &SqlType, value: &Value) -> Result<()> {
    match (ty.kind, value) {
        (Kind::TinyInt, Value::Int(number)) => {
            out.push(u8::try_from(*number).map_err(|_| mismatch(ty, value))?);
        }
        (Kind::Bit, Value::Int(number)) => out.push(u8::from(*number != 0)),
        (Kind::SmallInt, Value::Int(number)) => out.extend(
            i16::try_from(*number)
                .map_err(|_| mismatch(ty, value))?
                .to_le_bytes(),
        ),
        (Kind::Int, Value::Int(number)) => out.extend(
            i32::try_from(*number)
                .map_err(|_| mismatch(ty, value))?
                .to_le_bytes(),
        ),
        (Kind::BigInt, Value::Int(number)) => out.extend(number.to_le_bytes()),
        (Kind::Real, Value::Real(number)) => out.extend(number.to_le_bytes()),
        (Kind::Float, Value::Float(number)) => out.extend(number.to_le_bytes()),
        (Kind::SmallMoney, Value::Decimal(number)) => {
            let unscaled = number
                .rescale(4)
                .ok_or_else(|| mismatch(ty, value))?
                .unscaled;
            out.extend(
                i32::try_from(unscaled)
                    .map_err(|_| mismatch(ty, value))?
                    .to_le_bytes(),
            );
        }
        (Kind::Money, Value::Decimal(number)) => {
            let unscaled = number
                .rescale(4)
                .ok_or_else(|| mismatch(ty, value))?
                .unscaled;
            let [a, b, c, d, e, f, g, h] = i64::try_from(unscaled)
                .map_err(|_| mismatch(ty, value))?
                .to_le_bytes();
            out.extend([e, f, g, h, a, b, c, d]);
        }
        (Kind::Decimal | Kind::Numeric, Value::Decimal(number)) => {
            let number = number
                .rescale(ty.scale)
                .ok_or_else(|| mismatch(ty, value))?;
            out.push(u8::from(number.unscaled >= 0));
            let length = usize::from(super::decimal::wire_length(ty.precision)) - 1;
            out.extend(&number.unscaled.unsigned_abs().to_le_bytes()[..length]);
        }
        (Kind::Date, Value::Date(day)) => put_day(out, *day),
        (Kind::Time, Value::Time(ticks)) => put_time(out, *ticks, ty.scale),
        (Kind::DateTime2, Value::Moment(ticks)) => {
            put_time(out, ticks.rem_euclid(clock::DAY), ty.scale);
            put_day(out, ticks.div_euclid(clock::DAY));
        }
        (Kind::DateTimeOffset, Value::Offset(utc, minutes)) => {
            put_time(out, utc.rem_euclid(clock::DAY), ty.scale);
            put_day(out, utc.div_euclid(clock::DAY));
            out.extend(minutes.to_le_bytes());
        }
        (Kind::DateTime, Value::Moment(ticks)) => {
            let (mut days, mut units) = (
                ticks.div_euclid(clock::DAY) - clock::YEAR_1900,
                clock::threehundredths(*ticks),
            );
            if units == 300 * 86_400 {
                (days, units) = (days + 1, 0);
            }
            out.extend(
                i32::try_from(days)
                    .map_err(|_| mismatch(ty, value))?
                    .to_le_bytes(),
            );
            out.extend(
                u32::try_from(units)
                    .map_err(|_| mismatch(ty, value))?
                    .to_le_bytes(),
            );
        }
        (Kind::SmallDateTime, Value::Moment(ticks)) => {
            let days = ticks.div_euclid(clock::DAY) - clock::YEAR_1900;
            out.extend(
                u16::try_from(days)
                    .map_err(|_| mismatch(ty, value))?
                    .to_le_bytes(),
            );
            out.extend(
                u16::try_from(ticks.rem_euclid(clock::DAY) / clock::MINUTE)
                    .map_err(|_| mismatch(ty, value))?
                    .to_le_bytes(),
            );
        }
        (Kind::UniqueIdentifier, Value::Guid(bytes)) => out.extend(bytes),
        _ => return Err(mismatch(ty, value)),
    }
    Ok(())
}

fn put_day(out: &mut Vec<u8>, day: i64) {
    out.extend(&day.to_le_bytes()[..3]);
}

fn put_time(out: &mut Vec<u8>, ticks: i64, scale: u8) {
    let units = ticks / clock::unit(scale);
    out.extend(&units.to_le_bytes()[..usize::from(clock::time_length(scale))]);
}
