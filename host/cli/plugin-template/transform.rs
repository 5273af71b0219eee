//! {{summary}}.

use std::sync::Arc;

use hygge_sdk::arrow_array::StringArray;
use hygge_sdk::arrow_array::cast::AsArray;
use hygge_sdk::{Bound, Config, DataType, Fault, RecordBatch, Result, SchemaRef, Transform};

/// The settings: what stands beside `type: {{name}}` in a flow.
#[derive(Debug, serde::Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The column whose texts become upper case.
    column: String,
}

/// The transform, once it knows what columns come in.
pub struct Bind {
    at: usize,
    schema: SchemaRef,
}

impl Transform for Settings {
    type Bound = Bind;

    /// Each batch is transformed on its own.
    const ABILITIES: &'static [&'static str] = &["stateless"];

    /// Called before rows move: what doesn't fit fails here.
    fn bind(&self, input: &SchemaRef) -> Result<Bind> {
        match input.column_with_name(&self.column) {
            Some((at, field)) if field.data_type() == &DataType::Utf8 => Ok(Bind {
                at,
                schema: input.clone(),
            }),
            Some((_, field)) => Err(Fault::column(
                &self.column,
                format!("{:?} is {}, not a text", self.column, field.data_type()),
            )),
            None => Err(Fault::column(
                &self.column,
                format!("there is no column {:?}", self.column),
            )),
        }
    }
}

impl Bound for Bind {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let texts = batch.column(self.at).as_string::<i32>();
        let upper: StringArray = texts
            .iter()
            .map(|text| Some(text?.to_uppercase()))
            .collect();
        let mut columns = batch.columns().to_vec();
        columns[self.at] = Arc::new(upper);
        Ok(vec![RecordBatch::try_new(self.schema.clone(), columns)?])
    }
}

hygge_sdk::export! {
    name: "{{name}}",
    summary: "{{summary}}",
    transform: Settings,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_upper_case() {
        let settings: Settings = serde_json::from_str(r#"{"column": "city"}"#).unwrap();
        let city = StringArray::from(vec![Some("Oslo"), None]);
        let batch = RecordBatch::try_from_iter([("city", Arc::new(city) as _)]).unwrap();
        let mut bound = settings.bind(&batch.schema()).unwrap();
        let out = bound.apply(batch).unwrap();
        let city = out[0].column(0).as_string::<i32>();
        assert_eq!(city, &StringArray::from(vec![Some("OSLO"), None]));
    }
}
