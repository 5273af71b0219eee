//! `sys.*`.

use std::sync::atomic::Ordering;

use super::{
    ALL_KINDS, Cell, collation, index_kind, is_key, length, precision, type_id, user_type_id,
};
use crate::engine::Engine;
use crate::store::table::{IndexKind, Table};
use crate::types::{Kind, MAX, SqlType};

pub(super) type View = (Vec<(&'static str, &'static str)>, Vec<Vec<Cell>>);

fn view(columns: &[(&'static str, &'static str)], rows: Vec<Vec<Cell>>) -> Option<View> {
    Some((columns.to_vec(), rows))
}

/// When everything was made, as far as this server remembers.
fn made() -> Cell {
    Cell::Moment(
        crate::types::clock::day_of(2024, 1, 1).unwrap_or_default() * crate::types::clock::DAY,
    )
}

const OBJECT: [(&str, &str); 9] = [
    ("name", "sysname"),
    ("object_id", "int"),
    ("schema_id", "int"),
    ("parent_object_id", "int"),
    ("type", "char(2)"),
    ("type_desc", "nvarchar(60)"),
    ("create_date", "datetime"),
    ("modify_date", "datetime"),
    ("is_ms_shipped", "bit"),
];

fn object(
    name: &str,
    id: i64,
    schema: i64,
    parent: i64,
    kind: &str,
    description: &str,
) -> Vec<Cell> {
    vec![
        name.into(),
        id.into(),
        schema.into(),
        parent.into(),
        kind.into(),
        description.into(),
        made(),
        made(),
        false.into(),
    ]
}

/// Places of each index: the heap itself has the id 0.
fn index_ids(table: &Table) -> Vec<i64> {
    let heap = table.is_heap().then_some(0);
    heap.into_iter()
        .chain(table.indexes.iter().map(|index| index.id))
        .collect()
}

fn partition_id(table: &Table, index: i64) -> i64 {
    72_057_594_000_000_000 + table.object_id * 256 + index
}

