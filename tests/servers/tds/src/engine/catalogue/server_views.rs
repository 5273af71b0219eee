//! `sys.types`, `sys.databases` and the sessions.

use super::views::{View, made, view};
use std::sync::atomic::Ordering;

use super::{ALL_KINDS, Cell, collation, length, precision, type_id, user_type_id};
use crate::engine::Engine;
use crate::types::{Kind, SqlType};

impl Engine {
    pub(super) fn types_view() -> Option<View> {
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

    pub(super) fn databases_view(&self) -> Option<View> {
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

    pub(super) fn sessions_view(&self) -> Option<View> {
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

    pub(super) fn connections_view(&self) -> Option<View> {
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
}
