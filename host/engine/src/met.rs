//! What becomes of columns that changed, as `on_schema_change` says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use hygge_core::{Fault, OnSchemaChange, Result, code};
use hygge_state::EntityState;

use crate::drift::{Change, all, both, changes, plain, settling};
use crate::traced::Making;

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
    // Whether the destination has columns of its own, and the Store finds out what is extra.
    table: bool,
) -> Result<Option<(Vec<Change>, Met)>> {
    // Nothing is known of a first run; and a source that found nothing new may know no columns.
    let Some(before) = before.filter(|_| !schema.fields().is_empty()) else {
        return Ok(None);
    };
    let changes = changes(before, schema);
    if changes.is_empty() {
        return Ok(None);
    }
    let told = said(&changes);
    let stops: Vec<&Change> = match policy {
        OnSchemaChange::Warn | OnSchemaChange::IgnoreExtra => Vec::new(),
        OnSchemaChange::Fail => changes.iter().collect(),
        OnSchemaChange::Additive => changes.iter().filter(|change| change.retypes()).collect(),
        OnSchemaChange::Evolve => changes.iter().filter(|change| change.clashes()).collect(),
    };
    if !stops.is_empty() {
        return Err(refused(told, &stops, changes.len(), policy));
    }
    let met = match policy {
        OnSchemaChange::Warn => Met {
            message: told,
            warning: true,
            schema: None,
        },
        OnSchemaChange::Fail | OnSchemaChange::Additive => Met {
            message: told,
            warning: false,
            schema: None,
        },
        OnSchemaChange::Evolve => Met {
            message: told,
            warning: false,
            schema: widened(before, schema),
        },
        OnSchemaChange::IgnoreExtra => {
            let left = left_out(&changes, schema);
            if left
                .as_ref()
                .is_some_and(|left| settling(left).next().is_none())
                && !table
            {
                return Err(Fault::new(
                    code::SCHEMA,
                    format!("{told}; without what is new no column is left"),
                )
                .advise(NOTHING_LEFT));
            }
            let message = match (&left, table) {
                (Some(_), false) => format!("{told}; what is new is left out"),
                (Some(_), true) => format!("{told}; what the table doesn't have is left out"),
                (None, _) => told,
            };
            Met {
                message,
                warning: true,
                schema: left.filter(|_| !table),
            }
        }
    };
    Ok(Some((changes, met)))
}

const NOTHING_LEFT: &str = "see that the source is read as it was (a CSV file's `delimiter` and \
                            header); `on_schema_change: warn` lets new columns in";
const FAIL: &str = "look at it; `on_schema_change: warn` lets it in (for one run: `--var \
                    flow.FLOW.store.on_schema_change=warn`), `additive` only new columns, `evolve` \
                    wider types as well";
const ADDITIVE: &str = "`on_schema_change: additive` lets new columns in, and no other types; \
                        `evolve` lets types become wider, and a `cast` transform brings the column \
                        back to what it was";
const EVOLVE: &str = "`on_schema_change: evolve` makes types wider only where every value stays what \
                      it is; a `cast` transform brings the column back to what it was";

/// All that changed, which of it stops the entity when that isn't all, and what to do.
fn refused(told: String, stops: &[&Change], of: usize, policy: OnSchemaChange) -> Fault {
    let message = match stops.len() == of {
        true => told,
        false if stops.len() == 1 => format!("{told}; {} stops it", columns_of(stops)),
        false => format!("{told}; {} stop it", columns_of(stops)),
    };
    Fault::new(code::SCHEMA, message).advise(match policy {
        OnSchemaChange::Additive => ADDITIVE,
        OnSchemaChange::Evolve => EVOLVE,
        _ => FAIL,
    })
}

/// The columns of changes, the first of them.
fn columns_of(changes: &[&Change]) -> String {
    let names = changes
        .iter()
        .map(|change| format!("{:?}", change.column()));
    let names: Vec<String> = names.take(SHOWN).collect();
    match changes.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// How many changes are told one by one.
const SHOWN: usize = 8;

/// All changes in one line.
fn said(changes: &[Change]) -> String {
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

/// The schema in which no column is narrower than it was, when rows don't come in it.
fn widened(before: &EntityState, schema: &SchemaRef) -> Option<SchemaRef> {
    let was: BTreeMap<&str, &str> = all(before).collect();
    let mut changed = false;
    let fields = schema.fields().iter().map(|field| {
        let was = was.get(field.name().as_str());
        let wide = was.and_then(|was| both(was, field.data_type()));
        let Some(wide) = wide.filter(|wide| *wide != plain(field.data_type())) else {
            return Arc::clone(field);
        };
        changed = true;
        let metadata = arrow_schema::Metadata::default();
        // What the source's metadata says of the type isn't true of the wider one.
        let field = field.as_ref().clone().with_data_type(wide);
        Arc::new(field.with_metadata(metadata))
    });
    let fields: Vec<Arc<Field>> = fields.collect();
    changed.then(|| Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

/// Refuses what has no column of the source any more, as when a file came with another delimiter: those
/// that transforms make are there all the same.
pub(crate) fn some_left(met: &Met, leaves: &Schema, made: &[Making]) -> Result<()> {
    let Some(settles) = &met.schema else {
        return Ok(());
    };
    let of_source: BTreeSet<&str> = made
        .iter()
        .filter(|making| !making.of.is_empty())
        .map(|making| making.column.as_str())
        .collect();
    let any = |schema: &Schema| {
        let mut names = schema.fields().iter().map(|field| field.name());
        names.any(|name| of_source.contains(name.as_str()))
    };
    if any(settles) || !any(leaves) {
        return Ok(());
    }
    let message = format!("{}, and no column of the source is left", met.message);
    Err(Fault::new(code::SCHEMA, message).advise(NOTHING_LEFT))
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
    (!new.is_empty()).then(|| without(schema, &new))
}

/// The schema without some columns.
pub(crate) fn without(schema: &SchemaRef, columns: &BTreeSet<&str>) -> SchemaRef {
    let fields = schema.fields().iter();
    let kept: Vec<_> = fields
        .filter(|field| !columns.contains(field.name().as_str()))
        .cloned()
        .collect();
    Arc::new(Schema::new_with_metadata(kept, schema.metadata().clone()))
}
