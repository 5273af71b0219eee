//! Functions that tell of the session, the databases and the tables.

use super::Engine;
use super::procedures::lock_mode;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::names;
use crate::store::locks::{Owner, Resource};
use crate::types::{Decimal, Kind, SqlType, Value};

pub(crate) const VERSION: &str =
    "Microsoft SQL Server 2022 (RTM-CU13) - 16.0.4125.3 (X64) - hygge test server, not a database";

pub(crate) const NAMES: [&str; 39] = [
    "object_id",
    "db_name",
    "db_id",
    "schema_id",
    "suser_sname",
    "suser_name",
    "user_name",
    "original_login",
    "host_name",
    "app_name",
    "serverproperty",
    "databasepropertyex",
    "scope_identity",
    "ident_current",
    "ident_seed",
    "ident_incr",
    "xact_state",
    "error_number",
    "error_message",
    "error_severity",
    "error_state",
    "error_line",
    "error_procedure",
    "applock_test",
    "applock_mode",
    "has_perms_by_name",
    "has_dbaccess",
    "is_srvrolemember",
    "is_member",
    "is_rolemember",
    "col_length",
    "objectproperty",
    "objectpropertyex",
    "connectionproperty",
    "collationproperty",
    "current_transaction_id",
    "session_context",
    "change_tracking_current_version",
    "change_tracking_min_valid_version",
];

fn int(number: i64) -> (SqlType, Value) {
    (SqlType::plain(Kind::Int), Value::Int(number))
}

fn text(text: impl AsRef<str>) -> (SqlType, Value) {
    (SqlType::nvarchar(4000), Value::text(text))
}

fn none(ty: SqlType) -> (SqlType, Value) {
    (ty, Value::Null)
}

fn variant(ty: SqlType, value: Value) -> (SqlType, Value) {
    (
        SqlType::plain(Kind::Variant),
        Value::Variant(Box::new((ty, value))),
    )
}

