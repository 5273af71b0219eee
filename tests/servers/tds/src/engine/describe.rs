//! What a text's first result would be, without running it.

use std::sync::Arc;

use super::catalogue::{Cell, build, type_id};
use super::{Engine, procedures};
use crate::fault::SqlError;
use crate::reply::{Outcome, Reply};
use crate::sql::ast::{Kind as Statement, Statement as Read};
use crate::sql::parse;
use crate::store::table::Table;
use crate::wire::token::Column;

const COLUMNS: [(&str, &str); 18] = [
    ("is_hidden", "bit"),
    ("column_ordinal", "int"),
    ("name", "sysname"),
    ("is_nullable", "bit"),
    ("system_type_id", "int"),
    ("system_type_name", "nvarchar(256)"),
    ("max_length", "smallint"),
    ("precision", "tinyint"),
    ("scale", "tinyint"),
    ("collation_name", "sysname"),
    ("user_type_id", "int"),
    ("is_identity_column", "bit"),
    ("is_computed_column", "bit"),
    ("is_updateable", "bit"),
    ("error_number", "int"),
    ("error_severity", "int"),
    ("error_state", "int"),
    ("error_message", "nvarchar(4000)"),
];

impl Engine {
    /// The columns of the first query in a text.
    fn first_result(&mut self, text: &str, parameters: &str) -> Outcome<Vec<Column>> {
        let variables = procedures::declared_variables(parameters)?;
        let statements = parse::batch(text)?;
        self.variables.push(variables);
        let outcome = self.first_of(&statements);
        self.variables.pop();
        outcome
    }

    fn first_of(&mut self, statements: &[Read]) -> Outcome<Vec<Column>> {
        for statement in statements {
            match &statement.kind {
                Statement::Query(query) => return Ok(self.compile(query)?.0.columns),
                Statement::SetOption(_) => {}
                _ => return Err(SqlError::new(11_513, "The metadata could not be determined because the test server describes a batch only if its first statement is a query.").into()),
            }
        }
        Ok(Vec::new())
    }

    fn described(columns: &[Column]) -> Vec<Vec<Cell>> {
        let row = |(ordinal, column): (i64, &Column)| {
            let ty = &column.ty;
            vec![
                Cell::Bit(false),
                Cell::Int(ordinal),
                if column.name.is_empty() {
                    Cell::Null
                } else {
                    Cell::Text(column.name.clone())
                },
                Cell::Bit(column.nullable),
                Cell::Int(type_id(ty)),
                Cell::Text(ty.declared()),
                Cell::Int(if ty.length == crate::types::MAX {
                    -1
                } else {
                    i64::from(ty.length)
                }),
                Cell::Int(i64::from(ty.precision)),
                Cell::Int(i64::from(ty.scale)),
                if ty.is_text() && !ty.is_document() {
                    Cell::Text(ty.collation.name())
                } else {
                    Cell::Null
                },
                Cell::Null,
                Cell::Bit(column.identity),
                Cell::Bit(column.computed),
                Cell::Bit(!column.identity && !column.computed),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]
        };
        (1..).zip(columns).map(row).collect()
    }

    /// `sp_describe_first_result_set`.
    pub(super) fn describe(&mut self, reply: &mut Reply, text: &str, parameters: &str) -> Outcome {
        let columns = self.first_result(text, parameters)?;
        let table = build(
            "sys",
            "sp_describe_first_result_set",
            &COLUMNS,
            Self::described(&columns),
        )?;
        self.send_table(reply, &table)
    }

    /// `sys.dm_exec_describe_first_result_set(text, parameters, mode)`: an error is a row.
    pub(super) fn describe_table(&mut self, text: &str, parameters: &str) -> Outcome<Arc<Table>> {
        let rows = match self.first_result(text, parameters) {
            Ok(columns) => Self::described(&columns),
            Err(crate::reply::Halt::Sql(error)) => {
                let mut row: Vec<Cell> = COLUMNS.iter().map(|_| Cell::Null).collect();
                row[14] = Cell::Int(i64::from(error.number));
                row[15] = Cell::Int(i64::from(error.class));
                row[16] = Cell::Int(i64::from(error.state));
                row[17] = Cell::Text(error.message);
                vec![row]
            }
            Err(halt) => return Err(halt),
        };
        Ok(build(
            "sys",
            "dm_exec_describe_first_result_set",
            &COLUMNS,
            rows,
        )?)
    }

    /// `sp_tablecollations_100`, which bulk loaders ask before they load.
    pub(super) fn table_collations(&mut self, reply: &mut Reply, name: &str) -> Outcome {
        let parts = crate::sql::names::parse(name)
            .ok_or_else(|| SqlError::new(208, format!("Invalid object name '{name}'.")))?;
        let name = self.own_name(&parts)?;
        let table = self.lookup(&name).ok_or_else(|| Self::no_object(&parts))?;
        let rows = table.columns.iter().map(|column| {
            let is_text = column.ty.is_text() && !column.ty.is_document();
            let (bytes, collation) = if is_text {
                let bytes = column.ty.collation.bytes().to_vec();
                (Cell::Bytes(bytes), Cell::Text(column.ty.collation.name()))
            } else {
                (Cell::Null, Cell::Null)
            };
            vec![
                Cell::Int(column.id),
                Cell::Text(column.name.clone()),
                bytes,
                collation,
            ]
        });
        let columns = [
            ("colid", "int"),
            ("name", "sysname"),
            ("tds_collation", "binary(5)"),
            ("collation", "sysname"),
        ];
        let table = build("sys", "sp_tablecollations_100", &columns, rows.collect())?;
        self.send_table(reply, &table)
    }

    fn send_table(&mut self, reply: &mut Reply, table: &Table) -> Outcome {
        let columns: Vec<Column> = table
            .columns
            .iter()
            .map(|column| Column {
                name: column.name.clone(),
                ty: column.ty,
                nullable: column.nullable,
                identity: false,
                computed: false,
            })
            .collect();
        reply.columns(&columns);
        let mut places = Vec::new();
        for row in table.rows.iter() {
            crate::store::table::places(&table.columns, row, &mut places);
            super::select::put_row(reply.tokens(), &columns, row, |at| {
                places[at]..places[at + 1]
            })?;
        }
        let count = u64::try_from(table.rows.len()).unwrap_or_default();
        reply.done(
            crate::wire::token::COUNT,
            crate::wire::token::CMD_SELECT,
            count,
        );
        Ok(())
    }
}
