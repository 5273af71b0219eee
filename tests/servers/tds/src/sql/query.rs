//! Queries as `SQLite` runs them.

use std::sync::Arc;

use sqlparser::ast::{
    Distinct, Expr, Fetch, GroupByExpr, LimitClause, OrderBy, OrderByExpr, OrderByKind, Query,
    Select, SetExpr, SetOperator, SetQuantifier, TopQuantity,
};

use super::functions::descending;
use super::infer::{self, Typed};
use super::names::Parts;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::store::table::{Table, same};
use crate::types::{SqlType, Value};
use crate::wire::token::Column;

/// What the statement stands in: tables, variables, the session.
pub(crate) trait World {
    /// A table or a view by its name, locked as the statement needs it, and what `SQLite` calls it.
    fn table(&mut self, name: &Parts, alias: Option<&str>) -> Outcome<(Arc<Table>, String)>;
    /// A function that gives a table.
    fn table_function(
        &mut self,
        name: &Parts,
        args: &[(SqlType, Value)],
    ) -> Outcome<(Arc<Table>, String)>;
    /// What changed in a table since a version.
    fn change_table(&mut self, of: &Parts, since: &Value) -> Outcome<(Arc<Table>, String)>;

    fn variable(&self, name: &str) -> Option<(SqlType, Value)>;
    /// `@@VERSION` and its like.
    fn global(&self, name: &str) -> Option<(SqlType, Value)>;
    fn session_function(&mut self, name: &str, args: &[Value]) -> Outcome<(SqlType, Value)>;
    /// Runs an expression that needs no row.
    fn evaluate(&mut self, typed: &Typed, binds: &[Value]) -> Outcome<Value>;
}

#[derive(Clone, Debug)]
pub(crate) struct SourceColumn {
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
    pub(crate) computed: bool,
}

/// Something in FROM.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// As the statement calls it, folded.
    pub(crate) alias: String,
    /// As `SQLite` calls it.
    pub(crate) sql: String,
    pub(crate) columns: Vec<SourceColumn>,
    pub(crate) table: Option<Arc<Table>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) sources: Vec<Source>,
}

#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
    /// The table's columns that the result consists of, and the query for the places of its rows;
    /// where it is no more than that.
    pub(crate) plain: Option<Plain>,
}

#[derive(Clone, Debug)]
pub(crate) struct Plain {
    pub(crate) table: Arc<Table>,
    pub(crate) columns: Vec<usize>,
    /// `None` for every row in the order that they stand in.
    pub(crate) rows: Option<String>,
}

pub(crate) struct Compiler<'w> {
    pub(crate) world: &'w mut dyn World,
    pub(crate) binds: Vec<Value>,
    pub(crate) scopes: Vec<Scope>,
    pub(super) ctes: Vec<(String, Compiled)>,
    pub(super) aliases: usize,
    /// What the text of a function that is a query itself was given.
    pub(super) arguments: Vec<Typed>,
    /// Whether an aggregate was seen in the query that is being compiled.
    pub(crate) aggregated: bool,
}

