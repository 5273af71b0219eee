//! `sql_variant` (2.2.5.5.4): a value that brings its type.

use super::info::{self};
use super::{Collation, Kind, SqlType, Value, value};
use crate::fault::{Result, SqlError};
use crate::wire::reader::Reader;

/// A value from the data of a variant.
pub(crate) fn parse(data: &[u8]) -> Result<Value> {
    let mut reader = Reader::new(data);
    let token = reader.u8()?;
    let count = usize::from(reader.u8()?);
    let mut properties = Reader::new(reader.take(count)?);
    let ty = match token {
        0x30 | 0x32 | 0x34 | 0x38 | 0x3A..=0x3E | 0x7A | 0x7F => {
            info::read(&mut Reader::new(&[token]))?.ty
        }
        0x24 => SqlType::plain(Kind::UniqueIdentifier),
        0x28 => SqlType::plain(Kind::Date),
        0x29..=0x2B => info::read(&mut Reader::new(&[token, properties.u8()?]))?.ty,
        0x6A | 0x6C => {
            let (precision, scale) = (properties.u8()?, properties.u8()?);
            info::read(&mut Reader::new(&[token, 17, precision, scale]))?.ty
        }
        0xA5 => SqlType::sized(Kind::VarBinary, properties.u16()?),
        0xAD => SqlType::sized(Kind::Binary, properties.u16()?),
        0xA7 | 0xAF | 0xE7 | 0xEF => {
            let collation = Collation::from_bytes(properties.array()?);
            let kind = match token {
                0xA7 => Kind::VarChar,
                0xAF => Kind::Char,
                0xE7 => Kind::NVarChar,
                _ => Kind::NChar,
            };
            SqlType {
                collation,
                ..SqlType::sized(kind, properties.u16()?)
            }
        }
        other => {
            return Err(SqlError::protocol(format!(
                "a sql_variant can't hold the type 0x{other:02X}"
            )));
        }
    };
    let rest = reader.take(reader.left())?;
    let inner = value::parse(&ty, rest)?;
    Ok(Value::Variant(Box::new((ty, inner))))
}

/// The data of a variant.
pub(crate) fn data(value: &Value) -> Result<Vec<u8>> {
    let Value::Variant(inner) = value else {
        return Err(SqlError::broken(format!(
            "{value:?} has no type that a sql_variant could keep"
        )));
    };
    let (ty, inner) = inner.as_ref();
    let mut declared = Vec::new();
    info::put(&mut declared, ty, false);
    let mut out = vec![declared[0]];
    match ty.kind {
        Kind::Time | Kind::DateTime2 | Kind::DateTimeOffset => out.extend([1, ty.scale]),
        Kind::Decimal | Kind::Numeric => out.extend([2, ty.precision, ty.scale]),
        Kind::Binary | Kind::VarBinary => {
            out.push(2);
            out.extend(ty.length.to_le_bytes());
        }
        Kind::Char | Kind::VarChar | Kind::NChar | Kind::NVarChar => {
            out.push(7);
            out.extend(ty.collation.bytes());
            out.extend(ty.length.to_le_bytes());
        }
        _ => out.push(0),
    }
    out.extend(value::data(ty, inner)?);
    Ok(out)
}
