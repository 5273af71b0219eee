//! `TYPE_INFO` (2.2.5.6): how a type is declared on the wire.

use super::{Collation, Kind, MAX, SqlType, decimal};
use crate::fault::{Result, SqlError};
use crate::wire::reader::{Reader, put_b_varchar, put_us_varchar};

/// A declaration that a client sent: the type, and how its values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) ty: SqlType,
    pub(crate) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the type's layout says.
    Usual,
    /// Without a length: so many bytes.
    Fixed(u8),
    /// The one-byte length of the types before TDS 7.
    Short,
    /// A NULL without a type.
    Null,
}

fn token(ty: &SqlType, fixed: bool) -> u8 {
    match (ty.kind, fixed) {
        (Kind::TinyInt, true) => 0x30,
        (Kind::Bit, true) => 0x32,
        (Kind::SmallInt, true) => 0x34,
        (Kind::Int, true) => 0x38,
        (Kind::SmallDateTime, true) => 0x3A,
        (Kind::Real, true) => 0x3B,
        (Kind::Money, true) => 0x3C,
        (Kind::DateTime, true) => 0x3D,
        (Kind::Float, true) => 0x3E,
        (Kind::SmallMoney, true) => 0x7A,
        (Kind::BigInt, true) => 0x7F,
        (Kind::TinyInt | Kind::SmallInt | Kind::Int | Kind::BigInt, _) => 0x26,
        (Kind::Bit, _) => 0x68,
        (Kind::Decimal, _) => 0x6A,
        (Kind::Numeric, _) => 0x6C,
        (Kind::Real | Kind::Float, _) => 0x6D,
        (Kind::Money | Kind::SmallMoney, _) => 0x6E,
        (Kind::DateTime | Kind::SmallDateTime, _) => 0x6F,
        (Kind::UniqueIdentifier, _) => 0x24,
        (Kind::Date, _) => 0x28,
        (Kind::Time, _) => 0x29,
        (Kind::DateTime2, _) => 0x2A,
        (Kind::DateTimeOffset, _) => 0x2B,
        (Kind::VarBinary, _) => 0xA5,
        (Kind::VarChar, _) => 0xA7,
        (Kind::Binary | Kind::RowVersion, _) => 0xAD,
        (Kind::Char, _) => 0xAF,
        // As to all clients that don't say that they know more.
        (Kind::NVarChar | Kind::Json | Kind::Vector, _) => 0xE7,
        (Kind::NChar, _) => 0xEF,
        (Kind::Xml, _) => 0xF1,
        (Kind::HierarchyId | Kind::Geometry | Kind::Geography, _) => 0xF0,
        (Kind::Text, _) => 0x23,
        (Kind::Image, _) => 0x22,
        (Kind::NText, _) => 0x63,
        (Kind::Variant, _) => 0x62,
    }
}

/// Appends a declaration. What can't be NULL is declared without a length where that exists.
pub(crate) fn put(out: &mut Vec<u8>, ty: &SqlType, nullable: bool) {
    let fixed = !nullable && ty.can_be_fixed();
    out.push(token(ty, fixed));
    if fixed {
        return;
    }
    match ty.kind {
        Kind::Date => {}
        Kind::Time | Kind::DateTime2 | Kind::DateTimeOffset => out.push(ty.scale),
        Kind::Decimal | Kind::Numeric => {
            out.extend([
                u8::try_from(decimal::wire_length(ty.precision)).unwrap_or(17),
                ty.precision,
                ty.scale,
            ]);
        }
        Kind::Char | Kind::VarChar | Kind::NChar | Kind::NVarChar => {
            out.extend(ty.length.to_le_bytes());
            out.extend(ty.collation.bytes());
        }
        Kind::Json | Kind::Vector => {
            out.extend(MAX.to_le_bytes());
            out.extend(ty.collation.bytes());
        }
        Kind::Binary | Kind::VarBinary | Kind::RowVersion => out.extend(ty.length.to_le_bytes()),
        Kind::Text | Kind::NText => {
            let most: u32 = if ty.kind == Kind::Text {
                0x7FFF_FFFF
            } else {
                0x7FFF_FFFE
            };
            out.extend(most.to_le_bytes());
            out.extend(ty.collation.bytes());
        }
        Kind::Image => out.extend(0x7FFF_FFFF_u32.to_le_bytes()),
        Kind::Xml => out.push(0),
        Kind::Variant => out.extend(8009_u32.to_le_bytes()),
        Kind::HierarchyId | Kind::Geometry | Kind::Geography => {
            out.extend(u16::to_le_bytes(if ty.kind == Kind::HierarchyId {
                892
            } else {
                MAX
            }));
            put_b_varchar(out, "master");
            put_b_varchar(out, "sys");
            put_b_varchar(out, ty.name());
            let class = match ty.kind {
                Kind::HierarchyId => "SqlHierarchyId",
                Kind::Geometry => "SqlGeometry",
                _ => "SqlGeography",
            };
            put_us_varchar(
                out,
                &format!(
                    "Microsoft.SqlServer.Types.{class}, Microsoft.SqlServer.Types, Version=11.0.0.0, Culture=neutral, PublicKeyToken=89845dcd8080cc91"
                ),
            );
        }
        _ => out.push(u8::try_from(ty.length).unwrap_or(u8::MAX)),
    }
}

fn usual(ty: SqlType) -> Declared {
    Declared {
        ty,
        form: Form::Usual,
    }
}

