use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::Schema;
use clap::{Args, ValueEnum};
use hygge_core::{BuildContext, Context, OneOrMany, code};
use hygge_ddl::{Dialect, Form, Profile, Wanted};
use hygge_engine::{Looker, look_through, look_through_entity};
use hygge_project::PlannedEntity;
use tempfile::TempDir;

use super::kept::{Made, file_name, keep};
use crate::args::{Global, SelectArgs, VarArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::project::{self, Changes};
use crate::verb::Ended;
use crate::verb::plugin::input;
use crate::{runtime, units};

const EXAMPLES: &str = "\
Examples:
  hygge generate ddl --input data/users.parquet --table dbo.Users
  hygge generate ddl --input data/users.parquet --table dbo.Users --key id \\
      --profile --output schema/dbo.Users.sql
  hygge generate ddl --flow sales --output schema     One file an entity
  hygge generate ddl --flow sales --dialect postgres --table 'raw.{entity}'

Types are those that the columns had where they came from, where that is known. Nothing is run in
any database: look the statements over, edit them, and `hygge apply` them.";

/// Write CREATE TABLE statements from a file, or from what the entities of flows give
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DdlArgs {
    /// A Parquet, CSV or NDJSON file to take the columns from
    #[arg(long, value_name = "FILE", conflicts_with_all = ["flows", "entities"], required_unless_present_any = ["flows", "entities"])]
    input: Option<PathBuf>,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    vars: VarArgs,
    /// The table's name; {entity} stands for the entity's [default: the table that the flow
    /// writes, else the name of the entity or file]
    #[arg(long, value_name = "SCHEMA.TABLE")]
    table: Option<String>,
    /// Where to write: a file for --input, a folder for flows [default: print]
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Whose SQL to write
    #[arg(long, value_enum, default_value_t = Named::Mssql)]
    dialect: Named,
    /// Read all rows, for the lengths of texts and for what has no nulls
    #[arg(long)]
    profile: bool,
    /// The columns of the primary key [default: the `key` of the flow's `incremental`, or of its
    /// store]
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    key: Vec<String>,
    /// How SQL Server stores the rows
    #[arg(long, value_enum, default_value_t = Stored::Rowstore)]
    form: Stored,
    /// Write over files that are there and say something else
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Named {
    /// SQL Server and Azure SQL
    Mssql,
    /// PostgreSQL
    Postgres,
    /// DuckDB
    Duckdb,
    /// SQLite
    Sqlite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stored {
    /// In the order of the primary key, where there is one
    Rowstore,
    /// In no order
    Heap,
    /// Column by column, compressed (a clustered columnstore index)
    Columnstore,
}

impl Named {
    fn dialect(self) -> Dialect {
        match self {
            Self::Mssql => Dialect::Mssql,
            Self::Postgres => Dialect::Postgres,
            Self::Duckdb => Dialect::DuckDb,
            Self::Sqlite => Dialect::Sqlite,
        }
    }
}

/// A statement, and the name that its file gets.
struct Statement {
    table: String,
    text: String,
    columns: usize,
}

pub(super) fn run(args: &DdlArgs, global: &Global, console: &Arc<Console>) -> Ended {
    if args.form != Stored::Rowstore && args.dialect != Named::Mssql {
        return Err(Complaint::usage(format!(
            "--form is for SQL Server; {} has one form only",
            args.dialect.dialect()
        )));
    }
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let statements = match &args.input {
        Some(file) => vec![runtime.block_on(of_file(args, file, &cx))?],
        None => {
            let changes = Changes {
                vars: args.vars.vars.clone(),
                selection: args.select.selection(),
                ..Changes::default()
            };
            let project = project::load_found(global, &changes, console)?;
            project.warn(console);
            let made = runtime.block_on(of_entities(args, &project, &cx));
            project.registry.forget_sessions();
            made?
        }
    };
    match &args.output {
        None => {
            let texts: Vec<_> = statements.iter().map(|each| each.text.as_str()).collect();
            console.out(&texts.join("\n"));
        }
        Some(output) => {
            let file = |each: &Statement| match args.input {
                Some(_) => output.clone(),
                None => output.join(format!("{}.sql", file_name(&each.table))),
            };
            let made: Vec<Made> = statements
                .iter()
                .map(|each| Made {
                    file: file(each),
                    text: each.text.clone(),
                    holds: units::many(each.columns as u64, "column", "columns"),
                })
                .collect();
            keep(&made, args.force, console)?;
            console.out("next: look it over, edit it, and `hygge apply` it\n");
        }
    }
    Ok(Exit::Well)
}

async fn of_file(args: &DdlArgs, file: &Path, cx: &Context) -> Result<Statement, Complaint> {
    let work = TempDir::with_prefix("hygge-generate-")
        .map_err(|error| Complaint::failed(format!("no folder to work in: {error}")))?;
    let here = std::env::current_dir()
        .map_err(|error| Complaint::usage(format!("the current folder is gone: {error}")))?;
    // The same text wherever the project stands.
    let shown = file
        .strip_prefix(&here)
        .unwrap_or(file)
        .display()
        .to_string();
    let place = BuildContext {
        root: here,
        work: work.path().to_owned(),
        entity: None,
        run: None,
    };
    let home = input(file, &place).map_err(|complaint| match &complaint.advice {
        Some(advice) if advice.contains("`format:") => {
            complaint.advise("name a file that ends in .parquet, .csv, .ndjson or .arrow")
        }
        _ => complaint,
    })?;
    let looked = look_through(home.as_ref(), args.looker(), cx).await;
    let (schema, profile) = looked.map_err(|fault| match fault.code.as_ref() {
        code::SOURCE_MISSING => fault.advise("name a file that is there: --input FILE"),
        _ if fault
            .advice
            .as_ref()
            .is_some_and(|advice| advice.contains("`format:")) =>
        {
            fault.advise("name a file that ends in .parquet, .csv, .ndjson or .arrow")
        }
        _ => fault,
    })?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default().to_owned();
    args.statement(&schema, &profile, &stem, &args.key, &shown)
}

async fn of_entities(
    args: &DdlArgs,
    project: &project::Project,
    cx: &Context,
) -> Result<Vec<Statement>, Complaint> {
    let mut statements: Vec<Statement> = Vec::new();
    for planned in project.plan.entities() {
        let looked = look_through_entity(
            &project.registry,
            planned,
            &project.plan.place,
            args.looker(),
            cx,
        );
        let (schema, profile) = looked.await.map_err(|fault| {
            let mut complaint = Complaint::from(fault);
            complaint.message = format!("{}: {}", planned.id, complaint.message);
            complaint
        })?;
        let source = format!("flow {}, entity {}", planned.id.flow, planned.id.entity);
        let own = key_of(planned);
        let key = if args.key.is_empty() { &own } else { &args.key };
        let table = table_of(planned);
        let made = args.statement(&schema, &profile, &table, key, &source)?;
        let dialect = args.dialect.dialect();
        let same = |each: &&Statement| dialect.folded(&each.table) == dialect.folded(&made.table);
        if let Some(other) = statements.iter().find(same) {
            return Err(Complaint::usage(format!(
                "two entities would both be table {}",
                other.table
            ))
            .advise("let --table hold {entity}, or name one of them with --entity"));
        }
        let file = |each: &Statement| file_name(&each.table).to_lowercase();
        let beside = |each: &&Statement| args.output.is_some() && file(each) == file(&made);
        if let Some(other) = statements.iter().find(beside) {
            return Err(Complaint::usage(format!(
                "tables {} and {} would both be {}.sql",
                other.table,
                made.table,
                file_name(&made.table)
            ))
            .advise("name one of them with --entity, and give each an --output of its own"));
        }
        statements.push(made);
    }
    Ok(statements)
}

/// The table that an entity's rows go to, or would.
fn table_of(planned: &PlannedEntity) -> String {
    let written = planned.store.settings.expose().get("table");
    match written.and_then(|table| table.as_str()) {
        Some(table) if planned.store.kind == "mssql" => table.to_owned(),
        _ => format!("\"{}\"", planned.id.entity.replace('"', "\"\"")),
    }
}

/// What tells an entity's rows apart: the `key` of its `incremental`, or of its store.
fn key_of(planned: &PlannedEntity) -> Vec<String> {
    let followed = planned.incremental.as_ref().map(|each| each.key.clone());
    let followed = followed.filter(|key| !key.is_empty());
    let stored = || {
        let key = planned.store.settings.expose().get("key")?;
        serde_json::from_value::<OneOrMany>(key.clone()).ok()
    };
    match followed {
        Some(key) => key,
        None => stored().map(OneOrMany::into_vec).unwrap_or_default(),
    }
}

impl DdlArgs {
    fn looker(&self) -> Looker<Profile> {
        Looker {
            seen: Profile::default(),
            take: self.profile.then_some(Profile::take),
        }
    }

    fn statement(
        &self,
        schema: &Schema,
        profile: &Profile,
        table: &str,
        key: &[String],
        source: &str,
    ) -> Result<Statement, Complaint> {
        let written = self.table.as_deref().unwrap_or(table);
        let mut parts = hygge_mssql::name_parts(written)
            .filter(|parts| parts.len() <= 2)
            .ok_or_else(|| {
                Complaint::usage(format!("{written:?} isn't the name of a table")).advise(
                    "write SCHEMA.TABLE; odd names in brackets or quotes: [my schema].[a.b]",
                )
            })?;
        if self.table.is_some() {
            let name = hygge_mssql::name_parts(table).and_then(|mut parts| parts.pop());
            let name = name.as_deref().unwrap_or(table);
            for part in &mut parts {
                *part = part.replace("{entity}", name);
            }
        }
        match (self.dialect, parts.len(), &self.table) {
            (Named::Mssql, 1, _) => parts.insert(0, "dbo".to_owned()),
            // A file has no schemas; that of another database's table says nothing about it.
            (Named::Sqlite, 2, None) => drop(parts.remove(0)),
            (Named::Sqlite, 2, Some(_)) => {
                return Err(Complaint::usage(format!(
                    "SQLite has no schema {:?}: write the table's name alone",
                    parts[0]
                )));
            }
            _ => {}
        }
        let wanted = Wanted {
            dialect: self.dialect.dialect(),
            table: &parts,
            key,
            form: match self.form {
                Stored::Rowstore => Form::Rowstore,
                Stored::Heap => Form::Heap,
                Stored::Columnstore => Form::Columnstore,
            },
            source,
            profile: self.profile.then_some(profile),
        };
        Ok(Statement {
            text: hygge_ddl::write(schema, &wanted)?,
            table: parts.join("."),
            columns: schema.fields().len(),
        })
    }
}
