//! CREATE, ALTER and DROP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlparser::ast::{
    ColumnDef, ColumnOption, DataType, Expr, IdentityPropertyFormatKind, IdentityPropertyKind,
    IndexColumn, ObjectName, TableConstraint, UnaryOperator,
};

use super::Engine;
use super::dml::Found;
use super::tablecheck::Keys;
use super::write::kept;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::ast::{Alter, Kind};
use crate::sql::names::{self, Parts};
use crate::sql::query::{Compiler, Scope, Source, SourceColumn};
use crate::store::Name;
use crate::store::locks::{Mode, Resource};
use crate::store::rows::Rows;
use crate::store::table::{
    Check, Column, ForeignKey, Identity, Index, IndexKind, Table, next_shape,
};
use crate::types::convert::{How, convert};
use crate::types::{SqlType, Value};

fn short(object_id: i64) -> String {
    format!("{:08X}", object_id & 0xFFFF_FFFF)
}

impl Engine {
    pub(super) fn define(&mut self, kind: &Kind) -> Outcome {
        match kind {
            Kind::CreateTable {
                name,
                columns,
                constraints,
            } => {
                let parts = names::parts(name)?;
                let own = self.own_name(&parts)?;
                self.lock_to_write(&own, Mode::Schema)?;
                if self.lookup(&own).is_some() {
                    return Err(SqlError::new(
                        2714,
                        format!(
                            "There is already an object named '{}' in the database.",
                            parts.name
                        ),
                    )
                    .state(6)
                    .into());
                }
                let table = self.table_of(&parts, columns, constraints)?;
                self.put(&own, table);
            }
            Kind::DropTable { names, if_exists } => {
                for name in names {
                    self.drop_table(&names::parts(name)?, *if_exists)?;
                }
            }
            Kind::AlterTable { name, alter } => self.alter(name, alter)?,
            Kind::CreateIndex { .. } => self.create_index(kind)?,
            Kind::DropIndex {
                name,
                table,
                if_exists,
            } => {
                let Found { name: own, table } =
                    self.target(&names::parts(table)?, Mode::Schema)?;
                let mut changed = Table::clone(&table);
                let before = changed.indexes.len();
                Arc::make_mut(&mut changed.indexes)
                    .retain(|index| !crate::store::table::same(&index.name, name));
                if changed.indexes.len() == before && !if_exists {
                    return Err(SqlError::new(3701, format!("Cannot drop the index '{}.{name}', because it does not exist or you do not have permission.", table.name)).class(11).into());
                }
                self.put(&own, changed);
            }
            Kind::CreateSchema(name) => {
                if self.schemas().contains_key(&name.to_lowercase()) {
                    return Err(SqlError::new(
                        2714,
                        format!("There is already an object named '{name}' in the database."),
                    )
                    .into());
                }
                let id = self
                    .schemas()
                    .values()
                    .map(|(id, _)| *id)
                    .max()
                    .unwrap_or_default()
                    + 1;
                self.pending.schemas.insert(
                    (self.database.name.to_lowercase(), name.to_lowercase()),
                    Some((id, name.clone())),
                );
            }
            Kind::DropSchema(name) => {
                if self
                    .tables()
                    .iter()
                    .any(|table| crate::store::table::same(&table.schema, name))
                {
                    return Err(SqlError::new(3729, format!("Cannot drop schema '{name}' because it is being referenced by an object in it.")).into());
                }
                if !self.schemas().contains_key(&name.to_lowercase()) {
                    return Err(SqlError::new(15151, format!("Cannot drop the schema '{name}', because it does not exist or you do not have permission.")).into());
                }
                self.pending.schemas.insert(
                    (self.database.name.to_lowercase(), name.to_lowercase()),
                    None,
                );
            }
            Kind::CreateDatabase(name) => {
                if self.shared.databases.get(name).is_some() {
                    return Err(SqlError::new(
                        1801,
                        format!(
                            "Database '{name}' already exists. Choose a different database name."
                        ),
                    )
                    .into());
                }
                self.shared.databases.create(name);
            }
            Kind::AlterDatabase { name, setting, on } => {
                let database = if name.eq_ignore_ascii_case("current") {
                    Some(Arc::clone(&self.database))
                } else {
                    self.shared.databases.get(name)
                };
                let database = database.ok_or_else(|| SqlError::new(5011, format!("User does not have permission to alter database '{name}', the database does not exist, or the database is not in a state that allows access checks.")).class(14))?;
                match setting.as_str() {
                    "read_committed_snapshot" => database
                        .read_committed_snapshot
                        .store(*on, Ordering::SeqCst),
                    "allow_snapshot_isolation" => {}
                    other => {
                        return Err(
                            SqlError::unknown(format!("ALTER DATABASE ... SET {other}")).into()
                        );
                    }
                }
            }
            Kind::AlterIndex | Kind::UpdateStatistics | Kind::Nothing => {}
            other => return Err(SqlError::broken(format!("{other:?} isn't a definition")).into()),
        }
        Ok(())
    }

