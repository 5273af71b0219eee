//! The checks on what is about to be committed.
//!
//! The trade-off settled here: a check looks at rows on their way to the store, once, and keeps of
//! each split a few numbers that can be added up in any order; so it costs one pass, works while
//! splits are read side by side, and says nothing before all rows were seen. Only `unique` keeps
//! something of every row: a hash, in files once they are many.

mod accepted_values;
mod freshness;
mod kind;
mod not_null;
mod range;
mod regex;
mod row_count;
mod rowwise;
mod unique;
mod value;
mod volume;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use hygge_core::Registry;

pub use kind::{Kind, Spec};
pub use rowwise::{Part, RowWise, row_wise};

/// Makes the built-in checks known, but for those that evaluate SQL.
pub fn register(registry: &mut Registry) {
    registry.add_check(Arc::new(Kind::<not_null::NotNull>::default()));
    registry.add_check(Arc::new(Kind::<unique::Unique>::default()));
    registry.add_check(Arc::new(Kind::<accepted_values::AcceptedValues>::default()));
    registry.add_check(Arc::new(Kind::<range::Range>::default()));
    registry.add_check(Arc::new(Kind::<regex::Matches>::default()));
    registry.add_check(Arc::new(Kind::<row_count::RowCount>::default()));
    registry.add_check(Arc::new(Kind::<freshness::Freshness>::default()));
    registry.add_check(Arc::new(Kind::<volume::Volume>::default()));
}
