//! Which minima and maxima may be copied.
//!
//! A reader skips row groups by them, so a wrong one loses rows without a word; leaving one out
//! costs speed only. Readers distrust certain writers by the file's `created_by`, which in a copy
//! names hygge: what they would distrust is therefore left out here.
//!
//! Rules: `Statistics` and `ColumnOrder` in
//! [parquet.thrift](https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift).

use parquet::basic::{LogicalType, Type};
use parquet::schema::types::ColumnDescriptor;

use super::source::Order;
use super::thrift::{Read, Struct};

/// Fields of `Statistics`.
mod field {
    /// Compared as signed whatever the type; deprecated.
    pub(super) const OLD: [i16; 2] = [1, 2];
    /// Bounds by the column's order, and whether they are exact.
    pub(super) const BOUNDS: [i16; 4] = [5, 6, 7, 8];
    pub(super) const MAX_VALUE: i16 = 5;
    pub(super) const MIN_VALUE: i16 = 6;
}

/// Name and version of an application in `created_by`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Writer<'a> {
    pub(crate) application: &'a str,
    /// Major, minor, patch; nothing if it can't be read.
    pub(crate) version: Option<[u32; 3]>,
}

impl<'a> Writer<'a> {
    /// Reads `parquet-mr version 1.8.0 (build 0fda...)`.
    pub(crate) fn parse(created_by: &'a str) -> Self {
        let (application, rest) = created_by
            .split_once(" version ")
            .unwrap_or((created_by, ""));
        let number = rest
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()
            .unwrap_or("");
        let parts: Option<Vec<u32>> = number.split('.').map(|part| part.parse().ok()).collect();
        let version = parts.and_then(|parts| match parts.as_slice() {
            [major, minor, patch, ..] => Some([*major, *minor, *patch]),
            _ => None,
        });
        Self {
            application: application.trim(),
            version,
        }
    }

    /// PARQUET-816: parquet-mr before 1.2.9, which may not say its version, leaves the header of
    /// the dictionary page out of a chunk's length.
    pub(crate) fn may_miss_dictionary_header(created_by: Option<&str>) -> bool {
        created_by.is_some_and(|name| !name.is_empty())
            && Self::parquet_mr_before(created_by, [1, 2, 9])
    }

    /// Written by parquet-mr before `version`, or so long ago that it doesn't say.
    pub(crate) fn parquet_mr_before(created_by: Option<&str>, version: [u32; 3]) -> bool {
        let Some(writer) = created_by
            .filter(|name| !name.is_empty())
            .map(Writer::parse)
        else {
            return true;
        };
        writer.application == "parquet-mr" && writer.version.is_none_or(|found| found < version)
    }
}

/// Whether the deprecated bounds of a column are wrong for all that is known of their writer:
/// PARQUET-251, parquet-mr before 1.8 reused the buffers its binary bounds stood in.
pub(crate) fn old_are_wrong(column: &ColumnDescriptor, created_by: Option<&str>) -> bool {
    matches!(
        column.physical_type(),
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY
    ) && Writer::parquet_mr_before(created_by, [1, 8, 0])
}

/// Whether statistics have deprecated bounds.
pub(crate) fn has_old(statistics: Option<Read<Struct<'_>>>) -> bool {
    matches!(statistics, Some(Ok(found)) if field::OLD.iter().any(|id| found.has(*id)))
}

/// Whether bounds made in `from` order may stand in a column that says `to`.
///
/// Total order is stricter than the type-defined order of floats: whoever reads by the latter
/// already allows for NaN bounds and signed zeros, as its rules tell.
pub(crate) fn carries_over(from: Order, to: Order) -> bool {
    from == to || (from == Order::Total && to == Order::ByType)
}

/// Takes out of a column chunk's statistics what the output must not claim; true if it did.
pub(crate) fn clean(
    statistics: &mut Struct<'_>,
    column: &ColumnDescriptor,
    (from, to): (Order, Order),
    created_by: Option<&str>,
) -> bool {
    let mut removed = false;
    let mut remove = |statistics: &mut Struct<'_>, ids: &[i16]| {
        for id in ids {
            removed |= statistics.remove(*id);
        }
    };
    if old_are_wrong(column, created_by) {
        remove(statistics, &field::OLD);
    }
    if !carries_over(from, to) || has_nan(statistics, column, to) {
        remove(statistics, &field::BOUNDS);
    }
    // The old fields are signed comparisons, and say nothing about floats with NaN either.
    if old_nan(statistics, column) {
        remove(statistics, &field::OLD);
    }
    removed
}

/// A bound that is NaN under the type-defined order bounds nothing: readers must ignore it, and
/// not all do. Under total order it says that all values are NaN.
fn has_nan(statistics: &Struct<'_>, column: &ColumnDescriptor, order: Order) -> bool {
    order != Order::Total
        && [field::MIN_VALUE, field::MAX_VALUE]
            .iter()
            .any(|id| is_nan(statistics.binary(*id), column))
}

fn old_nan(statistics: &Struct<'_>, column: &ColumnDescriptor) -> bool {
    field::OLD
        .iter()
        .any(|id| is_nan(statistics.binary(*id), column))
}

