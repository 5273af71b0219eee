//! `sys.tables`, `sys.columns`, `sys.indexes` and `sys.index_columns`.

use super::views::{OBJECT, View, object};
use super::{Cell, collation, index_kind, length, precision, type_id, user_type_id};
use crate::engine::Engine;
use crate::store::table::{IndexKind, Table};
use crate::types::{MAX, SqlType};

impl Engine {
    pub(super) fn tables_view(&mut self) -> Option<View> {
        let tables = self.tables();
        let rows = tables.iter().map(|table| {
            let mut row = object(
                &table.name,
                table.object_id,
                self.schema_id_of(table),
                0,
                "U ",
                "USER_TABLE",
            );
            row.extend([
                0_i64.into(),
                "NON_TEMPORAL_TABLE".into(),
                false.into(),
                false.into(),
                false.into(),
                false.into(),
                false.into(),
                table
                    .columns
                    .iter()
                    .map(|column| column.id)
                    .max()
                    .unwrap_or_default()
                    .into(),
            ]);
            row
        });
        let mut columns = OBJECT.to_vec();
        columns.extend([
            ("temporal_type", "tinyint"),
            ("temporal_type_desc", "nvarchar(60)"),
            ("is_memory_optimized", "bit"),
            ("is_external", "bit"),
            ("is_node", "bit"),
            ("is_edge", "bit"),
            ("is_replicated", "bit"),
            ("max_column_id_used", "int"),
        ]);
        let rows = rows.collect();
        Some((columns, rows))
    }

    pub(super) fn columns_view(tables: &[std::sync::Arc<Table>]) -> View {
        let mut rows = Vec::new();
        for table in tables {
            for column in table.columns.iter() {
                let ty = &column.ty;
                rows.push(vec![
                    table.object_id.into(),
                    column.name.as_str().into(),
                    column.id.into(),
                    type_id(ty).into(),
                    user_type_id(ty).into(),
                    length(ty).into(),
                    precision(ty).into(),
                    i64::from(ty.scale).into(),
                    collation(ty),
                    column.nullable.into(),
                    true.into(),
                    column.identity.is_some().into(),
                    column.computed.is_some().into(),
                    (if column.default.is_some() {
                        table.object_id + column.id
                    } else {
                        0
                    })
                    .into(),
                    false.into(),
                    0_i64.into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    Cell::Null,
                ]);
            }
        }
        let columns = vec![
            ("object_id", "int"),
            ("name", "sysname"),
            ("column_id", "int"),
            ("system_type_id", "tinyint"),
            ("user_type_id", "int"),
            ("max_length", "smallint"),
            ("precision", "tinyint"),
            ("scale", "tinyint"),
            ("collation_name", "sysname"),
            ("is_nullable", "bit"),
            ("is_ansi_padded", "bit"),
            ("is_identity", "bit"),
            ("is_computed", "bit"),
            ("default_object_id", "int"),
            ("is_hidden", "bit"),
            ("generated_always_type", "tinyint"),
            ("is_sparse", "bit"),
            ("is_column_set", "bit"),
            ("is_rowguidcol", "bit"),
            ("is_masked", "bit"),
            ("encryption_type", "int"),
        ];
        (columns, rows)
    }

    pub(super) fn indexes_view(tables: &[std::sync::Arc<Table>]) -> View {
        let mut rows = Vec::new();
        for table in tables {
            if table.is_heap() {
                rows.push(vec![
                    table.object_id.into(),
                    Cell::Null,
                    0_i64.into(),
                    0_i64.into(),
                    "HEAP".into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    Cell::Null,
                    1_i64.into(),
                ]);
            }
            for index in table.indexes.iter() {
                let (kind, description) = index_kind(index);
                rows.push(vec![
                    table.object_id.into(),
                    index.name.as_str().into(),
                    index.id.into(),
                    kind.into(),
                    description.into(),
                    index.unique.into(),
                    (index.kind == IndexKind::PrimaryKey).into(),
                    (index.kind == IndexKind::UniqueConstraint).into(),
                    false.into(),
                    false.into(),
                    false.into(),
                    index.ignore_duplicates.into(),
                    Cell::Null,
                    1_i64.into(),
                ]);
            }
        }
        let columns = vec![
            ("object_id", "int"),
            ("name", "sysname"),
            ("index_id", "int"),
            ("type", "tinyint"),
            ("type_desc", "nvarchar(60)"),
            ("is_unique", "bit"),
            ("is_primary_key", "bit"),
            ("is_unique_constraint", "bit"),
            ("is_disabled", "bit"),
            ("is_hypothetical", "bit"),
            ("has_filter", "bit"),
            ("ignore_dup_key", "bit"),
            ("filter_definition", "nvarchar(max)"),
            ("data_space_id", "int"),
        ];
        (columns, rows)
    }

    pub(super) fn index_columns_view(tables: &[std::sync::Arc<Table>]) -> View {
        let mut rows = Vec::new();
        for table in tables {
            for index in table.indexes.iter() {
                let keys = index
                    .columns
                    .iter()
                    .map(|(at, descending)| (*at, *descending, false));
                let included = index.included.iter().map(|at| (*at, false, true));
                for (number, (at, descending, included)) in (1_i64..).zip(keys.chain(included)) {
                    let key = if included { 0 } else { number };
                    rows.push(vec![
                        table.object_id.into(),
                        index.id.into(),
                        number.into(),
                        table.columns[at].id.into(),
                        key.into(),
                        0_i64.into(),
                        descending.into(),
                        included.into(),
                    ]);
                }
            }
        }
        let columns = vec![
            ("object_id", "int"),
            ("index_id", "int"),
            ("index_column_id", "int"),
            ("column_id", "int"),
            ("key_ordinal", "tinyint"),
            ("partition_ordinal", "tinyint"),
            ("is_descending_key", "bit"),
            ("is_included_column", "bit"),
        ];
        (columns, rows)
    }

    /// For `INFORMATION_SCHEMA`: whether a type counts its length, and in what.
    pub(super) fn octets(ty: &SqlType) -> (Cell, Cell) {
        match ty.capacity() {
            _ if !(ty.is_text() || ty.is_binary()) || ty.is_rowversion() => {
                (Cell::Null, Cell::Null)
            }
            None if ty.length == MAX => (Cell::Int(-1), Cell::Int(-1)),
            Some(count) => (count.into(), i64::from(ty.length).into()),
            None => (Cell::Null, Cell::Null),
        }
    }
}