impl<'w> Compiler<'w> {
    pub(crate) fn new(world: &'w mut dyn World) -> Self {
        Self {
            world,
            binds: Vec::new(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            aliases: 0,
            arguments: Vec::new(),
            aggregated: false,
        }
    }

    /// A query within another: it can have no order unless it takes some of its rows only.
    pub(crate) fn nested(&mut self, query: &Query) -> Outcome<Compiled> {
        let takes_some = match query.body.as_ref() {
            SetExpr::Select(select) => select.top.is_some(),
            _ => false,
        };
        if query.order_by.is_some() && !takes_some && query.limit_clause.is_none() {
            return Err(SqlError::new(1033, "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.").class(15).into());
        }
        let aggregated = std::mem::take(&mut self.aggregated);
        let compiled = self.query(query);
        self.aggregated = aggregated;
        compiled
    }

    pub(crate) fn with(&mut self, with: &sqlparser::ast::With) -> Outcome {
        for cte in &with.cte_tables {
            let name = cte.alias.name.value.to_lowercase();
            let mut compiled = self.nested(&cte.query)?;
            rename(
                &mut compiled,
                cte.alias.columns.iter().map(|column| &column.name.value),
            )?;
            named(&compiled, &cte.alias.name.value)?;
            compiled.plain = None;
            self.ctes.push((name, compiled));
        }
        Ok(())
    }

    pub(crate) fn query(&mut self, query: &Query) -> Outcome<Compiled> {
        let unknown = |what: &str| Err(SqlError::unknown(what).into());
        if query.for_clause.is_some() {
            return unknown("FOR XML, FOR JSON and FOR BROWSE");
        }
        if !query.locks.is_empty()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return unknown("a clause that no SQL Server has");
        }
        let known = self.ctes.len();
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        let limit = self.limit(query.limit_clause.as_ref(), query.fetch.as_ref())?;
        let compiled = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref(), &limit),
            other => self.set_expr(other, query.order_by.as_ref(), &limit),
        };
        self.ctes.truncate(known);
        compiled
    }

    fn limit(&mut self, clause: Option<&LimitClause>, fetch: Option<&Fetch>) -> Outcome<String> {
        let offset = match clause {
            None => None,
            Some(LimitClause::LimitOffset {
                limit: None,
                offset,
                limit_by,
            }) if limit_by.is_empty() => offset.as_ref(),
            Some(other) => return Err(SqlError::unknown(other).into()),
        };
        let offset = match offset {
            Some(offset) => self.value(&offset.value)?.sql,
            None => "0".to_owned(),
        };
        match fetch {
            Some(Fetch {
                with_ties: false,
                percent: false,
                quantity: Some(quantity),
            }) => Ok(format!(
                " LIMIT {} OFFSET {offset}",
                self.value(quantity)?.sql
            )),
            Some(other) => Err(SqlError::unknown(other).into()),
            None if offset == "0" => Ok(String::new()),
            None => Ok(format!(" LIMIT -1 OFFSET {offset}")),
        }
    }

    fn set_expr(
        &mut self,
        body: &SetExpr,
        order: Option<&OrderBy>,
        limit: &str,
    ) -> Outcome<Compiled> {
        let mut compiled = match body {
            SetExpr::Select(select) => self.select(select, None, "")?,
            SetExpr::Query(query) => self.nested(query)?,
            SetExpr::Values(values) => self.values(values)?,
            SetExpr::SetOperation {
                left,
                op,
                set_quantifier,
                right,
            } => {
                let (left, right) = (self.part(left)?, self.part(right)?);
                if left.columns.len() != right.columns.len() {
                    return Err(SqlError::new(205, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.").into());
                }
                let op = match (op, set_quantifier) {
                    (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                    (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
                    (SetOperator::Except, SetQuantifier::None) => "EXCEPT",
                    (SetOperator::Intersect, SetQuantifier::None) => "INTERSECT",
                    _ => return Err(SqlError::unknown(body).into()),
                };
                let mut columns = Vec::new();
                for (a, b) in left.columns.iter().zip(&right.columns) {
                    let ty = infer::unify(&a.ty, &b.ty);
                    columns.push(Column {
                        name: a.name.clone(),
                        ty,
                        nullable: a.nullable || b.nullable,
                        identity: false,
                        computed: false,
                    });
                }
                let side = |part: &Compiled| {
                    let list: Vec<String> = columns
                        .iter()
                        .zip(&part.columns)
                        .enumerate()
                        .map(|(at, (to, from))| {
                            let sql = Typed::new(format!("c{at}"), from.ty).coerced(&to.ty);
                            let collate = infer::collation(&to.ty)
                                .map(|name| format!(" COLLATE {name}"))
                                .unwrap_or_default();
                            format!("({sql}){collate} AS c{at}")
                        })
                        .collect();
                    format!("SELECT {} FROM ({})", list.join(", "), part.sql)
                };
                Compiled {
                    sql: format!("{} {op} {}", side(&left), side(&right)),
                    columns,
                    plain: None,
                }
            }
            other => return Err(SqlError::unknown(other).into()),
        };
        if order.is_some() || !limit.is_empty() {
            let mut keys = Vec::new();
            for item in expressions(order)? {
                let at = match &item.expr {
                    Expr::Identifier(ident) => compiled
                        .columns
                        .iter()
                        .position(|column| same(&column.name, &ident.value)),
                    other => ordinal(other),
                };
                let at = at.filter(|at| *at < compiled.columns.len()).ok_or_else(|| SqlError::new(104, "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.").class(15))?;
                keys.push(
                    Typed::new(format!("c{at}"), compiled.columns[at].ty).ordered()
                        + descending(item.options.sort.as_ref()),
                );
            }
            let order = if keys.is_empty() {
                String::new()
            } else {
                format!(" ORDER BY {}", keys.join(", "))
            };
            compiled.sql = format!("SELECT * FROM ({}){order}{limit}", compiled.sql);
            compiled.plain = None;
        }
        Ok(compiled)
    }

    fn part(&mut self, body: &SetExpr) -> Outcome<Compiled> {
        let aggregated = std::mem::take(&mut self.aggregated);
        let compiled = self.set_expr(body, None, "");
        self.aggregated = aggregated;
        compiled
    }

    pub(super) fn values(&mut self, values: &sqlparser::ast::Values) -> Outcome<Compiled> {
        let mut rows: Vec<Vec<Typed>> = Vec::new();
        for row in &values.rows {
            let mut items = Vec::new();
            for expr in &row.content {
                items.push(self.value(expr)?);
            }
            rows.push(items);
        }
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(SqlError::new(
                10709,
                "The number of columns for each row in a table value constructor must be the same.",
            )
            .into());
        }
        let mut columns = Vec::new();
        for at in 0..width {
            let ty = self.common(rows.iter().map(|row| &row[at]))?;
            columns.push(Column {
                name: String::new(),
                ty,
                nullable: rows.iter().any(|row| row[at].nullable),
                identity: false,
                computed: false,
            });
        }
        let sql: Vec<String> = rows
            .iter()
            .map(|row| {
                let list: Vec<String> = row
                    .iter()
                    .zip(&columns)
                    .enumerate()
                    .map(|(at, (item, column))| format!("{} AS c{at}", item.coerced(&column.ty)))
                    .collect();
                format!("SELECT {}", list.join(", "))
            })
            .collect();
        Ok(Compiled {
            sql: sql.join(" UNION ALL "),
            columns,
            plain: None,
        })
    }

    fn select(
        &mut self,
        select: &Select,
        order: Option<&OrderBy>,
        limit: &str,
    ) -> Outcome<Compiled> {
        self.refuse(select)?;
        self.scopes.push(Scope::default());
        let compiled = self.select_in_scope(select, order, limit);
        self.scopes.pop();
        compiled
    }

    fn refuse(&self, select: &Select) -> Outcome {
        // Where a statement may have one, it was taken out before.
        if select.into.is_some() {
            let message = "Incorrect syntax near the keyword 'INTO'.";
            return Err(SqlError::new(156, message).class(15).into());
        }
        let odd = select.exclude.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || !select.named_window.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some();
        if odd {
            Err(SqlError::unknown(select).into())
        } else {
            Ok(())
        }
    }

    fn select_in_scope(
        &mut self,
        select: &Select,
        order: Option<&OrderBy>,
        limit: &str,
    ) -> Outcome<Compiled> {
        let from = self.from(&select.from)?;
        let filter = match &select.selection {
            Some(filter) => format!(" WHERE {}", self.condition(filter)?),
            None => String::new(),
        };
        self.aggregated = false;
        let items = self.items(&select.projection)?;
        let mut grouping = String::new();
        match &select.group_by {
            GroupByExpr::Expressions(keys, modifiers) if modifiers.is_empty() => {
                let mut list = Vec::new();
                for key in keys {
                    list.push(self.value(key)?.ordered());
                }
                if !list.is_empty() {
                    grouping = format!(" GROUP BY {}", list.join(", "));
                }
            }
            other => return Err(SqlError::unknown(other).into()),
        }
        if let Some(having) = &select.having {
            let having = self.condition(having)?;
            grouping += &format!(" HAVING {having}");
        }
        let mut keys = Vec::new();
        for item in expressions(order)? {
            let key = match ordinal(&item.expr) {
                Some(at) => items.get(at).map(|item| item.typed.ordered()).ok_or_else(|| SqlError::new(108, format!("The ORDER BY position number {} is out of range of the number of items in the select list.", at + 1)).class(15))?,
                None => self.order_key(&item.expr, &items)?,
            };
            keys.push(key + descending(item.options.sort.as_ref()));
        }
        let ordering = if keys.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", keys.join(", "))
        };
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => "",
            Some(Distinct::Distinct) => "DISTINCT ",
            Some(other @ Distinct::On(_)) => return Err(SqlError::unknown(other).into()),
        };
        let limit = match &select.top {
            None => limit.to_owned(),
            Some(top) if top.with_ties || top.percent => return Err(SqlError::unknown(top).into()),
            Some(top) => match &top.quantity {
                Some(TopQuantity::Constant(count)) => format!(" LIMIT {count}"),
                Some(TopQuantity::Expr(count)) => format!(" LIMIT {}", self.value(count)?.sql),
                None => return Err(SqlError::unknown(top).into()),
            },
        };
        let list: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                format!(
                    "{} AS c{at}",
                    if distinct.is_empty() {
                        item.typed.sql.clone()
                    } else {
                        item.typed.ordered()
                    }
                )
            })
            .collect();
        let source = if from.is_empty() {
            String::new()
        } else {
            format!(" FROM {from}")
        };
        let sql = format!(
            "SELECT {distinct}{}{source}{filter}{grouping}{ordering}{limit}",
            list.join(", ")
        );
        let plain = if distinct.is_empty() && grouping.is_empty() && !self.aggregated {
            self.plain(&items, &source, &filter, &ordering, &limit)
        } else {
            None
        };
        let columns = items.into_iter().map(|item| self.column_of(item)).collect();
        Ok(Compiled {
            sql,
            columns,
            plain,
        })
    }
}

