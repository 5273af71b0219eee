//! `filter`: which rows go on.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_schema::{DataType, SchemaRef};
use arrow_select::filter::filter_record_batch;
use hygge_core::{Bound, Context, Fault, Lineage, Problem, Result, code, type_name};
use hygge_transforms::kind::{Spec, batch_wise, problem};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evaluate::Evaluation;
use crate::expression::{Expression, quoted};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// A SQL expression, such as `state = 'paid' AND price > 10`: rows for which it is true go on.
    r#where: String,
}

impl Spec for Filter {
    const NAME: &'static str = "filter";
    const SUMMARY: &'static str = "keeps the rows for which a SQL expression is true";

    fn problems(&self) -> Vec<Problem> {
        let refused = Expression::parse(&self.r#where).err();
        let told = refused.map(|why| problem("where", why.message, why.advice));
        told.into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("filter {}", quoted(&self.r#where))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let expression = Expression::parse(&self.r#where)
            .map_err(|why| Fault::new(code::CONFIG, format!("filter: {}", why.message)))?;
        let evaluation = Evaluation::bind("filter can't evaluate", &expression, input)?;
        if evaluation.data_type != DataType::Boolean {
            let gives = type_name(&evaluation.data_type);
            let fault = evaluation.fault(
                code::SCHEMA,
                &format!("it gives {gives}, not true or false"),
            );
            return Err(fault.advise("compare it with something: `… > 0`, `… = 'x'`"));
        }
        let lineage = Lineage::same(input.fields().len());
        Ok(batch_wise(Arc::clone(input), lineage, cx, move |batch| {
            let kept = evaluation.values(batch)?;
            filter_record_batch(batch, kept.as_boolean())
                .map_err(|error| Fault::internal(format!("rows weren't filtered: {error}")))
        }))
    }
}
