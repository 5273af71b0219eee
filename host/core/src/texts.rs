use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array, make_array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType};

/// Shows the values of a column to people. A few days and times have no text: those of years that no
/// calendar has, as other programs use them for infinity. Their numbers stand for them.
pub struct Texts<'a> {
    formatter: ArrayFormatter<'a>,
    array: &'a dyn Array,
}

impl<'a> Texts<'a> {
    /// Of the values of that column.
    pub fn of(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let options = FormatOptions::default().with_null("NULL");
        let formatter = ArrayFormatter::try_new(array, &options)?;
        Ok(Self { formatter, array })
    }

    /// The text of a value, where it has one.
    pub fn text(&self, row: usize) -> Option<String> {
        self.formatter.value(row).try_to_string().ok()
    }

    /// The number that a day or a time is stored as.
    pub fn number(&self, row: usize) -> Option<i64> {
        let one = self.array.slice(row, 1).to_data();
        let number = match one.data_type() {
            DataType::Date32 | DataType::Time32(_) => DataType::Int32,
            kind if kind.is_temporal() => DataType::Int64,
            _ => return None,
        };
        let one = make_array(one.into_builder().data_type(number).build().ok()?);
        let one = arrow_cast::cast(&one, &DataType::Int64).ok()?;
        Some(one.as_primitive::<Int64Type>().value(0))
    }

    /// The text of a value, or what stands for it.
    pub fn show(&self, row: usize) -> String {
        let number = || Some(self.number(row)?.to_string());
        let text = self.text(row).or_else(number);
        text.unwrap_or_else(|| "(it has no text)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date32Array, Time64MicrosecondArray, TimestampSecondArray};

    use super::*;

    #[test]
    fn what_has_no_text_is_its_number() {
        let days = Date32Array::from(vec![Some(0), Some(i32::MAX), None]);
        let days = Texts::of(&days).unwrap();
        assert_eq!(
            [0, 1, 2].map(|row| days.show(row)),
            ["1970-01-01", "2147483647", "NULL"]
        );
        let times = Time64MicrosecondArray::from(vec![90_000_000_000]);
        assert_eq!(Texts::of(&times).unwrap().show(0), "90000000000");
        let moments = TimestampSecondArray::from(vec![i64::MIN]).with_timezone("+02:00");
        let moments = Texts::of(&moments).unwrap();
        assert_eq!(moments.show(0), i64::MIN.to_string());
    }
}
