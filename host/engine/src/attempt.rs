//! Begins an attempt at an entity, or goes on with one that died.

use std::collections::BTreeMap;

use hygge_core::{Action, Bounds, Registry, Result, SplitId, SplitPlan};
use hygge_project::PlannedEntity;
use hygge_state::{Attempt, SplitDone, Staged};
use xxhash_rust::xxh3::xxh3_64;

use crate::shared::Shared;
use crate::{Event, recover};

/// An attempt, and what of it is already staged.
pub(crate) struct Begun {
    pub(crate) attempt: Attempt,
    pub(crate) done: BTreeMap<SplitId, SplitDone>,
    /// Whether an earlier run's record must be replaced in the state.
    pub(crate) fresh: bool,
    /// Whether what that staged is with another destination.
    pub(crate) elsewhere: bool,
}

/// A digest of all that shapes what is staged: with another, staged splits are of no use.
pub(crate) fn digest(
    registry: &Registry,
    planned: &PlannedEntity,
    action: Action,
    bounds: Option<&Bounds>,
    plan: &SplitPlan,
) -> String {
    let home = registry.home(&planned.home.kind);
    let store = registry.store(&planned.store.kind);
    let editions = (
        env!("CARGO_PKG_VERSION"),
        home.and_then(|kind| kind.edition()),
        store.and_then(|kind| kind.edition()),
    );
    let transforms: Vec<_> = planned
        .transforms
        .iter()
        .map(|each| {
            let kind = registry.transform(&each.kind);
            let edition = kind.and_then(|kind| kind.edition());
            (&each.kind, edition, each.settings.redacted())
        })
        .collect();
    let checks: Vec<_> = planned
        .checks
        .iter()
        .map(|each| (&each.kind, each.settings.redacted()))
        .collect();
    let shaping = format!(
        "{editions:?}|{}|{}|{transforms:?}|{checks:?}|{}|{}|{:?}|{:?}|{action}|{bounds:?}|{:?}|{:?}",
        planned.home.kind,
        planned.home.settings.redacted(),
        planned.store.kind,
        planned.store.settings.redacted(),
        planned.on_schema_change,
        planned.incremental,
        plan.schema.fields(),
        plan.splits,
    );
    format!("{:016x}", xxh3_64(shaping.as_bytes()))
}

/// Why an attempt that died is begun anew, whatever it staged.
pub(crate) fn anew(planned: &PlannedEntity, registry: &Registry) -> Option<&'static str> {
    let mut checks = planned.checks.iter();
    let kept = |kind: &str| registry.check(kind).is_none_or(|kind| kind.storable());
    if !checks.all(|check| kept(&check.kind)) {
        return Some("the unique check has to see all rows at once");
    }
    secret(planned).then_some("a secret is among its settings, which may be another")
}

/// Whether rows may depend on a secret.
fn secret(planned: &PlannedEntity) -> bool {
    // No secret is kept, not as a digest either, so nobody can tell whether it is the same. What a
    // connector calls one opens doors, and may well be another; a transform's changes values.
    let sides = [&planned.home.settings, &planned.store.settings];
    let mut items = planned.transforms.iter().chain(&planned.checks);
    sides.iter().any(|each| each.has_veiled())
        || items.any(|each| each.settings.secrets().next().is_some())
}

/// Goes on with the attempt an earlier run left when neither the source nor the configuration
/// changed since; otherwise begins a new one.
pub(crate) async fn begin(
    shared: &Shared,
    planned: &PlannedEntity,
    action: Action,
    plan: &SplitPlan,
    digest: String,
    // Why one that died is begun anew in any case.
    anew: Option<&'static str>,
) -> Result<Begun> {
    let id = &planned.id;
    let mut elsewhere = false;
    if let Some((attempt, done)) = shared.state.attempt(id).await? {
        let same = anew.is_none()
            && attempt.fingerprint == plan.fingerprint
            && attempt.digest == digest
            && attempt.action == action;
        let other_source = attempt.fingerprint != plan.fingerprint;
        let known = |split: &SplitDone| plan.splits.iter().any(|s| s.id == split.receipt.split);
        if same && !done.is_empty() && done.iter().all(known) {
            let attempt = Attempt {
                resumed: attempt.resumed + 1,
                ..attempt
            };
            let done = done
                .into_iter()
                .map(|d| (d.receipt.split.clone(), d))
                .collect();
            return Ok(Begun {
                attempt,
                done,
                fresh: false,
                elsewhere: false,
            });
        }
        elsewhere = attempt.staged.as_ref().is_some_and(|staged| {
            let store = &planned.store;
            staged.store_type != store.kind || staged.store != store.settings.redacted()
        });
        if !done.is_empty() {
            let why = match (anew, other_source) {
                (Some(why), _) => why,
                (None, true) => "the source changed",
                (None, false) => "the configuration changed",
            };
            let splits = if done.len() == 1 { "split" } else { "splits" };
            shared.events.event(&Event::Note {
                id: id.clone(),
                warning: false,
                message: format!(
                    "{why} since run {} was interrupted: the {} {splits} that it staged are read \
                     again",
                    attempt.run,
                    done.len()
                ),
            });
        }
    }
    let attempt = Attempt {
        run: shared.run.clone(),
        began: shared.began,
        resumed: 0,
        action,
        fingerprint: plan.fingerprint.clone(),
        digest,
        begun: serde_json::Value::Null,
        staged: Some(Staged {
            entity: id.clone(),
            store_type: planned.store.kind.clone(),
            store: planned.store.settings.redacted(),
            location: recover::location(&shared.registry, planned),
        }),
    };
    Ok(Begun {
        attempt,
        done: BTreeMap::new(),
        fresh: true,
        elsewhere,
    })
}