    fn drop_table(&mut self, parts: &Parts, if_exists: bool) -> Outcome {
        let name = self.own_name(parts)?;
        self.lock_to_write(&name, Mode::Schema)?;
        let Some(table) = self.lookup(&name) else {
            if if_exists {
                return Ok(());
            }
            return Err(SqlError::new(3701, format!("Cannot drop the table '{}', because it does not exist or you do not have permission.", parts.name)).class(11).state(5).into());
        };
        if self.tables().iter().any(|other| {
            other.object_id != table.object_id
                && other.foreign_keys.iter().any(|key| key.target == name)
        }) {
            return Err(SqlError::new(3726, format!("Could not drop object '{}' because it is referenced by a FOREIGN KEY constraint.", parts.name)).into());
        }
        self.put_gone(&name);
        Ok(())
    }

    /// A table with nothing but its columns.
    pub(super) fn new_table(&mut self, parts: &Parts, columns: Vec<Column>) -> Outcome<Table> {
        let schema = parts.schema.clone().unwrap_or_else(|| "dbo".to_owned());
        let (_, schema) = self.schemas().get(&schema.to_lowercase()).cloned().ok_or_else(|| {
            SqlError::new(2760, format!("The specified schema name \"{schema}\" either does not exist or you do not have permission to use it."))
        })?;
        Ok(Table::new(
            self.database.object_id(),
            &schema,
            &parts.name,
            columns,
        ))
    }

    pub(super) fn table_of(
        &mut self,
        parts: &Parts,
        columns: &[ColumnDef],
        constraints: &[TableConstraint],
    ) -> Outcome<Table> {
        let mut table = self.new_table(parts, Vec::new())?;
        self.add_columns(&mut table, columns, constraints)?;
        Ok(table)
    }

    /// Adds columns and constraints to a declaration.
    fn add_columns(
        &mut self,
        table: &mut Table,
        columns: &[ColumnDef],
        constraints: &[TableConstraint],
    ) -> Outcome {
        let mut made = Table::clone(table).columns.to_vec();
        let mut own: Vec<TableConstraint> = Vec::new();
        let mut computed = Vec::new();
        for definition in columns {
            if made
                .iter()
                .any(|column| crate::store::table::same(&column.name, &definition.name.value))
            {
                return Err(SqlError::new(2705, format!("Column names in each table must be unique. Column name '{}' in table '{}' is specified more than once.", definition.name.value, table.name)).into());
            }
            let id = made
                .iter()
                .map(|column| column.id)
                .max()
                .unwrap_or_default()
                + 1;
            made.push(self.column_of(table, id, definition, &mut own)?);
            if made.last().is_some_and(|column| column.computed.is_some()) {
                computed.push(made.len() - 1);
            }
        }
        for at in computed {
            made[at].ty = self.computed_type(&made, at)?;
        }
        table.columns = Arc::new(made);
        table.shape = next_shape();
        for constraint in own.iter().chain(constraints) {
            self.constrain(table, constraint)?;
        }
        Ok(())
    }