impl Engine {
    pub(super) fn call_session_function(
        &mut self,
        name: &str,
        args: &[Value],
    ) -> Outcome<(SqlType, Value)> {
        let arg = |at: usize| {
            args.get(at)
                .filter(|value| !value.is_null())
                .map(Value::lossy)
        };
        let nvarchar = SqlType::nvarchar(4000);
        Ok(match name {
            "object_id" => match arg(0).and_then(|name| names::parse(&name)) {
                Some(parts) => self
                    .object_id(&parts, arg(1).as_deref())
                    .map_or_else(|| none(SqlType::plain(Kind::Int)), int),
                None => none(SqlType::plain(Kind::Int)),
            },
            "db_name" => match args.first() {
                None => text(&self.database.name),
                Some(Value::Int(id)) => self
                    .shared
                    .databases
                    .all()
                    .iter()
                    .find(|database| database.id == *id)
                    .map_or_else(|| none(nvarchar), |database| text(&database.name)),
                Some(_) => none(nvarchar),
            },
            "db_id" => match arg(0) {
                None if args.is_empty() => int(self.database.id),
                Some(name) => self.shared.databases.get(&name).map_or_else(
                    || none(SqlType::plain(Kind::Int)),
                    |database| int(database.id),
                ),
                None => none(SqlType::plain(Kind::Int)),
            },
            "schema_id" => self
                .schemas()
                .get(&arg(0).unwrap_or_else(|| "dbo".to_owned()).to_lowercase())
                .map_or_else(|| none(SqlType::plain(Kind::Int)), |(id, _)| int(*id)),
            "suser_sname" | "suser_name" | "original_login" => text(&self.client.login),
            "user_name" => text("dbo"),
            "host_name" => text(&self.client.host),
            "app_name" => text(&self.client.program),
            "serverproperty" => match arg(0).unwrap_or_default().to_lowercase().as_str() {
                "productversion" => variant(SqlType::nvarchar(128), Value::text("16.0.4125.3")),
                "productmajorversion" => variant(SqlType::nvarchar(128), Value::text("16")),
                "productlevel" => variant(SqlType::nvarchar(128), Value::text("RTM")),
                "edition" => variant(SqlType::nvarchar(128), Value::text("hygge test server")),
                "engineedition" => variant(SqlType::plain(Kind::Int), Value::Int(3)),
                "servername" | "machinename" => {
                    variant(SqlType::nvarchar(128), Value::text(crate::SERVER_NAME))
                }
                "collation" => variant(
                    SqlType::nvarchar(128),
                    Value::text("SQL_Latin1_General_CP1_CI_AS"),
                ),
                "ishadrenabled" | "isclustered" => {
                    variant(SqlType::plain(Kind::Int), Value::Int(0))
                }
                _ => none(SqlType::plain(Kind::Variant)),
            },
            "databasepropertyex" => match arg(1).unwrap_or_default().to_lowercase().as_str() {
                "collation" => variant(
                    SqlType::nvarchar(128),
                    Value::text("SQL_Latin1_General_CP1_CI_AS"),
                ),
                "updateability" => variant(SqlType::nvarchar(128), Value::text("READ_WRITE")),
                "status" => variant(SqlType::nvarchar(128), Value::text("ONLINE")),
                "edition" => variant(SqlType::nvarchar(128), Value::text("hygge test server")),
                _ => none(SqlType::plain(Kind::Variant)),
            },
            "scope_identity" => (
                SqlType::decimal(38, 0),
                self.scope_identity.map_or(Value::Null, |number| {
                    Value::Decimal(Decimal::new(i128::from(number), 0))
                }),
            ),
            "ident_current" | "ident_seed" | "ident_incr" => {
                let table = arg(0)
                    .and_then(|name| names::parse(&name))
                    .and_then(|parts| self.own_name(&parts).ok())
                    .and_then(|name| self.lookup(&name));
                let identity = table
                    .as_ref()
                    .and_then(|table| table.identity_column())
                    .and_then(|(_, column)| column.identity.clone());
                let number = match (name, identity, &table) {
                    ("ident_current", Some(identity), Some(table)) => {
                        Some(crate::control::locked(&table.last_identity).unwrap_or(identity.seed))
                    }
                    ("ident_seed", Some(identity), _) => Some(identity.seed),
                    ("ident_incr", Some(identity), _) => Some(identity.step),
                    _ => None,
                };
                (
                    SqlType::decimal(38, 0),
                    number.map_or(Value::Null, |number| {
                        Value::Decimal(Decimal::new(i128::from(number), 0))
                    }),
                )
            }
            "xact_state" => (
                SqlType::plain(Kind::SmallInt),
                Value::Int(
                    self.transaction
                        .as_ref()
                        .map_or(0, |transaction| if transaction.doomed { -1 } else { 1 }),
                ),
            ),
            "error_number" | "error_message" | "error_severity" | "error_state" | "error_line"
            | "error_procedure" => {
                let Some(error) = self.caught.last() else {
                    return Ok(none(SqlType::plain(Kind::Int)));
                };
                match name {
                    "error_number" => int(i64::from(error.number)),
                    "error_message" => text(&error.message),
                    "error_severity" => int(i64::from(error.class)),
                    "error_state" => int(i64::from(error.state)),
                    "error_line" => int(1),
                    _ => none(SqlType::nvarchar(128)),
                }
            }
            // APPLOCK_TEST(principal, resource, mode, owner) and APPLOCK_MODE(principal, resource, owner).
            "applock_test" => {
                let mode = lock_mode(&arg(2).unwrap_or_default())?;
                let free = self.database.locks.is_free(
                    self.spid,
                    &Resource::Application(arg(1).unwrap_or_default()),
                    mode,
                );
                (SqlType::plain(Kind::SmallInt), Value::bit(free))
            }
            "applock_mode" => {
                let owner = if arg(2).unwrap_or_default().eq_ignore_ascii_case("session") {
                    Owner::Session
                } else {
                    Owner::Transaction
                };
                let held = self.database.locks.held(
                    self.spid,
                    &Resource::Application(arg(1).unwrap_or_default()),
                    owner,
                );
                text(held.map_or_else(|| "NoLock".to_owned(), |mode| format!("{mode:?}")))
            }
            // Everybody may everything, as the default login may.
            "has_perms_by_name" => match arg(0) {
                Some(securable)
                    if !matches!(
                        arg(1).unwrap_or_default().to_lowercase().as_str(),
                        "database" | "schema" | "server"
                    ) =>
                {
                    let there = names::parse(&securable)
                        .is_some_and(|parts| self.object_id(&parts, None).is_some());
                    if there {
                        int(1)
                    } else {
                        none(SqlType::plain(Kind::Int))
                    }
                }
                _ => int(1),
            },
            "has_dbaccess" => {
                int(i64::from(arg(0).is_some_and(|name| {
                    self.shared.databases.get(&name).is_some()
                })))
            }
            "is_srvrolemember" | "is_member" | "is_rolemember" => int(1),
            "col_length" => {
                let table = arg(0)
                    .and_then(|name| names::parse(&name))
                    .and_then(|parts| self.own_name(&parts).ok())
                    .and_then(|name| self.lookup(&name));
                let length = table.and_then(|table| {
                    table
                        .column(&arg(1).unwrap_or_default())
                        .map(|(_, column)| column.ty.length)
                });
                (
                    SqlType::plain(Kind::SmallInt),
                    length.map_or(Value::Null, |length| {
                        Value::Int(if length == crate::types::MAX {
                            -1
                        } else {
                            i64::from(length)
                        })
                    }),
                )
            }
            "objectproperty" | "objectpropertyex" => {
                let id = match args.first() {
                    Some(Value::Int(id)) => *id,
                    _ => return Ok(none(SqlType::plain(Kind::Int))),
                };
                let table = self
                    .tables()
                    .into_iter()
                    .find(|table| table.object_id == id);
                let answer =
                    table.and_then(|table| {
                        match arg(1).unwrap_or_default().to_lowercase().as_str() {
                            "isusertable" | "istable" => Some(true),
                            "isview" => Some(false),
                            "tablehasidentity" => Some(table.identity_column().is_some()),
                            "tablehasprimarykey" => Some(table.indexes.iter().any(|index| {
                                index.kind == crate::store::table::IndexKind::PrimaryKey
                            })),
                            "tablehasclustindex" => Some(!table.is_heap()),
                            _ => None,
                        }
                    });
                answer.map_or_else(
                    || none(SqlType::plain(Kind::Int)),
                    |answer| int(i64::from(answer)),
                )
            }
            "collationproperty" => match (
                crate::types::Collation::named(&arg(0).unwrap_or_default()),
                arg(1).unwrap_or_default().to_lowercase().as_str(),
            ) {
                (Some(collation), "codepage") => {
                    variant(SqlType::plain(Kind::Int), Value::Int(collation.code_page()))
                }
                _ => none(SqlType::plain(Kind::Variant)),
            },
            "connectionproperty" | "session_context" => none(SqlType::plain(Kind::Variant)),
            "current_transaction_id" => (
                SqlType::plain(Kind::BigInt),
                Value::Int(self.transaction.as_ref().map_or(0, |transaction| {
                    i64::try_from(transaction.id).unwrap_or_default()
                })),
            ),
            "min_active_rowversion" => (
                SqlType::sized(Kind::Binary, 8),
                Value::Bytes(
                    self.database
                        .least_active_rowversion()
                        .to_be_bytes()
                        .to_vec(),
                ),
            ),
            "change_tracking_current_version" => (
                SqlType::plain(Kind::BigInt),
                self.database
                    .tracked_version()
                    .map_or(Value::Null, Value::Int),
            ),
            "change_tracking_min_valid_version" => {
                let tables = self.tables();
                let table = tables.iter().find(
                    |table| matches!(args.first(), Some(Value::Int(id)) if table.object_id == *id),
                );
                let tracking = table.and_then(|table| table.tracking.as_ref());
                (
                    SqlType::plain(Kind::BigInt),
                    tracking.map_or(Value::Null, |tracking| Value::Int(tracking.since)),
                )
            }
            other => return Err(SqlError::unknown(other).into()),
        })
    }

