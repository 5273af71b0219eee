use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use hygge_core::{Texts, zone};
use hygge_engine::json_lines;

use crate::console::on_one_line;
use crate::table::{Cell, Table};

/// Letters of a value that are shown in a table.
const WIDE: usize = 40;

/// Rows as a table for people.
pub(crate) fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let headings: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type().is_numeric() {
            true => format!(">{}", short(field.name())),
            false => short(field.name()),
        })
        .collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for batch in batches {
        let batch = zone::rows(batch)?;
        let columns = batch.columns().iter();
        let columns: Vec<Texts<'_>> = columns
            .map(|column| Texts::of(column.as_ref()))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let cell = |column: &Texts<'_>| -> Cell { short(&column.show(row)).into() };
            table.row(columns.iter().map(cell).collect());
        }
    }
    Ok(table.show())
}

/// Rows as JSON for programs, one object a line, nulls included.
pub(crate) fn json(batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let lines = batches.iter();
    lines.map(|batch| json_lines(&zone::rows(batch)?)).collect()
}

/// A value on one line, without what moves a terminal's cursor, and not too wide.
fn short(text: &str) -> String {
    let text = on_one_line(text);
    let mut letters = text.chars();
    let mut short: String = letters.by_ref().take(WIDE).collect();
    if letters.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray};

    #[test]
    fn rows_are_shown_on_a_line_each() {
        let n: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(300)]));
        let long = "x".repeat(100);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a\nb", "\u{1b}[31m\u{202e}", &long]));
        let batch = RecordBatch::try_from_iter([("n", n), ("text", text)]).unwrap();
        let shown = table(&batch.schema(), std::slice::from_ref(&batch)).unwrap();
        let wide = format!("{}…", "x".repeat(39));
        assert_eq!(
            shown,
            format!("   n  text\n   1  a b\nNULL   [31m\n 300  {wide}\n")
        );
        let json = json(&[batch.slice(0, 2)]).unwrap();
        assert_eq!(
            json,
            "{\"n\":1,\"text\":\"a\\nb\"}\n{\"n\":null,\"text\":\"\\u001b[31m\u{202e}\"}\n"
        );
    }

    #[test]
    fn a_day_without_a_text_hides_no_row() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![0, i32::MAX]));
        let batch = RecordBatch::try_from_iter([("day", days)]).unwrap();
        let shown = table(&batch.schema(), std::slice::from_ref(&batch)).unwrap();
        assert_eq!(shown, "day\n1970-01-01\n2147483647\n");
    }
}
