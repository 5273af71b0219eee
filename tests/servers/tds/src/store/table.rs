//! A table: its columns, its indexes and its rows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::rows::Rows;
use crate::engine::tracking::Tracking;
use crate::types::{SqlType, value};
use crate::wire::reader::Reader;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Identity {
    pub(crate) seed: i64,
    pub(crate) step: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) identity: Option<Identity>,
    /// The text of its default, and the name of the constraint.
    pub(crate) default: Option<(String, String)>,
    /// The text that it is computed from.
    pub(crate) computed: Option<String>,
    pub(crate) persisted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Places in the table's columns, and whether the order is descending.
    pub(crate) columns: Vec<(usize, bool)>,
    pub(crate) included: Vec<usize>,
    pub(crate) unique: bool,
    pub(crate) clustered: bool,
    pub(crate) columnstore: bool,
    pub(crate) kind: IndexKind,
    /// Rows with an equal key are skipped with a warning (`IGNORE_DUP_KEY`).
    pub(crate) ignore_duplicates: bool,
    pub(crate) object_id: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexKind {
    PrimaryKey,
    UniqueConstraint,
    Index,
}

/// A condition that every row meets (`CHECK`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) object_id: i64,
    pub(crate) name: String,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub(crate) object_id: i64,
    pub(crate) name: String,
    pub(crate) columns: Vec<usize>,
    pub(crate) target: super::Name,
    pub(crate) target_columns: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) object_id: i64,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Arc<Vec<Column>>,
    pub(crate) indexes: Arc<Vec<Index>>,
    pub(crate) checks: Arc<Vec<Check>>,
    pub(crate) foreign_keys: Arc<Vec<ForeignKey>>,
    /// Another number whenever the columns change: what `SQLite` is told of a table is kept by it.
    pub(crate) shape: u64,
    pub(crate) rows: Rows,
    /// Its changes, where they are tracked.
    pub(crate) tracking: Option<Arc<Tracking>>,
    /// The last value that its identity column got.
    pub(crate) last_identity: Arc<Mutex<Option<i64>>>,
    /// Another number whenever the rows change in place.
    pub(crate) version: u64,
}

pub(crate) fn next_shape() -> u64 {
    static SHAPES: AtomicU64 = AtomicU64::new(1);
    SHAPES.fetch_add(1, Ordering::SeqCst)
}

impl Table {
    pub(crate) fn new(object_id: i64, schema: &str, name: &str, columns: Vec<Column>) -> Self {
        Self {
            object_id,
            schema: schema.to_owned(),
            name: name.to_owned(),
            columns: Arc::new(columns),
            indexes: Arc::default(),
            checks: Arc::default(),
            foreign_keys: Arc::default(),
            shape: next_shape(),
            rows: Rows::default(),
            tracking: None,
            last_identity: Arc::default(),
            version: next_shape(),
        }
    }

    /// What was remembered of its rows doesn't hold any more.
    pub(crate) fn touch(&mut self) {
        self.version = next_shape();
    }

    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .find(|(_, column)| same(&column.name, name))
    }

    pub(crate) fn identity_column(&self) -> Option<(usize, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.identity.is_some())
    }

    pub(crate) fn has_unique(&self) -> bool {
        self.indexes.iter().any(|index| index.unique)
    }

    pub(crate) fn is_heap(&self) -> bool {
        !self.indexes.iter().any(|index| index.clustered)
    }
}

/// Whether two names are one to SQL Server.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right) || left.to_lowercase() == right.to_lowercase()
}

/// Where each value of a row begins, and the row's end. The row was made by this server.
pub(crate) fn places(columns: &[Column], row: &[u8], places: &mut Vec<usize>) {
    places.clear();
    let mut reader = Reader::new(row);
    for column in columns {
        places.push(reader.position());
        if value::skip(&column.ty, &mut reader).is_err() {
            debug_assert!(false, "a row is shorter than its columns");
        }
    }
    places.push(reader.position());
}
