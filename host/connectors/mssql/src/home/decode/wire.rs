//! Values as the driver hands them over, one call each.

use std::borrow::Cow;

use hygge_core::WatermarkType;
use mssql_tds::datatypes::column_values::{
    SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime,
    SqlSmallMoney, SqlTime, SqlXml,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::row_writer::RowWriter;
use mssql_tds::datatypes::sql_json::SqlJson;
use mssql_tds::datatypes::sql_string::EncodingType;
use mssql_tds::datatypes::sql_vector::SqlVector;

use super::Rows;
use super::values::Values;
use crate::home::utf16;

/// Days from 0001-01-01 to 1970-01-01, and from 1900-01-01.
const FROM_YEAR_1: i64 = 719_162;
const FROM_1900: i64 = 25_567;

/// Ticks of 100 ns in a day.
const DAY: i64 = 864_000_000_000;

/// A plain value that goes into one kind of column.
macro_rules! plain {
    ($rows:ident, $col:ident, $variant:ident, $value:expr, $width:expr) => {{
        $rows.bytes += $width;
        match $rows.columns.get_mut($col).map(|column| &mut column.values) {
            Some(Values::$variant(builder)) => builder.append_value($value),
            Some(Values::Text { variant: true, .. }) => $rows.text($col, &$value.to_string()),
            _ => $rows.wrong($col, "a value of another type than was announced"),
        }
    }};
}

impl RowWriter for Rows {
    fn write_null(&mut self, col: usize) {
        self.bytes += 1;
        if let Some(column) = self.columns.get_mut(col) {
            column.values.null();
        }
    }

    fn write_bool(&mut self, col: usize, value: bool) {
        plain!(self, col, Bool, value, 1);
    }

    fn write_u8(&mut self, col: usize, value: u8) {
        self.whole(col, value.into(), 1);
    }

    fn write_i16(&mut self, col: usize, value: i16) {
        self.whole(col, value.into(), 2);
    }

    fn write_i32(&mut self, col: usize, value: i32) {
        self.whole(col, value.into(), 4);
    }

    fn write_i64(&mut self, col: usize, value: i64) {
        self.whole(col, value, 8);
    }

    fn write_f32(&mut self, col: usize, value: f32) {
        plain!(self, col, F32, value, 4);
    }

    fn write_f64(&mut self, col: usize, value: f64) {
        plain!(self, col, F64, value, 8);
    }

    fn write_string(&mut self, col: usize, bytes: Cow<'_, [u8]>, encoding: EncodingType) {
        self.spans(col, |into| match encoding {
            EncodingType::Utf16 => match utf16::append(&bytes, into) {
                true => Ok(()),
                false => Err("text that isn't valid UTF-16 (half of a surrogate pair)"),
            },
            EncodingType::Utf8 => match std::str::from_utf8(&bytes) {
                Ok(text) => {
                    into.extend_from_slice(text.as_bytes());
                    Ok(())
                }
                Err(_) => Err("text that isn't valid UTF-8"),
            },
            EncodingType::LcidBased(_) if bytes.is_ascii() => {
                into.extend_from_slice(&bytes);
                Ok(())
            }
            _ => {
                let Some(encoding) = encoding.resolved_encoding() else {
                    return Err("text whose collation has no known code page");
                };
                let (text, malformed) = encoding.decode_without_bom_handling(&bytes);
                into.extend_from_slice(text.as_bytes());
                match malformed {
                    true => Err("text that isn't valid in its collation's code page"),
                    false => Ok(()),
                }
            }
        });
    }

    fn write_bytes(&mut self, col: usize, bytes: Cow<'_, [u8]>) {
        self.bytes += 8;
        match self.columns.get_mut(col).map(|column| &mut column.values) {
            Some(Values::U64(builder)) => match <[u8; 8]>::try_from(bytes.as_ref()) {
                Ok(version) => builder.append_value(u64::from_be_bytes(version)),
                Err(_) => self.wrong(col, "a rowversion that isn't 8 bytes"),
            },
            Some(Values::Text { variant: true, .. }) => {
                let mut text = String::from("0x");
                for byte in bytes.iter() {
                    text.push_str(&format!("{byte:02X}"));
                }
                self.text(col, &text);
            }
            Some(Values::Text { .. }) => self.wrong(col, "bytes where text was announced"),
            _ => self.spans(col, |into| {
                into.extend_from_slice(&bytes);
                Ok(())
            }),
        }
    }

    fn write_decimal(&mut self, col: usize, value: DecimalParts) {
        match i128::try_from(value.magnitude()) {
            Ok(magnitude) => {
                let signed = if value.is_positive {
                    magnitude
                } else {
                    -magnitude
                };
                self.unscaled(col, signed, value.scale);
            }
            Err(_) => self.wrong(col, "a decimal of more than 38 digits"),
        }
    }

    fn write_numeric(&mut self, col: usize, value: DecimalParts) {
        self.write_decimal(col, value);
    }

    fn write_date(&mut self, col: usize, value: SqlDate) {
        self.bytes += 4;
        let days = i64::from(value.get_days()) - FROM_YEAR_1;
        match self.columns.get_mut(col).map(|column| &mut column.values) {
            Some(Values::Date(builder)) => {
                builder.append_value(i32::try_from(days).unwrap_or_default());
            }
            Some(Values::Text { variant: true, .. }) => {
                let text = WatermarkType::Date.show(days.into());
                self.text(col, &text);
            }
            _ => self.wrong(col, "a date where none was announced"),
        }
    }

    fn write_time(&mut self, col: usize, value: SqlTime) {
        self.moment(col, time(&value), None, 0);
    }

    fn write_datetime(&mut self, col: usize, value: SqlDateTime) {
        // A tick is 1/300 s, which SQL Server shows, and compares, as whole milliseconds.
        let millis = (i64::from(value.time) * 10 + 1) / 3;
        let day = i64::from(value.days) - FROM_1900;
        self.moment(col, day * DAY + millis * 10_000, Some(false), 0);
    }

    fn write_smalldatetime(&mut self, col: usize, value: SqlSmallDateTime) {
        let day = i64::from(value.days) - FROM_1900;
        self.moment(
            col,
            day * DAY + i64::from(value.time) * 600_000_000,
            Some(false),
            0,
        );
    }

    fn write_datetime2(&mut self, col: usize, value: SqlDateTime2) {
        self.moment(col, datetime2(&value), Some(false), 0);
    }

    fn write_datetimeoffset(&mut self, col: usize, value: SqlDateTimeOffset) {
        // The wire carries the moment in UTC; the offset only says how to show it.
        self.moment(col, datetime2(&value.datetime2), Some(true), value.offset);
    }

    fn write_money(&mut self, col: usize, value: SqlMoney) {
        let low = u32::from_ne_bytes(value.lsb_part.to_ne_bytes());
        let whole = (i64::from(value.msb_part) << 32) | i64::from(low);
        self.unscaled(col, whole.into(), 4);
    }

    fn write_smallmoney(&mut self, col: usize, value: SqlSmallMoney) {
        self.unscaled(col, value.int_val.into(), 4);
    }

    fn write_uuid(&mut self, col: usize, value: tiberius::Uuid) {
        let mut text = [0; 36];
        let text = value.hyphenated().encode_lower(&mut text);
        self.text(col, text);
    }

    fn write_xml(&mut self, col: usize, value: SqlXml) {
        let bytes = value
            .bytes
            .strip_prefix(&[0xFF, 0xFE])
            .unwrap_or(&value.bytes);
        self.write_string(col, Cow::Borrowed(bytes), EncodingType::Utf16);
    }

    fn write_json(&mut self, col: usize, value: SqlJson) {
        self.write_string(col, Cow::Owned(value.bytes), EncodingType::Utf8);
    }

    fn write_vector(&mut self, col: usize, _: SqlVector) {
        self.wrong(col, "a vector, which hygge can't read yet");
    }

    fn end_row(&mut self) {
        self.rows += 1;
    }
}

/// A time of day in ticks of 100 ns, whatever the driver calls the field.
fn time(value: &SqlTime) -> i64 {
    i64::try_from(value.time_nanoseconds).unwrap_or_default()
}

fn datetime2(value: &SqlDateTime2) -> i64 {
    (i64::from(value.days) - FROM_YEAR_1) * DAY + time(&value.time)
}
