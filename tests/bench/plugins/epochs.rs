//! What it costs that a guest can be interrupted: the same calls with and without epochs.

use std::path::Path;

use futures::executor::block_on;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{clock, mask, rows};

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

fn time(guest: &Path, streams: &[Vec<u8>], schema: &Vec<u8>, epochs: bool) -> f64 {
    let mut config = Config::new();
    config.epoch_interruption(epochs);
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_file(&engine, guest).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    linker.define_unknown_imports_as_traps(&component).unwrap();
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
        let settings = mask::settings().to_string();
        let bound = transform.call_bind(&mut store, &settings, schema).await;
        let bound = bound.unwrap().unwrap();
        let before = clock::own();
        for _ in 0..10 {
            for stream in streams {
                let resource = transform.bound();
                let given = resource.call_apply(&mut store, bound, stream).await;
                std::hint::black_box(given.unwrap().unwrap());
            }
        }
        (clock::own() - before).as_secs_f64()
    })
}

pub(crate) fn measure(guests: &Path, rows: &Path) {
    let batches = rows::batches(rows, 200);
    let streams: Vec<_> = batches.iter().map(rows::stream).collect();
    let schema = rows::schema(&batches[0]);
    let guest = guests.join("mask.wasm");
    // In turn, so that neither has the quieter machine.
    let (mut with, mut without) = (0.0, 0.0);
    for _ in 0..3 {
        without += time(&guest, &streams, &schema, false);
        with += time(&guest, &streams, &schema, true);
    }
    println!("\nepochs: CPU s for 6,000 batches through mask.wasm, without the host's side");
    println!("  without              {without:6.2}");
    println!(
        "  with                 {with:6.2}   {:+.1}%",
        (with / without - 1.0) * 100.0
    );
}
