//! `run_columns`: which run took each row, when, and of what.

use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use hygge_core::{
    Bound, BuildContext, Context, Fault, Lineage, OPERATION_COLUMN, Problem, Result, code,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, batch_wise, rows};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunColumns {
    /// The name of a column with the id of the run that read the row, as `hygge runs` shows it
    /// (string).
    run_id: Option<String>,
    /// The name of a column with the moment that run began (timestamp in UTC).
    loaded_at: Option<String>,
    /// The name of a column with the entity the row belongs to, as FLOW.ENTITY (string).
    source: Option<String>,
    #[serde(skip)]
    place: Option<BuildContext>,
}

#[derive(Clone, Copy)]
enum Told {
    Run,
    Began,
    Entity,
}

impl RunColumns {
    fn columns(&self) -> impl Iterator<Item = (&str, Told)> {
        let all = [
            (&self.run_id, Told::Run),
            (&self.loaded_at, Told::Began),
            (&self.source, Told::Entity),
        ];
        all.into_iter()
            .filter_map(|(name, told)| Some((name.as_deref()?, told)))
    }
}

impl Spec for RunColumns {
    const NAME: &'static str = "run_columns";
    const SUMMARY: &'static str = "adds columns that tell the run, its moment and the entity";

    fn problems(&self) -> Vec<Problem> {
        match self.columns().next() {
            Some(_) => Vec::new(),
            None => vec![Problem {
                pointer: String::new(),
                message: "run_columns needs `run_id`, `loaded_at` or `source`".to_owned(),
                advice: Some("each is the name of a new column".to_owned()),
            }],
        }
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.columns().map(|(name, _)| name).collect();
        format!("add {}", names.join(", "))
    }

    fn placed(&mut self, place: &BuildContext) {
        self.place = Some(place.clone());
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        let mut made = Vec::new();
        for (name, told) in self.columns() {
            if fields.iter().any(|field| field.name() == name) || name == OPERATION_COLUMN {
                let message = format!("run_columns adds a column that is there already: {name}");
                return Err(Fault::new(code::SCHEMA, message)
                    .with("column", name)
                    .advise("choose another name, or exclude the other one before"));
            }
            let data_type = match told {
                Told::Run | Told::Entity => DataType::Utf8,
                Told::Began => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            };
            fields.push(Arc::new(Field::new(name, data_type, false)));
            made.push(told);
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let place = self.place.clone();
        let lineage = Lineage::adding(input.fields().len(), made.iter().map(|_| Vec::new()));
        Ok(batch_wise(Arc::clone(&schema), lineage, cx, move |batch| {
            let (entity, run) = place
                .as_ref()
                .and_then(|place| Some((place.entity.as_ref()?, place.run.as_ref()?)))
                .ok_or_else(|| Fault::internal("rows are transformed outside of a run"))?;
            let count = batch.num_rows();
            let text = |text: String| -> ArrayRef {
                Arc::new(StringArray::from_iter_values(repeat_n(text, count)))
            };
            let mut columns = batch.columns().to_vec();
            columns.extend(made.iter().map(|told| match told {
                Told::Run => text(run.id.to_string()),
                Told::Entity => text(entity.to_string()),
                Told::Began => {
                    let began = run.began.as_microsecond();
                    let moments = TimestampMicrosecondArray::from_value(began, count);
                    Arc::new(moments.with_timezone("UTC")) as ArrayRef
                }
            }));
            rows(&schema, columns)
        }))
    }
}
