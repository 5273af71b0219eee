//! Where the columns that leave a transform come from.

/// What a bound transform does to rows, as far as a merge has to know it: whether rows that have
/// different keys before it have them after it, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Of each column that comes out, in order.
    pub columns: Vec<Origin>,
    /// Whether one row may become several.
    pub several: bool,
}

/// Where the values of a column come from; columns that come in are told by their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The values of one, which may have another name or a wider type.
    Same(usize),
    /// Other values, that differ where those of this one do.
    Apart(usize),
    /// Computed from these; they may be alike where those differ.
    Made(Vec<usize>),
}

impl Lineage {
    /// So many columns that pass as they are, and rows that pass or don't.
    pub fn same(columns: usize) -> Self {
        Self {
            columns: (0..columns).map(Origin::Same).collect(),
            several: false,
        }
    }

    /// So many columns that pass as they are, and behind them others that are computed of some of
    /// those.
    pub fn adding(columns: usize, made: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let mut lineage = Self::same(columns);
        let made = made.into_iter().map(Origin::Made);
        lineage.columns.extend(made);
        lineage
    }
}
