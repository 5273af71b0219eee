//! The `sql` check: an expression that is true of every row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};
use arrow_schema::{DataType, SchemaRef};
use hygge_checks::{Part, Spec, row_wise};
use hygge_core::{BoundCheck, BuildContext, Fault, Problem, Result, code, type_name};
use hygge_transforms::kind::problem;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evaluate::Evaluation;
use crate::expression::{Expression, quoted};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sql {
    /// A SQL expression, such as `price >= 0 OR state = 'refund'`: rows for which it is false fail.
    /// One that is NULL doesn't, as in a CHECK constraint.
    expression: String,
}

impl Spec for Sql {
    const NAME: &'static str = "sql";
    const SUMMARY: &'static str = "a SQL expression is true of every row";
    const OF_ROWS: bool = true;

    fn problems(&self) -> Vec<Problem> {
        let refused = Expression::parse(&self.expression).err();
        let told = refused.map(|why| problem("expression", why.message, why.advice));
        told.into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("sql {}", quoted(&self.expression))
    }

    fn bind(&self, schema: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let expression = Expression::parse(&self.expression)
            .map_err(|why| Fault::new(code::CONFIG, format!("the sql check: {}", why.message)))?;
        let whose = "the sql check can't evaluate";
        let evaluation = Evaluation::bind(whose, &expression, schema)?;
        if evaluation.data_type != DataType::Boolean {
            let gives = type_name(&evaluation.data_type);
            let fault = evaluation.fault(
                code::SCHEMA,
                &format!("it gives {gives}, not true or false"),
            );
            return Err(fault.advise("compare it with something: `… > 0`, `… = 'x'`"));
        }
        Ok(row_wise(vec![Part {
            said: format!("{} is false of", quoted(&self.expression)),
            shown: None,
            failing: Arc::new(move |batch| {
                let values = evaluation.values(batch)?;
                let holds = values.as_boolean();
                Ok(BooleanArray::new(!holds.values(), holds.nulls().cloned()))
            }),
        }]))
    }
}