    /// Of a table or a constraint; views of the system have one, too.
    fn object_id(&mut self, parts: &names::Parts, kind: Option<&str>) -> Option<i64> {
        let kind = kind.map(|kind| kind.trim().to_lowercase());
        let wants = |own: &str| kind.as_ref().is_none_or(|kind| kind == own);
        if parts.name.starts_with('#') {
            return self
                .lookup(&crate::store::Name::new("dbo", &parts.name))
                .filter(|_| wants("u"))
                .map(|table| table.object_id);
        }
        if parts
            .database
            .as_ref()
            .is_some_and(|database| !database.eq_ignore_ascii_case(&self.database.name))
        {
            let database = self.shared.databases.get(parts.database.as_deref()?)?;
            let name =
                crate::store::Name::new(parts.schema.as_deref().unwrap_or("dbo"), &parts.name);
            return database
                .snapshot()
                .tables
                .get(&name)
                .filter(|_| wants("u"))
                .map(|table| table.object_id);
        }
        let schema = parts.schema.as_deref().unwrap_or("dbo");
        if let Some(table) = self
            .own_name(parts)
            .ok()
            .and_then(|name| self.lookup(&name))
        {
            return wants("u").then_some(table.object_id);
        }
        if matches!(schema.to_lowercase().as_str(), "sys" | "information_schema") {
            return self
                .system_view(schema, &parts.name)
                .filter(|_| wants("v"))
                .map(|view| view.object_id);
        }
        for table in self
            .tables()
            .iter()
            .filter(|table| crate::store::table::same(&table.schema, schema))
        {
            for index in table
                .indexes
                .iter()
                .filter(|index| index.kind != crate::store::table::IndexKind::Index)
            {
                if crate::store::table::same(&index.name, &parts.name) {
                    return Some(index.object_id);
                }
            }
            if let Some(check) = table
                .checks
                .iter()
                .find(|check| crate::store::table::same(&check.name, &parts.name))
            {
                return Some(check.object_id);
            }
            if let Some(key) = table
                .foreign_keys
                .iter()
                .find(|key| crate::store::table::same(&key.name, &parts.name))
            {
                return Some(key.object_id);
            }
        }
        None
    }
}
