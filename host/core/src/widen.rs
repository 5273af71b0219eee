//! Types that hold every value of two others, exactly.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Fields, TimeUnit};

/// The field both fit into; `None` when there is none without loss.
pub fn widen_field(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    if a == b {
        return Some(Arc::clone(a));
    }
    let data_type = widen(a.data_type(), b.data_type())?;
    let nullable = a.is_nullable() || b.is_nullable();
    Some(Arc::new(
        a.as_ref()
            .clone()
            .with_data_type(data_type)
            .with_nullable(nullable),
    ))
}

/// The type that holds every value of both exactly; `None` when there is none.
pub fn widen(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (T::Null, other) | (other, T::Null) => other.clone(),
        (T::Dictionary(_, value), other) | (other, T::Dictionary(_, value)) => {
            // Keys of another width, or a plain column: the values are what counts.
            match other {
                T::Dictionary(_, other) => widen(value, other)?,
                other => widen(value, other)?,
            }
        }
        (T::RunEndEncoded(_, value), other) | (other, T::RunEndEncoded(_, value)) => match other {
            T::RunEndEncoded(_, other) => widen(value.data_type(), other.data_type())?,
            other => widen(value.data_type(), other)?,
        },
        (a, b) if a.is_integer() && b.is_integer() => integers(a, b)?,
        (a, b) if a.is_floating() && b.is_floating() => {
            if matches!((a, b), (T::Float64, _) | (_, T::Float64)) {
                T::Float64
            } else {
                T::Float32
            }
        }
        (float, int) | (int, float) if float.is_floating() && int.is_integer() => {
            // A float64 holds 53 bits exactly, a float32 24, a float16 11.
            match (int, float) {
                (T::Int64 | T::UInt64, _) => return None,
                (T::Int32 | T::UInt32, _) | (_, T::Float64) => T::Float64,
                _ => T::Float32,
            }
        }
        (a, b) if a.is_decimal() || b.is_decimal() => decimals(a, b)?,
        (T::Date32, T::Date64) | (T::Date64, T::Date32) => T::Date64,
        (T::Timestamp(u, y), T::Timestamp(v, z)) => {
            let zone = match (y, z) {
                (None, None) => None,
                (Some(y), Some(z)) if y == z => Some(Arc::clone(y)),
                // The moments are the same whatever the zone they are shown in.
                (Some(_), Some(_)) => Some(Arc::from("UTC")),
                _ => return None,
            };
            T::Timestamp(finer(*u, *v), zone)
        }
        (T::Time32(u) | T::Time64(u), T::Time32(v) | T::Time64(v)) => match finer(*u, *v) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => T::Time32(unit),
            unit => T::Time64(unit),
        },
        (T::Duration(u), T::Duration(v)) => T::Duration(finer(*u, *v)),
        (a, b) if a.is_string() && b.is_string() => T::LargeUtf8,
        (
            T::Binary | T::LargeBinary | T::FixedSizeBinary(_),
            T::Binary | T::LargeBinary | T::FixedSizeBinary(_),
        ) => {
            if matches!((a, b), (T::LargeBinary, _) | (_, T::LargeBinary)) {
                T::LargeBinary
            } else {
                T::Binary
            }
        }
        (
            T::List(x) | T::LargeList(x) | T::FixedSizeList(x, _),
            T::List(y) | T::LargeList(y) | T::FixedSizeList(y, _),
        ) => {
            let item = widen_field(x, y)?;
            match (a, b) {
                (T::FixedSizeList(_, m), T::FixedSizeList(_, n)) if m == n => {
                    T::FixedSizeList(item, *m)
                }
                (T::LargeList(_), _) | (_, T::LargeList(_)) => T::LargeList(item),
                _ => T::List(item),
            }
        }
        (T::Map(x, sorted), T::Map(y, also)) => T::Map(widen_field(x, y)?, *sorted && *also),
        (T::Struct(x), T::Struct(y)) => T::Struct(structs(x, y)?),
        _ => return None,
    })
}

fn integers(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    let bits = |t: &DataType| t.primitive_width().unwrap_or(8) * 8;
    let (signed, unsigned) = match (a.is_signed_integer(), b.is_signed_integer()) {
        (true, true) | (false, false) => {
            return Some(if bits(a) >= bits(b) { a } else { b }.clone());
        }
        (true, false) => (a, b),
        (false, true) => (b, a),
    };
    Some(match bits(signed).max(bits(unsigned) * 2) {
        16 => T::Int16,
        32 => T::Int32,
        64 => T::Int64,
        _ => return None,
    })
}

fn decimals(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    fn digits(data_type: &DataType) -> Option<(i16, i16)> {
        Some(match data_type {
            T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => {
                (i16::from(*p), i16::from(*s))
            }
            T::Int8 | T::UInt8 => (3, 0),
            T::Int16 | T::UInt16 => (5, 0),
            T::Int32 | T::UInt32 => (10, 0),
            T::Int64 => (19, 0),
            T::UInt64 => (20, 0),
            _ => return None,
        })
    }
    let ((p, s), (q, t)) = (digits(a)?, digits(b)?);
    let scale = s.max(t);
    let precision = (p - s).max(q - t) + scale;
    let (Ok(wide), Ok(scale)) = (u8::try_from(precision.max(1)), i8::try_from(scale)) else {
        return None;
    };
    Some(match (wide, a, b) {
        (0..=9, T::Decimal32(..), T::Decimal32(..)) => T::Decimal32(wide, scale),
        (0..=18, T::Decimal32(..) | T::Decimal64(..), T::Decimal32(..) | T::Decimal64(..)) => {
            T::Decimal64(wide, scale)
        }
        (_, T::Decimal256(..), _) | (_, _, T::Decimal256(..)) if wide <= 76 => {
            T::Decimal256(wide, scale)
        }
        (0..=38, ..) => T::Decimal128(wide, scale),
        (39..=76, ..) => T::Decimal256(wide, scale),
        _ => return None,
    })
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn structs(a: &Fields, b: &Fields) -> Option<Fields> {
    if namesakes(a) || namesakes(b) {
        return None;
    }
    let mut fields: Vec<FieldRef> = Vec::with_capacity(a.len());
    for field in a {
        fields.push(match b.iter().find(|f| f.name() == field.name()) {
            Some(other) => widen_field(field, other)?,
            None => Arc::new(field.as_ref().clone().with_nullable(true)),
        });
    }
    for field in b {
        if !a.iter().any(|f| f.name() == field.name()) {
            fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
    }
    Some(fields.into())
}

/// Whether two fields have one name: then nothing says which is which.
fn namesakes(fields: &Fields) -> bool {
    let mut names = HashSet::with_capacity(fields.len());
    !fields.iter().all(|field| names.insert(field.name()))
}
