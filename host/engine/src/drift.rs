//! Other columns than in the last run: found out before rows move, told in words, and met as
//! `on_schema_change` says. docs/schema-changes.md is for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hygge_core::{
    BuildContext, Context, Fault, OPERATION_COLUMN, OnSchemaChange, Registry, Result, code,
    parse_type, type_name, widen,
};
use hygge_project::{Plan, PlannedEntity};
use hygge_state::{Columns, EntityState, StateStore};
use serde::Serialize;

use crate::{peek, start};

/// One column that isn't what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// It wasn't there.
    Added {
        /// Its name.
        column: String,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
    },
    /// It isn't there any more.
    Removed {
        /// Its name.
        column: String,
        /// The type it had.
        #[serde(rename = "type")]
        kind: String,
    },
    /// It has another type.
    Retyped {
        /// Its name.
        column: String,
        /// The type it had.
        was: String,
        /// The type it has.
        is: String,
        /// The type that holds every value of both, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        both: Option<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { column, kind } => write!(f, "{column:?} ({kind}) is new"),
            Self::Removed { column, kind } => write!(f, "{column:?} ({kind}) is gone"),
            Self::Retyped {
                column, was, is, ..
            } => {
                write!(f, "{column:?} was {was} and is {is}")
            }
        }
    }
}

/// The type without what says only how its values are encoded.
fn plain(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Dictionary(_, value) => plain(value),
        T::RunEndEncoded(_, value) => plain(value.data_type()),
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView => T::Binary,
        other => other.clone(),
    }
}

/// The columns of a schema, to be remembered.
pub(crate) fn columns(schema: &Schema) -> Columns {
    let named = settling(schema);
    Columns(
        named
            .map(|field| (field.name().clone(), type_name(&plain(field.data_type()))))
            .collect(),
    )
}

/// Those that reach the destination: what a change stream says of its rows doesn't.
fn settling(schema: &Schema) -> impl Iterator<Item = &Arc<Field>> {
    let fields = schema.fields().iter();
    fields.filter(|field| field.name() != OPERATION_COLUMN)
}

/// What is remembered once rows of a schema are committed. A source that found nothing new may
/// not know its columns: then they are what they were.
pub(crate) fn remembered(schema: &Schema, state: Option<&EntityState>) -> Columns {
    match (schema.fields().is_empty(), state) {
        (true, Some(state)) => state.columns.clone(),
        _ => columns(schema),
    }
}

/// The columns that the last run left at the destination, when that is known and still the
/// entity's.
pub(crate) fn before<'a>(
    planned: &PlannedEntity,
    place: &BuildContext,
    state: Option<&'a EntityState>,
) -> Option<&'a EntityState> {
    let now = start::ends(planned, place, false);
    state.filter(|state| {
        let there = |ends: &hygge_state::Ends| ends.store == now.store;
        !state.columns.is_empty() && state.ends.as_ref().is_some_and(there)
    })
}

/// How an entity's columns differ from those of its last run.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// The last run that committed; none when its columns aren't known.
    pub run: Option<hygge_core::RunId>,
    /// When it ended.
    pub last_run: Option<jiff::Timestamp>,
    /// What the next run does about changes.
    pub on_schema_change: OnSchemaChange,
    /// What changed.
    pub changes: Vec<Change>,
    /// Why the next run would stop.
    pub fault: Option<Fault>,
}

/// Compares what the entity would give now with what its last run committed. Reads no rows.
pub async fn drift(
    plan: &Plan,
    planned: &PlannedEntity,
    registry: &Registry,
    state: &dyn StateStore,
    cx: &Context,
) -> Result<Drift> {
    let state = state.load(&planned.id).await?;
    let before = before(planned, &plan.place, state.as_ref());
    let passed = peek::passed(plan, planned, registry, cx).await?;
    let now = passed
        .last()
        .ok_or_else(|| Fault::internal("an entity without a home"))?;
    let mut drift = Drift {
        run: before.map(|state| state.run_id.clone()),
        last_run: before.map(|state| state.last_run),
        on_schema_change: planned.on_schema_change,
        changes: Vec::new(),
        fault: None,
    };
    if let Some(before) = before {
        drift.changes = changes(&before.columns, &now.schema);
        drift.fault = meet(planned.on_schema_change, Some(before), &now.schema).err();
    }
    Ok(drift)
}

/// What changed since `before`, in the order of the columns; those that are gone come last.
pub(crate) fn changes(before: &Columns, schema: &Schema) -> Vec<Change> {
    let was: BTreeMap<&str, &str> = pairs(before).collect();
    let now = columns(schema);
    let mut changes = Vec::new();
    for ((name, is), field) in pairs(&now).zip(settling(schema)) {
        match was.get(name) {
            None => changes.push(Change::Added {
                column: name.to_owned(),
                kind: is.to_owned(),
            }),
            Some(was) if *was != is => changes.push(Change::Retyped {
                column: name.to_owned(),
                was: (*was).to_owned(),
                is: is.to_owned(),
                both: both(was, field.data_type()).map(|both| type_name(&both)),
            }),
            Some(_) => {}
        }
    }
    let is: BTreeSet<&str> = pairs(&now).map(|(name, _)| name).collect();
    for (name, kind) in pairs(before).filter(|(name, _)| !is.contains(name)) {
        changes.push(Change::Removed {
            column: name.to_owned(),
            kind: kind.to_owned(),
        });
    }
    changes
}

