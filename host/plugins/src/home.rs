//! A component as a core Home.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::SchemaRef;
use hygge_core::{
    Bounds, Context, Discovered, EntityId, Finding, Home, Position, Reader, Result, Split, SplitId,
    SplitPlan, SplitRequest, Want, WatermarkType, async_trait,
};
use serde_json::Value;

use crate::contract::{home as wit, types};
use crate::fault::{self, clean};
use crate::instance::{Instance, Live};
use crate::ipc;
use crate::limits::{CATALOG, MESSAGE, OPAQUE, SPLITS};
use crate::plugin::Plugin;
use crate::reader::Opening;
use crate::state::Scratch;

/// A Home in a sandbox.
pub(crate) struct PluginHome {
    plugin: Arc<Plugin>,
    config: Arc<str>,
    entity: types::Entity,
    /// What the last plan announced.
    planned: Mutex<Option<SchemaRef>>,
}

impl PluginHome {
    pub(crate) fn new(plugin: Arc<Plugin>, config: String, entity: Option<&EntityId>) -> Self {
        let (flow, name) =
            entity.map_or_else(Default::default, |id| (id.flow.clone(), id.entity.clone()));
        Self {
            plugin,
            config: config.into(),
            entity: types::Entity { flow, name },
            planned: Mutex::default(),
        }
    }

    fn planned(&self) -> MutexGuard<'_, Option<SchemaRef>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PluginHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginHome({})", self.plugin.name)
    }
}

/// The interface of a live guest.
pub(crate) fn guest(live: &mut Live) -> wasmtime::Result<wit::Guest> {
    let indices = live.ready.home.as_ref();
    let indices = indices.ok_or_else(|| wasmtime::format_err!("it exports no home"))?;
    indices.load(&mut live.store, &live.linked)
}

/// What people are told of a check.
pub(crate) fn findings(found: Vec<types::Finding>, plugin: &Plugin) -> Vec<Finding> {
    let finding = |each: types::Finding| Finding {
        ok: each.ok,
        message: plugin.veil.line(&each.message, MESSAGE),
        advice: each.advice.map(|advice| plugin.veil.line(&advice, MESSAGE)),
    };
    found.into_iter().take(100).map(finding).collect()
}

#[async_trait]
impl Home for PluginHome {
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>> {
        let config = Arc::clone(&self.config);
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let found = instance.quick("home.check", move |live| {
            Box::pin(async move { guest(live)?.call_check(&mut live.store, &config).await })
        });
        let found = found
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        Ok(findings(found, &self.plugin))
    }

    async fn discover(&self, cx: &Context) -> Result<Vec<Discovered>> {
        let config = Arc::clone(&self.config);
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let catalog = instance.quick("home.discover", move |live| {
            Box::pin(async move { guest(live)?.call_discover(&mut live.store, &config).await })
        });
        let catalog = catalog
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        discovered(&catalog).map_err(|why| fault::invalid(&self.plugin, why))
    }

    async fn splits(&self, request: &SplitRequest, cx: &Context) -> Result<SplitPlan> {
        let asked = wit::SplitRequest {
            bounds: request.bounds.as_ref().map(bounds),
            watermark: request.watermark.clone(),
            position: request.position.as_ref().and_then(text),
            max_splits: request
                .max_splits
                .map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            attributes: Vec::new(),
        };
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        if let Some(guest) = instance.guest() {
            guest.scratch = Some(Scratch::read(request.memory.as_deref(), &self.plugin.key)?);
        }
        let (config, entity) = (Arc::clone(&self.config), self.entity.clone());
        let plan = instance.quick("home.splits", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_splits(&mut live.store, &config, &entity, &asked)
                    .await
            })
        });
        let plan = plan
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        let mut plan = plan;
        for warning in &mut plan.warnings {
            *warning = self.plugin.veil.line(warning, MESSAGE);
        }
        let scratch = instance.guest().and_then(|guest| guest.scratch.take());
        let memory = scratch.and_then(|scratch| scratch.write(&self.plugin.key));
        let plan = accept(plan, request, memory);
        let plan = plan.map_err(|why| fault::invalid(&self.plugin, why))?;
        *self.planned() = Some(Arc::clone(&plan.schema));
        Ok(plan)
    }

    async fn open(
        &self,
        split: &Split,
        resume: &Position,
        want: &Want,
        cx: &Context,
    ) -> Result<Box<dyn Reader>> {
        let opening = Opening {
            plugin: Arc::clone(&self.plugin),
            config: Arc::clone(&self.config),
            entity: self.entity.clone(),
            split: wit::Split {
                id: split.id.0.clone(),
                spec: split.spec.as_str().unwrap_or_default().to_owned(),
                rows: split.rows,
                bytes: split.bytes,
            },
            announced: self.planned().clone(),
            cx: cx.clone(),
        };
        Ok(Box::new(opening.open(text(resume), want).await?))
    }

    async fn acknowledge(&self, position: &Position, cx: &Context) -> Result<()> {
        let Some(position) = text(position) else {
            return Ok(());
        };
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let (config, entity) = (Arc::clone(&self.config), self.entity.clone());
        let told = instance.quick("home.acknowledge", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_acknowledge(&mut live.store, &config, &entity, &position)
                    .await
            })
        });
        told.await?.map_err(|told| fault::told(&told, &self.plugin))
    }
}

