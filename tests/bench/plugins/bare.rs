//! A guest with nothing of hygge's host around it.

use std::path::Path;

use futures::executor::block_on;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, ResourceTable, Val};
use wasmtime::{Config, Engine, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::clock;

wasmtime::component::bindgen!({
    path: "../wit/0.1.0",
    world: "hygge:plugin/transform-plugin",
    imports: { default: trappable },
    exports: { default: async },
});

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// What hygge gives its plugins; calls of it end the measuring.
fn refuse_hygge(component: &Component, linker: &mut Linker<Host>) {
    let engine = component.engine();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !name.starts_with("hygge:plugin/") {
            continue;
        }
        let mut given = linker.instance(name).unwrap();
        for (function, item) in instance.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                let refuse =
                    |_: StoreContextMut<'_, Host>, _: ComponentFunc, _: &[Val], _: &mut [Val]| {
                        Err(wasmtime::Error::msg("nothing is given here"))
                    };
                given.func_new(function, refuse).unwrap();
            }
        }
    }
}

/// What a guest is bound to.
pub(crate) struct Given<'a> {
    pub(crate) settings: &'a str,
    pub(crate) schema: &'a Vec<u8>,
}

/// CPU seconds that the streams take, each `rounds` times.
pub(crate) fn time(
    guest: &Path,
    given: &Given<'_>,
    streams: &[Vec<u8>],
    rounds: usize,
    epochs: bool,
) -> f64 {
    let mut config = Config::new();
    config.epoch_interruption(epochs);
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_file(&engine, guest).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    refuse_hygge(&component, &mut linker);
    let host = Host {
        wasi: WasiCtx::builder().build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(&engine, host);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
    block_on(async {
        let linked = TransformPlugin::instantiate_async(&mut store, &component, &linker);
        let linked = linked.await.unwrap();
        let transform = linked.hygge_plugin_transform();
        let bound = transform
            .call_bind(&mut store, given.settings, given.schema)
            .await;
        let bound = bound.unwrap().unwrap();
        let before = clock::own();
        for _ in 0..rounds {
            for stream in streams {
                let resource = transform.bound();
                let given = resource.call_apply(&mut store, bound, stream).await;
                std::hint::black_box(given.unwrap().unwrap());
            }
        }
        (clock::own() - before).as_secs_f64()
    })
}