    fn column_of(
        &mut self,
        table: &Table,
        id: i64,
        definition: &ColumnDef,
        constraints: &mut Vec<TableConstraint>,
    ) -> Outcome<Column> {
        let name = definition.name.value.clone();
        let ty = if definition.data_type == DataType::Unspecified {
            super::super::sql::expr::int()
        } else {
            names::parse_type(&definition.data_type.to_string())?
        };
        let mut column = Column {
            id,
            name: name.clone(),
            ty,
            nullable: !ty.is_rowversion(),
            identity: None,
            default: None,
            computed: None,
            persisted: false,
        };
        for option in &definition.options {
            let label = option.name.as_ref().map(|name| name.value.clone());
            match &option.option {
                ColumnOption::Null => column.nullable = true,
                ColumnOption::NotNull => column.nullable = false,
                ColumnOption::Default(expr) => {
                    column.default = Some((
                        expr.to_string(),
                        label.unwrap_or_else(|| {
                            format!(
                                "DF__{}__{}__{}",
                                table.name,
                                name,
                                short(table.object_id + id)
                            )
                        }),
                    ));
                }
                ColumnOption::Alias(expr) => column.computed = Some(expr.to_string()),
                ColumnOption::Materialized(expr) => {
                    column.computed = Some(expr.to_string());
                    column.persisted = true;
                }
                ColumnOption::Collation(collation) => {
                    column.ty.collation = names::collation(&names::parts(collation)?.name)?
                }
                ColumnOption::Identity(IdentityPropertyKind::Identity(property)) => {
                    let (seed, step) = match &property.parameters {
                        None => (1, 1),
                        Some(
                            IdentityPropertyFormatKind::FunctionCall(parameters)
                            | IdentityPropertyFormatKind::StartAndIncrement(parameters),
                        ) => (integer(&parameters.seed)?, integer(&parameters.increment)?),
                    };
                    column.identity = Some(Identity { seed, step });
                    column.nullable = false;
                }
                ColumnOption::PrimaryKey(constraint) => {
                    let mut constraint = constraint.clone();
                    constraint.name = option.name.clone().or(constraint.name);
                    constraint.columns = vec![own_column(&definition.name)];
                    column.nullable = false;
                    constraints.push(constraint.into());
                }
                ColumnOption::Unique(constraint) => {
                    let mut constraint = constraint.clone();
                    constraint.name = option.name.clone().or(constraint.name);
                    constraint.columns = vec![own_column(&definition.name)];
                    constraints.push(constraint.into());
                }
                ColumnOption::Check(constraint) => {
                    let mut constraint = constraint.clone();
                    constraint.name = option.name.clone().or(constraint.name);
                    constraints.push(constraint.into());
                }
                ColumnOption::ForeignKey(constraint) => {
                    let mut constraint = constraint.clone();
                    constraint.name = option.name.clone().or(constraint.name);
                    constraint.columns = vec![definition.name.clone()];
                    constraints.push(constraint.into());
                }
                other => {
                    return Err(SqlError::unknown(format!("{other} of the column {name}")).into());
                }
            }
        }
        Ok(column)
    }

