//! Statements as this server runs them. Queries and expressions are sqlparser's.

use sqlparser::ast::{
    ColumnDef, Expr, Merge, ObjectName, OutputClause, Query, SelectItem, TableConstraint,
    TableWithJoins,
};

use crate::types::SqlType;

/// A statement and the text that it came from.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    /// Table hints by the name or alias that they follow, folded.
    pub(crate) hints: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    Query(Box<Query>),
    DefaultValues,
    Exec,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Column(String),
    Variable(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) name: Option<String>,
    pub(crate) value: Expr,
    pub(crate) output: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Alter {
    /// Columns, constraints, and defaults: their names, their columns and the values.
    Add(
        Vec<ColumnDef>,
        Vec<TableConstraint>,
        Vec<(Option<String>, String, Expr)>,
    ),
    DropColumns(Vec<String>, bool),
    DropConstraints(Vec<String>, bool),
    Retype {
        name: String,
        ty: SqlType,
        nullable: Option<bool>,
    },
    SwitchTo(ObjectName),
    /// `ENABLE CHANGE_TRACKING`, or `DISABLE`.
    Track(bool),
    /// Rebuilds, checks and lock escalation: known, with nothing to do.
    Nothing,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Query(Box<Query>),
    Insert {
        table: ObjectName,
        columns: Vec<String>,
        output: Option<OutputClause>,
        top: Option<Expr>,
        source: Source,
    },
    Update {
        target: ObjectName,
        set: Vec<(Target, Expr)>,
        output: Option<OutputClause>,
        top: Option<Expr>,
        from: Vec<TableWithJoins>,
        filter: Option<Expr>,
        with: Option<sqlparser::ast::With>,
    },
    Delete {
        target: ObjectName,
        output: Option<OutputClause>,
        top: Option<Expr>,
        from: Vec<TableWithJoins>,
        filter: Option<Expr>,
        with: Option<sqlparser::ast::With>,
    },
    Merge(Box<Merge>),
    CreateTable {
        name: ObjectName,
        columns: Vec<ColumnDef>,
        constraints: Vec<TableConstraint>,
    },
    DropTable {
        names: Vec<ObjectName>,
        if_exists: bool,
    },
    AlterTable {
        name: ObjectName,
        alter: Alter,
    },
    CreateIndex {
        name: String,
        table: ObjectName,
        columns: Vec<(String, bool)>,
        included: Vec<String>,
        unique: bool,
        clustered: bool,
        columnstore: bool,
        ignore_duplicates: bool,
    },
    DropIndex {
        name: String,
        table: ObjectName,
        if_exists: bool,
    },
    AlterIndex,
    CreateSchema(String),
    DropSchema(String),
    CreateDatabase(String),
    AlterDatabase {
        name: String,
        setting: String,
        on: bool,
    },
    Truncate(ObjectName),
    UpdateStatistics,
    Declare(Vec<(String, DeclaredAs, Option<Expr>)>),
    SetVariable(String, Expr),
    SetOption(Vec<String>),
    Use(String),
    If {
        condition: Expr,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    While {
        condition: Expr,
        body: Box<Statement>,
    },
    Block(Vec<Statement>),
    Try {
        body: Vec<Statement>,
        catch: Vec<Statement>,
    },
    Throw(Option<(Expr, Expr, Expr)>),
    RaiseError(Vec<Expr>),
    Print(Expr),
    Return(Option<Expr>),
    Break,
    Continue,
    Begin,
    Commit,
    RollBack(Option<String>),
    Save(String),
    Exec {
        into: Option<String>,
        procedure: ObjectName,
        arguments: Vec<Argument>,
    },
    ExecText(Expr),
    InsertBulk {
        table: ObjectName,
        columns: Vec<(String, SqlType)>,
        options: Vec<String>,
    },
    WaitFor(Expr),
    Nothing,
}

#[derive(Clone, Debug)]
pub(crate) enum DeclaredAs {
    Scalar(SqlType),
    Table(Vec<ColumnDef>, Vec<TableConstraint>),
}

/// What an OUTPUT clause lists, and where it goes.
pub(crate) fn output_items(
    output: &OutputClause,
) -> (&[SelectItem], Option<&sqlparser::ast::SelectInto>) {
    match output {
        OutputClause::Output {
            select_items,
            into_table,
            ..
        } => (select_items, into_table.as_ref()),
        OutputClause::Returning { select_items, .. } => (select_items, None),
    }
}
