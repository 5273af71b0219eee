//! `freshness`: the newest value of a column isn't older than it may be.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use hygge_core::{
    About, BoundCheck, BuildContext, Context, Fault, Looking, Problem, Result, Verdict, code,
    type_name,
};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::kind::{Spec, find, problem};
use crate::value::{plain, unpacked};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Freshness {
    /// The column: dates or timestamps. Those without a zone count as UTC.
    column: String,
    /// How old its newest value may be when the run begins, such as `12h` or `2d`.
    max_age: String,
}

impl Spec for Freshness {
    const NAME: &'static str = "freshness";
    const SUMMARY: &'static str = "the newest value of a column isn't older than it may be";
    const OF_ROWS: bool = false;

    fn problems(&self) -> Vec<Problem> {
        let why = self.age().err().map(|why| problem("max_age", why));
        why.into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("freshness {} at most {}", self.column, self.max_age)
    }

    fn bind(&self, schema: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let column = find(Self::NAME, &self.column, schema)?;
        let given = plain(schema.field(column).data_type());
        if !matches!(
            given,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null
        ) {
            let message = format!(
                "the freshness check looks at dates and timestamps, and {:?} is {}",
                self.column,
                type_name(&given)
            );
            return Err(Fault::new(code::SCHEMA, message)
                .with("column", &self.column)
                .advise("name a date or timestamp, or `cast` the column to one in a transform"));
        }
        let age = self
            .age()
            .map_err(|why| Fault::new(code::CONFIG, format!("the freshness check: {why}")))?;
        Ok(Arc::new(Fresh {
            name: self.column.clone(),
            column,
            age,
            said: self.max_age.clone(),
        }))
    }
}

impl Freshness {
    fn age(&self) -> std::result::Result<SignedDuration, String> {
        let wrong = || {
            format!(
                "{:?} is no length of time; write it as `12h` or `2d`",
                self.max_age
            )
        };
        let span: Span = self.max_age.parse().map_err(|_| wrong())?;
        let age = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| wrong())?;
        match age.is_positive() {
            true => Ok(age),
            false => Err(wrong()),
        }
    }
}

#[derive(Debug)]
struct Fresh {
    name: String,
    column: usize,
    age: SignedDuration,
    said: String,
}

impl BoundCheck for Fresh {
    fn look(&self, _: &Context) -> Box<dyn Looking> {
        Box::new(Newest {
            column: self.column,
            newest: None,
        })
    }

    fn judge(&self, seen: &[Value], about: &About) -> Result<Verdict> {
        let newest = seen.iter().filter_map(Value::as_i64).max();
        let why = match newest {
            // Nothing came, so nothing came late: how many rows must come is for `row_count`.
            None if about.rows == 0 => return Ok(Verdict::Passed),
            None => format!("{:?} has no value at all", self.name),
            Some(micros) => {
                // As a number: columns hold moments beyond the calendar, and its last day for "never".
                let age = about.began.as_microsecond().saturating_sub(micros);
                let age = SignedDuration::from_micros(age);
                if age <= self.age {
                    return Ok(Verdict::Passed);
                }
                let newest = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN);
                format!(
                    "the newest {:?} is {newest}, {} before the run; at most {} may be",
                    self.name,
                    ago(age),
                    self.said
                )
            }
        };
        Ok(Verdict::Failed { why, rows: None })
    }
}

/// To the second, so that it doesn't read as less than was allowed.
fn ago(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let told = units.iter();
    let told = told.filter(|(n, _)| *n > 0).map(|(n, unit)| match n {
        1 => format!("1 {unit}"),
        n => format!("{n} {unit}s"),
    });
    let told: Vec<String> = told.collect();
    match told.is_empty() {
        true => "less than a second".to_owned(),
        false => told.join(" "),
    }
}

struct Newest {
    column: usize,
    newest: Option<i64>,
}

impl Looking for Newest {
    fn take(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let column = batch.column(self.column);
        let zone = match plain(column.data_type()) {
            DataType::Timestamp(_, zone) => zone,
            _ => None,
        };
        let micros = unpacked(column, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        let micros = micros.as_primitive::<TimestampMicrosecondType>();
        let newest = match micros.null_count() {
            0 => micros.values().iter().copied().max(),
            _ => micros.iter().flatten().max(),
        };
        self.newest = self.newest.max(newest);
        Ok(None)
    }

    fn finish(self: Box<Self>) -> Result<Value> {
        Ok(self.newest.map_or(Value::Null, |newest| json!(newest)))
    }
}