    /// The type of a computed column, by the other columns.
    fn computed_type(&mut self, columns: &[Column], at: usize) -> Outcome<SqlType> {
        let text = columns[at].computed.clone().unwrap_or_default();
        let source = columns
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, column)| SourceColumn {
                name: column.name.clone(),
                ty: column.ty,
                nullable: column.nullable,
                identity: false,
                computed: false,
            })
            .collect();
        let mut compiler = Compiler::new(self);
        compiler.scopes.push(Scope {
            sources: vec![Source {
                alias: String::new(),
                sql: "w0".to_owned(),
                columns: source,
                table: None,
            }],
        });
        Ok(compiler.value(&crate::sql::parse::expression(&text)?)?.ty)
    }

    fn constrain(&mut self, table: &mut Table, constraint: &TableConstraint) -> Outcome {
        let id = self.database.object_id();
        let named = |name: Option<&sqlparser::ast::Ident>, prefix: &str| {
            name.map_or_else(
                || format!("{prefix}__{}__{}", table.name, short(id)),
                |name| name.value.clone(),
            )
        };
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                let columns = key_columns(table, &key.columns)?;
                if table
                    .indexes
                    .iter()
                    .any(|index| index.kind == IndexKind::PrimaryKey)
                {
                    return Err(SqlError::new(
                        1779,
                        format!(
                            "Table '{}' already has a primary key defined on it.",
                            table.name
                        ),
                    )
                    .into());
                }
                let name = named(key.name.as_ref(), "PK");
                for (at, _) in &columns {
                    let column = &mut Arc::make_mut(&mut table.columns)[*at];
                    if column.nullable && table.rows.len() > 0 {
                        return Err(SqlError::new(8111, format!("Cannot define PRIMARY KEY constraint on nullable column in table '{}'.", table.name)).into());
                    }
                    column.nullable = false;
                }
                let clustered = table.is_heap()
                    && !self
                        .hints
                        .iter()
                        .any(|(follows, hint)| follows == "key" && hint == "nonclustered");
                add_index(
                    table,
                    Index {
                        id: 0,
                        name,
                        columns,
                        included: Vec::new(),
                        unique: true,
                        clustered,
                        columnstore: false,
                        kind: IndexKind::PrimaryKey,
                        ignore_duplicates: false,
                        object_id: id,
                    },
                )?;
            }
            TableConstraint::Unique(key) => {
                let columns = key_columns(table, &key.columns)?;
                let name = named(key.name.as_ref(), "UQ");
                add_index(
                    table,
                    Index {
                        id: 0,
                        name,
                        columns,
                        included: Vec::new(),
                        unique: true,
                        clustered: false,
                        columnstore: false,
                        kind: IndexKind::UniqueConstraint,
                        ignore_duplicates: false,
                        object_id: id,
                    },
                )?;
            }
            TableConstraint::Check(check) => {
                let check = Check {
                    object_id: id,
                    name: named(check.name.as_ref(), "CK"),
                    text: check.expr.to_string(),
                };
                Arc::make_mut(&mut table.checks).push(check);
                let made = Arc::new(table.clone());
                let rows = made.rows.clone();
                self.check_rows(&made, &rows)?;
            }
            TableConstraint::ForeignKey(key) => {
                let parts = names::parts(&key.foreign_table)?;
                let target = self.own_name(&parts)?;
                let mut columns = Vec::new();
                for column in &key.columns {
                    columns.push(place(table, &column.value)?);
                }
                let parent = if target == Name::new(&table.schema, &table.name) {
                    table.clone()
                } else {
                    Table::clone(&*self.lookup(&target).ok_or_else(|| {
                        SqlError::new(
                            1767,
                            format!("Foreign key references invalid table '{}'.", parts.name),
                        )
                    })?)
                };
                let mut target_columns: Vec<String> = key
                    .referred_columns
                    .iter()
                    .map(|column| column.value.clone())
                    .collect();
                if target_columns.is_empty() {
                    target_columns = parent
                        .indexes
                        .iter()
                        .find(|index| index.kind == IndexKind::PrimaryKey)
                        .map(|index| {
                            index
                                .columns
                                .iter()
                                .map(|(at, _)| parent.columns[*at].name.clone())
                                .collect()
                        })
                        .unwrap_or_default();
                }
                if key.on_delete.is_some() || key.on_update.is_some() {
                    return Err(SqlError::unknown("a foreign key that cascades").into());
                }
                let places: Vec<usize> = target_columns
                    .iter()
                    .map(|column| place(&parent, column))
                    .collect::<Outcome<_>>()?;
                let is_key = parent.indexes.iter().any(|index| {
                    index.unique
                        && index
                            .columns
                            .iter()
                            .map(|(at, _)| *at)
                            .eq(places.iter().copied())
                });
                if !is_key || places.len() != columns.len() {
                    return Err(SqlError::new(1776, format!("There are no primary or candidate keys in the referenced table '{}' that match the referencing column list in the foreign key.", parts.name)).into());
                }
                let name = named(key.name.as_ref(), "FK");
                Arc::make_mut(&mut table.foreign_keys).push(ForeignKey {
                    object_id: id,
                    name,
                    columns,
                    target,
                    target_columns,
                });
            }
            other => return Err(SqlError::unknown(other).into()),
        }
        Ok(())
    }

    fn create_index(&mut self, kind: &Kind) -> Outcome {
        let Kind::CreateIndex {
            name,
            table,
            columns,
            included,
            unique,
            clustered,
            columnstore,
            ignore_duplicates,
        } = kind
        else {
            return Err(SqlError::broken("no index").into());
        };
        let Found { name: own, table } = self.target(&names::parts(table)?, Mode::Schema)?;
        let mut changed = Table::clone(&table);
        let mut places = Vec::new();
        for (column, descending) in columns {
            places.push((place(&table, column)?, *descending));
        }
        let included = included
            .iter()
            .map(|column| place(&table, column))
            .collect::<Outcome<Vec<usize>>>()?;
        let index = Index {
            id: 0,
            name: name.clone(),
            columns: places,
            included,
            unique: *unique,
            clustered: *clustered,
            columnstore: *columnstore,
            kind: IndexKind::Index,
            ignore_duplicates: *ignore_duplicates,
            object_id: self.database.object_id(),
        };
        add_index(&mut changed, index)?;
        self.put(&own, changed);
        Ok(())
    }

    fn alter(&mut self, name: &ObjectName, alter: &Alter) -> Outcome {
        let parts = names::parts(name)?;
        if let Alter::SwitchTo(target) = alter {
            return self.switch(&parts, &names::parts(target)?);
        }
        let Found { name: own, table } = self.target(&parts, Mode::Schema)?;
        let mut changed = Table::clone(&table);
        changed.touch();
        match alter {
            Alter::Add(columns, constraints, defaults) => {
                self.add_columns(&mut changed, columns, constraints)?;
                for (label, column, value) in defaults {
                    let at = place(&changed, column)?;
                    let label = label.clone().unwrap_or_else(|| {
                        format!(
                            "DF__{}__{column}__{}",
                            table.name,
                            short(table.object_id + 77)
                        )
                    });
                    Arc::make_mut(&mut changed.columns)[at].default =
                        Some((value.to_string(), label));
                }
                if !columns.is_empty() {
                    changed.rows = self.with_new_columns(&table, &changed)?;
                }
            }
            Alter::DropColumns(columns, if_exists) => {
                let mut gone = Vec::new();
                for column in columns {
                    match table.column(column) {
                        Some((at, _)) if table.indexes.iter().any(|index| index.columns.iter().any(|(other, _)| *other == at)) => {
                            return Err(SqlError::new(5074, format!("The object is dependent on column '{column}'.")).into());
                        }
                        Some((at, _)) => gone.push(at),
                        None if *if_exists => {}
                        None => return Err(SqlError::new(4924, format!("ALTER TABLE DROP COLUMN failed because column '{column}' does not exist in table '{}'.", table.name)).into()),
                    }
                }
                self.without_columns(&table, &mut changed, &gone)?;
            }
            Alter::DropConstraints(names, if_exists) => {
                for constraint in names {
                    if !drop_constraint(&mut changed, constraint) && !if_exists {
                        return Err(SqlError::new(
                            3728,
                            format!("'{constraint}' is not a constraint."),
                        )
                        .into());
                    }
                }
            }
            Alter::AlterColumn {
                name: column,
                ty,
                nullable,
            } => {
                let at = place(&table, column)?;
                let altered = &mut Arc::make_mut(&mut changed.columns)[at];
                let collation = if ty.collation == crate::types::Collation::DEFAULT {
                    altered.ty.collation
                } else {
                    ty.collation
                };
                altered.ty = SqlType { collation, ..*ty };
                altered.nullable = nullable.unwrap_or(true);
                changed.shape = next_shape();
                changed.rows = self.converted_rows(&table, &changed)?;
            }
            Alter::Nothing | Alter::SwitchTo(_) => {}
        }
        Keys::verify(&changed)?;
        self.put(&own, changed);
        self.check_references(&own)
    }

    fn with_new_columns(&mut self, before: &Table, after: &Table) -> Outcome<Rows> {
        let mut extra = Vec::new();
        for column in &after.columns[before.columns.len()..] {
            let value = match (
                &column.default,
                column.nullable
                    || column.computed.is_some()
                    || column.ty.is_rowversion()
                    || column.identity.is_some(),
            ) {
                // With a default, old rows get it where the column can't be NULL.
                (Some((text, _)), false) => {
                    let (from, value) = self.value(&crate::sql::parse::expression(text)?)?;
                    convert(value, &from, &column.ty, 0, How::Assign)?
                }
                (None, false) if before.rows.len() > 0 => {
                    return Err(SqlError::new(4901, format!("ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified. Column '{}' cannot be added to non-empty table '{}'.", column.name, before.name)).into());
                }
                _ => Value::Null,
            };
            extra.push(value);
        }
        let mut rows = Rows::default();
        let mut identity = None;
        for row in before.rows.iter() {
            let mut values = self.values_of(before, row)?;
            values.extend(extra.iter().cloned());
            for (column, value) in after
                .columns
                .iter()
                .zip(&mut values)
                .skip(before.columns.len())
            {
                if column.ty.is_rowversion() {
                    *value = Value::Bytes(
                        self.database
                            .next_rowversion(self.spid)
                            .to_be_bytes()
                            .to_vec(),
                    );
                }
                if let Some(Identity { seed, step }) = &column.identity {
                    let next = identity.map_or(*seed, |last: i64| last + step);
                    identity = Some(next);
                    *value = convert(
                        Value::Int(next),
                        &SqlType::plain(crate::types::Kind::BigInt),
                        &column.ty,
                        0,
                        How::Assign,
                    )?;
                }
            }
            rows.push(&kept(after, &values)?);
        }
        if identity.is_some() {
            *crate::control::locked(&after.last_identity) = identity;
        }
        self.computed(&Arc::new(after.clone()), rows)
    }

    fn without_columns(&mut self, before: &Table, after: &mut Table, gone: &[usize]) -> Outcome {
        let keep: Vec<usize> = (0..before.columns.len())
            .filter(|at| !gone.contains(at))
            .collect();
        let new_place = |at: usize| keep.iter().position(|kept| *kept == at).unwrap_or_default();
        after.columns = Arc::new(keep.iter().map(|at| before.columns[*at].clone()).collect());
        for index in Arc::make_mut(&mut after.indexes) {
            index
                .columns
                .iter_mut()
                .for_each(|(at, _)| *at = new_place(*at));
            index.included.retain(|at| !gone.contains(at));
            index
                .included
                .iter_mut()
                .for_each(|at| *at = new_place(*at));
        }
        for key in Arc::make_mut(&mut after.foreign_keys) {
            key.columns.iter_mut().for_each(|at| *at = new_place(*at));
        }
        after.shape = next_shape();
        let mut rows = Rows::default();
        for row in before.rows.iter() {
            let values = self.values_of(before, row)?;
            let values: Vec<Value> = keep.iter().map(|at| values[*at].clone()).collect();
            rows.push(&kept(after, &values)?);
        }
        after.rows = rows;
        Ok(())
    }

    fn converted_rows(&mut self, before: &Table, after: &Table) -> Outcome<Rows> {
        let mut rows = Rows::default();
        for row in before.rows.iter() {
            let mut values = self.values_of(before, row)?;
            for ((old, new), value) in before
                .columns
                .iter()
                .zip(after.columns.iter())
                .zip(&mut values)
            {
                if old.ty != new.ty || old.nullable != new.nullable {
                    *value = convert(
                        std::mem::replace(value, Value::Null),
                        &old.ty,
                        &new.ty,
                        0,
                        How::Assign,
                    )?;
                    self.check_null(after, new, value)?;
                }
            }
            rows.push(&kept(after, &values)?);
        }
        Ok(rows)
    }

    /// `ALTER TABLE a SWITCH TO b`: the rows of a become those of b, which must be empty and alike.
    fn switch(&mut self, from: &Parts, to: &Parts) -> Outcome {
        let Found {
            name: from_name,
            table: source,
        } = self.target(from, Mode::Schema)?;
        let Found {
            name: to_name,
            table: target,
        } = self.target(to, Mode::Schema)?;
        let full =
            |table: &Table| format!("{}.{}.{}", self.database.name, table.schema, table.name);
        let failed = |number: i32, why: String| {
            SqlError::new(
                number,
                format!("ALTER TABLE SWITCH statement failed. {why}"),
            )
        };
        if target.rows.len() > 0 {
            return Err(failed(
                4905,
                format!("The target table '{}' must be empty.", full(&target)),
            )
            .into());
        }
        if source.columns.len() != target.columns.len() {
            return Err(failed(
                4943,
                format!(
                    "Table '{}' has another number of columns than table '{}'.",
                    full(&source),
                    full(&target)
                ),
            )
            .into());
        }
        for (a, b) in source.columns.iter().zip(target.columns.iter()) {
            if !crate::store::table::same(&a.name, &b.name) {
                return Err(failed(
                    4957,
                    format!(
                        "'{}' and '{}' stand in the same place and have other names.",
                        a.name, b.name
                    ),
                )
                .into());
            }
            if a.ty != b.ty || a.computed != b.computed {
                return Err(failed(4944, format!("Column '{}' has data type {} in source table '{}' which is different from its type {} in target table '{}'.", a.name, a.ty.declared(), full(&source), b.ty.declared(), full(&target))).into());
            }
            if a.nullable != b.nullable {
                return Err(failed(4985, format!("Column '{}' does not have the same nullability attribute in tables '{}' and '{}'.", a.name, full(&source), full(&target))).into());
            }
        }
        let shape = |table: &Table| {
            let mut all: Vec<(Vec<(usize, bool)>, bool, bool)> = table
                .indexes
                .iter()
                .map(|index| (index.columns.clone(), index.unique, index.clustered))
                .collect();
            all.sort();
            all
        };
        // The target's indexes must all be there in the source, the clustered one included.
        let (ours, theirs) = (shape(&source), shape(&target));
        if let Some(missing) = theirs.iter().find(|index| !ours.contains(index)) {
            let clustered = if missing.2 { "clustered " } else { "" };
            return Err(failed(4947, format!("There is no identical {clustered}index in source table '{}' for an index of target table '{}'.", full(&source), full(&target))).into());
        }
        if source.is_heap() != target.is_heap() {
            return Err(failed(
                4913,
                format!(
                    "The table '{}' has a clustered index while '{}' has none.",
                    full(&source),
                    full(&target)
                ),
            )
            .into());
        }
        for check in target.checks.iter() {
            if !source.checks.iter().any(|other| other.text == check.text) {
                return Err(failed(4972, format!("The check constraints of source table '{}' allow values that are not allowed by target table '{}'.", full(&source), full(&target))).into());
            }
        }
        if self
            .tables()
            .iter()
            .any(|table| table.foreign_keys.iter().any(|key| key.target == from_name))
        {
            return Err(failed(
                4967,
                format!(
                    "The source table '{}' is referenced by a foreign key.",
                    full(&source)
                ),
            )
            .into());
        }
        let (mut emptied, mut filled) = (Table::clone(&source), Table::clone(&target));
        filled.rows = std::mem::take(&mut emptied.rows);
        filled.touch();
        emptied.touch();
        let last = *crate::control::locked(&source.last_identity);
        filled.last_identity = Arc::new(std::sync::Mutex::new(
            last.or(*crate::control::locked(&target.last_identity)),
        ));
        self.put(&from_name, emptied);
        self.put(&to_name, filled);
        self.check_references(&to_name)
    }

    /// `sp_rename`.
    pub(super) fn rename(&mut self, old: &str, new: &str, kind: &str) -> Outcome {
        let database = self.database.name.clone();
        let unknown = || {
            SqlError::new(15_225, format!("No item by the name of '{old}' could be found in the current database '{database}', given that @itemtype was input as '({kind})'.")).class(11)
        };
        let parts = names::parse(old).ok_or_else(unknown)?;
        match kind {
            "object" | "" => {
                if let Some(outcome) = self.rename_constraint(&parts, new)? {
                    return Ok(outcome);
                }
                let name = self.own_name(&parts)?;
                self.lock_to_write(&name, Mode::Schema)?;
                let table = self.lookup(&name).ok_or_else(unknown)?;
                let to = Name::new(&name.schema, new);
                self.lock(
                    &self.database,
                    &Resource::Table(to.clone()),
                    Mode::Schema,
                    crate::store::locks::Owner::Transaction,
                    self.settings.lock_timeout,
                )?;
                if self.lookup(&to).is_some() {
                    return Err(SqlError::new(15_335, format!("Error: The new name '{new}' is already in use as a object name and would cause a duplicate that is not permitted.")).class(11).into());
                }
                let mut renamed = Table::clone(&table);
                new.clone_into(&mut renamed.name);
                self.put_gone(&name);
                self.put(&to, renamed);
                // Foreign keys point at the table, not at its name.
                for child in self.tables() {
                    if child.foreign_keys.iter().any(|key| key.target == name) {
                        let mut changed = Table::clone(&child);
                        Arc::make_mut(&mut changed.foreign_keys)
                            .iter_mut()
                            .filter(|key| key.target == name)
                            .for_each(|key| key.target = to.clone());
                        self.put(&Name::new(&child.schema, &child.name), changed);
                    }
                }
            }
            "column" | "index" => {
                let table_parts = Parts {
                    database: None,
                    schema: parts.database.clone(),
                    name: parts.schema.clone().ok_or_else(unknown)?,
                };
                let Found { name, table } = self.target(&table_parts, Mode::Schema)?;
                let mut changed = Table::clone(&table);
                if kind == "column" {
                    let (at, _) = table.column(&parts.name).ok_or_else(unknown)?;
                    new.clone_into(&mut Arc::make_mut(&mut changed.columns)[at].name);
                    changed.shape = next_shape();
                } else {
                    let at = table
                        .indexes
                        .iter()
                        .position(|index| crate::store::table::same(&index.name, &parts.name))
                        .ok_or_else(unknown)?;
                    new.clone_into(&mut Arc::make_mut(&mut changed.indexes)[at].name);
                }
                self.put(&name, changed);
            }
            other => return Err(SqlError::unknown(format!("sp_rename of a {other}")).into()),
        }
        Ok(())
    }

    /// A constraint has a name in the schema of its table, as tables have.
    fn rename_constraint(&mut self, parts: &Parts, new: &str) -> Outcome<Option<()>> {
        for table in self.tables() {
            let in_schema = parts
                .schema
                .as_ref()
                .is_none_or(|schema| crate::store::table::same(schema, &table.schema));
            let Some(at) = table.indexes.iter().position(|index| {
                index.kind != IndexKind::Index
                    && crate::store::table::same(&index.name, &parts.name)
            }) else {
                continue;
            };
            if in_schema {
                let name = Name::new(&table.schema, &table.name);
                self.lock_to_write(&name, Mode::Schema)?;
                let mut changed = Table::clone(&table);
                new.clone_into(&mut Arc::make_mut(&mut changed.indexes)[at].name);
                self.put(&name, changed);
                return Ok(Some(()));
            }
        }
        Ok(None)
    }
}

