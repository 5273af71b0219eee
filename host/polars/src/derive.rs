//! `derive`: columns that are computed from others.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use hygge_core::{Bound, Context, Fault, Lineage, OPERATION_COLUMN, Origin, Problem, Result, code};
use hygge_transforms::kind::{Spec, at, batch_wise, problem, rows};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evaluate::Evaluation;
use crate::expression::{Expression, quoted};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Derive {
    /// SQL expressions by the names of their columns, such as `price * amount`. A name that is
    /// there already gets the new values in its place; new columns come last, in the order of
    /// their names. Each sees the columns as they come in.
    #[schemars(extend("minProperties" = 1))]
    columns: BTreeMap<String, String>,
}

impl Spec for Derive {
    const NAME: &'static str = "derive";
    const SUMMARY: &'static str = "computes columns with SQL expressions";

    fn problems(&self) -> Vec<Problem> {
        let parsed = self.columns.iter();
        let refused = parsed.filter_map(|(name, text)| {
            let why = Expression::parse(text).err()?;
            Some(problem(&at("columns", name), why.message, why.advice))
        });
        refused.collect()
    }

    fn describe(&self) -> String {
        let each = self.columns.iter();
        let each = each.map(|(name, text)| format!("{name} = {}", quoted(text)));
        format!("derive {}", each.collect::<Vec<_>>().join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        let mut made = Vec::new();
        for (name, text) in &self.columns {
            if name == OPERATION_COLUMN {
                let message =
                    format!("derive can't touch {name}: it says what becomes of each row");
                return Err(Fault::new(code::CONFIG, message).with("column", name));
            }
            let expression = Expression::parse(text)
                .map_err(|why| Fault::new(code::CONFIG, format!("derive: {}", why.message)))?;
            let evaluation = Evaluation::bind(
                &format!("derive can't compute {name} as"),
                &expression,
                input,
            )
            .map_err(|fault| match fault.attribute("column") {
                Some(_) => fault,
                None => fault.with("column", name),
            })?;
            // What was said of the old values isn't true of the new ones.
            let field = Arc::new(Field::new(name, evaluation.data_type.clone(), true));
            match input.index_of(name) {
                Ok(index) => {
                    fields[index] = field;
                    made.push((Some(index), evaluation));
                }
                Err(_) => {
                    fields.push(field);
                    made.push((None, evaluation));
                }
            }
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let mut lineage = Lineage::same(input.fields().len());
        for (place, evaluation) in &made {
            let origin = Origin::Made(evaluation.columns().collect());
            match place {
                Some(index) => lineage.columns[*index] = origin,
                None => lineage.columns.push(origin),
            }
        }
        Ok(batch_wise(Arc::clone(&schema), lineage, cx, move |batch| {
            let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
            for (place, evaluation) in &made {
                let values = evaluation.values(batch)?;
                match place {
                    Some(index) => columns[*index] = values,
                    None => columns.push(values),
                }
            }
            rows(&schema, columns)
        }))
    }
}
