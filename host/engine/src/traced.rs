//! What a merge goes by, followed from the source through the transforms: the columns that tell
//! rows apart, under the names they have at the destination, and the one that tells which row is
//! newer. What could make one row of several that the source tells apart is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use hygge_core::{
    Fault, Lineage, Origin, Result, SplitPlan, Strategy, code, columns_instead, type_name,
};
use hygge_project::Incremental;

use crate::{drift, increment};

/// What a merge goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merge {
    /// The columns that tell rows apart, as they leave the last transform.
    pub(crate) key: Vec<String>,
    /// The column that tells which of two rows is newer, likewise.
    pub(crate) latest_by: Option<String>,
    /// The transforms, by their places, that mustn't make several rows of one: nobody could tell
    /// from what they say of themselves, and nothing would tell such rows apart.
    pub(crate) single: BTreeSet<usize>,
}

/// How a column comes about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Making {
    /// Its name, as it leaves the last transform.
    pub(crate) column: String,
    /// The columns of the source that it is made of, by their places.
    pub(crate) of: BTreeSet<usize>,
    /// What makes it what it is.
    pub(crate) by: BTreeSet<Change>,
}

/// What a transform makes of columns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// The transform, by its place.
    pub(crate) number: usize,
    /// The name of what it changes, or makes.
    pub(crate) column: String,
    /// What comes of it, as far as the text of a value depends on that.
    pub(crate) gives: String,
    /// Whether it may as well have left the column alone: it doesn't say.
    pub(crate) perhaps: bool,
    /// The columns it is made of, by the names that they have there, and what these come from in the
    /// source.
    pub(crate) of: Vec<(String, BTreeSet<usize>)>,
}

impl Merge {
    /// Refuses rows in which a column that it goes by was left out, as is done with new ones on request.
    pub(crate) fn stays(&self, rows: &Schema) -> Result<()> {
        let there = |name: &&String| rows.index_of(name).is_ok();
        let key = self.key.iter().find(|name| !there(name));
        let latest_by = self.latest_by.as_ref().filter(|name| !there(name));
        let (gone, does) = match (key, latest_by) {
            (Some(gone), _) => (gone, "by which rows are merged"),
            (None, Some(gone)) => (gone, "which tells which of two rows is newer"),
            (None, None) => return Ok(()),
        };
        let message =
            format!("{gone:?}, {does}, is new, and `on_schema_change: ignore_extra` leaves it out");
        Err(Fault::new(code::SCHEMA, message)
            .with("column", gone)
            .advise(
                "give it the name that it had, or begin anew: a run with `--full`, and \
                 `on_schema_change: warn` for that one",
            ))
    }
}

/// A column on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Column {
    name: String,
    /// The column of the source whose values its own tell apart.
    of: Option<usize>,
    /// Whether it has those very values.
    same: bool,
    /// The transforms that may make several rows of one, between which it may differ.
    differs: BTreeSet<usize>,
    /// What changed its values.
    made: BTreeSet<Change>,
    /// The columns of the source that it comes from.
    from: BTreeSet<usize>,
}

/// What leaves the source, or a transform.
#[derive(Debug)]
struct Step {
    /// The type of the transform.
    kind: String,
    /// Whether it makes several rows of one; none when it doesn't say.
    several: Option<bool>,
    columns: Vec<Column>,
}