impl Engine {
    pub(super) fn sys_view(&mut self, name: &str) -> Option<View> {
        let tables = self.tables();
        match name {
            "schemas" => view(
                &[
                    ("name", "sysname"),
                    ("schema_id", "int"),
                    ("principal_id", "int"),
                ],
                self.schemas()
                    .into_values()
                    .map(|(id, name)| vec![name.into(), id.into(), 1_i64.into()])
                    .collect(),
            ),
            "tables" => self.tables_view(),
            "objects" | "all_objects" => {
                let mut rows = Vec::new();
                for table in &tables {
                    let schema = self.schema_id_of(table);
                    rows.push(object(
                        &table.name,
                        table.object_id,
                        schema,
                        0,
                        "U ",
                        "USER_TABLE",
                    ));
                    for index in table.indexes.iter().filter(|index| is_key(index.kind)) {
                        let (kind, description) = if index.kind == IndexKind::PrimaryKey {
                            ("PK", "PRIMARY_KEY_CONSTRAINT")
                        } else {
                            ("UQ", "UNIQUE_CONSTRAINT")
                        };
                        rows.push(object(
                            &index.name,
                            index.object_id,
                            schema,
                            table.object_id,
                            kind,
                            description,
                        ));
                    }
                    rows.extend(table.checks.iter().map(|check| {
                        object(
                            &check.name,
                            check.object_id,
                            schema,
                            table.object_id,
                            "C ",
                            "CHECK_CONSTRAINT",
                        )
                    }));
                    rows.extend(table.foreign_keys.iter().map(|key| {
                        object(
                            &key.name,
                            key.object_id,
                            schema,
                            table.object_id,
                            "F ",
                            "FOREIGN_KEY_CONSTRAINT",
                        )
                    }));
                }
                view(&OBJECT, rows)
            }
            "views" | "procedures" | "synonyms" => view(&OBJECT, Vec::new()),
            "columns" | "all_columns" => Some(Self::columns_view(&tables)),
            "identity_columns" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for column in table.columns.iter() {
                        if let Some(identity) = &column.identity {
                            let last = *crate::control::locked(&table.last_identity);
                            rows.push(vec![
                                table.object_id.into(),
                                column.name.as_str().into(),
                                column.id.into(),
                                identity.seed.into(),
                                identity.step.into(),
                                last.map_or(Cell::Null, Cell::Int),
                                true.into(),
                            ]);
                        }
                    }
                }
                view(
                    &[
                        ("object_id", "int"),
                        ("name", "sysname"),
                        ("column_id", "int"),
                        ("seed_value", "bigint"),
                        ("increment_value", "bigint"),
                        ("last_value", "bigint"),
                        ("is_identity", "bit"),
                    ],
                    rows,
                )
            }
            "computed_columns" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for column in table.columns.iter() {
                        if let Some(text) = &column.computed {
                            rows.push(vec![
                                table.object_id.into(),
                                column.name.as_str().into(),
                                column.id.into(),
                                format!("({text})").into(),
                                column.persisted.into(),
                                column.nullable.into(),
                            ]);
                        }
                    }
                }
                view(
                    &[
                        ("object_id", "int"),
                        ("name", "sysname"),
                        ("column_id", "int"),
                        ("definition", "nvarchar(max)"),
                        ("is_persisted", "bit"),
                        ("is_nullable", "bit"),
                    ],
                    rows,
                )
            }
            "default_constraints" => {
                let mut rows = Vec::new();
                for table in &tables {
                    let schema = self.schema_id_of(table);
                    for column in table.columns.iter() {
                        if let Some((text, label)) = &column.default {
                            rows.push(vec![
                                label.as_str().into(),
                                (table.object_id + column.id).into(),
                                schema.into(),
                                table.object_id.into(),
                                column.id.into(),
                                format!("({text})").into(),
                            ]);
                        }
                    }
                }
                view(
                    &[
                        ("name", "sysname"),
                        ("object_id", "int"),
                        ("schema_id", "int"),
                        ("parent_object_id", "int"),
                        ("parent_column_id", "int"),
                        ("definition", "nvarchar(max)"),
                    ],
                    rows,
                )
            }
            "check_constraints" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for check in table.checks.iter() {
                        rows.push(vec![
                            check.name.as_str().into(),
                            check.object_id.into(),
                            self.schema_id_of(table).into(),
                            table.object_id.into(),
                            format!("({})", check.text).into(),
                            false.into(),
                            false.into(),
                        ]);
                    }
                }
                view(
                    &[
                        ("name", "sysname"),
                        ("object_id", "int"),
                        ("schema_id", "int"),
                        ("parent_object_id", "int"),
                        ("definition", "nvarchar(max)"),
                        ("is_disabled", "bit"),
                        ("is_not_trusted", "bit"),
                    ],
                    rows,
                )
            }
            "types" => {
                let row = |kind: &Kind| {
                    let ty = SqlType::plain(*kind);
                    let most = match kind {
                        Kind::Char
                        | Kind::VarChar
                        | Kind::NChar
                        | Kind::NVarChar
                        | Kind::Binary
                        | Kind::VarBinary => 8000,
                        _ => length(&ty),
                    };
                    vec![
                        ty.name().into(),
                        type_id(&ty).into(),
                        user_type_id(&ty).into(),
                        4_i64.into(),
                        most.into(),
                        precision(&ty).into(),
                        i64::from(ty.scale).into(),
                        collation(&ty),
                        true.into(),
                        false.into(),
                    ]
                };
                let mut rows: Vec<Vec<Cell>> = ALL_KINDS.iter().map(row).collect();
                rows.push(vec![
                    "sysname".into(),
                    231_i64.into(),
                    256_i64.into(),
                    4_i64.into(),
                    256_i64.into(),
                    0_i64.into(),
                    0_i64.into(),
                    collation(&SqlType::nvarchar(1)),
                    false.into(),
                    false.into(),
                ]);
                view(
                    &[
                        ("name", "sysname"),
                        ("system_type_id", "tinyint"),
                        ("user_type_id", "int"),
                        ("schema_id", "int"),
                        ("max_length", "smallint"),
                        ("precision", "tinyint"),
                        ("scale", "tinyint"),
                        ("collation_name", "sysname"),
                        ("is_nullable", "bit"),
                        ("is_user_defined", "bit"),
                    ],
                    rows,
                )
            }
            "indexes" => Some(Self::indexes_view(&tables)),
            "index_columns" => Some(Self::index_columns_view(&tables)),
            "key_constraints" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for index in table.indexes.iter().filter(|index| is_key(index.kind)) {
                        let (kind, description) = if index.kind == IndexKind::PrimaryKey {
                            ("PK", "PRIMARY_KEY_CONSTRAINT")
                        } else {
                            ("UQ", "UNIQUE_CONSTRAINT")
                        };
                        rows.push(vec![
                            index.name.as_str().into(),
                            index.object_id.into(),
                            self.schema_id_of(table).into(),
                            table.object_id.into(),
                            kind.into(),
                            description.into(),
                            index.id.into(),
                            false.into(),
                        ]);
                    }
                }
                view(
                    &[
                        ("name", "sysname"),
                        ("object_id", "int"),
                        ("schema_id", "int"),
                        ("parent_object_id", "int"),
                        ("type", "char(2)"),
                        ("type_desc", "nvarchar(60)"),
                        ("unique_index_id", "int"),
                        ("is_system_named", "bit"),
                    ],
                    rows,
                )
            }
            "partitions" | "dm_db_partition_stats" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for index in index_ids(table) {
                        let id = partition_id(table, index);
                        rows.push(vec![
                            id.into(),
                            table.object_id.into(),
                            index.into(),
                            1_i64.into(),
                            id.into(),
                            table.rows.len().into(),
                            table.rows.len().into(),
                            0_i64.into(),
                            "NONE".into(),
                            table.rows.chunks().len().into(),
                        ]);
                    }
                }
                view(
                    &[
                        ("partition_id", "bigint"),
                        ("object_id", "int"),
                        ("index_id", "int"),
                        ("partition_number", "int"),
                        ("hobt_id", "bigint"),
                        ("rows", "bigint"),
                        ("row_count", "bigint"),
                        ("data_compression", "tinyint"),
                        ("data_compression_desc", "nvarchar(60)"),
                        ("used_page_count", "bigint"),
                    ],
                    rows,
                )
            }
            "foreign_keys" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for key in table.foreign_keys.iter() {
                        let target = self
                            .lookup(&key.target)
                            .map_or(Cell::Null, |target| target.object_id.into());
                        rows.push(vec![
                            key.name.as_str().into(),
                            key.object_id.into(),
                            self.schema_id_of(table).into(),
                            table.object_id.into(),
                            target,
                            false.into(),
                            false.into(),
                            0_i64.into(),
                            0_i64.into(),
                        ]);
                    }
                }
                view(
                    &[
                        ("name", "sysname"),
                        ("object_id", "int"),
                        ("schema_id", "int"),
                        ("parent_object_id", "int"),
                        ("referenced_object_id", "int"),
                        ("is_disabled", "bit"),
                        ("is_not_trusted", "bit"),
                        ("delete_referential_action", "tinyint"),
                        ("update_referential_action", "tinyint"),
                    ],
                    rows,
                )
            }
            "foreign_key_columns" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for key in table.foreign_keys.iter() {
                        let Some(target) = self.lookup(&key.target) else {
                            continue;
                        };
                        for (ordinal, (at, column)) in
                            (1_i64..).zip(key.columns.iter().zip(&key.target_columns))
                        {
                            let to = target
                                .column(column)
                                .map_or(Cell::Null, |(_, column)| column.id.into());
                            rows.push(vec![
                                key.object_id.into(),
                                ordinal.into(),
                                table.object_id.into(),
                                table.columns[*at].id.into(),
                                target.object_id.into(),
                                to,
                            ]);
                        }
                    }
                }
                view(
                    &[
                        ("constraint_object_id", "int"),
                        ("constraint_column_id", "int"),
                        ("parent_object_id", "int"),
                        ("parent_column_id", "int"),
                        ("referenced_object_id", "int"),
                        ("referenced_column_id", "int"),
                    ],
                    rows,
                )
            }
            // Nothing of these can be made here, so they are empty and true.
            "triggers" => view(
                &[
                    ("name", "sysname"),
                    ("object_id", "int"),
                    ("parent_class", "tinyint"),
                    ("parent_id", "int"),
                    ("is_disabled", "bit"),
                    ("is_instead_of_trigger", "bit"),
                ],
                Vec::new(),
            ),
            "sequences"
            | "change_tracking_tables"
            | "security_policies"
            | "fulltext_indexes"
            | "xml_indexes"
            | "spatial_indexes"
            | "periods" => view(&[("object_id", "int"), ("name", "sysname")], Vec::new()),
            "sql_expression_dependencies" => view(
                &[
                    ("referencing_id", "int"),
                    ("referenced_id", "int"),
                    ("is_schema_bound_reference", "bit"),
                ],
                Vec::new(),
            ),
            "change_tracking_databases" => view(
                &[("database_id", "int"), ("is_auto_cleanup_on", "bit")],
                Vec::new(),
            ),
            "extended_properties" => view(
                &[
                    ("class", "tinyint"),
                    ("major_id", "int"),
                    ("minor_id", "int"),
                    ("name", "sysname"),
                    ("value", "sql_variant"),
                ],
                Vec::new(),
            ),
            "stats" => view(
                &[
                    ("object_id", "int"),
                    ("name", "sysname"),
                    ("stats_id", "int"),
                ],
                Vec::new(),
            ),
            "databases" => {
                let databases = self.shared.databases.all();
                let rows = databases.iter().map(|database| {
                    let snapshot = database.read_committed_snapshot.load(Ordering::SeqCst);
                    vec![
                        database.name.as_str().into(),
                        database.id.into(),
                        made(),
                        160_i64.into(),
                        "SQL_Latin1_General_CP1_CI_AS".into(),
                        0_i64.into(),
                        "ONLINE".into(),
                        false.into(),
                        snapshot.into(),
                        1_i64.into(),
                        "ON".into(),
                        "SIMPLE".into(),
                    ]
                });
                view(
                    &[
                        ("name", "sysname"),
                        ("database_id", "int"),
                        ("create_date", "datetime"),
                        ("compatibility_level", "tinyint"),
                        ("collation_name", "sysname"),
                        ("state", "tinyint"),
                        ("state_desc", "nvarchar(60)"),
                        ("is_read_only", "bit"),
                        ("is_read_committed_snapshot_on", "bit"),
                        ("snapshot_isolation_state", "tinyint"),
                        ("snapshot_isolation_state_desc", "nvarchar(60)"),
                        ("recovery_model_desc", "nvarchar(60)"),
                    ],
                    rows.collect(),
                )
            }
            "dm_exec_sessions" => {
                let rows = self.open_sessions().into_iter().map(|open| {
                    let began = if open.spid == self.spid {
                        Cell::Moment(self.client.began)
                    } else {
                        made()
                    };
                    let host = if open.spid == self.spid {
                        self.client.host.as_str().into()
                    } else {
                        Cell::Null
                    };
                    vec![
                        i64::from(open.spid).into(),
                        began,
                        host,
                        open.program.into(),
                        open.login.as_str().into(),
                        open.login.into(),
                        "running".into(),
                        true.into(),
                        i64::from(open.transactions).into(),
                        Cell::Null,
                        open.database.as_str().into(),
                    ]
                });
                let rows: Vec<Vec<Cell>> = rows
                    .map(|mut row| {
                        if let Some(Cell::Text(database)) = row.get(10).cloned() {
                            row[9] = self
                                .shared
                                .databases
                                .get(&database)
                                .map_or(Cell::Null, |database| database.id.into());
                        }
                        row.truncate(10);
                        row
                    })
                    .collect();
                view(
                    &[
                        ("session_id", "smallint"),
                        ("login_time", "datetime"),
                        ("host_name", "nvarchar(128)"),
                        ("program_name", "nvarchar(128)"),
                        ("login_name", "nvarchar(128)"),
                        ("original_login_name", "nvarchar(128)"),
                        ("status", "nvarchar(30)"),
                        ("is_user_process", "bit"),
                        ("open_transaction_count", "int"),
                        ("database_id", "smallint"),
                    ],
                    rows,
                )
            }
            "dm_exec_connections" => {
                let rows = self.open_sessions().into_iter().map(|open| {
                    vec![
                        i64::from(open.spid).into(),
                        "TCP".into(),
                        "TSQL".into(),
                        1_946_157_060_i64.into(),
                    ]
                });
                view(
                    &[
                        ("session_id", "int"),
                        ("net_transport", "nvarchar(40)"),
                        ("protocol_type", "nvarchar(40)"),
                        ("protocol_version", "int"),
                    ],
                    rows.collect(),
                )
            }
            _ => None,
        }
    }

    fn tables_view(&mut self) -> Option<View> {
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

    fn columns_view(tables: &[std::sync::Arc<Table>]) -> View {
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

    fn indexes_view(tables: &[std::sync::Arc<Table>]) -> View {
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

    fn index_columns_view(tables: &[std::sync::Arc<Table>]) -> View {
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