fn pairs(columns: &Columns) -> impl Iterator<Item = (&str, &str)> {
    columns.0.iter().map(|(name, kind)| (&**name, &**kind))
}

/// The type that holds every value of what was, and of what is.
fn both(was: &str, is: &DataType) -> Option<DataType> {
    widen(&parse_type(was)?, &plain(is))
}

/// What is done about changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Met {
    /// In words: what changed, and what becomes of it.
    pub(crate) message: String,
    /// Whether a person has to look at it.
    pub(crate) warning: bool,
    /// The schema that rows are brought to, where that isn't the one that they come in.
    pub(crate) schema: Option<SchemaRef>,
}

/// Says what is done, or that the entity stops here; `None` when nothing changed.
pub(crate) fn meet(
    policy: OnSchemaChange,
    before: Option<&EntityState>,
    schema: &SchemaRef,
) -> Result<Option<(Vec<Change>, Met)>> {
    // Nothing is known of a first run; and a source that found nothing new may know no columns.
    let Some(EntityState {
        columns: before, ..
    }) = before.filter(|_| !schema.fields().is_empty())
    else {
        return Ok(None);
    };
    let changes = changes(before, schema);
    if changes.is_empty() {
        return Ok(None);
    }
    let told = said(&changes);
    let met = match policy {
        OnSchemaChange::Warn => Met {
            message: told,
            warning: true,
            schema: None,
        },
        OnSchemaChange::Fail => return Err(refused(told, FAIL)),
        OnSchemaChange::Additive => {
            let other = changes
                .iter()
                .any(|change| matches!(change, Change::Retyped { .. }));
            if other {
                return Err(refused(told, ADDITIVE));
            }
            Met {
                message: told,
                warning: false,
                schema: None,
            }
        }
        OnSchemaChange::Evolve => Met {
            message: told.clone(),
            warning: false,
            schema: widened(before, schema).ok_or_else(|| refused(told, EVOLVE))?,
        },
        OnSchemaChange::IgnoreExtra => {
            let left = left_out(&changes, schema);
            let message = match &left {
                Some(_) => format!("{told}; what is new is left out"),
                None => told,
            };
            Met {
                message,
                warning: true,
                schema: left,
            }
        }
    };
    Ok(Some((changes, met)))
}

const FAIL: &str = "look at it; `on_schema_change: warn` lets it in (for one run: `--var \
                    flow.FLOW.store.on_schema_change=warn`), `additive` only new columns, `evolve` \
                    wider types as well";
const ADDITIVE: &str = "`on_schema_change: additive` lets new columns in, and no other types; \
                        `evolve` lets types become wider, and a `cast` transform brings the column \
                        back to what it was";
const EVOLVE: &str = "`on_schema_change: evolve` makes types wider only where every value stays what \
                      it is; a `cast` transform brings the column back to what it was";

fn refused(told: String, advice: &str) -> Fault {
    Fault::new(code::SCHEMA, told).advise(advice)
}

/// All changes in one line.
fn said(changes: &[Change]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = changes
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let tail = match changes.len().saturating_sub(SHOWN) {
        0 => String::new(),
        1 => ", and another column changed".to_owned(),
        more => format!(", and {more} other columns changed"),
    };
    format!("since the last run {}{tail}", shown.join(", "))
}

/// The schema in which no column is narrower than it was: the outer none when that can't be, the
/// inner when rows come in it.
#[expect(
    clippy::option_option,
    reason = "what can't be and what needn't be are two things"
)]
fn widened(before: &Columns, schema: &SchemaRef) -> Option<Option<SchemaRef>> {
    let was: BTreeMap<&str, &str> = pairs(before).collect();
    let mut fields: Vec<Arc<Field>> = Vec::with_capacity(schema.fields().len());
    let mut changed = false;
    for field in schema.fields() {
        let is = type_name(&plain(field.data_type()));
        match was.get(&**field.name()) {
            Some(was) if **was != is => {
                let wide = both(was, field.data_type())?;
                if wide == plain(field.data_type()) {
                    fields.push(Arc::clone(field));
                    continue;
                }
                changed = true;
                let metadata = arrow_schema::Metadata::default();
                // What the source's metadata says of the type isn't true of the wider one.
                let field = field.as_ref().clone().with_data_type(wide);
                fields.push(Arc::new(field.with_metadata(metadata)));
            }
            _ => fields.push(Arc::clone(field)),
        }
    }
    Some(changed.then(|| Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))))
}

/// The schema without the columns that are new, when any are.
fn left_out(changes: &[Change], schema: &SchemaRef) -> Option<SchemaRef> {
    let new: BTreeSet<&str> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Added { column, .. } => Some(column.as_str()),
            _ => None,
        })
        .collect();
    if new.is_empty() {
        return None;
    }
    let fields = schema.fields().iter();
    let kept: Vec<_> = fields
        .filter(|field| !new.contains(field.name().as_str()))
        .cloned()
        .collect();
    Some(Arc::new(Schema::new_with_metadata(
        kept,
        schema.metadata().clone(),
    )))
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
