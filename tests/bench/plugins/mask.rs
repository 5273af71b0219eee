//! `mask` in the sandbox, and the same code as a part of this program.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::executor::block_on;
use hygge_core::{
    Bound, BuildContext, Context, Fault, Problem, Registry, Result, Settings, Transform,
    TransformKind, async_trait,
};
use hygge_mask::Mask;
use hygge_plugins::{Place, Shelf};
use serde_json::{Value, json};

use crate::{clock, rows};

/// What is done to the rows: 36 characters hashed, two texts cut, one replaced.
pub(crate) fn settings() -> Value {
    json!({"key": "a long random text, for once", "columns": {
        "uid": {"how": "hash"},
        "name": {"how": "truncate", "keep": 8},
        "email": {"how": "hash"},
    }})
}

/// The transform of a guest.
pub(crate) fn sandboxed(
    guests: &Path,
    guest: &str,
    kind: &str,
    settings: Value,
    work: &Path,
) -> Arc<dyn Transform> {
    let root = work.join(format!("shelf-{guest}"));
    std::fs::create_dir_all(root.join("plugins")).unwrap();
    let file = root.join("plugins").join(format!("{guest}.wasm"));
    std::fs::copy(guests.join(format!("{guest}.wasm")), file).unwrap();
    let registry = shelf(&root, Registry::default());
    let cx = BuildContext {
        work: root.join(".hygge"),
        root,
        entity: None,
        run: None,
    };
    let kind = registry.transform(kind).unwrap();
    kind.build(&Settings::new(settings, []), &cx).unwrap()
}

/// The plugins of a project as well.
pub(crate) fn shelf(root: &Path, mut registry: Registry) -> Registry {
    let cache = root.join("cache");
    let mut shelf = Shelf::look(&Place {
        root,
        granted: &std::collections::BTreeMap::new(),
        flows: "flows",
        env: &|_| None,
        cache: Some(cache),
    });
    shelf.register(&mut registry);
    assert!(shelf.quarantined.is_empty(), "{:?}", shelf.quarantined);
    registry
}

/// CPU seconds that the batches take.
pub(crate) fn time(transform: &dyn Transform, batches: &[RecordBatch], rounds: usize) -> f64 {
    let cx = Context::inline();
    let mut bound = block_on(transform.bind(&batches[0].schema(), &cx)).unwrap();
    // Once to warm up.
    block_on(bound.apply(batches[0].clone())).unwrap();
    clock::spent(|| {
        for _ in 0..rounds {
            for batch in batches {
                std::hint::black_box(block_on(bound.apply(batch.clone())).unwrap());
            }
        }
    })
}

pub(crate) fn measure(guests: &Path, rows: &Path, work: &Path) {
    let batches = rows::batches(rows, 200);
    let native = time(&Native(settings()), &batches, 10);
    println!(
        "\nmask: CPU s for 2,000 batches of 1 MiB, {} rows each",
        batches[0].num_rows()
    );
    println!("  native               {native:6.2}");
    for guest in ["mask", "mask-simd"] {
        if !guests.join(format!("{guest}.wasm")).exists() {
            continue;
        }
        let transform = sandboxed(guests, guest, "sandboxed-mask", settings(), work);
        let sandboxed = time(transform.as_ref(), &batches, 10);
        let ratio = native / sandboxed;
        println!("  {guest:<10} in wasm   {sandboxed:6.2}   {ratio:.2}x of native's speed");
    }
}

/// `mask` without a sandbox, under the name `mask-native`.
#[derive(Debug)]
pub(crate) struct Native(pub(crate) Value);

#[async_trait]
impl Transform for Native {
    async fn bind(&self, input: &SchemaRef, _: &Context) -> Result<Box<dyn Bound>> {
        let mask: Mask = serde_json::from_value(self.0.clone()).unwrap();
        let bound = hygge_sdk::Transform::bind(&mask, input).map_err(|fault| told(&fault))?;
        Ok(Box::new(NativeBound(bound)))
    }
}

struct NativeBound(<Mask as hygge_sdk::Transform>::Bound);

#[async_trait]
impl Bound for NativeBound {
    fn schema(&self) -> SchemaRef {
        hygge_sdk::Bound::schema(&self.0)
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        hygge_sdk::Bound::apply(&mut self.0, batch).map_err(|fault| told(&fault))
    }
}

fn told(fault: &hygge_sdk::Fault) -> Fault {
    Fault::internal(format!("{fault:?}"))
}

/// Its type.
#[derive(Debug)]
pub(crate) struct NativeKind;

impl TransformKind for NativeKind {
    fn name(&self) -> &str {
        "mask-native"
    }

    fn summary(&self) -> &str {
        "mask without a sandbox"
    }

    fn schema(&self) -> Value {
        json!({"type": "object"})
    }

    fn plan(&self, _: &Settings, _: &BuildContext) -> Result<String, Vec<Problem>> {
        Ok("mask natively".to_owned())
    }

    fn build(&self, settings: &Settings, _: &BuildContext) -> Result<Arc<dyn Transform>> {
        Ok(Arc::new(Native(settings.expose().clone())))
    }
}
