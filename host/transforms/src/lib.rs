//! The built-in transforms.
//!
//! The trade-off settled here: each works on one batch of Arrow rows at a time and keeps nothing
//! between two, so memory never grows with the entity and the size of a batch never changes a
//! result. What would need all rows at once isn't here. Everything that can be told from the
//! schema is told when a transform is bound to it, before rows move.

mod cast;
mod columns;
mod constant;
mod convert;
mod fill_null;
mod kind;
mod rename;
mod scalar;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use hygge_core::Registry;

/// Makes the built-in transforms known.
pub fn register(registry: &mut Registry) {
    registry.add_transform(Arc::new(kind::Kind::<cast::Cast>::new()));
    registry.add_transform(Arc::new(kind::Kind::<columns::Exclude>::new()));
    registry.add_transform(Arc::new(kind::Kind::<columns::Select>::new()));
    registry.add_transform(Arc::new(kind::Kind::<constant::Constant>::new()));
    registry.add_transform(Arc::new(kind::Kind::<fill_null::FillNull>::new()));
    registry.add_transform(Arc::new(kind::Kind::<rename::Rename>::new()));
}
