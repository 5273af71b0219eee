//! {{summary}}.

use std::sync::Arc;

use hygge_sdk::arrow_array::{ArrayRef, Int64Array, StringArray};
use hygge_sdk::{
    ArrowSchema, Config, DataType, Entity, Fault, Field, Finding, Home, Reader, RecordBatch,
    Result, SchemaRef, Split, SplitPlan, SplitRequest, Step, Want, code, log,
};

/// The settings: what stands beside `type: {{name}}` in a flow.
#[derive(Debug, Clone, serde::Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How many rows there are.
    #[serde(default = "many")]
    rows: u32,
    /// What each is greeted with.
    greeting: Option<String>,
}

fn many() -> u32 {
    10
}

/// The columns. Every batch must have exactly these.
fn schema() -> SchemaRef {
    Arc::new(ArrowSchema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

impl Home for Settings {
    type Reader = Rows;

    /// What `hygge debug` says. Here: look whether the source can be reached.
    fn check(&self) -> Result<Vec<Finding>> {
        Ok(vec![Finding::good(format!(
            "{} rows can be read",
            self.rows
        ))])
    }

    /// Parts that can be read side by side; one is fine.
    fn splits(&self, _: &Entity, _: &SplitRequest) -> Result<SplitPlan> {
        Ok(SplitPlan::single(schema()))
    }

    /// Opens a part from its start, or after a position that its reader gave.
    fn open(&self, _: &Entity, _: &Split, resume: Option<&str>) -> Result<Rows> {
        let at = resume.map_or(Ok(0), str::parse);
        let at = at.map_err(|_| Fault::new(code::PLUGIN, "can't go on from that position"))?;
        log::debug!("begins at {at}");
        Ok(Rows {
            home: self.clone(),
            at,
        })
    }
}

/// Where a reader is.
pub struct Rows {
    home: Settings,
    at: u32,
}

impl Reader for Rows {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn next(&mut self, want: Want) -> Result<Option<Step>> {
        if self.at >= self.home.rows {
            return Ok(None);
        }
        let most = u32::try_from(want.rows)
            .unwrap_or(u32::MAX)
            .clamp(1, 10_000);
        let end = self.at.saturating_add(most).min(self.home.rows);
        let greeting = self.home.greeting.as_deref().unwrap_or("hello");
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((self.at..end).map(i64::from)));
        let texts = (self.at..end).map(|n| Some(format!("{greeting} {n}")));
        let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
        let batch = RecordBatch::try_new(schema(), vec![ids, texts])?;
        self.at = end;
        Ok(Some(Step {
            batch: Some(batch),
            position: Some(end.to_string()),
        }))
    }
}

hygge_sdk::export! {
    name: "{{name}}",
    summary: "{{summary}}",
    home: Settings,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn reading_on_gives_the_rest() {
        let home: Settings = serde_json::from_str(r#"{"rows": 5}"#).unwrap();
        let entity = Entity {
            flow: "f".into(),
            name: "e".into(),
        };
        let split = Split::new("all");
        let want = Want {
            rows: 3,
            bytes: 1 << 20,
            wait: Duration::ZERO,
        };
        let mut reader = home.open(&entity, &split, None).unwrap();
        let first = reader.next(want).unwrap().unwrap();
        assert_eq!(first.batch.unwrap().num_rows(), 3);
        let mut rest = home
            .open(&entity, &split, first.position.as_deref())
            .unwrap();
        assert_eq!(
            rest.next(want).unwrap().unwrap().batch.unwrap().num_rows(),
            2
        );
        assert!(rest.next(want).unwrap().is_none());
    }
}
