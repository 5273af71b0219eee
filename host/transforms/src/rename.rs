//! `rename`: other names for the same columns.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow_schema::SchemaRef;
use convert_case::{Boundary, Casing};
use hygge_core::{Bound, Context, Fault, OPERATION_COLUMN, Problem, Result, code};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Column, Spec, column_wise, find, problem};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rename {
    /// New names by old ones.
    #[schemars(extend("minProperties" = 1))]
    columns: Option<BTreeMap<String, String>>,
    /// How every name is written; characters other than letters and digits part its words.
    case: Option<Case>,
    /// `true`: characters other than letters, digits and `_` go from every name, spaces too; the rest
    /// stays as it is written.
    #[serde(default)]
    remove_special: bool,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Case {
    /// `order_id`
    Snake,
    /// `OrderId`
    Pascal,
    /// `orderId`
    Camel,
}

impl Case {
    fn of(self, name: &str) -> String {
        let case = match self {
            Self::Snake => convert_case::Case::Snake,
            Self::Pascal => convert_case::Case::Pascal,
            Self::Camel => convert_case::Case::Camel,
        };
        // Digits stay with the letters before them: `q1` is one word.
        let words = [
            Boundary::Space,
            Boundary::LowerUpper,
            Boundary::DigitUpper,
            Boundary::Acronym,
        ];
        let parts = name.split(|c: char| !is_part(c));
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        parts.join(" ").set_boundaries(&words).to_case(case)
    }
}

/// Letters, digits, and the accents that some systems write behind their letters.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}')
}

impl Spec for Rename {
    const NAME: &'static str = "rename";
    const SUMMARY: &'static str = "gives columns other names";

    fn problems(&self) -> Vec<Problem> {
        let given = [
            ("columns", self.columns.is_some()),
            ("case", self.case.is_some()),
            ("remove_special", self.remove_special),
        ];
        let given = given.into_iter().filter(|(_, is)| *is).map(|(key, _)| key);
        match given.collect::<Vec<_>>()[..] {
            [one, other, ..] => {
                let advice = match other {
                    "case" => "write two: the first with `case`, the second with `columns`",
                    _ if one == "case" => "`case` takes such characters away as well: leave it out",
                    _ => "write two: the first with `remove_special`, the second with `columns`",
                };
                let message = format!("rename takes `{one}` or `{other}`, not both");
                return vec![problem(other, message, Some(advice.to_owned()))];
            }
            [_] => {}
            [] => {
                return vec![Problem {
                    pointer: String::new(),
                    message: "rename needs `columns`, `case` or `remove_special`".to_owned(),
                    advice: Some("`columns: {old: new}`, or `case: snake`".to_owned()),
                }];
            }
        }
        let empty = self
            .columns
            .iter()
            .flatten()
            .filter(|(_, new)| new.is_empty());
        let told = empty.map(|(old, _)| {
            let at = crate::kind::at("columns", old);
            problem(&at, format!("{old} needs a name"), None)
        });
        told.collect()
    }

    fn describe(&self) -> String {
        match (&self.columns, self.case) {
            (Some(columns), _) => {
                let pairs: Vec<String> =
                    columns.iter().map(|(a, b)| format!("{a} to {b}")).collect();
                format!("rename {}", pairs.join(", "))
            }
            (None, Some(Case::Snake)) => "rename to snake case".to_owned(),
            (None, Some(Case::Pascal)) => "rename to pascal case".to_owned(),
            (None, Some(Case::Camel)) => "rename to camel case".to_owned(),
            (None, None) => "rename without special characters".to_owned(),
        }
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut names: Vec<String> = input.fields().iter().map(|f| f.name().clone()).collect();
        for (old, new) in self.columns.iter().flatten() {
            if new == OPERATION_COLUMN {
                let message =
                    format!("rename can't make {new} of {old}: it says what becomes of each row");
                return Err(Fault::new(code::CONFIG, message)
                    .with("column", old)
                    .advise("choose another name"));
            }
            names[find(Self::NAME, old, input)?].clone_from(new);
        }
        if self.case.is_some() || self.remove_special {
            for name in names.iter_mut().filter(|name| *name != OPERATION_COLUMN) {
                let new = match self.case {
                    Some(case) => case.of(name),
                    None => name.chars().filter(|c| is_part(*c) || *c == '_').collect(),
                };
                if new.is_empty() {
                    let message = format!("rename leaves nothing of the column {name:?}");
                    return Err(Fault::new(code::SCHEMA, message)
                        .with("column", &*name)
                        .advise("name it before, with `rename: {columns: …}`"));
                }
                *name = new;
            }
        }
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            match taken.entry(name) {
                Entry::Vacant(free) => drop(free.insert(index)),
                Entry::Occupied(other) => {
                    let (one, two) = (input.field(*other.get()).name(), input.field(index).name());
                    let message = format!("rename gives {one} and {two} one name: {name}");
                    return Err(Fault::new(code::SCHEMA, message)
                        .with("column", name)
                        .advise("give one of them another name, or exclude it before"));
                }
            }
        }
        let columns = names.iter().enumerate();
        let columns = columns.map(|(index, name)| Column::named(index, name, input));
        column_wise(Self::NAME, columns.collect(), input, cx)
    }
}
