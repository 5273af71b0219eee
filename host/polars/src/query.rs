//! A SELECT as it is written: read once, and refused where it needs more than a batch.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{
    Distinct, ExcludeSelectItem, Expr, GroupByExpr, Ident, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, WildcardAdditionalOptions,
    visit_expressions_mut,
};
use sqlparser_of_polars::dialect::GenericDialect;
use sqlparser_of_polars::parser::Parser;
use sqlparser_of_polars::tokenizer::Token;

use crate::deep::{roomy, too_long, too_nested};
use crate::expression::{Expression, Refusal, quoted, told};
use crate::signs;

/// The name of the rows that come in.
const SELF: &str = "self";

/// A SELECT over the rows that come in, as far as can be told without their columns.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) items: Vec<Item>,
    pub(crate) filter: Option<Expression>,
}

/// What stands between SELECT and FROM.
#[derive(Debug)]
pub(crate) enum Item {
    /// All columns but these.
    All { but: Vec<String> },
    /// A column as it is, by its name, under another.
    Column { name: String, alias: String },
    Made {
        expression: Box<Expression>,
        alias: String,
    },
}

impl Parsed {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        roomy(|| Self::read(text))
    }

    fn read(text: &str) -> Result<Self, Refusal> {
        let text = text.trim().trim_end_matches(';').trim_end();
        if text.is_empty() {
            return Err(refusal("the query is empty", "`SELECT … FROM self`"));
        }
        if too_nested(text) {
            let message = format!("the query {} is too deep", quoted(text));
            return Err(refusal(&message, "write several transforms of type `sql`"));
        }
        if too_long(text) {
            let message = format!("the query {} is too long", quoted(text));
            return Err(refusal(&message, "write several transforms of type `sql`"));
        }
        let query = query(text)?;
        let select = one_select(&query, text)?;
        let table = table(&query, select, text)?;
        let mut items = Vec::new();
        for item in &select.projection {
            items.push(read_item(item, &table)?);
        }
        let filter = select.selection.as_ref();
        let filter = filter
            .map(|filter| expression(filter, &table))
            .transpose()?;
        Ok(Self { items, filter })
    }
}

fn query(text: &str) -> Result<Query, Refusal> {
    let unread = |why: String| Refusal {
        message: format!("the query {} can't be read: {why}", quoted(text)),
        advice: None,
    };
    let mut parser = Parser::new(&GenericDialect)
        .try_with_sql(text)
        .map_err(|error| unread(told(error)))?;
    let query = parser.parse_query().map_err(|error| unread(told(error)))?;
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(*query),
        _ => {
            let error = parser.expected::<()>("its end", next).err();
            Err(unread(error.map(told).unwrap_or_default()))
        }
    }
}

/// Refuses, by their names, what needs more rows than stand in a batch, or more than `self`.
fn one_select<'a>(query: &'a Query, text: &str) -> Result<&'a Select, Refusal> {
    const AT_HOME: &str = "do it where all rows are: in the query of the home, or after";
    let refused = |what: &str, advice: &str| {
        let why = "rows pass batch by batch, and this needs all of them at once";
        refusal(
            &format!("the query {} has {what}: {why}", quoted(text)),
            advice,
        )
    };
    if query.with.is_some() {
        return Err(refusal(
            &format!("the query {} has WITH, a query of its own", quoted(text)),
            "write two transforms of type `sql`, one after the other",
        ));
    }
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(match query.body.as_ref() {
            SetExpr::SetOperation { op, .. } => refused(&op.to_string(), AT_HOME),
            _ => refusal(
                &format!("the query {} is no SELECT", quoted(text)),
                "`SELECT … FROM self`",
            ),
        });
    };
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(by, modifiers) => !by.is_empty() || !modifiers.is_empty(),
    };
    let found = [
        (
            !matches!(select.distinct, None | Some(Distinct::All)),
            "DISTINCT",
            "`type: dedupe` keeps one row of each key",
        ),
        (grouped, "GROUP BY", AT_HOME),
        (select.having.is_some(), "HAVING", AT_HOME),
        (
            select.qualify.is_some(),
            "QUALIFY",
            "`type: dedupe` keeps one row of each key",
        ),
        (!select.named_window.is_empty(), "WINDOW", AT_HOME),
        (
            query.order_by.is_some() || !select.sort_by.is_empty(),
            "ORDER BY",
            "rows have no order on their way; sort where they are read",
        ),
        (
            query.limit_clause.is_some() || query.fetch.is_some() || select.top.is_some(),
            "LIMIT",
            "choose rows with WHERE; `hygge peek` shows the first ones",
        ),
    ];
    if let Some((_, what, advice)) = found.into_iter().find(|(is, ..)| *is) {
        return Err(refused(what, advice));
    }
    let joined = select.from.iter().any(|each| !each.joins.is_empty());
    if select.from.len() > 1 || joined {
        return Err(refused("a join", AT_HOME));
    }
    Ok(select)
}

