//! `INFORMATION_SCHEMA.*`.

use super::views::View;
use super::{Cell, collation, is_key};
use crate::engine::Engine;
use crate::store::table::IndexKind;
use crate::types::Kind;

impl Engine {
    pub(super) fn information_view(&mut self, name: &str) -> Option<View> {
        let tables = self.tables();
        let database = self.database.name.clone();
        let catalog = || Cell::from(database.as_str());
        match name {
            "schemata" => Some((
                vec![
                    ("CATALOG_NAME", "nvarchar(128)"),
                    ("SCHEMA_NAME", "nvarchar(128)"),
                    ("SCHEMA_OWNER", "nvarchar(128)"),
                ],
                self.schemas()
                    .into_values()
                    .map(|(_, name)| vec![catalog(), name.into(), "dbo".into()])
                    .collect(),
            )),
            "tables" => Some((
                vec![
                    ("TABLE_CATALOG", "nvarchar(128)"),
                    ("TABLE_SCHEMA", "nvarchar(128)"),
                    ("TABLE_NAME", "sysname"),
                    ("TABLE_TYPE", "varchar(10)"),
                ],
                tables
                    .iter()
                    .map(|table| {
                        vec![
                            catalog(),
                            table.schema.as_str().into(),
                            table.name.as_str().into(),
                            "BASE TABLE".into(),
                        ]
                    })
                    .collect(),
            )),
            "columns" => {
                let mut rows = Vec::new();
                for table in &tables {
                    for (ordinal, column) in (1_i64..).zip(table.columns.iter()) {
                        let ty = &column.ty;
                        let (chars, octets) = Self::octets(ty);
                        let number = ty.is_number() && ty.kind != Kind::Bit;
                        let scale = if number && !ty.is_float() {
                            i64::from(ty.scale).into()
                        } else {
                            Cell::Null
                        };
                        let moment = if ty.is_dated() {
                            i64::from(ty.scale).into()
                        } else {
                            Cell::Null
                        };
                        rows.push(vec![
                            catalog(),
                            table.schema.as_str().into(),
                            table.name.as_str().into(),
                            column.name.as_str().into(),
                            ordinal.into(),
                            column
                                .default
                                .as_ref()
                                .map_or(Cell::Null, |(text, _)| format!("({text})").into()),
                            (if column.nullable { "YES" } else { "NO" }).into(),
                            ty.name().into(),
                            chars,
                            octets,
                            if number {
                                i64::from(ty.precision).into()
                            } else {
                                Cell::Null
                            },
                            if number {
                                (if ty.is_float() { 2_i64 } else { 10 }).into()
                            } else {
                                Cell::Null
                            },
                            scale,
                            moment,
                            collation(ty),
                        ]);
                    }
                }
                Some((
                    vec![
                        ("TABLE_CATALOG", "nvarchar(128)"),
                        ("TABLE_SCHEMA", "nvarchar(128)"),
                        ("TABLE_NAME", "sysname"),
                        ("COLUMN_NAME", "sysname"),
                        ("ORDINAL_POSITION", "int"),
                        ("COLUMN_DEFAULT", "nvarchar(4000)"),
                        ("IS_NULLABLE", "varchar(3)"),
                        ("DATA_TYPE", "nvarchar(128)"),
                        ("CHARACTER_MAXIMUM_LENGTH", "int"),
                        ("CHARACTER_OCTET_LENGTH", "int"),
                        ("NUMERIC_PRECISION", "tinyint"),
                        ("NUMERIC_PRECISION_RADIX", "smallint"),
                        ("NUMERIC_SCALE", "int"),
                        ("DATETIME_PRECISION", "smallint"),
                        ("COLLATION_NAME", "sysname"),
                    ],
                    rows,
                ))
            }
            "table_constraints" => {
                let mut rows = Vec::new();
                for table in &tables {
                    let mut add = |name: &str, kind: &str| {
                        rows.push(vec![
                            catalog(),
                            table.schema.as_str().into(),
                            name.into(),
                            catalog(),
                            table.schema.as_str().into(),
                            table.name.as_str().into(),
                            kind.into(),
                        ]);
                    };
                    for index in table.indexes.iter().filter(|index| is_key(index.kind)) {
                        add(
                            &index.name,
                            if index.kind == IndexKind::PrimaryKey {
                                "PRIMARY KEY"
                            } else {
                                "UNIQUE"
                            },
                        );
                    }
                    table
                        .checks
                        .iter()
                        .for_each(|check| add(&check.name, "CHECK"));
                    table
                        .foreign_keys
                        .iter()
                        .for_each(|key| add(&key.name, "FOREIGN KEY"));
                }
                Some((
                    vec![
                        ("CONSTRAINT_CATALOG", "nvarchar(128)"),
                        ("CONSTRAINT_SCHEMA", "nvarchar(128)"),
                        ("CONSTRAINT_NAME", "sysname"),
                        ("TABLE_CATALOG", "nvarchar(128)"),
                        ("TABLE_SCHEMA", "nvarchar(128)"),
                        ("TABLE_NAME", "sysname"),
                        ("CONSTRAINT_TYPE", "varchar(11)"),
                    ],
                    rows,
                ))
            }
            "key_column_usage" => {
                let mut rows = Vec::new();
                for table in &tables {
                    let mut add = |name: &str, places: &[usize]| {
                        for (ordinal, at) in (1_i64..).zip(places) {
                            rows.push(vec![
                                catalog(),
                                table.schema.as_str().into(),
                                name.into(),
                                catalog(),
                                table.schema.as_str().into(),
                                table.name.as_str().into(),
                                table.columns[*at].name.as_str().into(),
                                ordinal.into(),
                            ]);
                        }
                    };
                    for index in table.indexes.iter().filter(|index| is_key(index.kind)) {
                        let places: Vec<usize> = index.columns.iter().map(|(at, _)| *at).collect();
                        add(&index.name, &places);
                    }
                    table
                        .foreign_keys
                        .iter()
                        .for_each(|key| add(&key.name, &key.columns));
                }
                Some((
                    vec![
                        ("CONSTRAINT_CATALOG", "nvarchar(128)"),
                        ("CONSTRAINT_SCHEMA", "nvarchar(128)"),
                        ("CONSTRAINT_NAME", "sysname"),
                        ("TABLE_CATALOG", "nvarchar(128)"),
                        ("TABLE_SCHEMA", "nvarchar(128)"),
                        ("TABLE_NAME", "sysname"),
                        ("COLUMN_NAME", "sysname"),
                        ("ORDINAL_POSITION", "int"),
                    ],
                    rows,
                ))
            }
            _ => None,
        }
    }
}
