//! Conditions that keep what can fail from rows it isn't for: `CASE WHEN n < 40000 THEN n * n END`, and
//! `AND`, `OR` and `COALESCE` as well. Polars computes all of an expression for all rows and chooses afterwards, so
//! that a row which nobody asked for would fail the others. What failed is computed once more: first each
//! condition, as a column of its own, then what stands behind it, with NULL in the place of other rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use polars::error::PolarsResult;
use polars::prelude::{DataFrame, DataType, IntoLazy, Schema};
use polars_plan::plans::visitor::TreeWalker;
use polars_plan::prelude::{Expr, FunctionExpr, LiteralValue, Operator, col, lit};

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
            // With these alone, since planning looks at every column there is.
            let mut named = BTreeSet::new();
            for part in &stage {
                if let Expr::Column(name) = part {
                    named.insert(name.clone());
                }
            }
            let made = match named.is_empty() {
                true => rows.clone(),
                false => rows.select(named)?,
            };
            let made = made.lazy().with_columns([stage]).collect()?;
            if let Some(made) = made.columns().last() {
                rows.with_column(made.clone())?;
            }
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
                if !can_fail(&truthy) && !can_fail(&falsy) {
                    return Ok(Expr::Ternary {
                        predicate: Arc::new(predicate),
                        truthy,
                        falsy,
                    });
                }
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
                let guards = can_fail(&right) && self.is_truth(&left);
                let (left, right) = match decided.filter(|_| guards) {
                    Some(decided) => {
                        let left = self.keep(left)?;
                        let open = self.open(path, left.clone().neq_missing(decided))?;
                        (left, self.walk(right, Some(&open))?)
                    }
                    // One side is enough, but for what is written, which is never masked.
                    None => match self.walk(right, path)? {
                        right if !computes(op) => (left, right),
                        right @ Expr::Literal(_) => (masked(left, path), right),
                        right => (left, masked(right, path)),
                    },
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
            // Each is for rows in which all before it are NULL.
            Expr::Function {
                input,
                function: function @ FunctionExpr::Coalesce,
            } if input.iter().skip(1).any(can_fail) => {
                let mut open = path.cloned();
                let mut chosen = Vec::new();
                for each in input {
                    // What is written has no type of its own, and nothing behind it is asked for.
                    if matches!(each, Expr::Literal(_)) {
                        chosen.push(each);
                        continue;
                    }
                    let each = self.walk(each, open.as_ref())?;
                    let each = self.keep(masked(each, open.as_ref()))?;
                    open = Some(self.open(open.as_ref(), each.clone().is_null())?);
                    chosen.push(each);
                }
                Expr::Function {
                    input: chosen,
                    function,
                }
            }
            Expr::Function { input, function } => {
                // What it is of; the others say how, and may fail where that is written.
                let written = matches!(input.first(), Some(Expr::Literal(_)));
                let input = input.into_iter().enumerate();
                let input = input.map(|(nth, each)| {
                    let each = self.walk(each, path)?;
                    Ok(match nth == 0 || written {
                        true => masked(each, path),
                        false => each,
                    })
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
        let names = (0..).map(|nth| format!("\u{1f}{nth}"));
        let mut names = names.skip(self.made.len());
        // A column of the rows may be called so as well.
        let free = names.find(|name| !self.schema.contains(name));
        let name = free.unwrap_or_default();
        let made = expr.to_field(&self.schema)?;
        self.schema.with_column(name.as_str().into(), made.dtype);
        self.made.push(expr.alias(name.as_str()));
        Ok(col(name.as_str()))
    }
}

/// Whether it may fail for a row: comparing, choosing and naming columns don't.
fn can_fail(expr: &Expr) -> bool {
    expr.into_iter().any(|part| match part {
        Expr::Column(_) | Expr::Literal(_) | Expr::Ternary { .. } | Expr::Alias(..) => false,
        Expr::BinaryExpr { op, .. } => computes(*op),
        _ => true,
    })
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
