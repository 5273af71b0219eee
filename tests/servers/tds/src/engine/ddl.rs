//! CREATE, ALTER and DROP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlparser::ast::{
    ColumnDef, ColumnOption, DataType, Expr, IdentityPropertyFormatKind, IdentityPropertyKind,
    TableConstraint, UnaryOperator,
};

use super::Engine;
use super::constraint::{own_column, short};
use super::dml::Found;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::ast::Kind;
use crate::sql::names::{self, Parts};
use crate::sql::query::{Compiler, Scope, Source, SourceColumn};
use crate::store::locks::Mode;
use crate::store::table::{Column, Identity, Table, next_shape};
use crate::types::SqlType;

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
                    "change_tracking" => database.track(*on)?,
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
    pub(super) fn add_columns(
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
                    column.ty.collation = names::collation(&names::parts(collation)?.name)?;
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
