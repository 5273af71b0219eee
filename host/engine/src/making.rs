//! How the key of a merge is made on its way. When that changes, the rows that stand at the destination
//! have other keys than the same rows get now, and a merge would put those beside them.

use arrow_schema::Schema;
use hygge_core::{Action, Fault, Result, code, quoted};
use hygge_project::PlannedEntity;
use hygge_state::EntityState;
use serde_json::{Value, json};

use crate::start::Start;
use crate::traced::Merge;

/// What an entity's memory of it is called.
pub(crate) const MEMORY: &str = "key";

/// The transforms that make the key what it is, and their settings without secrets, as far as these are
/// of its columns; none when it is the source's own.
fn making(planned: &PlannedEntity, merge: Option<&Merge>) -> Option<Vec<u8>> {
    let made = merge?.made.iter().filter_map(|(number, column)| {
        let item = planned.transforms.get(*number)?;
        // A cast gives another type, which is found as such; a constant is of the run, as `{run_date}` is.
        (!matches!(&*item.kind, "cast" | "constant")).then(|| {
            let settings = of_column(item.settings.redacted(), column);
            json!({"type": item.kind, "column": column, "settings": settings})
        })
    });
    let made: Vec<Value> = made.collect();
    (!made.is_empty()).then(|| Value::from(made).to_string().into_bytes())
}

/// Without what is set of other columns.
fn of_column(mut settings: Value, column: &str) -> Value {
    if let Some(columns) = settings.get_mut("columns").and_then(Value::as_object_mut)
        && columns.contains_key(column)
    {
        columns.retain(|name, _| name == column);
    }
    settings
}

/// What is to be remembered of it. Refuses to merge rows by a key that is made otherwise than that of the
/// rows that are there.
pub(crate) fn same(
    planned: &PlannedEntity,
    start: &Start,
    (source, merge): (&Schema, Option<&Merge>),
    before: Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>> {
    // A source that found nothing new may know no columns.
    if source.fields().is_empty() {
        return Ok(before);
    }
    let now = making(planned, merge);
    // Of a state that was set by hand nobody knows.
    let known = |state: &EntityState| state.status == "committed";
    let compared = start.action == Action::Upsert && start.state.as_ref().is_some_and(known);
    if now == before || !compared {
        return Ok(now);
    }
    let key = merge.map_or_else(String::new, |merge| merge.key.join(", "));
    let id = quoted(&planned.id.to_string());
    Err(Fault::new(
        code::SCHEMA,
        format!("transforms make the key ({key}) otherwise than in the last run"),
    )
    .advise(format!(
        "rows that are there have the keys of then, so the same rows would stand beside them: \
         `hygge start --full --entity {id}` begins anew, or put the transforms back"
    )))
}