impl Step {
    /// The column with the values of one of the source, or with others that tell its own apart; if
    /// several have, the one with the name it had.
    fn holds(&self, of: usize, same: bool, name: &str) -> Option<&Column> {
        let fits = |column: &&Column| column.of == Some(of) && (column.same || !same);
        let mut there = self.columns.iter().filter(fits);
        let named = there.clone().find(|column| column.name == name);
        named.or_else(|| there.next())
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

/// The columns of an entity on their way.
#[derive(Debug)]
pub(crate) struct Traced(Vec<Step>);

impl Traced {
    /// As they leave the source.
    pub(crate) fn new(source: &Schema) -> Self {
        let columns = source.fields().iter().enumerate();
        let columns = columns.map(|(of, field)| Column {
            name: field.name().clone(),
            of: Some(of),
            same: true,
            from: BTreeSet::from([of]),
            ..Column::default()
        });
        Self(vec![Step {
            kind: "home".to_owned(),
            several: Some(false),
            columns: columns.collect(),
        }])
    }

    /// Follows them through one more transform.
    pub(crate) fn through(
        &mut self,
        kind: &str,
        lineage: Option<Lineage>,
        (before, after): (&Schema, &Schema),
    ) {
        let number = self.0.len() - 1;
        let given = self.0.last().map_or(&[][..], |step| &step.columns);
        let several = lineage.as_ref().map(|lineage| lineage.several);
        // What says nothing of itself may change what it gives under the same name.
        let silent = lineage.is_none();
        let lineage = lineage.unwrap_or_else(|| by_name(before, after));
        let from = |index: &usize| given.get(*index).cloned().unwrap_or_default();
        let change = |column: &str, field: &Field, of: &[Column]| Change {
            number,
            column: column.to_owned(),
            gives: likeness(field.data_type()),
            perhaps: false,
            of: of
                .iter()
                .map(|each| (each.name.clone(), each.from.clone()))
                .collect(),
        };
        let column = |(field, origin): (&Arc<Field>, &Origin)| {
            let name = field.name();
            let column = match origin {
                Origin::Same(index) => {
                    let mut column = from(index);
                    if silent {
                        let mut made = change(name, field, std::slice::from_ref(&column));
                        made.perhaps = true;
                        column.made.insert(made);
                    }
                    column
                }
                Origin::Apart(index) => {
                    let mut column = from(index);
                    let made = change(&column.name, field, std::slice::from_ref(&column));
                    column.same = false;
                    column.made.insert(made);
                    column
                }
                Origin::Made(indexes) => {
                    let of: Vec<Column> = indexes.iter().map(from).collect();
                    // Perhaps of all columns, and perhaps of none.
                    let known = if silent { &[][..] } else { &of };
                    let mut made = BTreeSet::from([change(name, field, known)]);
                    let mut sources = BTreeSet::new();
                    for column in known {
                        made.extend(column.made.iter().cloned());
                        sources.extend(&column.from);
                    }
                    let mut differs = BTreeSet::new();
                    differs.extend(of.into_iter().flat_map(|column| column.differs));
                    if several != Some(false) {
                        differs.insert(number);
                    }
                    Column {
                        differs,
                        made,
                        from: sources,
                        ..Column::default()
                    }
                }
            };
            Column {
                name: name.clone(),
                ..column
            }
        };
        let fields = after.fields().iter();
        let columns = fields.zip(&lineage.columns).map(column).collect();
        self.0.push(Step {
            kind: kind.to_owned(),
            several,
            columns,
        });
    }

    /// What a merge goes by at the destination; none for an entity that isn't merged.
    pub(crate) fn merge(
        &self,
        incremental: Option<&Incremental>,
        plan: &SplitPlan,
    ) -> Result<Option<Merge>> {
        let merged =
            |i: &&Incremental| matches!(i.strategy, Strategy::Merge | Strategy::ChangeTracking);
        let Some(incremental) = incremental.filter(merged) else {
            return Ok(None);
        };
        let names = increment::key(incremental, plan)?;
        if plan.schema.fields().is_empty() {
            // A source that found nothing new, and doesn't know its columns.
            return Ok(Some(Merge {
                key: names,
                latest_by: incremental.column.clone(),
                ..Merge::default()
            }));
        }
        let mut key = Vec::new();
        for name in names {
            key.push(self.key(&name, &plan.schema)?);
        }
        let latest_by = incremental.column.as_ref().map(|name| {
            let of = plan.schema.index_of(name);
            let of = of.map_err(|error| Fault::internal(error.to_string()))?;
            let found = self.follow(of, true, name);
            let found = found.map_err(|(kind, changed)| newer(kind, changed, name))?;
            Ok::<_, Fault>(found.name.clone())
        });
        let latest_by = latest_by.transpose()?;
        let mut single = BTreeSet::new();
        for (number, step) in self.0.iter().skip(1).enumerate() {
            let told_apart = key.iter().any(|column| column.differs.contains(&number));
            match step.several {
                Some(true) if !told_apart => return Err(alike(step, &key)),
                None if !told_apart => drop(single.insert(number)),
                _ => {}
            }
        }
        let key = key.into_iter().map(|column| column.name.clone()).collect();
        Ok(Some(Merge {
            key,
            latest_by,
            single,
        }))
    }

    /// How each column comes about that leaves the last transform.
    pub(crate) fn made(&self) -> Vec<Making> {
        let columns = self.0.last().into_iter().flat_map(|step| &step.columns);
        let made = columns.map(|column| Making {
            column: column.name.clone(),
            of: column.from.clone(),
            by: column.made.clone(),
        });
        made.collect()
    }

    /// A column of the key at the destination: one of the source under the name it has there, or one
    /// that a transform made.
    fn key(&self, name: &str, source: &Schema) -> Result<&Column> {
        let made = || {
            let mut columns = self.0.last().into_iter().flat_map(|step| &step.columns);
            columns.find(|column| column.name == name)
        };
        let Ok(of) = source.index_of(name) else {
            return made().ok_or_else(|| {
                Fault::new(
                    code::CONFIG,
                    format!(
                        "there is no column {name:?} to merge by, neither in the source nor after \
                         the transforms"
                    ),
                )
                .with("column", name)
                .advise(columns_instead(name, source))
            });
        };
        match (self.follow(of, false, name), made()) {
            (Ok(column), _) => Ok(column),
            // A list is no key, and its items may be.
            (Err(_), Some(column)) if source.field(of).data_type().is_nested() => Ok(column),
            (Err((kind, changed)), _) => Err(no_key(kind, changed, name)),
        }
    }

    /// A column of the source at the destination; or the transform that took it away, and whether
    /// it put another in its place.
    fn follow(&self, of: usize, same: bool, name: &str) -> Result<&Column, (&str, bool)> {
        let mut name = name;
        let mut found = None;
        for step in &self.0 {
            let Some(column) = step.holds(of, same, name) else {
                return Err((&step.kind, step.has(name)));
            };
            name = &column.name;
            found = Some(column);
        }
        found.ok_or(("home", false))
    }
}

/// A type, as far as the text of a value depends on it.
pub(crate) fn likeness(data_type: &DataType) -> String {
    match drift::plain(data_type) {
        whole if whole.is_integer() => "integer".to_owned(),
        other => type_name(&other),
    }
}

/// What is taken for granted of a transform that says nothing: that a column with a name that came
/// in tells apart what that one did, and has its values where it has its type.
fn by_name(before: &Schema, after: &Schema) -> Lineage {
    let fields = after.fields().iter();
    let columns = fields.map(|field| match before.column_with_name(field.name()) {
        Some((index, own)) if own.data_type() == field.data_type() => Origin::Same(index),
        Some((index, _)) => Origin::Apart(index),
        None => Origin::Made((0..before.fields().len()).collect()),
    });
    Lineage {
        columns: columns.collect(),
        several: false,
    }
}

fn no_key(kind: &str, changed: bool, name: &str) -> Fault {
    let (message, advice) = match changed {
        true => (
            format!(
                "{kind} changes {name:?}, by which rows are merged: rows of several keys could \
                 become one"
            ),
            "leave it as it is (`mask` with `how: hash` keeps keys apart), or merge by a column of \
             another name that a transform makes: `key` may name it",
        ),
        false => (
            format!("{kind} takes away {name:?}, by which rows are merged"),
            "keep it; under another name it is found as well (`rename`)",
        ),
    };
    let fault = Fault::new(code::SCHEMA, message);
    fault.with("column", name).advise(advice)
}

fn newer(kind: &str, changed: bool, name: &str) -> Fault {
    let (does, advice) = match changed {
        true => (
            "changes",
            format!("give what it computes another name, and leave {name:?} as it is"),
        ),
        false => (
            "takes away",
            "keep it, also at the destination; it may have another name there (`rename`)"
                .to_owned(),
        ),
    };
    let message =
        format!("{kind} {does} {name:?}, by which a merge tells which of two rows is newer");
    let fault = Fault::new(code::SCHEMA, message);
    fault.with("column", name).advise(advice)
}

fn alike(step: &Step, key: &[&Column]) -> Fault {
    let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    let kind = &step.kind;
    Fault::new(
        code::SCHEMA,
        format!(
            "{kind} makes several rows of one, and all of them have its key ({}): a merge would keep \
             one of them",
            names.join(", ")
        ),
    )
    .advise(format!(
        "add to `key` a column that {kind} makes and that tells them apart, or don't merge: \
         `strategy: append`, or no `incremental`"
    ))
}

#[cfg(test)]
#[path = "traced_tests.rs"]
mod tests;