/// The names by which columns may be qualified.
fn table(query: &Query, select: &Select, text: &str) -> Result<Vec<String>, Refusal> {
    let only = |why: &str| {
        refusal(
            &format!("the query {} {why}", quoted(text)),
            "`SELECT … FROM self`",
        )
    };
    let [from] = select.from.as_slice() else {
        return Err(only("reads from nothing"));
    };
    let (name, alias) = match &from.relation {
        TableFactor::Table { name, alias, .. } => (name, alias),
        TableFactor::Derived { .. } => {
            return Err(refusal(
                &format!("the query {} has a query of its own in FROM", quoted(text)),
                "write two transforms of type `sql`, one after the other",
            ));
        }
        _ => return Err(only("reads from something else than self")),
    };
    if !last(name).is_some_and(|last| name.0.len() == 1 && last.eq_ignore_ascii_case(SELF)) {
        return Err(only(&format!("reads from {name}, not from self")));
    }
    let mut names = vec![SELF.to_owned()];
    names.extend(alias.iter().map(|alias| alias.name.value.clone()));
    // Whatever else the grammar takes must not be left out in silence.
    let mut rest = query.clone();
    if let SetExpr::Select(select) = rest.body.as_mut() {
        select.selection = None;
        // ALL is what there is without it.
        select.distinct = None;
        select.projection = vec![SelectItem::UnnamedExpr(Expr::Identifier(Ident::new("x")))];
        for from in &mut select.from {
            if let TableFactor::Table { name, alias, .. } = &mut from.relation {
                *name = Ident::new(SELF).into();
                if alias
                    .as_ref()
                    .is_some_and(|a| a.columns.is_empty() && a.at.is_none())
                {
                    *alias = None;
                }
            }
        }
    }
    match rest.to_string().as_str() {
        "SELECT x FROM self" => Ok(names),
        _ => Err(refusal(
            &format!(
                "the query {} has more than SELECT, FROM and WHERE",
                quoted(text)
            ),
            "`SELECT … FROM self WHERE …`",
        )),
    }
}

fn read_item(item: &SelectItem, table: &[String]) -> Result<Item, Refusal> {
    match item {
        SelectItem::Wildcard(options) => all(item, options),
        SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name),
            options,
        ) if name.0.len() == 1 && last(name).is_some_and(|n| is_table(n, table)) => {
            all(item, options)
        }
        SelectItem::UnnamedExpr(expr) => match column(expr, table) {
            Some(name) => Ok(Item::Column {
                alias: name.clone(),
                name,
            }),
            None => {
                // What can't be is told before that it has no name.
                expression(expr, table)?;
                let message = format!("the column {} has no name", quoted(&expr.to_string()));
                Err(refusal(&message, "give it one: `… AS name`"))
            }
        },
        SelectItem::ExprWithAlias { expr, alias } => {
            let alias = alias.value.clone();
            match column(expr, table) {
                Some(name) => Ok(Item::Column { name, alias }),
                None => Ok(Item::Made {
                    expression: Box::new(expression(expr, table)?),
                    alias,
                }),
            }
        }
        _ => Err(refusal(
            &format!("{} is no column", quoted(&item.to_string())),
            "`*`, a column, or `… AS name`",
        )),
    }
}

fn all(item: &SelectItem, options: &WildcardAdditionalOptions) -> Result<Item, Refusal> {
    let mut but = Vec::new();
    let mut names: Vec<&ObjectName> = Vec::new();
    match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => names.push(name),
        Some(ExcludeSelectItem::Multiple(all)) => names.extend(all),
        None => {}
    }
    but.extend(names.into_iter().filter_map(last).map(str::to_owned));
    if let Some(except) = &options.opt_except {
        but.push(except.first_element.value.clone());
        but.extend(
            except
                .additional_elements
                .iter()
                .map(|each| each.value.clone()),
        );
    }
    let others = options.opt_ilike.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some();
    match others {
        false => Ok(Item::All { but }),
        true => Err(refusal(
            &format!(
                "{} says more than which columns go on",
                quoted(&item.to_string())
            ),
            "`* EXCLUDE (…)`, and `… AS name` for the others",
        )),
    }
}

/// The column that an expression is, and nothing more.
fn column(expr: &Expr, table: &[String]) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [of, name] if is_table(&of.value, table) => Some(name.value.clone()),
            _ => None,
        },
        Expr::Nested(within) => column(within, table),
        _ => None,
    }
}

/// An expression without the name of the table before its columns.
fn expression(expr: &Expr, table: &[String]) -> Result<Expression, Refusal> {
    let mut plain = expr.clone();
    let within = visit_expressions_mut(&mut plain, |part| {
        if matches!(
            part,
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. }
        ) {
            return ControlFlow::Break(());
        }
        if let Expr::CompoundIdentifier(parts) = part
            && let [of, name] = parts.as_slice()
            && is_table(&of.value, table)
        {
            *part = Expr::Identifier(name.clone());
        }
        ControlFlow::Continue(())
    });
    if within.is_break() {
        let text = quoted(&expr.to_string());
        return Err(refusal(
            &format!(
                "the expression {text} has a query of its own: rows pass batch by batch, and this needs all of them at once"
            ),
            "do it where all rows are: in the query of the home, or after",
        ));
    }
    signs::part(&mut plain);
    Expression::parse(&plain.to_string())
}

fn is_table(name: &str, table: &[String]) -> bool {
    let mut table = table.iter();
    table.any(|each| each == name || each == SELF && name.eq_ignore_ascii_case(SELF))
}

fn last(name: &ObjectName) -> Option<&str> {
    let part = name.0.last()?.as_ident()?;
    Some(&part.value)
}

fn refusal(message: &str, advice: &str) -> Refusal {
    Refusal {
        message: message.to_owned(),
        advice: Some(advice.to_owned()),
    }
}
