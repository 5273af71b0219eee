//! Other columns than in the last run: found out before rows move, told in words, and met as
//! `on_schema_change` says. docs/schema-changes.md is for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hygge_core::{
    BuildContext, Context, Fault, OPERATION_COLUMN, OnSchemaChange, Place, Registry, Result, code,
    parse_type, quoted, type_name, widen,
};
use hygge_project::{Plan, PlannedEntity};
use hygge_state::{Columns, EntityState, StateStore};
use serde::Serialize;

use crate::check::Rehearsal;
use crate::{met, peek, recover, start};

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
    /// An earlier run left it at the destination, the last one didn't bring it, and now it is there
    /// again.
    Returned {
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
            Self::Returned { column, kind } => write!(f, "{column:?} ({kind}) is back"),
            Self::Removed { column, kind } => write!(f, "{column:?} ({kind}) is gone"),
            Self::Retyped {
                column, was, is, ..
            } => {
                write!(f, "{column:?} was {was} and is {is}")
            }
        }
    }
}

impl Change {
    pub(crate) fn column(&self) -> &str {
        match self {
            Self::Added { column, .. }
            | Self::Returned { column, .. }
            | Self::Removed { column, .. }
            | Self::Retyped { column, .. } => column,
        }
    }

    pub(crate) fn retypes(&self) -> bool {
        matches!(self, Self::Retyped { .. })
    }

    /// Whether it has a type now that doesn't hold every value of the one it had.
    pub fn narrows(&self) -> bool {
        matches!(self, Self::Retyped { was, both: Some(both), .. } if was == both)
    }

    /// Whether no type holds every value of what was, and of what is.
    pub(crate) fn clashes(&self) -> bool {
        matches!(self, Self::Retyped { both: None, .. })
    }
}

/// The type without what says only how its values are encoded.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    use DataType as T;
    let within = |field: &Arc<Field>| {
        let inner = plain(field.data_type());
        Arc::new(Field::clone(field).with_data_type(inner))
    };
    match data_type {
        T::Dictionary(_, value) => plain(value),
        T::RunEndEncoded(_, value) => plain(value.data_type()),
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView => T::Binary,
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) => {
            T::List(within(item))
        }
        T::FixedSizeList(item, size) => T::FixedSizeList(within(item), *size),
        T::Struct(fields) => T::Struct(fields.iter().map(within).collect()),
        T::Map(entries, sorted) => T::Map(within(entries), *sorted),
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
pub(crate) fn settling(schema: &Schema) -> impl Iterator<Item = &Arc<Field>> {
    let fields = schema.fields().iter();
    fields.filter(|field| field.name() != OPERATION_COLUMN)
}

/// What is remembered once rows of a schema are committed: their columns, and those beside them
/// that stay at the destination, which are none where nothing stays of what was `known` of it. A
/// source that found nothing new may not know its columns: then they are what they were.
pub(crate) fn remembered(
    schema: &Schema,
    state: Option<&EntityState>,
    known: Option<&EntityState>,
) -> (Columns, Columns) {
    if let (true, Some(state)) = (schema.fields().is_empty(), state) {
        return (state.columns.clone(), state.columns_before.clone());
    }
    let now = columns(schema);
    let is: BTreeSet<&str> = pairs(&now).map(|(name, _)| name).collect();
    let stay = known.into_iter().flat_map(all);
    let stay = stay.filter(|(name, _)| !is.contains(name));
    let stay = stay.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    let stay = Columns(stay.collect());
    (now, stay)
}

/// All columns that runs left at the destination, as far as they are known.
pub(crate) fn all(before: &EntityState) -> impl Iterator<Item = (&str, &str)> {
    pairs(&before.columns).chain(pairs(&before.columns_before))
}

/// Whether the destination has columns of its own, which stay when its rows are replaced, and its
/// Store finds the columns of rows among them. Not a plugin's, of which nobody knows.
pub(crate) fn table(planned: &PlannedEntity, registry: &Registry) -> bool {
    let kind = registry.store(&planned.store.kind);
    let own = kind.is_some_and(|kind| kind.edition().is_none());
    own && matches!(planned.store_plan.place, Some(Place::Named { .. }))
}

/// Whether columns that a table doesn't have are left out, and so are none that settle.
pub(crate) fn leaves_out(planned: &PlannedEntity, registry: &Registry) -> bool {
    planned.on_schema_change == OnSchemaChange::IgnoreExtra && table(planned, registry)
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
    /// Whether the destination is a table, with columns of its own.
    #[serde(skip)]
    pub table: bool,
    /// Columns that the table at the destination doesn't have, and that the next run leaves out.
    pub left_out: Vec<String>,
    /// Whether the source has no columns to compare: it is empty, or has nothing new.
    #[serde(skip)]
    pub empty: bool,
    /// Why the next run would stop.
    pub fault: Option<Fault>,
}

