use hygge_core::{Context, Discovered, EntityId, Finding, Registry};
use hygge_project::Plan;

use crate::recover::build;

/// What `hygge debug` found out about one entity.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The entity.
    pub id: EntityId,
    /// About its Home.
    pub home: Vec<Finding>,
    /// About its Store.
    pub store: Vec<Finding>,
}

impl Checked {
    /// Whether everything is as it should be.
    pub fn ok(&self) -> bool {
        self.home
            .iter()
            .chain(&self.store)
            .all(|finding| finding.ok)
    }
}

/// Opens every Home and Store of the plan and looks; moves nothing.
pub async fn check(plan: &Plan, registry: &Registry, cx: &Context) -> Vec<Checked> {
    let mut checked = Vec::new();
    for planned in plan.entities() {
        let (home, store) = match build(registry, planned, &plan.place) {
            Ok((home, store)) => (home.check(cx).await, store.check(cx).await),
            Err(fault) => (Err(fault), Ok(Vec::new())),
        };
        checked.push(Checked {
            id: planned.id.clone(),
            home: home.unwrap_or_else(found),
            store: store.unwrap_or_else(found),
        });
    }
    checked
}

fn found(fault: hygge_core::Fault) -> Vec<Finding> {
    let advice = fault.advice.unwrap_or_default();
    vec![Finding::bad(fault.message, advice)]
}

/// What each entity's Home could read.
pub async fn discover(
    plan: &Plan,
    registry: &Registry,
    cx: &Context,
) -> Vec<(EntityId, hygge_core::Result<Vec<Discovered>>)> {
    let mut found = Vec::new();
    for planned in plan.entities() {
        let discovered = match build(registry, planned, &plan.place) {
            Ok((home, _)) => home.discover(cx).await,
            Err(fault) => Err(fault),
        };
        found.push((planned.id.clone(), discovered));
    }
    found
}
