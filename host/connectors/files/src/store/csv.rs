//! Rows as CSV.
//!
//! The writer of arrow-csv writes NULL and an empty text alike. Here a text that would read as
//! NULL is quoted, which is how readers tell the two apart.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Schema};
use hygge_core::zone;
use std::fmt::Write as _;

use crate::config::CsvOptions;

/// Bytes gathered before they go on.
const CHUNK: usize = 1 << 18;

/// Writes batches as lines.
#[derive(Debug)]
pub(crate) struct CsvEncoder {
    options: CsvOptions,
    null: String,
}

enum Column<'a> {
    Text(&'a arrow_array::StringArray),
    LargeText(&'a arrow_array::LargeStringArray),
    TextView(&'a arrow_array::StringViewArray),
    Other(Box<ArrayFormatter<'a>>, Option<NullBuffer>),
}

impl CsvEncoder {
    /// An encoder of that layout.
    pub(crate) fn new(options: CsvOptions) -> Self {
        let null = options.null_values.first().cloned().unwrap_or_default();
        Self { options, null }
    }

    /// The first line, or nothing when there is to be none.
    pub(crate) fn header(&self, schema: &Schema) -> Result<Vec<u8>, ArrowError> {
        let mut out = Vec::new();
        if self.options.header {
            for (at, field) in schema.fields().iter().enumerate() {
                if at > 0 {
                    out.push(self.options.delimiter);
                }
                self.text(field.name(), schema.fields().len() == 1, &mut out)
                    .map_err(|why| unquoted(field.name(), &format!("has a name {why}")))?;
            }
            out.push(b'\n');
        }
        Ok(out)
    }

    /// Hands the batch's lines to `sink`, some at a time.
    pub(crate) fn lines(
        &self,
        batch: &RecordBatch,
        mut sink: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), ArrowError> {
        let format = FormatOptions::new().with_display_error(false);
        let columns = batch
            .columns()
            .iter()
            .map(|column| {
                Ok(match column.data_type() {
                    DataType::Utf8 => Column::Text(column.as_string()),
                    DataType::LargeUtf8 => Column::LargeText(column.as_string()),
                    DataType::Utf8View => Column::TextView(column.as_string_view()),
                    // Also those that a type or a dictionary has without a bitmap.
                    _ => Column::Other(
                        Box::new(ArrayFormatter::try_new(column.as_ref(), &format)?),
                        column.logical_nulls(),
                    ),
                })
            })
            .collect::<Result<Vec<_>, ArrowError>>()?;
        let alone = columns.len() == 1;
        let mut out = Vec::with_capacity(CHUNK + CHUNK / 8);
        let mut scratch = String::new();
        for row in 0..batch.num_rows() {
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    out.push(self.options.delimiter);
                }
                let text = match column {
                    Column::Text(texts) => texts.is_valid(row).then(|| texts.value(row)),
                    Column::LargeText(texts) => texts.is_valid(row).then(|| texts.value(row)),
                    Column::TextView(texts) => texts.is_valid(row).then(|| texts.value(row)),
                    Column::Other(formatter, nulls) => {
                        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                            None
                        } else {
                            scratch.clear();
                            let shown = formatter.value(row);
                            write!(scratch, "{shown}").map_err(|_| {
                                ArrowError::CsvError(format!(
                                    "column {:?} holds a value that has no text\nwrite \
                                     parquet, or leave the value out with a `filter` transform",
                                    batch.schema().field(at).name()
                                ))
                            })?;
                            Some(scratch.as_str())
                        }
                    }
                };
                match text {
                    Some(text) => self.text(text, alone, &mut out).map_err(|why| {
                        let schema = batch.schema();
                        unquoted(schema.field(at).name(), &format!("holds a text {why}"))
                    })?,
                    None if alone && self.null.is_empty() => {
                        return Err(ArrowError::CsvError(format!(
                            "column {:?} stands alone, and its NULL would be a blank line, which \
                             readers skip\nset `null_value` in the store, such as \
                             `null_value: NULL`",
                            batch.schema().field(at).name()
                        )));
                    }
                    None => out.extend_from_slice(self.null.as_bytes()),
                }
            }
            out.push(b'\n');
            if out.len() >= CHUNK {
                sink(&out)?;
                out.clear();
            }
        }
        sink(&out)?;
        Ok(())
    }

    /// A value, quoted when it must be; where there are no quotes, why it would have to be. Nothing
    /// at all, `alone` on its line, would be a blank line, which readers skip.
    fn text(&self, text: &str, alone: bool, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let bytes = text.as_bytes();
        let special = |b: &u8| {
            *b == self.options.delimiter
                || Some(*b) == self.options.quote
                || *b == b'\n'
                || *b == b'\r'
        };
        let special = bytes.iter().any(special);
        let blank = alone && text.is_empty();
        if text != self.null && !special && !blank {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        let Some(quote) = self.options.quote else {
            return Err(match special {
                true => "with a delimiter or a line end in it",
                false if text == self.null => "that would read as NULL",
                false => "that would be a blank line, which readers skip",
            });
        };
        out.push(quote);
        for byte in bytes {
            if *byte == quote {
                out.push(quote);
            }
            out.push(*byte);
        }
        out.push(quote);
        Ok(())
    }
}

fn unquoted(column: &str, what: &str) -> ArrowError {
    ArrowError::CsvError(format!(
        "column {column:?} {what}, which `quote: none` has no way to write\nleave `quote` as it is \
         by default"
    ))
}

/// The first column that CSV has no form for.
pub(crate) fn unfit(schema: &Schema) -> Option<&arrow_schema::Field> {
    fn nested(data_type: &DataType) -> bool {
        match data_type {
            DataType::Dictionary(_, values) => nested(values),
            DataType::RunEndEncoded(_, values) => nested(values.data_type()),
            other => other.is_nested(),
        }
    }
    schema
        .fields()
        .iter()
        .map(AsRef::as_ref)
        .find(|field| nested(field.data_type()))
}

/// Rows as CSV in the default layout, with a heading.
pub fn csv_text(schema: &Schema, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    if let Some(field) = unfit(schema) {
        let message = format!("CSV has no form for column {:?}", field.name());
        return Err(ArrowError::CsvError(message));
    }
    let mut options = CsvOptions::default();
    if schema.fields().len() == 1 {
        // A blank line would be no row.
        options.null_values = vec!["NULL".to_owned()];
    }
    let encoder = CsvEncoder::new(options);
    let mut out = encoder.header(schema)?;
    for batch in batches {
        let lines = encoder.lines(&zone::rows(batch)?, |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        });
        // What a store is advised is no help here.
        lines.map_err(|error| match error {
            ArrowError::CsvError(why) => {
                ArrowError::CsvError(why.lines().next().unwrap_or_default().to_owned())
            }
            other => other,
        })?;
    }
    String::from_utf8(out).map_err(|error| ArrowError::CsvError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Decimal128Array, Float64Array, StringArray};
    use std::sync::Arc;

    fn lines(columns: Vec<(&str, ArrayRef)>, options: CsvOptions) -> Result<String, ArrowError> {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let encoder = CsvEncoder::new(options);
        let mut out = encoder.header(&batch.schema())?;
        encoder.lines(&batch, |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn null_and_empty_text_differ() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            None,
            Some(""),
            Some("a,b"),
            Some("say \"hi\"\r\n"),
            Some("plain"),
        ]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.5),
            None,
            Some(f64::NAN),
            Some(1e300),
            Some(-0.0),
        ]));
        let out = lines(vec![("t", texts), ("n,1", numbers)], CsvOptions::default()).unwrap();
        assert_eq!(
            out,
            "t,\"n,1\"\n,1.5\n\"\",\n\"a,b\",NaN\n\"say \"\"hi\"\"\r\n\",1e300\nplain,-0.0\n"
        );
    }

    #[test]
    fn a_lone_null_is_never_a_blank_line() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        assert!(lines(vec![("t", Arc::clone(&texts))], CsvOptions::default()).is_err());
        let named = CsvOptions {
            null_values: vec!["NULL".into()],
            header: false,
            ..CsvOptions::default()
        };
        assert_eq!(lines(vec![("t", texts)], named.clone()).unwrap(), "NULL\n");
        let same: ArrayRef = Arc::new(StringArray::from(vec!["NULL"]));
        assert_eq!(
            lines(vec![("t", same)], named.clone()).unwrap(),
            "\"NULL\"\n"
        );
        // It would be a blank line.
        let nothing: ArrayRef = Arc::new(StringArray::from(vec![""]));
        assert_eq!(lines(vec![("t", nothing)], named).unwrap(), "\"\"\n");
    }

    #[test]
    fn without_quotes_what_would_need_them_is_refused() {
        let bare = CsvOptions {
            quote: None,
            ..CsvOptions::default()
        };
        let column = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let write = |name: &str, text: &str| {
            let columns = vec![(name, column(text)), ("b", column("x"))];
            lines(columns, bare.clone()).map_err(|error| error.to_string())
        };
        assert_eq!(write("a", "say \"hi\"").unwrap(), "a,b\nsay \"hi\",x\n");
        for (name, text, why) in [
            (
                "a",
                "x,y",
                "\"a\" holds a text with a delimiter or a line end in it",
            ),
            (
                "a",
                "x\ny",
                "\"a\" holds a text with a delimiter or a line end in it",
            ),
            ("a", "", "\"a\" holds a text that would read as NULL"),
            (
                "a,",
                "x",
                "\"a,\" has a name with a delimiter or a line end in it",
            ),
        ] {
            let refused = write(name, text).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn decimals_keep_every_digit() {
        let cents = Decimal128Array::from(vec![-5, 1_200])
            .with_precision_and_scale(38, 2)
            .unwrap();
        let semicolons = CsvOptions {
            delimiter: b';',
            ..CsvOptions::default()
        };
        let out = lines(
            vec![
                ("a", Arc::new(cents) as ArrayRef),
                ("b", Arc::new(StringArray::from(vec!["x", "y"]))),
            ],
            semicolons,
        )
        .unwrap();
        assert_eq!(out, "a;b\n-0.05;x\n12.00;y\n");
    }
}
