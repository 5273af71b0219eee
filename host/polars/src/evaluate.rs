//! An expression bound to columns, and what it makes of their rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{DataType, Schema};
use arrow_select::take::take;
use hygge_core::{Fault, Result, caught, code, columns_instead, type_name};
use polars::error::{PolarsError, PolarsResult};
use polars::prelude::{Column, DataFrame, DataType as PolarsType, IntoLazy, LazyFrame};
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::prelude::{Expr, FunctionExpr, IR, StringFunction, is_elementwise_rec};

use crate::carried::{inward, outward};
use crate::deep::roomy;
use crate::exchange::{Refused, to_arrow, to_polars, type_of};
use crate::expression::{Expression, first_line, quoted, within};
use crate::{
    clocks, cuts, decimals, epoch, failure, guards, meeting, moments, points, positions, texts,
    units, whole, widths, zones,
};

/// Refuses what doesn't fit, where rounding would be silent.
const STRICT: CastOptions<'_> = CastOptions {
    safe: false,
    format_options: arrow_cast::display::FormatOptions::new(),
};

/// An expression whose columns and type are known.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// How it is told of: `filter can't evaluate`.
    whose: String,
    text: String,
    expr: Expr,
    inputs: Vec<Input>,
    /// The type of its values.
    pub(crate) data_type: DataType,
}

/// A column that an expression names.
#[derive(Debug)]
struct Input {
    index: usize,
    name: String,
    carried: DataType,
    /// What Polars calls its type.
    kind: String,
}

impl Evaluation {
    pub(crate) fn bind(whose: &str, expression: &Expression, input: &Schema) -> Result<Self> {
        let fault = |why: &str| {
            let message = format!("{whose} {}: {why}", quoted(&expression.text));
            Fault::new(code::SCHEMA, message).with("expression", &expression.text)
        };
        let bound = roomy(|| caught(|| Self::made(whose, expression, input)));
        bound.unwrap_or_else(|panic| Err(fault(&panicked(&panic)).advise(NARROWER)))
    }