/// Gives the columns of a query the names of an alias.
pub(super) fn rename<'n>(
    compiled: &mut Compiled,
    names: impl ExactSizeIterator<Item = &'n String>,
) -> Outcome {
    if names.len() == 0 {
        return Ok(());
    }
    if names.len() != compiled.columns.len() {
        return Err(SqlError::new(
            8158,
            "The alias has another number of columns than the query.",
        )
        .into());
    }
    for (column, name) in compiled.columns.iter_mut().zip(names) {
        column.name.clone_from(name);
    }
    Ok(())
}

/// A query that others read from has a name for each column, and each once.
pub(super) fn named(compiled: &Compiled, alias: &str) -> Outcome {
    for (at, column) in compiled.columns.iter().enumerate() {
        let name = &column.name;
        if name.is_empty() {
            let message = format!(
                "No column name was specified for column {} of '{alias}'.",
                at + 1
            );
            return Err(SqlError::new(8155, message).into());
        }
        let before = &compiled.columns[..at];
        if before.iter().any(|other| same(&other.name, name)) {
            let message =
                format!("The column '{name}' was specified multiple times for '{alias}'.");
            return Err(SqlError::new(8156, message).into());
        }
    }
    Ok(())
}

fn expressions(order: Option<&OrderBy>) -> Outcome<&[OrderByExpr]> {
    match order {
        None => Ok(&[]),
        Some(OrderBy {
            kind: OrderByKind::Expressions(list),
            interpolate: None,
        }) => Ok(list),
        Some(other) => Err(SqlError::unknown(other).into()),
    }
}

/// A place in the select list, from 0.
fn ordinal(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            sqlparser::ast::Value::Number(text, _) => text.parse::<usize>().ok()?.checked_sub(1),
            _ => None,
        },
        _ => None,
    }
}