fn own_column(name: &sqlparser::ast::Ident) -> IndexColumn {
    IndexColumn {
        column: sqlparser::ast::OrderByExpr {
            expr: Expr::Identifier(name.clone()),
            options: sqlparser::ast::OrderByOptions {
                sort: None,
                nulls_first: None,
            },
            with_fill: None,
        },
        operator_class: None,
    }
}

fn place(table: &Table, column: &str) -> Outcome<usize> {
    let found = table.column(column).ok_or_else(|| {
        SqlError::new(
            1911,
            format!("Column name '{column}' does not exist in the target table or view."),
        )
    })?;
    Ok(found.0)
}

fn key_columns(table: &Table, columns: &[IndexColumn]) -> Outcome<Vec<(usize, bool)>> {
    let mut places = Vec::new();
    for column in columns {
        let Expr::Identifier(ident) = &column.column.expr else {
            return Err(SqlError::unknown(&column.column).into());
        };
        places.push((
            place(table, &ident.value)?,
            matches!(
                column.column.options.sort,
                Some(sqlparser::ast::OrderBySort::Desc)
            ),
        ));
    }
    Ok(places)
}

fn add_index(table: &mut Table, mut index: Index) -> Outcome {
    if table
        .indexes
        .iter()
        .any(|other| crate::store::table::same(&other.name, &index.name))
    {
        return Err(SqlError::new(1913, format!("The operation failed because an index or statistics with name '{}' already exists on table '{}'.", index.name, table.name)).into());
    }
    if index.clustered && !table.is_heap() {
        return Err(SqlError::new(
            1902,
            format!(
                "Cannot create more than one clustered index on table '{}'.",
                table.name
            ),
        )
        .into());
    }
    index.id = if index.clustered {
        1
    } else {
        table
            .indexes
            .iter()
            .map(|other| other.id)
            .max()
            .unwrap_or_default()
            .max(1)
            + 1
    };
    Arc::make_mut(&mut table.indexes).push(index);
    table.touch();
    Keys::verify(table).map_err(|error| SqlError::new(1505, format!("The CREATE UNIQUE INDEX statement terminated because a duplicate key was found: {}", error.message)))?;
    Ok(())
}

fn drop_constraint(table: &mut Table, name: &str) -> bool {
    let same = |other: &str| crate::store::table::same(other, name);
    let count = |table: &Table| {
        table.indexes.len()
            + table.checks.len()
            + table.foreign_keys.len()
            + table
                .columns
                .iter()
                .filter(|column| column.default.is_some())
                .count()
    };
    let before = count(table);
    Arc::make_mut(&mut table.indexes)
        .retain(|index| index.kind == IndexKind::Index || !same(&index.name));
    Arc::make_mut(&mut table.checks).retain(|check| !same(&check.name));
    Arc::make_mut(&mut table.foreign_keys).retain(|key| !same(&key.name));
    for column in Arc::make_mut(&mut table.columns) {
        if column
            .default
            .as_ref()
            .is_some_and(|(_, label)| same(label))
        {
            column.default = None;
        }
    }
    count(table) < before
}

fn integer(expr: &Expr) -> Outcome<i64> {
    let wrong = || SqlError::unknown(format!("{expr} as an IDENTITY's seed or step"));
    match expr {
        Expr::Value(value) => Ok(value.value.to_string().parse().map_err(|_| wrong())?),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => Ok(-integer(expr)?),
        _ => Err(wrong().into()),
    }
}
