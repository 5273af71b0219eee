//! Values that must not meet in an expression, since Polars would take them for something else, without
//! a word: decimals and texts for texts, letter by letter, a uint64 and a number that may be negative for
//! floats, a number beside a moment for a moment; and of written numbers it drops the places that a
//! decimal doesn't have.

use std::borrow::Cow;

use polars::prelude::{AnyValue, DataType, Duration, Schema, TimeUnit, UnknownKind};
use polars_plan::prelude::{
    BooleanFunction, DynLiteralValue, Expr, FunctionExpr, LiteralValue, Operator, StringFunction,
    TemporalFunction,
};

use crate::{failure, points};

/// What meets, and what to write instead.
pub(crate) struct Unfit {
    pub(crate) why: Cow<'static, str>,
    pub(crate) advice: &'static str,
}

const NUMBERS: &str = "write numbers without quotes, and texts as numbers: `CAST(… AS DECIMAL(…))`";
const WIDER: &str = "say as what: `CAST(… AS DECIMAL(20, 0))` holds every uint64";
const LEAVE_OUT: &str = "leave it out: no value of that type equals it";

const HOURS: Unfit = Unfit {
    why: Cow::Borrowed("a date has no hours, which this adds to one"),
    advice: "add them to a moment: `CAST(… AS TIMESTAMP) + …`; whole days can be added to a date",
};
const ZONED: Unfit = Unfit {
    why: Cow::Borrowed("a moment has a zone, and one beside it has none"),
    advice: "take the UTC of the one that has: `CAST(… AS TIMESTAMP)`",
};
const FORM: Unfit = Unfit {
    why: Cow::Borrowed("it reads texts of any form, of which it would see the first of each batch"),
    advice: "say the form, as in `DATE(…, '%d.%m.%Y')`, or cast: `CAST(… AS DATE)`",
};
/// In nanoseconds.
const DAY: i64 = 86_400_000_000_000;