    fn made(whose: &str, expression: &Expression, input: &Schema) -> Result<Self> {
        let columns = expression.columns.iter();
        let mut bound = Self {
            whose: whose.to_owned(),
            text: expression.text.clone(),
            expr: expression.expr.clone().alias("value"),
            inputs: Vec::new(),
            data_type: DataType::Null,
        };
        for name in columns {
            bound.inputs.push(bound.input(name, input)?);
        }
        // No rows are enough to learn the type, and whether Polars can do it at all.
        let empty = RecordBatch::new_empty(Arc::new(input.clone()));
        let schema = Arc::clone(bound.frame(&empty)?.schema());
        for input in &mut bound.inputs {
            let kind = schema.get(&input.name).map(ToString::to_string);
            input.kind = kind.unwrap_or_default();
        }
        bound.expr = positions::literal(cuts::within(widths::widened(bound.expr)));
        bound.expr = texts::read(bound.expr, &schema);
        bound.expr = clocks::whole(epoch::counted(bound.expr), &schema);
        if let Some(unfit) = meeting::unfit(&bound.expr, &schema) {
            return Err(bound.fault(code::SCHEMA, &unfit.why).advise(unfit.advice));
        }
        let given = |each: &Input| input.field(each.index).data_type();
        let lost = bound
            .inputs
            .iter()
            .filter(|each| zones::is_lost(given(each)));
        let lost: Vec<&str> = lost.map(|each| each.name.as_str()).collect();
        if let Some(name) = zones::read_of(&bound.expr, &lost, &schema) {
            let why = format!("column {name} has a zone whose hours and days can't be read");
            let fault = bound.fault(code::SCHEMA, &why).with("column", name);
            return Err(fault.advise("take its UTC: `CAST(… AS TIMESTAMP)`"));
        }
        bound.expr = zones::alike(bound.expr, &schema);
        bound.expr = points::alike(bound.expr, &schema);
        bound.expr = moments::held(units::alike(bound.expr, &schema), &schema);
        bound.expr = decimals::exact(bound.expr, &schema);
        bound.expr = whole::checked(bound.expr, &schema);
        let planned = bound.query(&empty)?.to_alp();
        let unfit = |error: PolarsError| {
            let why = first_line(&error);
            if let Some(failure) = failure::read(&why) {
                let fault = bound.fault(code::SCHEMA, &bound.told(&failure));
                if failure.is_too_fine() {
                    return fault.advise(failure::COARSER);
                }
                return fault.advise(
                    "write it as the `cast` transform takes it; `TRY_CAST(… AS …)` gives NULL for \
                     what doesn't fit",
                );
            }
            let fault = bound.fault(code::SCHEMA, &failure::words(&why));
            if let Some(advice) = whole::advice(&why) {
                return fault.advise(advice);
            }
            if why.starts_with(failure::PATTERN) {
                return fault.advise("`\\` makes the next character stand for itself: `\\[`");
            }
            fault.advise(match failure::compares_a_moment(&why) {
                true => bound.moments(input),
                false => bound.types(input),
            })
        };
        let planned = planned.map_err(unfit)?;
        bound.query(&empty)?.collect().map_err(unfit)?;
        let IR::Select { expr, schema, .. } = planned.lp_arena.get(planned.lp_top) else {
            return Err(bound.fault(code::SCHEMA, "it is no value of a row"));
        };
        let row_by_row = |each: &ExprIR| is_elementwise_rec(each.node(), &planned.expr_arena);
        if !expr.iter().all(row_by_row) && expression.null {
            let fault = bound.fault(code::SCHEMA, "NULL has no type there");
            return Err(fault.advise(
                "`IS NULL` and `IS NOT NULL` test for it, `CAST(NULL AS …)` gives it a type",
            ));
        }
        if !expr.iter().all(row_by_row) {
            let why = "its value would depend on which rows happen to pass together";
            return Err(bound
                .fault(code::SCHEMA, why)
                .advise("compute it where all rows are: in the query of the home, or after"));
        }
        let made = schema.get("value").map(type_of);
        let made = made.and_then(std::result::Result::ok);
        bound.data_type = made.as_ref().and_then(outward).ok_or_else(|| {
            let what = match &made {
                Some(DataType::Null) => "NULL without a type".to_owned(),
                Some(made) => type_name(made),
                None => "values without a type".to_owned(),
            };
            let fault = bound.fault(code::SCHEMA, &format!("it gives {what}"));
            fault.advise(match made.as_ref().is_some_and(DataType::is_nested) {
                true => "an expression gives one plain value for each row",
                false => "say a type: `CAST(… AS VARCHAR)`",
            })
        })?;
        bound.values(&empty)?;
        Ok(bound)
    }