/// A position's text; none at the start.
fn text(position: &Position) -> Option<String> {
    position.0.as_str().map(str::to_owned)
}

fn bounds(bounds: &Bounds) -> wit::Bounds {
    wit::Bounds {
        column: bounds.column.clone(),
        low: bounds.kind.show(bounds.low),
        kind: bounds.kind.to_string(),
    }
}

/// A number that is only shown, small enough to be added up: a guest may say anything.
pub(crate) fn believable(number: u64) -> u64 {
    number.min(1 << 48)
}

pub(crate) fn discovered(catalog: &str) -> Result<Vec<Discovered>, String> {
    if catalog.len() > CATALOG {
        return Err("gave a catalog larger than 16 MiB".to_owned());
    }
    let catalog: Value = serde_json::from_str(catalog)
        .map_err(|error| format!("gave a catalog that isn't JSON: {error}"))?;
    let entities = catalog["entities"]
        .as_array()
        .ok_or("gave a catalog without `entities`")?;
    let each = |entity: &Value| {
        Some(Discovered {
            name: clean(entity["name"].as_str()?, 200),
            rows: entity["rows"].as_u64().map(believable),
            bytes: entity["bytes"].as_u64().map(believable),
            entity: None,
        })
    };
    Ok(entities.iter().filter_map(each).collect())
}

/// Checks a plan, and makes it the host's own.
pub(crate) fn accept(
    plan: wit::SplitPlan,
    request: &SplitRequest,
    memory: Option<Vec<u8>>,
) -> Result<SplitPlan, String> {
    let schema = ipc::read_schema(&plan.schema).map_err(|why| format!("gave {why}"))?;
    let most = request.max_splits.unwrap_or(SPLITS).min(SPLITS);
    if plan.splits.len() > most {
        return Err(format!(
            "gave {} splits, {most} are allowed",
            plan.splits.len()
        ));
    }
    let opaque = |what: &str, text: &str| match text.len() > OPAQUE {
        true => Err(format!("gave a {what} larger than 64 KiB")),
        false => Ok(()),
    };
    let mut ids = BTreeSet::new();
    let mut splits = Vec::with_capacity(plan.splits.len());
    for split in plan.splits {
        opaque("split", &split.spec)?;
        let legal = (1..=200).contains(&split.id.len())
            && split
                .id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !legal || split.id.starts_with('.') || !ids.insert(split.id.clone()) {
            return Err(format!(
                "gave a split with the id {:?}",
                clean(&split.id, 200)
            ));
        }
        splits.push(Split {
            id: SplitId(split.id),
            spec: Value::String(split.spec),
            rows: split.rows.map(believable),
            bytes: split.bytes.map(believable),
        });
    }
    if let Some(position) = &plan.position {
        opaque("position", position)?;
    }
    if plan.fingerprint.len() > 1_024 {
        return Err("gave a fingerprint larger than 1 KiB".to_owned());
    }
    let high = match (&plan.high, &request.watermark) {
        (Some(high), Some(column)) => {
            let field = schema
                .field_with_name(column)
                .map_err(|_| format!("has no column {column:?} to follow"))?;
            let read = WatermarkType::of(column, field.data_type())
                .and_then(|kind| kind.ordinal(high))
                .map_err(|fault| format!("gave a highest watermark that is none: {fault}"))?;
            Some(read)
        }
        _ => None,
    };
    let fingerprint = match plan.fingerprint.is_empty() {
        // Never the same twice, so that nothing of another run is kept.
        true => format!("{:?}", std::time::SystemTime::now()),
        false => plan.fingerprint,
    };
    Ok(SplitPlan {
        schema,
        splits,
        fingerprint,
        high,
        position: plan.position.map(|text| Position(Value::String(text))),
        key: Vec::new(),
        memory,
        warnings: plan
            .warnings
            .iter()
            .take(100)
            .map(|warning| clean(warning, MESSAGE))
            .collect(),
        // A plugin's readers count those they leave out.
        without_watermark: 0,
    })
}
