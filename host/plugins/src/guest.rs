//! What the host keeps for one instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hygge_core::Stop;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::limits::{HANDLES, Meter};
use crate::log::{GuestLog, Stdio};
use crate::network::Network;
use crate::plugin::Plugin;
use crate::state::Scratch;

/// The host's side of an instance.
pub(crate) struct Guest {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) meter: Meter,
    pub(crate) log: Arc<GuestLog>,
    pub(crate) stop: Stop,
    /// When the present call must have ended.
    pub(crate) deadline: Instant,
    /// The state, while it can be used.
    pub(crate) scratch: Option<Scratch>,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: Network,
}

impl Guest {
    pub(crate) fn new(
        plugin: Arc<Plugin>,
        log: Arc<GuestLog>,
        stop: Stop,
    ) -> hygge_core::Result<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let mut wasi = WasiCtx::builder();
        wasi.allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .stdout(Stdio::new(Arc::clone(&log)))
            .stderr(Stdio::new(Arc::clone(&log)))
            .max_random_size(1 << 20);
        plugin.grants.open(&plugin.name, &mut wasi)?;
        Ok(Self {
            meter: Meter::new(plugin.grants.limits.memory),
            network: Network::new(&plugin, &log)?,
            plugin,
            log,
            stop,
            deadline: Instant::now(),
            scratch: None,
            table,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
        })
    }

    /// Time left of the present call.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.network,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
