//! Plugins for hygge in Rust: a plugin is a struct of its settings that says what it does with
//! Arrow rows. Everything that has to do with WebAssembly stands in this crate and in one macro,
//! so that a plugin is written and tested like any other library, natively, and only shipped as a
//! component. What is paid for that is one decoding and one encoding of Arrow IPC a batch.
//!
#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod bindings;
mod config;
pub mod control;
mod describe;
mod export;
mod fault;
#[doc(hidden)]
pub mod glue;
mod home;
#[cfg(feature = "http")]
pub mod http;
mod imports;
pub mod ipc;
mod logger;
pub mod secrets;
pub mod state;
mod store;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod transform;

pub use config::{Config, Property, Schema, Secret, Variant};
pub use describe::{Description, Grants, Part};
pub use fault::{Fault, Result, code};
pub use home::{
    Batches, Bounds, Catalog, Home, Reader, Split, SplitPlan, SplitRequest, Step, Want,
};
pub use hygge_sdk_macros::Config;
pub use store::{CommitRecord, Receipt, Settled, Staged, Standing, Store, Target, Writer};
pub use transform::{Bound, Transform};

pub use arrow_array::RecordBatch;
pub use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
#[cfg(feature = "tracing")]
pub use tracing;
pub use {arrow_array, arrow_buffer, arrow_schema, arrow_select, log, serde, serde_json};

/// One entity of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The flow's name.
    pub flow: String,
    /// The entity's name.
    pub name: String,
}

/// One thing that `check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was looked at, and what was found.
    pub message: String,
    /// How to mend it.
    pub advice: Option<String>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn good(message: impl Into<String>) -> Self {
        Self {
            ok: true,
            message: message.into(),
            advice: None,
        }
    }

    /// Something that isn't.
    pub fn bad(message: impl Into<String>) -> Self {
        Self {
            ok: false,
            message: message.into(),
            advice: None,
        }
    }

    /// Says how to mend it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// A name and a value; the contract grows by these. Unknown ones are left alone.
pub type Attributes = Vec<(String, String)>;
