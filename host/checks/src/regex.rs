//! `regex`: a text column matches a pattern.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use arrow_schema::{DataType, SchemaRef};
use hygge_core::{BoundCheck, BuildContext, Fault, Problem, Result, code, type_name};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, find, problem};
use crate::rowwise::{Part, row_wise};
use crate::value::{plain, unpacked};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matches {
    /// The column, a text.
    column: String,
    /// The pattern, which is found somewhere in a value; `^` and `$` stand for its ends. The
    /// syntax is that of Rust's regex, without look-around.
    pattern: String,
}

impl Spec for Matches {
    const NAME: &'static str = "regex";
    const SUMMARY: &'static str = "a text column matches a pattern";
    const OF_ROWS: bool = true;

    fn problems(&self) -> Vec<Problem> {
        let why = Regex::new(&self.pattern).err().map(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let why = last.trim_start_matches("error: ").to_owned();
            problem("pattern", format!("the pattern can't be read: {why}"))
        });
        why.into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("regex {} `{}`", self.column, self.pattern)
    }

    fn bind(&self, schema: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let column = find(Self::NAME, &self.column, schema)?;
        let to = plain(schema.field(column).data_type());
        if to == DataType::Null {
            // Of a source that found no value: NULL matches nothing, and doesn't count.
            return Ok(row_wise(Vec::new()));
        }
        if !to.is_string() {
            let message = format!(
                "the regex check looks into texts, and {:?} is {}",
                self.column,
                type_name(&to)
            );
            return Err(Fault::new(code::SCHEMA, message)
                .with("column", &self.column)
                .advise(
                    "`cast` it to string in a transform, or use `range` or `accepted_values`",
                ));
        }
        let pattern = Regex::new(&self.pattern)
            .map_err(|error| Fault::new(code::CONFIG, format!("the regex check: {error}")))?;
        Ok(row_wise(vec![Part {
            said: format!("{:?} doesn't match `{}` in", self.column, self.pattern),
            shown: Some(column),
            failing: Arc::new(move |batch| {
                let given = unpacked(batch.column(column), &to)?;
                Ok(unlike(&given, &pattern))
            }),
        }]))
    }
}

fn unlike(given: &ArrayRef, pattern: &Regex) -> BooleanArray {
    let unlike = |text: Option<&str>| text.map(|text| !pattern.is_match(text));
    match given.data_type() {
        DataType::LargeUtf8 => given.as_string::<i64>().iter().map(unlike).collect(),
        DataType::Utf8View => given.as_string_view().iter().map(unlike).collect(),
        _ => given.as_string::<i32>().iter().map(unlike).collect(),
    }
}
