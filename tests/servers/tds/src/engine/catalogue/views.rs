//! `sys.*`.

use super::{Cell, is_key};
use crate::engine::Engine;
use crate::store::table::{IndexKind, Table};

pub(super) type View = (Vec<(&'static str, &'static str)>, Vec<Vec<Cell>>);

pub(super) fn view(columns: &[(&'static str, &'static str)], rows: Vec<Vec<Cell>>) -> Option<View> {
    Some((columns.to_vec(), rows))
}

/// When everything was made, as far as this server remembers.
pub(super) fn made() -> Cell {
    Cell::Moment(
        crate::types::clock::day_of(2024, 1, 1).unwrap_or_default() * crate::types::clock::DAY,
    )
}

pub(super) const OBJECT: [(&str, &str); 9] = [
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

pub(super) fn object(
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

/// A definition in brackets, which it may have already.
fn bracketed(text: &str) -> String {
    let mut depth = 0;
    let closes = text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at + 1)
    });
    match closes == Some(text.len()) && text.starts_with('(') {
        true => text.to_owned(),
        false => format!("({text})"),
    }
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
                                bracketed(text).into(),
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
            "types" => Self::types_view(),
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
            "data_spaces" | "filegroups" => view(
                &[
                    ("name", "sysname"),
                    ("data_space_id", "int"),
                    ("type", "char(2)"),
                    ("type_desc", "nvarchar(60)"),
                    ("is_default", "bit"),
                ],
                vec![vec![
                    "PRIMARY".into(),
                    1_i64.into(),
                    "FG".into(),
                    "ROWS_FILEGROUP".into(),
                    true.into(),
                ]],
            ),
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
            "change_tracking_tables" => view(
                &[
                    ("object_id", "int"),
                    ("min_valid_version", "bigint"),
                    ("begin_version", "bigint"),
                ],
                tables
                    .iter()
                    .filter_map(|table| {
                        let since: Cell = table.tracking.as_ref()?.since.into();
                        Some(vec![table.object_id.into(), since.clone(), since])
                    })
                    .collect(),
            ),
            // Of the tables that SQL Server keeps for itself, those that change tracking makes.
            "internal_tables" => view(
                &[
                    ("name", "sysname"),
                    ("object_id", "int"),
                    ("parent_object_id", "int"),
                ],
                tables
                    .iter()
                    .filter_map(|table| {
                        let tracking = table.tracking.as_ref()?;
                        Some(vec![
                            format!("change_tracking_{}", table.object_id)
                                .as_str()
                                .into(),
                            tracking.kept_in.into(),
                            table.object_id.into(),
                        ])
                    })
                    .collect(),
            ),
            "sequences" | "security_policies" | "fulltext_indexes" | "xml_indexes"
            | "spatial_indexes" | "periods" => {
                view(&[("object_id", "int"), ("name", "sysname")], Vec::new())
            }
            "sql_expression_dependencies" => view(
                &[
                    ("referencing_id", "int"),
                    ("referenced_id", "int"),
                    ("is_schema_bound_reference", "bit"),
                ],
                Vec::new(),
            ),
            "database_recovery_status" => view(
                &[
                    ("database_id", "int"),
                    ("recovery_fork_guid", "varchar(36)"),
                ],
                vec![vec![
                    self.database.id.into(),
                    self.database.recovery_fork().as_str().into(),
                ]],
            ),
            "change_tracking_databases" => view(
                &[("database_id", "int"), ("is_auto_cleanup_on", "bit")],
                match self.database.tracked_version() {
                    Some(_) => vec![vec![self.database.id.into(), true.into()]],
                    None => Vec::new(),
                },
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
            "databases" => self.databases_view(),
            "dm_exec_sessions" => self.sessions_view(),
            "dm_exec_connections" => self.connections_view(),
            _ => None,
        }
    }
}
