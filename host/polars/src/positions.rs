//! Where a text stands in another. Polars' SQL takes what is looked for as a pattern, in which a dot is
//! any letter, and counts bytes, while every other function counts letters.

use polars::error::PolarsResult;
use polars::prelude::{Column, DataType, Field, Int64Chunked, IntoColumn, Schema};
use polars_plan::prelude::{Expr, FunctionExpr, StringFunction};

/// The expression with places of texts as they are, in letters.
pub(crate) fn literal(expr: Expr) -> Expr {
    expr.map_expr(|part| match part {
        Expr::Function { input, function } => match (&function, input.as_slice()) {
            (FunctionExpr::StringExpr(StringFunction::Find { .. }), [text, sought]) => text
                .clone()
                .map_many(find, std::slice::from_ref(sought), gives),
            _ => Expr::Function { input, function },
        },
        part => part,
    })
}

fn gives(_: &Schema, sides: &[Field]) -> PolarsResult<Field> {
    let name = sides.first().map(|text| text.name().clone());
    Ok(Field::new(name.unwrap_or_default(), DataType::Int64))
}

fn find(columns: &mut [Column]) -> PolarsResult<Column> {
    let [text, sought] = columns else {
        return Err(polars::error::polars_err!(ComputeError: "a place is one of two texts"));
    };
    let (texts, soughts) = (text.str()?, sought.str()?);
    let letters = |text: &str, sought: &str| {
        let before = &text[..text.find(sought)?];
        i64::try_from(before.chars().count()).ok()
    };
    // What stands in the expression has one value for all rows.
    let made: Int64Chunked = match (texts.len(), soughts.len()) {
        (rows, 1) if rows != 1 => {
            let sought = soughts.get(0);
            texts.iter().map(|text| letters(text?, sought?)).collect()
        }
        (1, _) => {
            let text = texts.get(0);
            soughts
                .iter()
                .map(|sought| letters(text?, sought?))
                .collect()
        }
        _ => texts
            .iter()
            .zip(soughts.iter())
            .map(|(text, sought)| letters(text?, sought?))
            .collect(),
    };
    Ok(made.with_name(text.name().clone()).into_column())
}
