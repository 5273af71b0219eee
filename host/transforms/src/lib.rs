//! The built-in transforms.
//!
//! The trade-off settled here: each but one works on one batch of Arrow rows at a time and keeps
//! nothing between two, so memory never grows with the entity and the size of a batch never changes
//! a result. The one is `dedupe`, which keeps within its share of memory by a scratch file.
//! Everything that can be told from the
//! schema is told when a transform is bound to it, before rows move.

mod bytes;
mod cast;
mod columns;
mod constant;
mod convert;
mod decimal;
mod dedupe;
mod fill_null;
mod flatten;
mod hash;
pub mod kind;
mod mask;
mod rename;
mod run_columns;
mod scalar;
mod unnest;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use hygge_core::Registry;

use kind::Kind;

/// Makes the built-in transforms known.
pub fn register(registry: &mut Registry) {
    registry.add_transform(Arc::new(Kind::<cast::Cast>::default()));
    registry.add_transform(Arc::new(Kind::<columns::Exclude>::default()));
    registry.add_transform(Arc::new(Kind::<columns::Select>::default()));
    registry.add_transform(Arc::new(Kind::<constant::Constant>::default()));
    registry.add_transform(Arc::new(Kind::<dedupe::Dedupe>::default()));
    registry.add_transform(Arc::new(Kind::<fill_null::FillNull>::default()));
    registry.add_transform(Arc::new(Kind::<flatten::Flatten>::default()));
    registry.add_transform(Arc::new(Kind::<hash::Hash>::default()));
    registry.add_transform(Arc::new(Kind::<mask::Mask>::default()));
    registry.add_transform(Arc::new(Kind::<rename::Rename>::default()));
    registry.add_transform(Arc::new(Kind::<run_columns::RunColumns>::default()));
    registry.add_transform(Arc::new(Kind::<unnest::Unnest>::default()));
}