pub(crate) fn is_nan(bound: Option<&[u8]>, column: &ColumnDescriptor) -> bool {
    let Some(bound) = bound else { return false };
    match column.physical_type() {
        Type::FLOAT => bound
            .try_into()
            .is_ok_and(|bytes| f32::from_le_bytes(bytes).is_nan()),
        Type::DOUBLE => bound
            .try_into()
            .is_ok_and(|bytes| f64::from_le_bytes(bytes).is_nan()),
        // Half precision: all five exponent bits, and any of the mantissa.
        Type::FIXED_LEN_BYTE_ARRAY if column.logical_type_ref() == Some(&LogicalType::Float16) => {
            bound
                .try_into()
                .is_ok_and(|bytes| u16::from_le_bytes(bytes) & 0x7fff > 0x7c00)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::thrift::{self, Kind};
    use super::*;

    #[test]
    fn writers_are_told_apart() {
        let before = |name| Writer::parquet_mr_before(name, [1, 8, 0]);
        assert!(before(None));
        assert!(before(Some("")));
        assert!(before(Some("parquet-mr")));
        assert!(before(Some("parquet-mr version 1.7.0 (build abc)")));
        assert!(before(Some("parquet-mr version 1.6.0rc3")));
        assert!(!before(Some("parquet-mr version 1.8.0 (build abc)")));
        assert!(!before(Some("parquet-mr version 1.10.1-SNAPSHOT")));
        assert!(!before(Some("parquet-cpp-arrow version 9.0.0")));
        assert!(!before(Some(
            "impala version 1.3.0-INTERNAL (build 8a48ddb1eff84592b3fc06bc6f51ec120e1fffc9)"
        )));
    }

    #[test]
    fn orders_that_are_stricter_carry_over() {
        assert!(carries_over(Order::ByType, Order::ByType));
        assert!(carries_over(Order::Total, Order::ByType));
        assert!(!carries_over(Order::ByType, Order::Total));
        assert!(!carries_over(Order::ByType, Order::Unsaid));
    }

    fn column(physical: Type) -> ColumnDescriptor {
        let primitive = parquet::schema::types::Type::primitive_type_builder("c", physical);
        let path = parquet::schema::types::ColumnPath::new(vec!["c".to_owned()]);
        ColumnDescriptor::new(Arc::new(primitive.build().unwrap()), 0, 0, path)
    }

    /// Statistics with the fields given, each holding these bytes, and a null count.
    fn bounds(ids: &[i16], bytes: &[u8]) -> Struct<'static> {
        let mut statistics = Struct::default();
        let mut value = Vec::new();
        thrift::write_binary(&mut value, bytes);
        for id in ids {
            statistics.set(*id, Kind::Binary, value.clone().into());
        }
        statistics.set_int(3, Kind::I64, 7);
        statistics
    }

    /// The bounds that are left; the null count always is.
    fn left(
        mut statistics: Struct<'static>,
        physical: Type,
        orders: (Order, Order),
        by: Option<&str>,
    ) -> Vec<i16> {
        clean(&mut statistics, &column(physical), orders, by);
        assert_eq!(statistics.int(3), Some(7));
        [1, 2, 5, 6]
            .into_iter()
            .filter(|id| statistics.has(*id))
            .collect()
    }

    #[test]
    fn binary_bounds_of_old_parquet_mr_are_left_out() {
        let all = || bounds(&[1, 2, 5, 6], b"abcd");
        let same = (Order::ByType, Order::ByType);
        let (old, new) = (
            Some("parquet-mr version 1.7.0"),
            Some("parquet-mr version 1.8.0"),
        );
        assert_eq!(left(all(), Type::BYTE_ARRAY, same, old), [5, 6]);
        assert_eq!(left(all(), Type::BYTE_ARRAY, same, None), [5, 6]);
        assert_eq!(left(all(), Type::BYTE_ARRAY, same, new), [1, 2, 5, 6]);
        assert_eq!(left(all(), Type::INT32, same, old), [1, 2, 5, 6]);
    }

    #[test]
    fn bounds_by_another_order_are_left_out() {
        let all = || bounds(&[1, 2, 5, 6], &1.5f64.to_le_bytes());
        let by = Some("other version 1.0.0");
        for (orders, kept) in [
            ((Order::Unsaid, Order::Unsaid), vec![1, 2, 5, 6]),
            ((Order::Unsaid, Order::ByType), vec![1, 2]),
            ((Order::ByType, Order::Total), vec![1, 2]),
            ((Order::Total, Order::ByType), vec![1, 2, 5, 6]),
        ] {
            assert_eq!(left(all(), Type::DOUBLE, orders, by), kept, "{orders:?}");
        }
    }

    #[test]
    fn nan_bounds_are_kept_under_total_order_only() {
        let all = || bounds(&[5, 6], &f32::NAN.to_le_bytes());
        let by = Some("other version 1.0.0");
        assert_eq!(
            left(all(), Type::FLOAT, (Order::Total, Order::Total), by),
            [5, 6]
        );
        assert_eq!(
            left(all(), Type::FLOAT, (Order::Total, Order::ByType), by),
            [0i16; 0]
        );
        assert_eq!(
            left(all(), Type::FLOAT, (Order::ByType, Order::ByType), by),
            [0i16; 0]
        );
        // Bits that would be NaN as a float are a number like any other here.
        assert_eq!(
            left(all(), Type::INT32, (Order::ByType, Order::ByType), by),
            [5, 6]
        );
    }
}