    /// The places of the columns that it names.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().map(|input| input.index)
    }

    fn input(&self, name: &str, schema: &Schema) -> Result<Input> {
        let Ok(index) = schema.index_of(name) else {
            let fault = self.fault(code::SCHEMA, &format!("there is no column {name}"));
            let columns = columns_instead(name, schema);
            let in_quotes = self.text.contains(&format!("\"{name}\""));
            return Err(fault.with("column", name).advise(match in_quotes {
                true => format!("a text stands in 'single quotes'; {columns}"),
                false => columns,
            }));
        };
        let given = schema.field(index).data_type();
        match inward(given) {
            Some(carried) if can_cast_types(given, &carried) => Ok(Input {
                index,
                name: name.to_owned(),
                carried,
                kind: String::new(),
            }),
            _ => {
                let why = format!("column {name} is {}", type_name(given));
                let fault = self.fault(code::SCHEMA, &why);
                Err(fault
                    .with("column", name)
                    .advise("such a column passes, but no expression can look into it"))
            }
        }
    }

    /// One value for each row.
    pub(crate) fn values(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let query = self.query(batch)?;
        let made = match self.collect(|| query.collect()) {
            Ok(Ok(made)) => Ok(made),
            failed => match self.guarded(batch)? {
                Some(made) => made,
                None => failed?,
            },
        };
        let made = made.map_err(|error| self.failed(&first_line(&error)))?;
        let internal =
            |error: Refused| Fault::internal(format!("Polars gave a column back: {error}"));
        let column = made
            .columns()
            .first()
            .ok_or_else(|| Fault::internal("Polars gave no column"))?;
        let values = to_arrow(column.as_materialized_series()).map_err(internal)?;
        let values = cast_with_options(&values, &self.data_type, &STRICT)
            .map_err(|error| self.failed(&error.to_string()))?;
        // Rounding upwards may need a digit more than the type has, which Polars doesn't look at.
        if let DataType::Decimal128(precision, _) = self.data_type {
            let values = values.as_primitive::<Decimal128Type>();
            let held = values.validate_decimal_precision(precision);
            held.map_err(|error| self.failed(&error.to_string()))?;
        }
        match (values.len(), batch.num_rows()) {
            (given, rows) if given == rows => Ok(values),
            // What names no column has one value.
            (1, rows) => {
                let first = arrow_array::UInt64Array::from_value(0, rows);
                take(&values, &first, None).map_err(|error| internal(error.into()))
            }
            (given, rows) => Err(Fault::internal(format!(
                "an expression gave {given} values for {rows} rows"
            ))),
        }
    }

    /// What failed, once more: perhaps by rows that a condition keeps it from. None where it has no
    /// conditions.
    fn guarded(&self, batch: &RecordBatch) -> Result<Option<PolarsResult<DataFrame>>> {
        let rows = self.frame(batch)?;
        self.collect(|| match guards::staged(&self.expr, rows.schema()) {
            Ok(Some(guarded)) => Some(guarded.values(rows)),
            // What can't be computed so is no news beside what failed.
            Ok(None) | Err(_) => None,
        })
    }

    fn collect<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        roomy(|| caught(work)).map_err(|panic| {
            let fault = self.fault(code::SOURCE_INVALID, &panicked(&panic));
            fault.advise(NARROWER)
        })
    }

    fn query(&self, batch: &RecordBatch) -> Result<LazyFrame> {
        Ok(self.frame(batch)?.lazy().select([self.expr.clone()]))
    }

    /// The columns that it names.
    fn frame(&self, batch: &RecordBatch) -> Result<DataFrame> {
        let columns = self.inputs.iter().map(|input| {
            let given = batch.column(input.index);
            let given = cast_with_options(given, &input.carried, &STRICT);
            let column = given.map_err(Into::into);
            let column = column.and_then(|given| to_polars(&input.name, &given));
            column.map(Column::from).map_err(|error: Refused| {
                let why = format!("column {}: {}", input.name, first_line(&error));
                self.fault(code::SOURCE_INVALID, &why)
                    .with("column", &input.name)
            })
        });
        let columns: Vec<Column> = columns.collect::<Result<_>>()?;
        DataFrame::new(batch.num_rows(), columns)
            .map_err(|error| Fault::internal(format!("Polars took no columns: {error}")))
    }

    fn failed(&self, why: &str) -> Fault {
        let told = failure::read(why);
        let fault = match &told {
            Some(told) => {
                let fault = self.fault(code::SOURCE_INVALID, &self.told(told));
                // What Polars calls a column may be a part of the expression that begins with it.
                match self.casts(told) {
                    true => fault.with("column", told.column),
                    false => fault,
                }
            }
            None => self.fault(code::SOURCE_INVALID, &failure::told(why)),
        };
        let casts = self.text.to_ascii_uppercase().contains("CAST");
        fault.advise(match told {
            _ if why == failure::NO_TEXT => failure::LEAVE_OUT,
            _ if whole::advice(why).is_some() => whole::advice(why).unwrap_or_default(),
            Some(told) if told.is_too_fine() => failure::COARSER,
            _ if casts => "`TRY_CAST(… AS …)` gives NULL for what doesn't fit",
            Some(told) if told.is_text() => failure::LEAVE_OUT,
            _ => failure::advice(why),
        })
    }

    /// What is said of a value that a cast can't take.
    fn told(&self, failure: &failure::Failure<'_>) -> String {
        if self.casts(failure) {
            return failure.of_column();
        }
        // What is made of written texts may be made of a secret, and is hidden nowhere.
        let written = |part: &Expr| match part {
            Expr::Literal(written) => written.extract_str().is_some_and(|text| {
                text.chars().count() >= SECRET && self.text.contains(text) && !failure.is_of(text)
            }),
            _ => false,
        };
        match failure.is_text() && self.expr.into_iter().any(written) {
            true => failure.of_something(),
            false => failure.of_a_part(),
        }
    }

    /// Whether it is a value of a column, which is cast as it is.
    fn casts(&self, failure: &failure::Failure<'_>) -> bool {
        let column = failure.column;
        let own = self.inputs.iter().find(|input| input.name == column);
        if own.is_none_or(|own| !failure.is_from(&own.kind)) {
            return false;
        }
        self.expr.into_iter().any(|part| {
            let cast = match part {
                // None fails to be text, which whatever is beside one becomes.
                Expr::Cast { dtype, .. } if dtype.as_literal() == Some(&PolarsType::String) => {
                    return false;
                }
                Expr::Cast { expr, .. } => expr.as_ref(),
                // Of text, as `texts` reads it.
                Expr::AnonymousFunction { input, .. } => match input.as_slice() {
                    [cast] => cast,
                    _ => return false,
                },
                Expr::Function {
                    input,
                    function: FunctionExpr::StringExpr(StringFunction::Strptime(..)),
                } => match input.first() {
                    Some(read) => read,
                    None => return false,
                },
                _ => return false,
            };
            matches!(cast, Expr::Column(name) if name == column)
        })
    }

    /// How dates and moments are written, for whoever compares one with a text.
    fn moments(&self, schema: &Schema) -> String {
        let any = |of: fn(&DataType) -> bool| {
            let mut kinds = self.inputs.iter();
            kinds.any(|input| of(schema.field(input.index).data_type()))
        };
        let written = if any(|kind| matches!(kind, DataType::Timestamp(_, Some(_)))) {
            "cut it to a date: `CAST(… AS DATE) >= DATE '2024-12-31'`"
        } else if any(|kind| matches!(kind, DataType::Timestamp(..))) {
            "write it as one: `TIMESTAMP '2024-12-31 10:00:00'`"
        } else if any(|kind| matches!(kind, DataType::Time32(_) | DataType::Time64(_))) {
            "write it as one: `TIME '10:00:00'`"
        } else {
            "write it as one: `DATE '2024-12-31'`"
        };
        written.to_owned()
    }

    /// The types of the columns that it names, for whoever compares what can't be compared.
    fn types(&self, schema: &Schema) -> String {
        let each = self.inputs.iter().map(|input| {
            let given = schema.field(input.index).data_type();
            format!("{} is {}", input.name, type_name(given))
        });
        match self.inputs.is_empty() {
            true => "see docs/transforms.md for what an expression can do".to_owned(),
            false => format!(
                "{}; `CAST(… AS …)` gives another type",
                each.collect::<Vec<_>>().join(", ")
            ),
        }
    }

    pub(crate) fn fault(&self, code: &'static str, why: &str) -> Fault {
        let message = format!("{} {}: {why}", self.whose, quoted(&self.text));
        Fault::new(code, message).with("expression", &self.text)
    }
}

/// What is said where Polars gives up altogether.
fn panicked(said: &str) -> String {
    let said = within(said);
    format!("a value in it is beyond what can be computed ({said})")
}

/// Letters of the shortest text that is hidden where it is a secret.
const SECRET: usize = 4;

const NARROWER: &str = "see which numbers, dates and intervals stand in it";
