//! An expression as it is written: read once, and refused where it can't be evaluated batch by
//! batch.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use hygge_core::{caught, nearest};
use polars::prelude::{AnyValue, DataType, Scalar, Series};
use polars_plan::prelude::{AggExpr, Expr, LiteralValue};
use sqlparser_of_polars::ast::{Expr as SqlExpr, Value, visit_expressions};
use sqlparser_of_polars::dialect::GenericDialect;
use sqlparser_of_polars::parser::{Parser, ParserError};
use sqlparser_of_polars::tokenizer::Token;

use crate::deep::{self, roomy};
use crate::failure::PATTERN;
use crate::{cuts, intervals, literals, overread, signs, sizes, truths};

/// An expression that can be evaluated row by row, as far as can be told without the columns'
/// types.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) text: String,
    pub(crate) expr: Expr,
    /// The columns it names.
    pub(crate) columns: BTreeSet<String>,
    /// Whether NULL is written somewhere in it.
    pub(crate) null: bool,
}

/// Why an expression isn't taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) advice: Option<String>,
}

impl Expression {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        roomy(|| Self::read(text))
    }

    fn read(text: &str) -> Result<Self, Refusal> {
        let refused = |why: &str, advice: Option<String>| Refusal {
            message: format!("the expression {} {why}", quoted(text)),
            advice,
        };
        if text.trim().is_empty() {
            return Err(Refusal {
                message: "the expression is empty".to_owned(),
                advice: None,
            });
        }
        if deep::too_long(text) {
            return Err(refused("is too long", Some(SHORTER.to_owned())));
        }
        if deep::too_nested(text) {
            return Err(refused(DEEP, Some(SHORTER.to_owned())));
        }
        let mut read = grammar(text).map_err(|why| {
            let advice = unread(&why);
            refused(&format!("can't be read: {why}"), advice)
        })?;
        if let Some((what, form)) = literals::impossible(&read) {
            let why = format!("has {what}, which there is not");
            return Err(refused(&why, Some(format!("write it like {form}"))));
        }
        if let Some((what, advice)) = sizes::left_out(&read).or_else(|| overread::left_out(&read)) {
            return Err(refused(&format!("has {what}"), Some(advice.to_owned())));
        }
        if intervals::meet(&read) {
            let advice =
                "compare what lies between two moments with one: `b - a > INTERVAL '2 days'`";
            return Err(refused(
                "has one interval beside another",
                Some(advice.to_owned()),
            ));
        }
        let null = has_null(&read);
        let mut rewritten =
            truths::spell(&mut read) | cuts::spell(&mut read) | sizes::cut(&mut read);
        rewritten |= deep::flatten(&mut read);
        signs::part(&mut read);
        let rewritten = rewritten.then(|| read.to_string());
        if deep::too_many_whens(&read) {
            return Err(refused(
                &format!("has a CASE of more than {} WHENs", deep::MOST_WHENS),
                Some("look values up where the rows are read, or after".to_owned()),
            ));
        }
        if deep::too_deep(&read) {
            return Err(refused(DEEP, Some(SHORTER.to_owned())));
        }
        let made = caught(|| polars_sql::sql_expr(rewritten.as_deref().unwrap_or(text)));
        let made =
            made.map_err(|panic| refused(&format!("can't be read: {}", within(&panic)), None))?;
        let expr = made.map_err(|error| {
            let why = first_line(&error);
            // Polars shows its syntax tree in some.
            if why.starts_with("array element") {
                refused("has something else than written values in a list", None)
            } else if why.contains("while building Series") {
                refused(
                    "has values of several types in a list",
                    Some("write them alike: `IN (12.5, 1.0)`".to_owned()),
                )
            } else if rewritten.is_some() && why.starts_with("unable to parse") {
                // Parentheses of its own made it so.
                refused(DEEP, Some(SHORTER.to_owned()))
            } else if why.contains("cannot parse literal") {
                let advice = "numbers are written without an exponent, and long ones as decimals: \
                              `CAST('…' AS DECIMAL(38, 0))`";
                refused(&format!("can't be read: {why}"), Some(advice.to_owned()))
            } else if why.contains("Literal(")
                || why.contains("Span(")
                || why.starts_with("operator ")
            {
                refused(
                    "has something that expressions can't do",
                    Some("see docs/transforms.md for what they can".to_owned()),
                )
            } else {
                refused(&format!("can't be read: {why}"), near_function(&why))
            }
        })?;
        if deep::grows(&read, &expr) {
            let why = "grows too large: what stands in NULLIF, BETWEEN, LEFT, SUBSTR or after CASE is \
                       computed several times";
            return Err(refused(why, Some(SHORTER.to_owned())));
        }
        let expr = expr.map_expr(written_set);
        let mut columns = BTreeSet::new();
        for part in &expr {
            if let Expr::Column(name) = part {
                columns.insert(name.to_string());
            }
            if let Some(what) = more_than_a_row(part) {
                let why = format!(
                    "uses {what}: its value would depend on which rows happen to pass together"
                );
                let advice = "compute it where all rows are: in the query of the home, or after";
                return Err(refused(&why, Some(advice.to_owned())));
            }
            if matches!(part, Expr::Selector(_)) {
                let advice = Some("name each column".to_owned());
                return Err(refused("has `*`, which is no value", advice));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            expr,
            columns,
            null,
        })
    }
}

