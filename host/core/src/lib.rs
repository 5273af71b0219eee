//! The words hygge is built from, and nothing that does I/O.
//!
//! Everything that moves data agrees on this crate: a [`Home`] turns an entity into
//! [`Split`]s that can be read on their own, a [`Reader`] yields [`Batch`]es and the
//! [`Position`] each ends at, a [`Writer`] stages them where nobody looks and hands back a
//! [`Receipt`], and a [`Store`] makes all receipts of a run visible in one idempotent commit.
//!
//! The trade-off settled here: the traits are async, but no runtime is chosen. Whoever runs
//! them passes a [`Context`] that knows how to put work on a CPU thread or a blocking thread,
//! how much memory is a fair share and whether to stop. So a connector can be tested with
//! nothing but an executor of ten lines, and a sandboxed one is one more implementation.

mod action;
mod batch;
mod by_name;
mod caught;
mod check;
mod column;
mod connector;
mod context;
mod count;
mod database;
mod elsewhere;
pub mod failpoint;
mod fault;
mod home;
mod id;
mod leaf;
mod lineage;
mod near;
mod one_or_many;
mod pattern;
mod place;
mod position;
mod receipt;
mod schema_change;
mod secret;
mod settings;
mod shell;
mod split;
mod store;
mod texts;
mod transform;
mod type_name;
mod type_parse;
mod usage;
mod veil;
mod watermark;
mod widen;
mod width;
pub mod written;
pub mod zone;

pub use action::{Action, Contradiction, Mode, Strategy, action};
pub use batch::{Batch, Encoded, OPERATION_COLUMN, Operation, Step};
pub use by_name::cast_by_name;
pub use caught::caught;
pub use check::{About, BoundCheck, BuiltCheck, Check, CheckKind, Looking, Severity, Verdict};
pub use column::columns_instead;
pub use connector::{
    BuildContext, Capabilities, HomeKind, HomePlan, Problem, Registry, Running, StoreKind,
    StorePlan,
};
pub use context::{Context, InlineWorkers, Level, Memory, Notes, Share, Silent, Stop, Workers};
pub use count::{count, count_rows};
pub use database::{
    Applied, Applying, BatchFault, CatalogueColumn, CatalogueKey, CatalogueTable, Database,
    DatabaseKind, Moment, ScriptSyntax, Stays,
};
pub use elsewhere::not_a_path;
pub use fault::{Fault, Result, code};
pub use home::{Discovered, Finding, Home, Reader, Want};
pub use id::{EntityId, RunId, SplitId};
pub use leaf::{find_leaf, holds, textless};
pub use lineage::{Lineage, Origin};
pub use near::nearest;
pub use one_or_many::OneOrMany;
pub use pattern::fits_pattern;
pub use place::Place;
pub use position::Position;
pub use receipt::{CommitRecord, Receipt, Settled};
pub use schema_change::OnSchemaChange;
pub use secret::Secret;
pub use settings::{REDACTED, Settings};
pub use shell::quoted;
pub use split::{Bounds, Changes, Split, SplitPlan, SplitRequest};
pub use store::{Coming, Standing, Store, Target, Writer};
pub use texts::Texts;
pub use transform::{Bound, Transform, TransformKind};
pub use type_name::type_name;
pub use type_parse::{TYPE_NAMES, parse_type, zone_offset};
pub use usage::{Egress, Metered, PoolUsage, Pooled, Usage};
pub use veil::Veil;
pub use watermark::{Watermark, WatermarkType};
pub use widen::{widen, widen_field};
pub use width::{column_bytes, made_bytes};

/// Boxed connectors and their futures are passed around by these names.
pub use async_trait::async_trait;
