//! What the rows themselves show: how long texts are, and which columns have no nulls.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

/// What was seen of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Values without a value.
    pub nulls: u64,
    /// The longest text, in letters as people count code points.
    pub longest: u64,
    /// The same in units of UTF-16, which is what `nvarchar(n)` counts.
    pub longest_utf16: u64,
    /// The longest text in UTF-8, or the longest bytes.
    pub longest_bytes: u64,
    /// Digits of the largest decimal, those behind the point among them.
    pub digits: u8,
}

/// What was seen of all columns.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    rows: u64,
    columns: BTreeMap<String, Seen>,
}

impl Profile {
    /// Takes in some rows.
    pub fn take(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (field, values) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let seen = self.columns.entry(field.name().clone()).or_default();
            seen.nulls += values.logical_null_count() as u64;
            seen.measure(values.as_ref());
        }
    }

    /// Rows seen.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What was seen of a column, if any row was.
    pub fn of(&self, column: &str) -> Option<&Seen> {
        self.columns.get(column)
    }
}

impl Seen {
    fn measure(&mut self, values: &dyn Array) {
        match values.data_type() {
            DataType::Utf8 => self.texts(values.as_string::<i32>().iter()),
            DataType::LargeUtf8 => self.texts(values.as_string::<i64>().iter()),
            DataType::Utf8View => self.texts(values.as_string_view().iter()),
            DataType::Binary => self.bytes(values.as_binary::<i32>().iter()),
            DataType::LargeBinary => self.bytes(values.as_binary::<i64>().iter()),
            DataType::BinaryView => self.bytes(values.as_binary_view().iter()),
            DataType::Decimal32(..) => self.digits::<Decimal32Type>(values),
            DataType::Decimal64(..) => self.digits::<Decimal64Type>(values),
            DataType::Decimal128(..) => self.digits::<Decimal128Type>(values),
            DataType::Decimal256(..) => self.digits::<Decimal256Type>(values),
            DataType::Dictionary(..) => {
                if let Some(dictionary) = values.as_any_dictionary_opt() {
                    self.measure(dictionary.values().as_ref());
                }
            }
            _ => {}
        }
    }

    fn texts<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) {
        for text in values.flatten() {
            let bytes = text.len() as u64;
            self.longest_bytes = self.longest_bytes.max(bytes);
            // Neither count can be more than the bytes are, so most texts need no look inside.
            if bytes > self.longest {
                self.longest = self.longest.max(text.chars().count() as u64);
            }
            if bytes > self.longest_utf16 {
                let units = text.encode_utf16().count() as u64;
                self.longest_utf16 = self.longest_utf16.max(units);
            }
        }
    }

    /// The largest and the least have most digits.
    fn digits<T: ArrowPrimitiveType<Native: Ord + fmt::Display>>(&mut self, values: &dyn Array) {
        let values = values.as_primitive::<T>().iter().flatten();
        let ends = values.fold(None, |ends: Option<(T::Native, T::Native)>, value| {
            let (least, most) = ends.unwrap_or((value, value));
            Some((least.min(value), most.max(value)))
        });
        for end in ends.into_iter().flat_map(|(least, most)| [least, most]) {
            let digits = end.to_string().trim_start_matches('-').len();
            self.digits = self.digits.max(u8::try_from(digits).unwrap_or(u8::MAX));
        }
    }

    fn bytes<'a>(&mut self, values: impl Iterator<Item = Option<&'a [u8]>>) {
        let longest = values.flatten().map(<[u8]>::len).max();
        self.longest_bytes = self.longest_bytes.max(longest.unwrap_or(0) as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Decimal128Array, Decimal256Array, StringArray};
    use arrow_buffer::i256;

    use super::*;

    #[test]
    fn lengths_are_counted_as_each_database_does() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("äß€😀"), None, Some("abc")]));
        let sums = Decimal128Array::from(vec![Some(-1_234), Some(0), None]);
        let sums: ArrayRef = Arc::new(sums.with_precision_and_scale(18, 2).unwrap());
        let batch = RecordBatch::try_from_iter([("t", texts), ("s", sums)]).unwrap();
        let mut profile = Profile::default();
        profile.take(&batch.slice(0, 1));
        profile.take(&batch.slice(1, 2));
        assert_eq!(profile.rows(), 3);
        let seen = profile.of("t").unwrap();
        assert_eq!(
            (seen.longest, seen.longest_utf16, seen.longest_bytes),
            (4, 5, 11)
        );
        assert_eq!(seen.nulls, 1);
        assert_eq!(profile.of("s").unwrap().digits, 4);
    }

    #[test]
    fn wide_decimals_are_measured_as_well() {
        let ten = i256::from(10);
        let wide = Decimal256Array::from(vec![Some(-ten.wrapping_pow(45)), Some(ten), None]);
        let wide: ArrayRef = Arc::new(wide.with_precision_and_scale(50, 5).unwrap());
        let batch = RecordBatch::try_from_iter([("w", wide)]).unwrap();
        let mut profile = Profile::default();
        profile.take(&batch);
        assert_eq!(profile.of("w").unwrap().digits, 46);
    }
}
