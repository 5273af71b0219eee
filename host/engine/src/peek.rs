//! An entity's rows as they leave its Home or one of its transforms, for whoever looks. Nothing is
//! remembered, written or committed.

use arrow_schema::SchemaRef;
use hygge_core::{Context, Fault, Registry, Result, SplitRequest, code, nearest};
use hygge_project::{Plan, PlannedEntity};

use crate::alone::{FirstRows, first_rows};
use crate::chain::Chain;
use crate::check::goes_first;
use crate::look_through::as_a_run;
use crate::recover::build;

/// Where rows are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// All transforms.
    All,
    /// The one of that place, counted from 1, or of that type.
    One(String),
}

/// A step on the way of an entity's rows, and what leaves it.
#[derive(Debug)]
pub struct Passed {
    /// `home`, or the place of the transform and its type: `2 (rename)`.
    pub step: String,
    /// What it does.
    pub describe: String,
    /// The schema of what leaves it.
    pub schema: SchemaRef,
}

/// The first rows after a step, as a full run would take them.
pub async fn peek(
    plan: &Plan,
    planned: &PlannedEntity,
    registry: &Registry,
    after: &After,
    most: usize,
    cx: &Context,
) -> Result<FirstRows> {
    let steps = steps(planned, after)?;
    let (home, _) = build(registry, planned, &plan.place)?;
    let chain = Chain::build(registry, planned, &as_a_run(&plan.place))?.until(steps);
    let rows = match chain.is_empty() {
        true => first_rows(home.as_ref(), None, most, cx).await,
        false => first_rows(home.as_ref(), Some(&chain), most, cx).await,
    };
    rows.map_err(|fault| advised(fault, planned))
}

/// The schema after each step.
pub async fn passed(
    plan: &Plan,
    planned: &PlannedEntity,
    registry: &Registry,
    cx: &Context,
) -> Result<Vec<Passed>> {
    let (home, _) = build(registry, planned, &plan.place)?;
    let splits = home.splits(&SplitRequest::default(), cx).await;
    let given = splits.map_err(|fault| advised(fault, planned))?.schema;
    if given.fields().is_empty() {
        let message = format!(
            "{} is empty, and has no columns",
            planned.home_plan.describe
        );
        return Err(Fault::new(code::SOURCE_INVALID, message)
            .advise("ask again when there is something in it"));
    }
    let chain = Chain::build(registry, planned, &plan.place)?;
    let bound = chain.bind(&given, cx).await?;
    let mut passed = vec![Passed {
        step: "home".to_owned(),
        describe: planned.home_plan.describe.clone(),
        schema: given,
    }];
    let said = planned.transforms.iter().map(|each| &each.describe);
    let each = bound.steps().zip(said);
    passed.extend(each.map(|((step, schema), describe)| Passed {
        step: step.to_owned(),
        describe: describe.clone(),
        schema,
    }));
    Ok(passed)
}

/// How many transforms the rows pass.
fn steps(planned: &PlannedEntity, after: &After) -> Result<usize> {
    let all = &planned.transforms;
    let asked = match after {
        After::All => return Ok(all.len()),
        After::One(asked) => asked,
    };
    if asked == "home" {
        return Ok(0);
    }
    let numbered = asked.parse().ok().filter(|n| (1..=all.len()).contains(n));
    if let Some(n) = numbered {
        return Ok(n);
    }
    let listed = || {
        let each = all.iter().enumerate();
        let each = each.map(|(at, each)| format!("{} ({})", at + 1, each.kind));
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => format!("{} has no transforms", planned.id),
            false => format!("there are home, {}", each.join(", ")),
        }
    };
    let mut of_type = (1..).zip(all).filter(|(_, each)| each.kind == *asked);
    match (of_type.next(), of_type.next()) {
        (Some((n, _)), None) => Ok(n),
        (Some(_), Some(_)) => {
            let message = format!("{} has several transforms of type {asked}", planned.id);
            let advice = format!("say which by its number: {}", listed());
            Err(Fault::new(code::CONFIG, message).advise(advice))
        }
        (None, _) => {
            let message = format!("{} has no transform {asked:?}", planned.id);
            let near = nearest(asked, all.iter().map(|each| each.kind.as_str()));
            let meant = near.map(|near| format!("did you mean `{near}`? "));
            let advice = format!("{}{}", meant.unwrap_or_default(), listed());
            Err(Fault::new(code::CONFIG, message).advise(advice))
        }
    }
}

/// What isn't there yet may be what another flow writes.
pub(crate) fn advised(fault: Fault, planned: &PlannedEntity) -> Fault {
    match &planned.filled_by {
        Some(filler) if fault.code == code::SOURCE_MISSING => fault.advise(goes_first(filler)),
        _ => fault,
    }
}