/// Reads a declaration of any type that a client may send.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Declared> {
    let token = reader.u8()?;
    let fixed = |kind: Kind| {
        let ty = SqlType::plain(kind);
        Declared {
            ty,
            form: Form::Fixed(u8::try_from(ty.length).unwrap_or_default()),
        }
    };
    Ok(match token {
        0x1F => Declared {
            ty: SqlType::plain(Kind::Int),
            form: Form::Null,
        },
        0x30 => fixed(Kind::TinyInt),
        0x32 => fixed(Kind::Bit),
        0x34 => fixed(Kind::SmallInt),
        0x38 => fixed(Kind::Int),
        0x3A => fixed(Kind::SmallDateTime),
        0x3B => fixed(Kind::Real),
        0x3C => fixed(Kind::Money),
        0x3D => fixed(Kind::DateTime),
        0x3E => fixed(Kind::Float),
        0x7A => fixed(Kind::SmallMoney),
        0x7F => fixed(Kind::BigInt),
        0x26 => usual(SqlType::plain(match reader.u8()? {
            1 => Kind::TinyInt,
            2 => Kind::SmallInt,
            4 => Kind::Int,
            8 => Kind::BigInt,
            other => return Err(wrong("an integer", other)),
        })),
        0x68 => sized(reader, Kind::Bit, 1)?,
        0x24 => sized(reader, Kind::UniqueIdentifier, 16)?,
        0x6D => either(reader, "a float", Kind::Real, Kind::Float)?,
        0x6E => either(reader, "money", Kind::SmallMoney, Kind::Money)?,
        0x6F => either(reader, "a datetime", Kind::SmallDateTime, Kind::DateTime)?,
        0x6A | 0x6C | 0x37 | 0x3F => {
            let _length = reader.u8()?;
            let (precision, scale) = (reader.u8()?, reader.u8()?);
            if precision == 0 || precision > decimal::DIGITS || scale > precision {
                return Err(wrong("a decimal", precision));
            }
            let kind = if matches!(token, 0x6A | 0x37) {
                Kind::Decimal
            } else {
                Kind::Numeric
            };
            usual(SqlType {
                kind,
                ..SqlType::decimal(precision, scale)
            })
        }
        0x28 => usual(SqlType::plain(Kind::Date)),
        0x29..=0x2B => {
            let scale = reader.u8()?;
            if scale > 7 {
                return Err(wrong("a time", scale));
            }
            usual(SqlType::timed(
                [Kind::Time, Kind::DateTime2, Kind::DateTimeOffset][usize::from(token - 0x29)],
                scale,
            ))
        }
        0xA5 | 0xAD => usual(SqlType::sized(
            if token == 0xA5 {
                Kind::VarBinary
            } else {
                Kind::Binary
            },
            reader.u16()?,
        )),
        0xA7 | 0xAF | 0xE7 | 0xEF => {
            let length = reader.u16()?;
            let kind = match token {
                0xA7 => Kind::VarChar,
                0xAF => Kind::Char,
                0xE7 => Kind::NVarChar,
                _ => Kind::NChar,
            };
            usual(SqlType {
                collation: Collation::from_bytes(reader.array()?),
                ..SqlType::sized(kind, length)
            })
        }
        0x25 | 0x2D => Declared {
            ty: SqlType::sized(Kind::VarBinary, u16::from(reader.u8()?)),
            form: Form::Short,
        },
        0x27 | 0x2F => Declared {
            ty: SqlType::sized(Kind::VarChar, u16::from(reader.u8()?)),
            form: Form::Short,
        },
        0x23 | 0x63 => {
            let _most = reader.u32()?;
            let kind = if token == 0x23 {
                Kind::Text
            } else {
                Kind::NText
            };
            usual(SqlType {
                collation: Collation::from_bytes(reader.array()?),
                ..SqlType::plain(kind)
            })
        }
        0x22 => {
            let _most = reader.u32()?;
            usual(SqlType::plain(Kind::Image))
        }
        0x62 => {
            let _most = reader.u32()?;
            usual(SqlType::plain(Kind::Variant))
        }
        0xF1 => {
            if reader.u8()? != 0 {
                let _ = (
                    reader.b_varchar()?,
                    reader.b_varchar()?,
                    reader.us_varchar()?,
                );
            }
            usual(SqlType::plain(Kind::Xml))
        }
        0xF0 => {
            // A parameter's or a bulk load's: three names, without the class (2.2.5.5.2).
            let names = [
                reader.b_varchar()?,
                reader.b_varchar()?,
                reader.b_varchar()?,
            ];
            usual(SqlType::plain(
                match names[2].to_ascii_lowercase().as_str() {
                    "hierarchyid" => Kind::HierarchyId,
                    "geometry" => Kind::Geometry,
                    "geography" => Kind::Geography,
                    other => {
                        return Err(SqlError::protocol(format!(
                            "the test server doesn't know the type {other}"
                        )));
                    }
                },
            ))
        }
        other => {
            return Err(SqlError::protocol(format!(
                "the test server doesn't know the type 0x{other:02X}"
            )));
        }
    })
}

fn sized(reader: &mut Reader<'_>, kind: Kind, length: u8) -> Result<Declared> {
    match reader.u8()? {
        found if found == length => Ok(usual(SqlType::plain(kind))),
        other => Err(wrong(SqlType::plain(kind).name(), other)),
    }
}

fn either(reader: &mut Reader<'_>, what: &str, four: Kind, eight: Kind) -> Result<Declared> {
    match reader.u8()? {
        4 => Ok(usual(SqlType::plain(four))),
        8 => Ok(usual(SqlType::plain(eight))),
        other => Err(wrong(what, other)),
    }
}

fn wrong(what: &str, number: u8) -> SqlError {
    SqlError::protocol(format!("{what} can't have {number} in its declaration"))
}