/// Compares what the next run would get with what the last one committed. Reads no rows.
pub async fn drift(
    plan: &Plan,
    planned: &PlannedEntity,
    registry: &Registry,
    state: &dyn StateStore,
    cx: &Context,
) -> Result<Drift> {
    if let Some(intent) = state.intent(&planned.id).await? {
        return Err(unfinished(planned, &intent.record.run));
    }
    let start = start::decide(planned, &plan.place, state).await?;
    let before = before(planned, &plan.place, start.state.as_ref());
    let policy = planned.on_schema_change;
    let mut drift = Drift {
        run: before.map(|state| state.run_id.clone()),
        last_run: before.map(|state| state.last_run),
        on_schema_change: policy,
        changes: Vec::new(),
        table: table(planned, registry),
        left_out: Vec::new(),
        empty: false,
        fault: None,
    };
    let (home, store) = recover::build(registry, planned, &plan.place)?;
    let rehearsal = Rehearsal {
        plan,
        planned,
        registry,
        state,
        cx,
    };
    let would = rehearsal.next(home.as_ref(), &start).await;
    // A source without columns found nothing new, or nothing at all where that is allowed.
    let next = would.map_err(|stop| peek::advised(stop.fault(), planned))?;
    let Some(next) = next.filter(|next| !next.schema.fields().is_empty()) else {
        drift.empty = true;
        return Ok(drift);
    };
    let mut schema = Arc::clone(&next.schema);
    match rehearsal.reaches(next, &start) {
        Ok(arriving) => match rehearsal.suits(store.as_ref(), &arriving, &start).await {
            Ok(left_out) => drift.left_out = left_out.unwrap_or_default(),
            Err(fault) => drift.fault = Some(fault),
        },
        Err(stop) => drift.fault = Some(stop.fault()),
    }
    if leaves_out(planned, registry) {
        let left = drift.left_out.iter().map(String::as_str);
        schema = met::without(&schema, &left.collect());
    }
    if let Some(before) = before {
        drift.changes = changes(before, &schema);
    }
    Ok(drift)
}

/// What was decided on is remembered once it is finished.
fn unfinished(planned: &PlannedEntity, run: &hygge_core::RunId) -> Fault {
    let id = quoted(&planned.id.to_string());
    let message = format!("run {run} decided on a commit that isn't finished");
    Fault::new(code::STATE, message).advise(format!(
        "`hygge state recover {id}` finishes it, and so does the next run; then its columns are known"
    ))
}

/// What changed since `before`, in the order of the columns; those that are gone come last.
pub(crate) fn changes(before: &EntityState, schema: &Schema) -> Vec<Change> {
    let was: BTreeMap<&str, &str> = all(before).collect();
    let last: BTreeSet<&str> = pairs(&before.columns).map(|(name, _)| name).collect();
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
            Some(_) if !last.contains(name) => changes.push(Change::Returned {
                column: name.to_owned(),
                kind: is.to_owned(),
            }),
            Some(_) => {}
        }
    }
    let is: BTreeSet<&str> = pairs(&now).map(|(name, _)| name).collect();
    for (name, kind) in pairs(&before.columns).filter(|(name, _)| !is.contains(name)) {
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

/// The columns of the last run, where the types of all are known by their names.
pub(crate) fn left(before: &EntityState) -> Option<SchemaRef> {
    let fields = pairs(&before.columns).map(|(name, kind)| {
        let kind = remembered_type(kind)?;
        Some(Field::new(name, kind, true))
    });
    let fields = fields.collect::<Option<Vec<_>>>()?;
    (!fields.is_empty()).then(|| Arc::new(Schema::new(fields)))
}

/// The type that holds every value of what was, and of what is.
pub(crate) fn both(was: &str, is: &DataType) -> Option<DataType> {
    let is = plain(is);
    widen(&named_alike(remembered_type(was)?, &is), &is)
}

/// With a map's keys and values called as those of another: formats have names of their own for them, which
/// nobody remembers.
fn named_alike(was: DataType, is: &DataType) -> DataType {
    let (DataType::Map(was_entries, sorted), DataType::Map(entries, _)) = (&was, is) else {
        return was;
    };
    let (DataType::Struct(own), DataType::Struct(pair)) =
        (was_entries.data_type(), entries.data_type())
    else {
        return was;
    };
    let renamed = own.iter().zip(pair).map(|(own, other)| {
        let data_type = own.data_type().clone();
        Arc::new(Field::clone(other).with_data_type(data_type))
    });
    let renamed = DataType::Struct(renamed.collect());
    DataType::Map(
        Arc::new(Field::clone(entries).with_data_type(renamed)),
        *sorted,
    )
}

/// Also of types that no setting names.
fn remembered_type(name: &str) -> Option<DataType> {
    use DataType as T;
    use TimeUnit as U;
    Some(match name {
        "null" => T::Null,
        "float16" => T::Float16,
        "date64" => T::Date64,
        "time[s]" => T::Time32(U::Second),
        "time[ms]" => T::Time32(U::Millisecond),
        "time[us]" => T::Time64(U::Microsecond),
        "time[ns]" => T::Time64(U::Nanosecond),
        "duration[s]" => T::Duration(U::Second),
        "duration[ms]" => T::Duration(U::Millisecond),
        "duration[us]" => T::Duration(U::Microsecond),
        "duration[ns]" => T::Duration(U::Nanosecond),
        other => {
            if let Some(size) = within(other, "binary(", ")") {
                return Some(T::FixedSizeBinary(size.parse().ok()?));
            }
            match within(other, "map<", ">") {
                Some(pair) => map(pair)?,
                None => parse_type(other)?,
            }
        }
    })
}

fn within<'a>(name: &'a str, begins: &str, ends: &str) -> Option<&'a str> {
    name.strip_prefix(begins)?.strip_suffix(ends)
}

/// A map, by the types of its keys and values, of which both may have commas.
fn map(pair: &str) -> Option<DataType> {
    let mut commas = pair.match_indices(", ");
    commas.find_map(|(at, comma)| {
        let (key, value) = (&pair[..at], &pair[at + comma.len()..]);
        let (key, value) = (remembered_type(key)?, remembered_type(value)?);
        let pair = vec![
            Field::new("keys", key, false),
            Field::new("values", value, true),
        ];
        let entries = Field::new("entries", DataType::Struct(pair.into()), false);
        Some(DataType::Map(Arc::new(entries), false))
    })
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
