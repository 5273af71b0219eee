//! Conditions that keep what can fail from rows it isn't for: `CASE WHEN n < 40000 THEN n * n END`, and
//! `AND` and `OR` as well. Polars computes all of an expression for all rows and chooses afterwards, so
//! that a row which nobody asked for would fail the others. What failed is computed once more: first each
//! condition, as a column of its own, then what stands behind it, with NULL in the place of other rows.

use std::sync::Arc;

use polars::error::PolarsResult;
use polars::prelude::{DataFrame, DataType, IntoLazy, Schema};
use polars_plan::plans::visitor::TreeWalker;
use polars_plan::prelude::{Expr, LiteralValue, Operator, col, lit};

/// An expression whose conditions come first.
pub(crate) struct Guarded {
    /// Columns, each of which may name those before it.
    stages: Vec<Expr>,
    expr: Expr,
}

/// The expression with its conditions before all that can fail; none where it has no conditions.
pub(crate) fn staged(expr: &Expr, schema: &Schema) -> PolarsResult<Option<Guarded>> {
    let mut stages = Stages {
        schema: schema.clone(),
        made: Vec::new(),
    };
    let expr = stages.walk(expr.clone(), None)?;
    let stages = stages.made;
    Ok((!stages.is_empty()).then_some(Guarded { stages, expr }))
}

impl Guarded {
    pub(crate) fn values(self, mut rows: DataFrame) -> PolarsResult<DataFrame> {
        for stage in self.stages {
            rows = rows.lazy().with_columns([stage]).collect()?;
        }
        rows.lazy().select([self.expr]).collect()
    }
}

struct Stages {
    schema: Schema,
    made: Vec<Expr>,
}

impl Stages {
    /// For rows for which the path is true; none is all of them.
    fn walk(&mut self, expr: Expr, path: Option<&Expr>) -> PolarsResult<Expr> {
        Ok(match expr {
            Expr::Ternary {
                predicate,
                truthy,
                falsy,
            } => {
                let predicate = self.walk(Arc::unwrap_or_clone(predicate), path)?;
                let predicate = self.keep(predicate)?;
                let chosen = self.open(path, predicate.clone().eq_missing(lit(true)))?;
                let other = self.open(path, predicate.clone().neq_missing(lit(true)))?;
                let truthy = self.walk(Arc::unwrap_or_clone(truthy), Some(&chosen))?;
                let falsy = self.walk(Arc::unwrap_or_clone(falsy), Some(&other))?;
                Expr::Ternary {
                    predicate: Arc::new(predicate),
                    truthy: Arc::new(truthy),
                    falsy: Arc::new(falsy),
                }
            }
            Expr::BinaryExpr { left, op, right } => {
                let left = self.walk(Arc::unwrap_or_clone(left), path)?;
                let decided = match op {
                    Operator::And | Operator::LogicalAnd => Some(lit(false)),
                    Operator::Or | Operator::LogicalOr => Some(lit(true)),
                    _ => None,
                };
                let right = Arc::unwrap_or_clone(right);
                let (left, right) = match decided.filter(|_| self.is_truth(&left)) {
                    Some(decided) => {
                        let left = self.keep(left)?;
                        let open = self.open(path, left.clone().neq_missing(decided))?;
                        (left, self.walk(right, Some(&open))?)
                    }
                    None if computes(op) => (left, masked(self.walk(right, path)?, path)),
                    None => (left, self.walk(right, path)?),
                };
                Expr::BinaryExpr {
                    left: Arc::new(left),
                    op,
                    right: Arc::new(right),
                }
            }
            Expr::Cast {
                expr,
                dtype,
                options,
            } => {
                let given = self.walk(Arc::unwrap_or_clone(expr), path)?;
                Expr::Cast {
                    expr: Arc::new(masked(given, path)),
                    dtype,
                    options,
                }
            }
            Expr::AnonymousFunction {
                input,
                function,
                options,
                fmt_str,
            } => {
                let input = input.into_iter();
                let input = input.map(|each| Ok(masked(self.walk(each, path)?, path)));
                Expr::AnonymousFunction {
                    input: input.collect::<PolarsResult<_>>()?,
                    function,
                    options,
                    fmt_str,
                }
            }
            Expr::Function { input, function } => {
                let input = input.into_iter().enumerate();
                let input = input.map(|(nth, each)| {
                    let each = self.walk(each, path)?;
                    // What it is of; the others say how.
                    Ok(if nth == 0 { masked(each, path) } else { each })
                });
                Expr::Function {
                    input: input.collect::<PolarsResult<_>>()?,
                    function,
                }
            }
            part => part.map_children(&mut |child, _| self.walk(child, path), &mut ())?,
        })
    }

    fn is_truth(&self, expr: &Expr) -> bool {
        let made = expr.to_field(&self.schema);
        made.is_ok_and(|made| made.dtype == DataType::Boolean)
    }

    /// The condition for rows that come as far as that.
    fn open(&mut self, path: Option<&Expr>, condition: Expr) -> PolarsResult<Expr> {
        self.keep(match path {
            Some(path) => path.clone().and(condition),
            None => condition,
        })
    }

    /// As a column, so that it is computed once, and written once.
    fn keep(&mut self, expr: Expr) -> PolarsResult<Expr> {
        // No source has a column called so.
        let name = format!("\u{1f}{}", self.made.len());
        let made = expr.to_field(&self.schema)?;
        self.schema.with_column(name.as_str().into(), made.dtype);
        self.made.push(expr.alias(name.as_str()));
        Ok(col(name.as_str()))
    }
}

/// Whether it fails over decimals: over a zero, or digits that there is no room for.
fn computes(op: Operator) -> bool {
    matches!(
        op,
        Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::TrueDivide
            | Operator::FloorDivide
            | Operator::Modulus
    )
}

/// NULL where the path isn't true.
fn masked(given: Expr, path: Option<&Expr>) -> Expr {
    match (given, path) {
        (given @ Expr::Literal(_), _) | (given, None) => given,
        (given, Some(path)) => Expr::Ternary {
            predicate: Arc::new(path.clone()),
            truthy: Arc::new(given),
            falsy: Arc::new(Expr::Literal(LiteralValue::untyped_null())),
        },
    }
}
