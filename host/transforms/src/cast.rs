//! `cast`: the same values as another type.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, SchemaRef};
use hygge_core::{
    Bound, Context, Fault, Problem, Result, TYPE_NAMES, code, nearest, parse_type, widen,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::convert::Conversion;
use crate::kind::{Column, Kept, Spec, Values, at, column_wise, find, problem};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cast {
    /// New types by column, such as `int64`, `decimal(18, 2)` or `timestamp[ms, UTC]`.
    #[schemars(extend("minProperties" = 1))]
    columns: BTreeMap<String, String>,
    /// What becomes of a value that the new type can't hold. Default: `fail`.
    #[serde(default)]
    on_failure: OnFailure,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnFailure {
    /// The entity fails, and nothing settles.
    #[default]
    Fail,
    /// It becomes NULL.
    SetNull,
}

impl Spec for Cast {
    const NAME: &'static str = "cast";
    const SUMMARY: &'static str = "gives columns another type";

    fn problems(&self) -> Vec<Problem> {
        const SIMPLE: [&str; 9] = [
            "bool",
            "int32",
            "int64",
            "float64",
            "string",
            "binary",
            "date",
            "time",
            "timestamp",
        ];
        let wrong = self
            .columns
            .iter()
            .filter(|(_, name)| parse_type(name).is_none());
        let told = wrong.map(|(column, name)| {
            let advice = match nearest(name, SIMPLE) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use {TYPE_NAMES}"),
            };
            let message = format!("{name:?} is not a type");
            problem(&at("columns", column), message, Some(advice))
        });
        told.collect()
    }

    fn describe(&self) -> String {
        let each = self
            .columns
            .iter()
            .map(|(name, to)| format!("{name} to {to}"));
        format!("cast {}", each.collect::<Vec<_>>().join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let before = 0..input.fields().len();
        let mut columns: Vec<Column> = before.map(|index| Column::same(index, input)).collect();
        for (name, to) in &self.columns {
            let index = find(Self::NAME, name, input)?;
            let field = input.field(index);
            let to = parse_type(to)
                .ok_or_else(|| Fault::new(code::CONFIG, format!("{to:?} is not a type")))?;
            if *field.data_type() == to {
                continue;
            }
            let conversion = Conversion::new(field.data_type(), &to).map_err(|why| {
                Fault::new(
                    code::SCHEMA,
                    format!("cast can't make {why} of column {name}"),
                )
                .with("column", name)
                .advise(instead(field.data_type(), &to))
            })?;
            let holds_all = widen(field.data_type(), &to).as_ref() == Some(&to);
            let kept = match self.on_failure {
                OnFailure::SetNull if !holds_all => Kept::Nothing,
                _ => kept(field.data_type(), &to),
            };
            let (fail, column) = (self.on_failure == OnFailure::Fail, name.clone());
            // What was said of the old type isn't true of the new one.
            columns[index] = Column {
                field: Arc::new(Field::new(name, to, field.is_nullable() || !fail)),
                from: Values::Made(
                    index,
                    kept,
                    Arc::new(move |given| match fail {
                        true => conversion.strict(given, &column),
                        false => conversion.lenient(given),
                    }),
                ),
            };
        }
        column_wise(Self::NAME, columns, input, cx)
    }
}

/// What a cast leaves of values. Texts that are read as one number count as one: `01` and `1`.
fn kept(from: &DataType, to: &DataType) -> Kept {
    use DataType as T;
    let exact = |data_type: &DataType| data_type.is_integer() || data_type.is_decimal();
    let number = |data_type: &DataType| exact(data_type) || data_type.is_floating();
    match (from, to) {
        (T::Dictionary(_, values), _) => kept(values, to),
        (T::Timestamp(unit, _), T::Timestamp(other, _)) if unit <= other => Kept::Values,
        _ if from == to || widen(from, to).as_ref() == Some(to) => Kept::Values,
        // A number that the new type would round isn't taken, but by a shorter float.
        (from, to) if number(from) && exact(to) || exact(from) && number(to) => Kept::Values,
        (_, to) if to.is_string() => Kept::Apart,
        (from, to) if from.is_string() && exact(to) => Kept::Apart,
        (T::Boolean, to) if number(to) => Kept::Apart,
        (T::Date32, T::Timestamp(..)) => Kept::Apart,
        _ => Kept::Nothing,
    }
}

/// Another way to where a cast doesn't lead.
fn instead(from: &DataType, to: &DataType) -> &'static str {
    use DataType as T;
    match (from, to) {
        (T::Struct(_), _) => "`flatten` makes columns of its fields, which can be cast",
        (T::List(_) | T::LargeList(_), _) => "`unnest` makes rows of its items, which can be cast",
        (T::Timestamp(..), T::Timestamp(..)) => {
            "say which zone is meant where it is read: in the query or `schema` of the home"
        }
        (from, to) if (from.is_floating() || from.is_decimal()) && to.is_temporal() => {
            "compute the whole number of units with `derive`, and cast that: `int64` counts them"
        }
        (T::Timestamp(..), _) => "cast it to `timestamp[us, UTC]` before",
        (T::FixedSizeBinary(_), _) => "cast it to `binary` before",
        (_, to) if to.is_string() => "compute it with `derive`",
        _ => "cast it to `string` before, or compute it with `derive`",
    }
}
