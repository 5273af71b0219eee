//! Values within values: what lists, structs and maps are made of, without what lies below a NULL.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, DurationSecondType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, GenericListArray, OffsetSizeTrait};
use arrow_schema::{DataType, TimeUnit};

/// Whether a type is such a one, or has one within.
pub fn holds(data_type: &DataType, such: fn(&DataType) -> bool) -> bool {
    such(data_type)
        || match data_type {
            DataType::Struct(fields) => fields.iter().any(|field| holds(field.data_type(), such)),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::Map(item, _) => holds(item.data_type(), such),
            _ => false,
        }
}

/// What `look` finds first among some values, or among those within them, of such a type.
pub fn find_leaf<T>(
    array: &ArrayRef,
    range: Range<usize>,
    such: fn(&DataType) -> bool,
    look: &impl Fn(&ArrayRef, Range<usize>) -> Option<T>,
) -> Option<T> {
    if such(array.data_type()) {
        return look(array, range);
    }
    if !holds(array.data_type(), such) {
        return None;
    }
    let mut rows = range.clone().filter(|at| array.is_valid(*at));
    match array.data_type() {
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            rows.find_map(|at| {
                let mut columns = columns.iter();
                columns.find_map(|column| find_leaf(column, at..at + 1, such, look))
            })
        }
        DataType::List(_) => in_list(array.as_list::<i32>(), rows, such, look),
        DataType::LargeList(_) => in_list(array.as_list::<i64>(), rows, such, look),
        DataType::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            rows.find_map(|at| {
                let items = list.value(at);
                find_leaf(&items, 0..items.len(), such, look)
            })
        }
        DataType::Map(..) => {
            let map = array.as_map();
            rows.find_map(|at| {
                let entries: ArrayRef = Arc::new(map.value(at));
                find_leaf(&entries, 0..entries.len(), such, look)
            })
        }
        _ => None,
    }
}

fn in_list<O: OffsetSizeTrait, T>(
    list: &GenericListArray<O>,
    mut rows: impl Iterator<Item = usize>,
    such: fn(&DataType) -> bool,
    look: &impl Fn(&ArrayRef, Range<usize>) -> Option<T>,
) -> Option<T> {
    let offsets = list.offsets();
    rows.find_map(|at| {
        let items = offsets[at].as_usize()..offsets[at + 1].as_usize();
        find_leaf(list.values(), items, such, look)
    })
}

/// Seconds since 1970 of the first and the last moment that text can show: those of the years
/// -262143 and 262142.
const SHOWN: (i64, i64) = (-8_334_601_228_800, 8_210_266_876_799);

const DAY: i64 = 86_400;

/// Whether there are days, moments or times of day among some values, or within them, that no
/// text can show. JSON's writer would put the words of an error in their place.
pub fn textless(array: &ArrayRef, range: Range<usize>) -> bool {
    find_leaf(array, range, DataType::is_temporal, &|array, range| {
        beyond(array, range).then_some(())
    })
    .is_some()
}

fn beyond(array: &ArrayRef, range: Range<usize>) -> bool {
    fn any<T: ArrowPrimitiveType>(array: &ArrayRef, range: Range<usize>, of: (i64, i64)) -> bool
    where
        T::Native: Into<i64>,
    {
        let values = array.as_primitive::<T>().values();
        let outside = |value: i64| value < of.0 || value > of.1;
        range
            .into_iter()
            .any(|at| outside(values[at].into()) && array.is_valid(at))
    }
    let moments = |ticks: i64| {
        let last = SHOWN.1.saturating_mul(ticks).saturating_add(ticks - 1);
        (SHOWN.0.saturating_mul(ticks), last)
    };
    let times = |ticks: i64| (0, DAY * ticks - 1);
    match array.data_type() {
        DataType::Date32 => any::<Date32Type>(array, range, (SHOWN.0 / DAY, SHOWN.1 / DAY)),
        DataType::Date64 => any::<Date64Type>(array, range, moments(1_000)),
        DataType::Timestamp(TimeUnit::Second, _) => {
            any::<TimestampSecondType>(array, range, moments(1))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            any::<TimestampMillisecondType>(array, range, moments(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            any::<TimestampMicrosecondType>(array, range, moments(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            any::<TimestampNanosecondType>(array, range, moments(1_000_000_000))
        }
        DataType::Time32(TimeUnit::Second) => any::<Time32SecondType>(array, range, times(1)),
        DataType::Time32(_) => any::<Time32MillisecondType>(array, range, times(1_000)),
        DataType::Time64(TimeUnit::Nanosecond) => {
            any::<Time64NanosecondType>(array, range, times(1_000_000_000))
        }
        DataType::Time64(_) => any::<Time64MicrosecondType>(array, range, times(1_000_000)),
        DataType::Duration(TimeUnit::Second) => {
            let most = i64::MAX / 1_000;
            any::<DurationSecondType>(array, range, (-most, most))
        }
        _ => false,
    }
}