/// Whether NULL is written somewhere in it.
fn has_null(expr: &SqlExpr) -> bool {
    let found = visit_expressions(expr, |part| match part {
        SqlExpr::Value(value) if value.value == Value::Null => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// The values of `IN (…)` as one value, which they are: Polars' SQL gathers them with an aggregate.
fn written_set(part: Expr) -> Expr {
    if let Expr::Agg(AggExpr::Implode { input, .. }) = &part
        && let Expr::Literal(LiteralValue::Series(values)) = input.as_ref()
    {
        let list = DataType::List(Box::new(values.dtype().clone()));
        let value = Scalar::new(list, AnyValue::List(Series::clone(values)));
        return Expr::Literal(LiteralValue::Scalar(value));
    }
    part
}

const DEEP: &str = "is too deep: its terms stand in each other, level by level";
const SHORTER: &str = "compute parts of it before, in a `derive` of their own";

/// What the SQL grammar has to say, which tells more than Polars passes on.
fn grammar(text: &str) -> Result<SqlExpr, String> {
    let mut parser = Parser::new(&GenericDialect)
        .try_with_sql(text)
        .map_err(told)?;
    let expr = parser.parse_expr().map_err(told)?;
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(expr),
        _ => parser.expected("its end", next).map_err(told),
    }
}

/// What to do where the grammar tells of a word that isn't the one.
fn unread(why: &str) -> Option<String> {
    if why.contains("recursion limit") {
        return Some(SHORTER.to_owned());
    }
    let case = why.contains("found WHEN");
    case.then(|| "a CASE ends with `END`, and as many as 40 of them stand in each other".to_owned())
}

/// What the grammar says, for people.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an error that is mapped is given away"
)]
pub(crate) fn told(error: ParserError) -> String {
    let error = error.to_string();
    let text = error.trim_start_matches("sql parser error: ");
    text.replace("Expected: ", "expected ")
        .replace(", found: EOF", ", found its end")
        .replace("found: ", "found ")
        .replace(" at Line: 1, Column: ", " at character ")
        .replace(" at Line: ", " at line ")
        .replace(", Column: ", ", character ")
}

/// What an expression is in the eyes of a person when it looks at more than one row.
fn more_than_a_row(part: &Expr) -> Option<&'static str> {
    match part {
        Expr::Agg(_) | Expr::Len => Some("an aggregate"),
        Expr::Over { .. } => Some("a window function"),
        Expr::Sort { .. } | Expr::SortBy { .. } => Some("an order of rows"),
        Expr::Filter { .. } | Expr::Gather { .. } | Expr::Slice { .. } | Expr::Explode { .. } => {
            Some("a choice of rows")
        }
        Expr::SubPlan(..) => Some("a query of its own"),
        _ => None,
    }
}

/// Functions of other databases that tell the time.
const CLOCKS: [&str; 6] = [
    "now",
    "getdate",
    "sysdate",
    "today",
    "current_date",
    "current_timestamp",
];

fn near_function(why: &str) -> Option<String> {
    let asked = why.split('\'').nth(1)?;
    if CLOCKS.contains(&asked.to_ascii_lowercase().as_str()) {
        return Some("`type: run_columns` adds the moment of the run".to_owned());
    }
    let known = polars_sql::keywords::all_functions();
    // Some that Polars' SQL knows it can only refuse, as it is built here.
    let others = known.iter().copied().filter(|name| *name != asked);
    let near = nearest(asked, others)?;
    Some(format!("did you mean `{near}`?"))
}

/// Polars tells a plan after what is wrong, which says nothing to whoever wrote the expression. Of a
/// pattern it draws where it ends being one, and says at last what is wrong.
pub(crate) fn first_line(error: &impl std::fmt::Display) -> String {
    let error = error.to_string();
    let mut lines = error.lines().map(str::trim);
    if error.contains("regex parse error:")
        && let Some(why) = lines.clone().find_map(|line| line.strip_prefix("error: "))
    {
        return format!("{PATTERN}{why}");
    }
    lines.find(|line| !line.is_empty()).unwrap_or("").to_owned()
}

/// What a panic says. It is often over an error of Polars, whose words are all that is of interest.
pub(crate) fn within(panic: &str) -> String {
    let words = panic.split_once("ErrString(\"").map(|(_, rest)| rest);
    let words = words.and_then(|rest| rest.split_once("\")"));
    first_line(&words.map_or(panic, |(words, _)| words))
}

/// An expression within a message: on one line, and no longer than a person reads.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}
