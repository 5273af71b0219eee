//! The transforms that evaluate SQL expressions, on Polars.
//!
//! The trade-off settled here: Polars sees the columns that an expression names, and gives back
//! what it makes of them. All other columns pass beside it as the Arrow arrays they are, so every
//! type passes through every transform, with all that is said of it, and nothing is copied for
//! it. The two share buffers over Arrow's C data interface.
//!
//! An expression is read and bound once (`expression`, `evaluate`), and on its way there rewritten where
//! Polars would compute something else than it says, without a word: each such thing has a file that
//! tells of it.

mod carried;
mod check;
mod clocks;
mod cuts;
mod decimals;
mod deep;
mod derive;
mod epoch;
mod evaluate;
mod exchange;
mod expression;
mod failure;
mod filter;
mod guards;
mod intervals;
mod literals;
mod meeting;
mod moments;
mod overread;
mod points;
mod positions;
mod query;
mod signs;
mod sizes;
mod spelling;
mod sql;
mod texts;
mod truths;
mod units;
mod whole;
mod widths;
mod zones;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use hygge_core::Registry;
use hygge_transforms::kind::Kind;

/// Makes `derive`, `filter` and `sql` known, and the `sql` check.
pub fn register(registry: &mut Registry) {
    // Polars warns on stderr of what its own next version will spell otherwise.
    polars::error::set_warning_function(|_, _| ());
    registry.add_check(Arc::new(hygge_checks::Kind::<check::Sql>::default()));
    registry.add_transform(Arc::new(Kind::<derive::Derive>::default()));
    registry.add_transform(Arc::new(Kind::<filter::Filter>::default()));
    registry.add_transform(Arc::new(Kind::<sql::Sql>::default()));
}
