//! What stands in FROM: tables, queries, functions, and their joins.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, TableAlias,
    TableFactor, TableWithJoins,
};

use super::names;
use super::query::{Compiled, Compiler, Source, SourceColumn, named, rename};
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::store::table::Table;

impl Compiler<'_> {
    /// Adds what FROM lists to the innermost scope, and says it for `SQLite`.
    pub(crate) fn from(&mut self, tables: &[TableWithJoins]) -> Outcome<String> {
        let mut parts = Vec::new();
        for table in tables {
            parts.push(self.joined(table)?);
        }
        Ok(parts.join(" CROSS JOIN "))
    }

    fn joined(&mut self, table: &TableWithJoins) -> Outcome<String> {
        let first = self.source_count();
        let mut sql = self.factor(&table.relation)?;
        for join in &table.joins {
            sql += &self.join(join, first)?;
        }
        Ok(sql)
    }

    fn source_count(&self) -> usize {
        self.scopes.last().map_or(0, |scope| scope.sources.len())
    }

    fn join(&mut self, join: &Join, first: usize) -> Outcome<String> {
        let unknown = || SqlError::unknown(join);
        let (word, constraint) = match &join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
                ("JOIN", constraint)
            }
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                ("LEFT JOIN", constraint)
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                ("RIGHT JOIN", constraint)
            }
            JoinOperator::FullOuter(constraint) => ("FULL JOIN", constraint),
            JoinOperator::CrossJoin(constraint) => ("CROSS JOIN", constraint),
            _ => return Err(unknown().into()),
        };
        let right = self.source_count();
        let sql = self.factor(&join.relation)?;
        if let Some(scope) = self.scopes.last_mut() {
            let optional = match word {
                "LEFT JOIN" => right..scope.sources.len(),
                "RIGHT JOIN" => first..right,
                "FULL JOIN" => first..scope.sources.len(),
                _ => 0..0,
            };
            for source in &mut scope.sources[optional] {
                source
                    .columns
                    .iter_mut()
                    .for_each(|column| column.nullable = true);
            }
        }
        match constraint {
            JoinConstraint::On(condition) => {
                Ok(format!(" {word} {sql} ON {}", self.condition(condition)?))
            }
            JoinConstraint::None if word == "CROSS JOIN" => Ok(format!(" {word} {sql}")),
            _ => Err(unknown().into()),
        }
    }

    /// A name that no other source has.
    fn fresh(&mut self) -> String {
        self.aliases += 1;
        format!("s{}", self.aliases)
    }

    pub(crate) fn add_table(
        &mut self,
        name: &names::Parts,
        alias: Option<&str>,
    ) -> Outcome<String> {
        let (table, stored) = self.world.table(name, alias)?;
        let sql = self.fresh();
        let source = Source {
            alias: alias.unwrap_or(&name.name).to_lowercase(),
            sql: sql.clone(),
            columns: columns(&table),
            table: Some(table),
        };
        self.push(source);
        Ok(format!("{stored} AS {sql}"))
    }

    fn push(&mut self, source: Source) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.sources.push(source);
        }
    }

    fn add_query(&mut self, compiled: &Compiled, alias: &str) -> String {
        let sql = self.fresh();
        let columns = compiled
            .columns
            .iter()
            .map(|column| SourceColumn {
                name: column.name.clone(),
                ty: column.ty,
                nullable: column.nullable,
                identity: column.identity,
                computed: column.computed,
            })
            .collect();
        self.push(Source {
            alias: alias.to_lowercase(),
            sql: sql.clone(),
            columns,
            table: None,
        });
        format!("({}) AS {sql}", compiled.sql)
    }

    pub(crate) fn factor(&mut self, factor: &TableFactor) -> Outcome<String> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                // All rows are a sample, too.
                sample: _,
                index_directives,
                inheritance: None,
            } if with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty() => {
                let parts = names::parts(name)?;
                let called = alias.as_ref().map(|alias| alias.name.value.as_str());
                if let Some(args) = args {
                    return self.table_function(&parts, &args.args, alias.as_ref());
                }
                if parts.schema.is_none()
                    && let Some((_, compiled)) = self
                        .ctes
                        .iter()
                        .rev()
                        .find(|(name, _)| *name == parts.name.to_lowercase())
                        .cloned()
                {
                    return Ok(self.add_query(&compiled, called.unwrap_or(&parts.name)));
                }
                self.add_table(&parts, called)
            }
            TableFactor::Function {
                lateral: false,
                name,
                args,
                with_ordinality: false,
                alias,
            } => self.table_function(&names::parts(name)?, args, alias.as_ref()),
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias: Some(alias),
                sample: None,
            } => {
                let mut compiled = self.nested(subquery)?;
                rename(
                    &mut compiled,
                    alias.columns.iter().map(|column| &column.name.value),
                )?;
                named(&compiled, &alias.name.value)?;
                Ok(self.add_query(&compiled, &alias.name.value))
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => Ok(format!("({})", self.joined(table_with_joins)?)),
            other => Err(SqlError::unknown(other).into()),
        }
    }

    fn table_function(
        &mut self,
        name: &names::Parts,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Outcome<String> {
        if name.name.eq_ignore_ascii_case("changetable") {
            return self.change_table(args, alias);
        }
        let mut values = Vec::new();
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(word)))
                    if word.value.eq_ignore_ascii_case("default") =>
                {
                    values.push((super::expr::int(), crate::types::Value::Null));
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                    values.push(self.constant(expr)?);
                }
                other => return Err(SqlError::unknown(other).into()),
            }
        }
        let (table, stored) = self.world.table_function(name, &values)?;
        let called = alias.map_or(name.name.as_str(), |alias| alias.name.value.as_str());
        Ok(self.add_function(table, &stored, called))
    }

    /// `CHANGETABLE(CHANGES t, version) AS c`.
    fn change_table(
        &mut self,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Outcome<String> {
        let plain = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        };
        let (Some(of), Some(since), Some(alias)) = (
            args.first().and_then(plain),
            args.get(1).and_then(plain),
            alias,
        ) else {
            return Err(
                SqlError::unknown("CHANGETABLE without a table, a version or an alias").into(),
            );
        };
        let of = match of {
            Expr::Identifier(name) => vec![name],
            Expr::CompoundIdentifier(names) => names,
            other => return Err(SqlError::unknown(other).into()),
        };
        let of = names::parts(&sqlparser::ast::ObjectName::from(of))?;
        let (_, since) = self.constant(&since)?;
        let (table, stored) = self.world.change_table(&of, &since)?;
        Ok(self.add_function(table, &stored, &alias.name.value))
    }

    fn add_function(&mut self, table: std::sync::Arc<Table>, stored: &str, called: &str) -> String {
        let sql = self.fresh();
        self.push(Source {
            alias: called.to_lowercase(),
            sql: sql.clone(),
            columns: columns(&table),
            table: Some(table),
        });
        format!("{stored} AS {sql}")
    }
}

fn columns(table: &Table) -> Vec<SourceColumn> {
    let column = |column: &crate::store::table::Column| SourceColumn {
        name: column.name.clone(),
        ty: column.ty,
        nullable: column.nullable,
        identity: column.identity.is_some(),
        computed: column.computed.is_some(),
    };
    table.columns.iter().map(column).collect()
}
