//! Types that are written with more than Polars' SQL reads of them: it takes `VARCHAR(1)` for a text of any
//! length, and a `UUID` for any text.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{CharacterLength, DataType, Expr, Value, visit_expressions};

use crate::spelling::rewrite;

/// The first such type, what it is told to be, and what to write instead.
pub(crate) fn left_out(expr: &Expr) -> Option<(String, &'static str)> {
    let found = visit_expressions(expr, |part| match part {
        Expr::Cast { data_type, .. } => match instead(data_type) {
            Some((why, advice)) => ControlFlow::Break((format!("{data_type}, {why}"), advice)),
            None => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    found.break_value()
}

fn instead(data_type: &DataType) -> Option<(&'static str, &'static str)> {
    const LENGTH: &str = "whose length a CAST doesn't keep to";
    match data_type {
        DataType::Char(Some(length)) | DataType::Character(Some(length))
            if !matches!(length, CharacterLength::Max) =>
        {
            Some((
                LENGTH,
                "`VARCHAR(…)` cuts a text, and `RPAD(…, …)` fills one up as well",
            ))
        }
        DataType::Char(None) | DataType::Character(None) => Some((
            "which is one letter, and a CAST would take all of them",
            "`VARCHAR` is a text of any length, and `VARCHAR(1)` one letter",
        )),
        DataType::Binary(Some(_))
        | DataType::Blob(Some(_))
        | DataType::Bytes(Some(_))
        | DataType::Varbinary(Some(_)) => Some((LENGTH, "leave the length out")),
        DataType::Time(Some(_), _) => Some((
            "whose digits a CAST doesn't keep to",
            "leave them out; `STRFTIME` writes as many as it is told",
        )),
        DataType::Uuid => Some((
            "which any text would be",
            "cast it to VARCHAR, and look at it with a pattern: `… ~ '^[0-9a-f-]{36}$'`",
        )),
        _ => None,
    }
}

/// Cuts what is cast to a text of a length; gives whether there was any.
pub(crate) fn cut(expr: &mut Expr) -> bool {
    rewrite(expr, |part| {
        let Expr::Cast { data_type, .. } = part else {
            return None;
        };
        let length = length(data_type)?;
        let mut text = part.clone();
        if let Expr::Cast { data_type, .. } = &mut text {
            *data_type = DataType::Varchar(None);
        }
        let number = |number: u64| Box::new(Expr::value(Value::Number(number.to_string(), false)));
        Some(Expr::Substring {
            expr: Box::new(text),
            substring_from: Some(number(1)),
            substring_for: Some(number(length)),
            special: true,
            shorthand: true,
        })
    })
}

fn length(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Varchar(Some(length))
        | DataType::CharVarying(Some(length))
        | DataType::CharacterVarying(Some(length)) => match length {
            // What is longer than any text cuts none.
            CharacterLength::IntegerLength { length, .. } => {
                u32::try_from(*length).ok().map(u64::from)
            }
            CharacterLength::Max => None,
        },
        DataType::Clob(length) | DataType::String(length) => {
            length.and_then(|length| u32::try_from(length).ok().map(u64::from))
        }
        _ => None,
    }
}
