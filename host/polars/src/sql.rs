//! `sql`: a SELECT over the rows that come in.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use hygge_core::{
    Bound, Context, Fault, Lineage, OPERATION_COLUMN, Origin, Problem, Result, code,
    columns_instead, type_name,
};
use hygge_transforms::kind::{Spec, batch_wise, problem, rows};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evaluate::Evaluation;
use crate::expression::quoted;
use crate::query::{Item, Parsed};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sql {
    /// A SELECT from `self`, the rows that come in, such as `SELECT id, price * 2 AS twice FROM
    /// self WHERE price > 10`. It works row by row, so it can't gather, sort or join.
    query: String,
}

/// Where a column's values come from.
enum Values {
    Same(usize),
    Made(Box<Evaluation>),
}

impl Spec for Sql {
    const NAME: &'static str = "sql";
    const SUMMARY: &'static str = "changes rows with a SELECT over `self`";

    fn problems(&self) -> Vec<Problem> {
        let refused = Parsed::parse(&self.query).err();
        let told = refused.map(|why| problem("query", why.message, why.advice));
        told.into_iter().collect()
    }

    fn describe(&self) -> String {
        quoted(&self.query)
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let parsed = Parsed::parse(&self.query)
            .map_err(|why| Fault::new(code::CONFIG, format!("sql: {}", why.message)))?;
        let filter = parsed.filter.as_ref();
        let filter = filter.map(|filter| {
            let evaluation = Evaluation::bind("sql can't evaluate WHERE", filter, input)?;
            if evaluation.data_type == DataType::Boolean {
                return Ok(evaluation);
            }
            let gives = type_name(&evaluation.data_type);
            let why = format!("it gives {gives}, not true or false");
            let fault = evaluation.fault(code::SCHEMA, &why);
            Err(fault.advise("compare it with something: `… > 0`, `… = 'x'`"))
        });
        let filter = filter.transpose()?;
        let (fields, values) = columns(parsed.items, input)?;
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let origins = values.iter().map(|values| match values {
            Values::Same(index) => Origin::Same(*index),
            Values::Made(evaluation) => Origin::Made(evaluation.columns().collect()),
        });
        let lineage = Lineage {
            columns: origins.collect(),
            several: false,
        };
        Ok(batch_wise(Arc::clone(&schema), lineage, cx, move |batch| {
            let kept = match &filter {
                Some(filter) => &chosen(filter, batch)?,
                None => batch,
            };
            let columns = values.iter().map(|values| match values {
                Values::Same(index) => Ok(Arc::clone(kept.column(*index))),
                Values::Made(evaluation) => evaluation.values(kept),
            });
            let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
            rows(&schema, columns)
        }))
    }
}

fn chosen(filter: &Evaluation, batch: &RecordBatch) -> Result<RecordBatch> {
    let kept = filter.values(batch)?;
    filter_record_batch(batch, kept.as_boolean())
        .map_err(|error| Fault::internal(format!("rows weren't filtered: {error}")))
}

fn columns(items: Vec<Item>, input: &SchemaRef) -> Result<(Vec<FieldRef>, Vec<Values>)> {
    let mut out: Vec<(FieldRef, Values)> = Vec::new();
    let same = |index: usize| (Arc::clone(&input.fields()[index]), Values::Same(index));
    for item in items {
        match item {
            Item::All { but } => {
                for name in &but {
                    place(name, input)?;
                }
                let names = input.fields().iter().map(|field| field.name());
                let left = names.enumerate().filter(|(_, name)| !but.contains(name));
                out.extend(left.map(|(index, _)| same(index)));
            }
            Item::Column { name, alias } => {
                let index = place(&name, input)?;
                if name != alias && [&name, &alias].into_iter().any(|n| n == OPERATION_COLUMN) {
                    return Err(operation());
                }
                let field = Field::clone(input.field(index)).with_name(alias);
                out.push((Arc::new(field), Values::Same(index)));
            }
            Item::Made { expression, alias } => {
                if alias == OPERATION_COLUMN {
                    return Err(operation());
                }
                let whose = format!("sql can't compute {alias} as");
                let made = Evaluation::bind(&whose, &expression, input);
                let made = made.map_err(|fault| match fault.attribute("column") {
                    Some(_) => fault,
                    None => fault.with("column", &alias),
                })?;
                let field = Field::new(alias, made.data_type.clone(), true);
                out.push((Arc::new(field), Values::Made(Box::new(made))));
            }
        }
    }
    // Without it a deleted row would settle as one that is there.
    if let Ok(index) = input.index_of(OPERATION_COLUMN)
        && !out
            .iter()
            .any(|(field, _)| field.name() == OPERATION_COLUMN)
    {
        out.push(same(index));
    }
    let mut seen = BTreeSet::new();
    if let Some((field, _)) = out.iter().find(|(field, _)| !seen.insert(field.name())) {
        let name = field.name();
        return Err(Fault::new(
            code::SCHEMA,
            format!("sql gives two columns one name: {name}"),
        )
        .with("column", name)
        .advise("name one of them otherwise with `AS`, or leave it out: `* EXCLUDE (…)`"));
    }
    if out.is_empty() {
        return Err(Fault::new(code::SCHEMA, "sql leaves no column"));
    }
    Ok(out.into_iter().unzip())
}

fn place(name: &str, input: &Schema) -> Result<usize> {
    input.index_of(name).map_err(|_| {
        Fault::new(
            code::SCHEMA,
            format!("sql names a column that isn't there: {name}"),
        )
        .with("column", name)
        .advise(columns_instead(name, input))
    })
}

fn operation() -> Fault {
    let message = format!("sql can't touch {OPERATION_COLUMN}: it says what becomes of each row");
    Fault::new(code::CONFIG, message).with("column", OPERATION_COLUMN)
}