/// The first such meeting.
pub(crate) fn unfit(expr: &Expr, schema: &Schema) -> Option<Unfit> {
    expr.into_iter().find_map(|part| match part {
        Expr::BinaryExpr { left, op, right } => {
            truth(left, *op, right, schema).or_else(|| operands(left, *op, right, schema))
        }
        Expr::Cast { expr, dtype, .. } => cast(expr, dtype.as_literal()?, schema),
        Expr::Ternary { truthy, falsy, .. } => one_of(&[truthy, falsy], schema),
        Expr::Function { input, function } => match function {
            FunctionExpr::Coalesce | FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal => {
                one_of(&input.iter().collect::<Vec<_>>(), schema)
            }
            FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) => match input.as_slice() {
                [value, list] => member(value, list, schema),
                _ => None,
            },
            FunctionExpr::StringExpr(StringFunction::Strptime(_, options))
                if options.format.is_none() =>
            {
                let written = matches!(input.first(), Some(Expr::Literal(_)));
                (!written).then_some(FORM)
            }
            FunctionExpr::Log
            | FunctionExpr::Log1p
            | FunctionExpr::Exp
            | FunctionExpr::Atan2
            | FunctionExpr::Trigonometry(_)
            | FunctionExpr::Pow(_) => of_numbers(function, input, schema),
            FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy) => match input.as_slice() {
                [moment, interval] => offset(moment, interval, schema),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

fn type_of(expr: &Expr, schema: &Schema) -> Option<DataType> {
    Some(expr.to_field(schema).ok()?.dtype)
}

fn named(data_type: &DataType) -> String {
    match data_type {
        DataType::Unknown(UnknownKind::Int(_)) => "a whole number".to_owned(),
        DataType::Unknown(UnknownKind::Float) => "a number".to_owned(),
        known => failure::name(&known.to_string()),
    }
}

/// `IS TRUE` of what is neither.
fn truth(value: &Expr, op: Operator, truth: &Expr, schema: &Schema) -> Option<Unfit> {
    let (Operator::EqValidity | Operator::NotEqValidity, Expr::Literal(written)) = (op, truth)
    else {
        return None;
    };
    let data_type = match written.get_datatype() {
        DataType::Boolean => type_of(value, schema)?,
        _ => return None,
    };
    (!matches!(data_type, DataType::Boolean | DataType::Null)).then(|| Unfit {
        why: format!("{} is neither true nor false", named(&data_type)).into(),
        advice: COMPARE,
    })
}

const COMPARE: &str = "compare it with something: `… <> 0`, `… = 'true'`";

/// A cast that Polars doesn't know, of which it would tell with the first row.
fn cast(part: &Expr, to: &DataType, schema: &Schema) -> Option<Unfit> {
    if matches!(to, DataType::UInt8 | DataType::UInt16) {
        return Some(Unfit {
            why: format!("expressions know no {}", named(to)).into(),
            advice: "write one that has more room: `CAST(… AS INT UNSIGNED)`",
        });
    }
    let (from, advice) = match (type_of(part, schema)?, to) {
        (from @ DataType::String, DataType::Boolean) => {
            let why = format!("{} is neither true nor false", named(&from));
            return Some(Unfit {
                why: why.into(),
                advice: COMPARE,
            });
        }
        (from @ DataType::Boolean, DataType::Decimal(..)) => {
            (from, "make a number of it before: `CAST(… AS INT)`")
        }
        // In nanoseconds, whatever the column has.
        (from, DataType::Time) if from.is_primitive_numeric() => (
            from,
            "the `cast` transform takes what it counts: microseconds for a `time`",
        ),
        (from @ DataType::Time, to) if to.is_primitive_numeric() => {
            (from, "take its parts: `EXTRACT(HOUR FROM …)`")
        }
        (from @ DataType::Duration(_), DataType::String) => {
            (from, "take its seconds: `EXTRACT(EPOCH FROM …)`")
        }
        _ => return None,
    };
    Some(Unfit {
        why: format!("{} can't be cast to {}", named(&from), named(to)).into(),
        advice,
    })
}

fn operands(left: &Expr, op: Operator, right: &Expr, schema: &Schema) -> Option<Unfit> {
    match (type_of(left, schema)?, type_of(right, schema)?) {
        (number @ DataType::Decimal(..), DataType::String)
        | (DataType::String, number @ DataType::Decimal(..)) => {
            let number = named(&number);
            Some(Unfit {
                why: match op.is_comparison() {
                    true => format!("cannot compare string with numeric type ({number})").into(),
                    false => format!("{number} and string don't add up").into(),
                },
                advice: NUMBERS,
            })
        }
        (flag @ DataType::Boolean, DataType::String)
        | (DataType::String, flag @ DataType::Boolean)
            if op.is_comparison() =>
        {
            Some(Unfit {
                why: format!("cannot compare string with {}", named(&flag)).into(),
                advice: "write it without quotes: `… = TRUE`; a text that says it, `… = 'true'`",
            })
        }
        // Of dates and moments Polars says it.
        (DataType::Time | DataType::Duration(_), DataType::String)
        | (DataType::String, DataType::Time | DataType::Duration(_))
            if op.is_comparison() =>
        {
            Some(Unfit {
                why: "cannot compare 'date/datetime/time' to a string value".into(),
                advice: "write it as one: `TIME '10:00:00'`, `INTERVAL '2 hours'`",
            })
        }
        (DataType::Decimal(..), _) | (_, DataType::Decimal(..))
            if op.is_comparison() && long(left, right).is_some() =>
        {
            long(left, right).map(too_long)
        }
        (DataType::Datetime(_, one), DataType::Datetime(_, other))
            if one.is_some() != other.is_some() =>
        {
            Some(ZONED)
        }
        (moment, number) | (number, moment)
            if moment.is_temporal() && is_number(&number) && meets(op) =>
        {
            Some(timeless(&moment, op.is_comparison()))
        }
        (DataType::Date, DataType::Duration(_)) if !whole_days(right, schema) => Some(HOURS),
        (DataType::Duration(_), DataType::Date) if !whole_days(left, schema) => Some(HOURS),
        (l, r) => unsigned(&[left, right], &[l, r]),
    }
}

/// A written number of more digits than it keeps.
fn long(left: &Expr, right: &Expr) -> Option<f64> {
    let written = [left, right].into_iter().filter_map(points::written);
    written.into_iter().find(|number| points::too_long(*number))
}

fn too_long(number: f64) -> Unfit {
    Unfit {
        why: format!("{number} has more digits than a number with a point keeps").into(),
        advice: "write it as a decimal: `CAST('…' AS DECIMAL(38, 2))`",
    }
}

/// Parts of which each row has one.
fn one_of(parts: &[&Expr], schema: &Schema) -> Option<Unfit> {
    let types = parts.iter().map(|part| type_of(part, schema));
    let types: Vec<DataType> = types.collect::<Option<_>>()?;
    let moment = types.iter().find(|each| each.is_temporal());
    if let Some(moment) = moment.filter(|_| types.iter().any(is_number)) {
        let why = format!(
            "{} and a number have no type that holds both",
            named(moment)
        );
        return Some(Unfit {
            why: why.into(),
            ..timeless(moment, true)
        });
    }
    unsigned(parts, &types)
}

/// A function of numbers, which Polars makes of texts as far as they are some, and of moments.
fn of_numbers(function: &FunctionExpr, input: &[Expr], schema: &Schema) -> Option<Unfit> {
    let types = input.iter().filter_map(|each| type_of(each, schema));
    let other = types
        .into_iter()
        .find(|each| !is_number(each) && !each.is_null())?;
    let name = function.to_string().to_ascii_uppercase();
    Some(Unfit {
        why: format!("{name} is of numbers, and {} is none", named(&other)).into(),
        advice: "make a number of it before: `CAST(… AS DOUBLE)`",
    })
}

fn is_number(data_type: &DataType) -> bool {
    let written = |kind: &UnknownKind| matches!(kind, UnknownKind::Int(_) | UnknownKind::Float);
    match data_type {
        DataType::Unknown(kind) => written(kind),
        other => other.is_primitive_numeric() || other.is_decimal(),
    }
}

/// Whether a number beside a moment is none of its own kind: a length of time can be doubled.
fn meets(op: Operator) -> bool {
    op.is_comparison() || matches!(op, Operator::Plus | Operator::Minus)
}

/// A number beside a moment, which Polars would take for what that is counted in, from 1970.
fn timeless(moment: &DataType, compared: bool) -> Unfit {
    let name = named(moment);
    Unfit {
        why: match compared {
            true => format!("{name} and a number can't be compared"),
            false => format!("{name} and a number don't add up"),
        }
        .into(),
        advice: match moment {
            _ if !compared => "add an interval: `… + INTERVAL '1 day'`",
            DataType::Date => "write it as one: `DATE '2024-12-31'`",
            DataType::Time => "write it as one: `TIME '10:00:00'`",
            DataType::Duration(_) => "write it as one: `INTERVAL '2 hours'`",
            _ => "write it as one: `TIMESTAMP '2024-12-31 10:00:00'`",
        },
    }
}

/// A written interval, which is added to a date.
fn offset(moment: &Expr, interval: &Expr, schema: &Schema) -> Option<Unfit> {
    let Expr::Literal(LiteralValue::Scalar(written)) = interval else {
        return None;
    };
    let interval = Duration::try_parse(written.value().get_str()?).ok()?;
    let whole = interval.nanoseconds() % DAY == 0;
    match type_of(moment, schema)? {
        DataType::Date if !whole => Some(HOURS),
        DataType::Duration(_) => Some(Unfit {
            why: "an interval is added to a moment, and this is one that stands first".into(),
            advice: "write the interval before it: `INTERVAL '1 hour' + (b - a)`",
        }),
        _ => None,
    }
}

/// Whether a duration is one of whole days, whatever the rows hold.
fn whole_days(expr: &Expr, schema: &Schema) -> bool {
    match expr {
        Expr::Literal(LiteralValue::Scalar(written)) => match written.value() {
            AnyValue::Duration(length, TimeUnit::Nanoseconds) => length % DAY == 0,
            AnyValue::Duration(length, TimeUnit::Microseconds) => length % (DAY / 1_000) == 0,
            AnyValue::Duration(length, TimeUnit::Milliseconds) => length % (DAY / 1_000_000) == 0,
            value => value.is_null(),
        },
        Expr::BinaryExpr { left, op, right } => match op {
            Operator::Plus => whole_days(left, schema) && whole_days(right, schema),
            Operator::Minus if type_of(left, schema) == Some(DataType::Date) => {
                type_of(right, schema) == Some(DataType::Date)
            }
            Operator::Minus => whole_days(left, schema) && whole_days(right, schema),
            Operator::Multiply => {
                let whole = |side| type_of(side, schema).is_some_and(|side| side.is_integer());
                (whole_days(left, schema) && whole(right))
                    || (whole(left) && whole_days(right, schema))
            }
            _ => false,
        },
        Expr::Ternary { truthy, falsy, .. } => {
            whole_days(truthy, schema) && whole_days(falsy, schema)
        }
        Expr::Function {
            input,
            function: FunctionExpr::Coalesce,
        } => input.iter().all(|each| whole_days(each, schema)),
        _ => false,
    }
}

/// A uint64 beside numbers that may be negative.
fn unsigned(parts: &[&Expr], types: &[DataType]) -> Option<Unfit> {
    if !types.contains(&DataType::UInt64) {
        return None;
    }
    let signed = |(part, data_type): (&&Expr, &DataType)| match data_type {
        DataType::Int32 | DataType::Int64 => Some(named(data_type)),
        DataType::Unknown(UnknownKind::Int(_)) => {
            let positive = matches!(
                part,
                Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(0..)))
            );
            (!positive).then(|| "a number that may be negative".to_owned())
        }
        _ => None,
    };
    let other = parts.iter().zip(types).find_map(signed)?;
    Some(Unfit {
        why: format!("uint64 and {other} have no whole number type that holds both").into(),
        advice: WIDER,
    })
}

/// A written number that is rounded to be looked for among decimals.
fn member(value: &Expr, list: &Expr, schema: &Schema) -> Option<Unfit> {
    let number = type_of(value, schema)?;
    let Expr::Literal(LiteralValue::Scalar(written)) = list else {
        return None;
    };
    let AnyValue::List(written) = written.value() else {
        return None;
    };
    if let (DataType::Datetime(_, Some(_)), DataType::Datetime(_, None)) =
        (&number, written.dtype())
    {
        return Some(ZONED);
    }
    if number.is_temporal() && is_number(written.dtype()) {
        return Some(timeless(&number, true));
    }
    let DataType::Decimal(_, places) = &number else {
        return None;
    };
    let numbers = written.f64().ok()?;
    if let Some(number) = numbers
        .iter()
        .flatten()
        .find(|each| points::too_long(*each))
    {
        return Some(Unfit {
            advice: "compare it with a decimal: `… = CAST('…' AS DECIMAL(38, 2))`",
            ..too_long(number)
        });
    }
    let longer = |written: &f64| {
        let text = written.to_string();
        let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
        behind > *places
    };
    let written = numbers.iter().flatten().find(longer)?;
    Some(Unfit {
        why: format!("{written} has more places than {} has", named(&number)).into(),
        advice: LEAVE_OUT,
    })
}
