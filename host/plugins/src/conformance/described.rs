//! What a plugin says of itself, and whether that is so.

use std::sync::Arc;

use hygge_component::{Description, Inspected, Part};
use hygge_core::Context;
use serde_json::Value;

use super::calls::{self, Caller};
use super::{Sheet, Verdict, unseen, wrong};
use crate::fault::clean;
use crate::plugin::Plugin;

/// Words that an `abilities` list may have; a host leaves others alone, so one is a slip.
const HOME: &[&str] = &["watermarks", "operations"];
const STORE: &[&str] = &["append", "replace", "upsert", "operations", "single"];
const TRANSFORM: &[&str] = &["stateless"];

pub(super) async fn look(
    sheet: &mut Sheet<'_>,
    plugin: &Arc<Plugin>,
    inspected: &Inspected,
    cx: &Context,
) {
    let sealed = match &inspected.sealed {
        Some(_) => Ok(String::new()),
        // Some toolchains can't write sections, and no plugin is used before it is sealed.
        None => unseen(
            "it has no section `hygge:describe`; `hygge plugin seal FILE` writes it, and `add` and \
             `trust` do so in their copies",
        ),
    };
    sheet.note("it is sealed", sealed);
    let caller = Caller::new(Arc::clone(plugin), &Value::Null, cx.clone());
    sheet.note(
        "`describe` says what the section says, every time",
        agrees(&caller, inspected).await,
    );
    sheet.note("its description is whole", whole(&plugin.description));
}

async fn agrees(caller: &Caller, inspected: &Inspected) -> Verdict {
    let first = calls::describe(caller).await?;
    let second = calls::describe(caller).await?;
    if first != second {
        return wrong("`describe` gave two different texts");
    }
    if let Err(why) = Description::read(first.as_bytes()) {
        return wrong(why);
    }
    match &inspected.sealed {
        Some(sealed) if sealed != first.as_bytes() => {
            wrong("the section and `describe` say different things")
        }
        _ => Ok(String::new()),
    }
}

fn whole(description: &Description) -> Verdict {
    if description.summary.is_empty() {
        return wrong("it has no summary, the line that lists show");
    }
    let delivery = description.delivery.as_deref();
    if let Some(delivery) = delivery
        && !["exactly-once", "at-least-once"].contains(&delivery)
    {
        let delivery = clean(delivery, 64);
        return wrong(format!(
            "its delivery is {delivery:?}, neither `exactly-once` nor `at-least-once`"
        ));
    }
    let parts = [
        ("home", &description.home, HOME),
        ("store", &description.store, STORE),
        ("transform", &description.transform, TRANSFORM),
    ];
    for (what, part, words) in parts {
        let Some(part) = part else { continue };
        let unknown = part.abilities.iter().find(|a| !words.contains(&a.as_str()));
        if let Some(unknown) = unknown {
            let unknown = clean(unknown, 64);
            return wrong(format!(
                "the {what} says an ability nobody knows: {unknown:?}"
            ));
        }
        if let Err(error) = jsonschema::validator_for(&part.config) {
            let error = clean(&error.to_string(), 300);
            return wrong(format!(
                "the schema of the {what}'s settings is none: {error}"
            ));
        }
        if let Some(location) = &part.location
            && part.config["properties"].get(location).is_none()
        {
            let location = clean(location, 64);
            return wrong(format!(
                "the {what} says that {location:?} names its place, and has no such setting"
            ));
        }
    }
    Ok(String::new())
}

/// Whether the settings are valid by the schema of a part.
pub(super) fn settings(part: &Part, config: &Value) -> Verdict {
    let validator = match jsonschema::validator_for(&part.config) {
        Ok(validator) => validator,
        Err(error) => return wrong(clean(&error.to_string(), 300)),
    };
    match validator.iter_errors(config).next() {
        None => Ok(String::new()),
        Some(error) => {
            let pointer = error.instance_path().to_string();
            let place = match pointer.is_empty() {
                true => String::new(),
                false => format!("{}: ", clean(&pointer, 200)),
            };
            wrong(format!("{place}{}", clean(&error.to_string(), 500)))
        }
    }
}
