//! Which types come into expressions, and as what.

use arrow_schema::{DataType, TimeUnit};

use crate::zones;

/// The type as which an expression sees a column: none if it can't. Small integers are widened so
/// that they don't overflow, and because Polars without their types is built in less time.
pub(crate) fn inward(given: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match given {
        T::Null
        | T::Boolean
        | T::Int32
        | T::Int64
        | T::UInt32
        | T::UInt64
        | T::Float32
        | T::Float64
        | T::Utf8View
        | T::BinaryView
        | T::Date32
        | T::Decimal128(..)
        | T::Time64(TimeUnit::Nanosecond) => given.clone(),
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::Float16 => T::Float32,
        T::Utf8 | T::LargeUtf8 => T::Utf8View,
        T::Binary | T::LargeBinary | T::FixedSizeBinary(_) => T::BinaryView,
        T::Date64 => T::Date32,
        T::Time32(_) | T::Time64(_) => T::Time64(TimeUnit::Nanosecond),
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) => {
            T::Decimal128(*precision, *scale)
        }
        T::Duration(unit) => T::Duration(no_seconds(*unit)),
        T::Timestamp(unit, zone) => {
            let zone = zone.as_ref().map(|zone| zones::named(zone).into());
            T::Timestamp(no_seconds(*unit), zone)
        }
        T::Dictionary(_, values) => inward(values)?,
        T::RunEndEncoded(_, values) => inward(values.data_type())?,
        _ => return None,
    })
}

/// The type that a column made by an expression goes on with: none if it can't.
pub(crate) fn outward(made: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match made {
        T::Boolean
        | T::Int32
        | T::Int64
        | T::UInt32
        | T::UInt64
        | T::Float32
        | T::Float64
        | T::Date32
        | T::Decimal128(..)
        | T::Duration(_)
        | T::Timestamp(_, None) => made.clone(),
        T::Timestamp(unit, Some(zone)) => T::Timestamp(*unit, Some(zones::fixed(zone).into())),
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::Utf8View => T::Utf8,
        T::BinaryView => T::Binary,
        T::Time64(_) => T::Time64(TimeUnit::Microsecond),
        _ => return None,
    })
}

/// Polars counts no whole seconds.
fn no_seconds(unit: TimeUnit) -> TimeUnit {
    match unit {
        TimeUnit::Second => TimeUnit::Millisecond,
        unit => unit,
    }
}
