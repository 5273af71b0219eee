//! Procedures: those that a client calls by RPC, and those that a batch executes.

use std::time::Duration;

use sqlparser::ast::{Expr, ObjectName};

use super::{Engine, Prepared, Variables};
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome, Reply};
use crate::sql::ast::Argument;
use crate::sql::names;
use crate::store::locks::{Granted, Mode, Owner, Resource};
use crate::types::convert::{How, convert};
use crate::types::{Kind, SqlType, Value, value};
use crate::wire::request::{Call, Parameter, Procedure};
use crate::wire::token;

/// An argument as a procedure gets it, from a client or from a batch.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// Folded, without its `@`; empty if there was none.
    name: String,
    ty: SqlType,
    value: Value,
    output: bool,
    /// The variable that an output goes to.
    variable: Option<String>,
}

/// What a procedure leaves: its status, and outputs by the place of the argument.
#[derive(Default)]
struct Left {
    status: i64,
    outputs: Vec<(usize, SqlType, Value)>,
}

/// Parameters of a text: `@a int, @b nvarchar(20) OUTPUT`.
fn declarations(text: &str) -> Result<Vec<(String, SqlType, bool)>, SqlError> {
    let mut all = Vec::new();
    let (mut depth, mut part) = (0, String::new());
    for char in text.chars().chain([',']) {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if char == ',' && depth == 0 {
            let words = part.trim();
            if !words.is_empty() {
                let (name, rest) = words
                    .split_once(char::is_whitespace)
                    .ok_or_else(|| SqlError::unknown(words))?;
                let mut rest = rest.trim().to_owned();
                let lower = rest.to_lowercase();
                let output = lower.ends_with(" output") || lower.ends_with(" out");
                if output {
                    rest.truncate(lower.rfind(" out").unwrap_or(rest.len()));
                }
                let rest = rest
                    .split_once('=')
                    .map_or(rest.as_str(), |(ty, _)| ty)
                    .trim()
                    .to_owned();
                let rest = rest.strip_prefix("as ").unwrap_or(&rest).to_owned();
                all.push((name.to_lowercase(), names::parse_type(&rest)?, output));
            }
            part.clear();
        } else {
            part.push(char);
        }
    }
    Ok(all)
}

impl Engine {
    /// A call by RPC (2.2.6.6): results, outputs, the status.
    pub(super) fn call(&mut self, reply: &mut Reply, call: &Call) -> Outcome {
        reply.in_call = true;
        let name = match &call.procedure {
            Procedure::Named(name) => name.clone(),
            Procedure::ExecuteSql => "sp_executesql".to_owned(),
            Procedure::Prepare => "sp_prepare".to_owned(),
            Procedure::Execute => "sp_execute".to_owned(),
            Procedure::PrepareExecute => "sp_prepexec".to_owned(),
            Procedure::Unprepare => "sp_unprepare".to_owned(),
        };
        let given: Vec<Given> = call
            .parameters
            .iter()
            .map(
                |Parameter {
                     name,
                     output,
                     ty,
                     value,
                     ..
                 }| Given {
                    name: name.trim_start_matches('@').to_lowercase(),
                    ty: *ty,
                    value: value.clone(),
                    output: *output,
                    variable: None,
                },
            )
            .collect();
        let before = self.variables.len();
        let outcome = self.procedure(reply, &name, &given);
        self.variables.truncate(before);
        let left = match outcome {
            Ok(left) => left,
            Err(Halt::Sql(error)) if error.class < 20 => {
                reply.message(&error, 1);
                reply.in_transaction = self.transaction.is_some();
                reply.done_call(token::ERROR);
                return Ok(());
            }
            Err(halt) => return Err(halt),
        };
        token::return_status(
            reply.tokens(),
            i32::try_from(left.status).unwrap_or_default(),
        );
        for (at, ty, output) in left.outputs {
            let mut bytes = Vec::new();
            value::put(&mut bytes, &ty, &output)?;
            let ordinal = u16::try_from(at).unwrap_or_default();
            let name = call
                .parameters
                .get(at)
                .map(|parameter| parameter.name.clone())
                .unwrap_or_default();
            token::return_value(reply.tokens(), ordinal, &name, &ty, &bytes);
        }
        reply.done_call(0);
        Ok(())
    }

    /// EXEC within a batch.
    pub(super) fn execute_procedure(
        &mut self,
        reply: &mut Reply,
        into: Option<&str>,
        procedure: &ObjectName,
        arguments: &[Argument],
    ) -> Outcome {
        let name = names::parts(procedure)?.name;
        let mut given = Vec::new();
        for argument in arguments {
            let variable = match &argument.value {
                Expr::Identifier(ident) if ident.value.starts_with('@') => {
                    Some(ident.value.clone())
                }
                _ => None,
            };
            // A bare word is a text.
            let (ty, value) = match &argument.value {
                Expr::Identifier(ident)
                    if !ident.value.starts_with('@') && ident.quote_style.is_none() =>
                {
                    (SqlType::nvarchar(128), Value::text(&ident.value))
                }
                other => self.value(other)?,
            };
            let name = argument
                .name
                .as_deref()
                .unwrap_or_default()
                .trim_start_matches('@')
                .to_lowercase();
            given.push(Given {
                name,
                ty,
                value,
                output: argument.output,
                variable,
            });
        }
        let before = self.variables.len();
        let was_in_call = std::mem::replace(&mut reply.in_call, true);
        let outcome = self.procedure(reply, &name, &given);
        reply.in_call = was_in_call;
        self.variables.truncate(before);
        let left = outcome?;
        for (at, ty, value) in left.outputs {
            if let Some(variable) = &given[at].variable {
                self.set_variable(variable, &ty, value)?;
            }
        }
        if let Some(into) = into {
            self.set_variable(into, &SqlType::plain(Kind::BigInt), Value::Int(left.status))?;
        }
        Ok(())
    }

    fn procedure(&mut self, reply: &mut Reply, name: &str, given: &[Given]) -> Outcome<Left> {
        let folded = names::parse(name)
            .map_or_else(|| name.to_lowercase(), |parts| parts.name.to_lowercase());
        match folded.as_str() {
            "sp_executesql" => {
                let text = text(given, 0, &["stmt", "statement"])?;
                let declared = if given.len() > 1 {
                    text_or_empty(&given[1])?
                } else {
                    String::new()
                };
                let values = given.get(2..).unwrap_or_default();
                self.parametrised(reply, &text, &declared, values, 2)
            }
            "sp_prepare" => {
                let (declared, text) =
                    (text_or_empty(at(given, 1)?)?, text_or_empty(at(given, 2)?)?);
                let handle = self.prepare(declared, text);
                Ok(Left {
                    status: 0,
                    outputs: vec![(0, SqlType::plain(Kind::Int), Value::Int(handle))],
                })
            }
            "sp_prepexec" => {
                let (declarations, text) =
                    (text_or_empty(at(given, 1)?)?, text_or_empty(at(given, 2)?)?);
                let handle = self.prepare(declarations.clone(), text.clone());
                let mut left = self.parametrised(
                    reply,
                    &text,
                    &declarations,
                    given.get(3..).unwrap_or_default(),
                    3,
                )?;
                left.outputs
                    .insert(0, (0, SqlType::plain(Kind::Int), Value::Int(handle)));
                Ok(left)
            }
            "sp_execute" => {
                let handle = number(at(given, 0)?)?;
                let Prepared { declarations, text } =
                    self.prepared.get(&handle).cloned().ok_or_else(|| {
                        SqlError::new(
                            8179,
                            format!("Could not find prepared statement with handle {handle}."),
                        )
                    })?;
                self.parametrised(
                    reply,
                    &text,
                    &declarations,
                    given.get(1..).unwrap_or_default(),
                    1,
                )
            }
            "sp_unprepare" => {
                let handle = number(at(given, 0)?)?;
                self.prepared
                    .remove(&handle)
                    .map(|_| Left::default())
                    .ok_or_else(|| {
                        SqlError::new(
                            8179,
                            format!("Could not find prepared statement with handle {handle}."),
                        )
                        .into()
                    })
            }
            "sp_getapplock" => self.get_lock(given),
            "sp_releaseapplock" => self.release_lock(given),
            "sp_rename" => {
                let kind = named(given, 2, &["objtype"])
                    .map(text_or_empty)
                    .transpose()?
                    .unwrap_or_default()
                    .to_lowercase();
                self.enter_procedure(reply, "sp_rename", |engine| {
                    engine.rename(
                        &text(given, 0, &["objname"])?,
                        &text(given, 1, &["newname"])?,
                        &kind,
                    )
                })?;
                Ok(Left::default())
            }
            "sp_describe_first_result_set" => {
                let text = text(given, 0, &["tsql"])?;
                let parameters = named(given, 1, &["params"])
                    .map(text_or_empty)
                    .transpose()?
                    .unwrap_or_default();
                self.describe(reply, &text, &parameters)?;
                Ok(Left::default())
            }
            "sp_tablecollations_100" | "sp_tablecollations_90" => {
                let name = text(given, 0, &["object"])?;
                self.table_collations(reply, &name)?;
                Ok(Left::default())
            }
            "sp_reset_connection" => {
                self.reset(false)?;
                Ok(Left::default())
            }
            "sp_set_session_context" => Ok(Left::default()),
            "xp_msver" | "sp_server_info" => Err(SqlError::new(
                2812,
                format!("Could not find stored procedure '{name}': the test server hasn't it."),
            )
            .into()),
            _ => Err(
                SqlError::new(2812, format!("Could not find stored procedure '{name}'."))
                    .state(62)
                    .into(),
            ),
        }
    }

    /// Runs a procedure that changes something as a statement of its own.
    fn enter_procedure(
        &mut self,
        reply: &mut Reply,
        _name: &str,
        run: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let before = self.pending.clone();
        self.look();
        let outcome = run(self);
        self.settle(outcome.is_ok(), before);
        reply.in_transaction = self.transaction.is_some();
        outcome
    }

    fn prepare(&mut self, declarations: String, text: String) -> i64 {
        let handle = self.next_prepared;
        self.next_prepared += 1;
        self.prepared
            .insert(handle, Prepared { declarations, text });
        handle
    }

    /// Runs a text with parameters; outputs are told by their place among all the arguments.
    fn parametrised(
        &mut self,
        reply: &mut Reply,
        text: &str,
        declared: &str,
        values: &[Given],
        skipped: usize,
    ) -> Outcome<Left> {
        let declared = declarations(declared)?;
        let mut variables = Variables::new();
        let mut outputs = Vec::new();
        for (at, (name, ty, _)) in declared.iter().enumerate() {
            let plain = name.trim_start_matches('@');
            let by_name = values.iter().position(|given| given.name == plain);
            let place = by_name.or_else(|| {
                values
                    .get(at)
                    .filter(|given| given.name.is_empty())
                    .map(|_| at)
            });
            let Some(place) = place else {
                return Err(SqlError::new(8178, format!("The parameterized query '({})' expects the parameter '{name}', which was not supplied.", text.chars().take(80).collect::<String>())).into());
            };
            let given = &values[place];
            variables.insert(
                name.clone(),
                (
                    *ty,
                    convert(given.value.clone(), &given.ty, ty, 0, How::Cast)?,
                ),
            );
            if given.output {
                outputs.push((place, name.clone()));
            }
        }
        if values.len() > declared.len() {
            return Err(SqlError::new(8144, "The query has too many arguments specified.").into());
        }
        let was_in_call = std::mem::replace(&mut reply.in_call, true);
        let outcome = self.nested_text(reply, text, Some(variables));
        reply.in_call = was_in_call;
        outcome?;
        let variables = self.variables.last().cloned().unwrap_or_default();
        let outputs = outputs
            .into_iter()
            .filter_map(|(place, name)| {
                variables
                    .get(&name)
                    .map(|(ty, value)| (place + skipped, *ty, value.clone()))
            })
            .collect();
        Ok(Left {
            status: i64::from(if reply.first_error.is_some() {
                self.last_error
            } else {
                0
            }),
            outputs,
        })
    }

    /// `sp_getapplock`: 0 if granted at once, 1 after waiting, -1 too late, -3 a deadlock's victim.
    fn get_lock(&mut self, given: &[Given]) -> Outcome<Left> {
        let resource = Resource::Application(text(given, 0, &["resource"])?);
        let mode = lock_mode(&text(given, 1, &["lockmode"])?)?;
        let owner = lock_owner(named(given, 2, &["lockowner"]))?;
        if owner == Owner::Transaction && self.transaction.is_none() {
            return Err(SqlError::new(15_604, "An open transaction is required for a lock that belongs to one (sp_getapplock: -999).").class(11).into());
        }
        let limit = match named(given, 3, &["locktimeout"]).map(number).transpose()? {
            None => self.settings.lock_timeout,
            Some(time) if time < 0 => None,
            Some(time) => Some(Duration::from_millis(
                u64::try_from(time).unwrap_or_default(),
            )),
        };
        let status = match self.database.locks.acquire(
            self.spid,
            &resource,
            mode,
            owner,
            limit,
            &self.signals,
        ) {
            Ok(Granted::AtOnce) => 0,
            Ok(Granted::AfterWaiting) => 1,
            Err(Halt::Sql(error)) if error.number == 1222 => -1,
            Err(Halt::Sql(error)) if error.number == 1205 => -3,
            Err(halt) => return Err(halt),
        };
        Ok(Left {
            status,
            outputs: Vec::new(),
        })
    }

    fn release_lock(&mut self, given: &[Given]) -> Outcome<Left> {
        let name = text(given, 0, &["resource"])?;
        let owner = lock_owner(named(given, 1, &["lockowner"]))?;
        if self
            .database
            .locks
            .release_one(self.spid, &Resource::Application(name.clone()), owner)
        {
            return Ok(Left::default());
        }
        Err(SqlError::new(1223, format!("Cannot release the application lock (Database Principal: 'public', Resource: '{name}') because it is not currently held.")).into())
    }
}

pub(super) fn lock_mode(text: &str) -> Result<Mode, SqlError> {
    Ok(match text.to_lowercase().as_str() {
        "shared" => Mode::Shared,
        "update" => Mode::Update,
        "intentshared" => Mode::IntentShared,
        "intentexclusive" => Mode::IntentExclusive,
        "exclusive" => Mode::Exclusive,
        other => {
            return Err(SqlError::new(
                15_600,
                format!(
                    "An invalid parameter or option was specified for procedure 'sys.sp_getapplock': the mode {other}."
                ),
            ));
        }
    })
}

fn lock_owner(given: Option<&Given>) -> Result<Owner, SqlError> {
    match given
        .map(text_or_empty)
        .transpose()?
        .unwrap_or_default()
        .to_lowercase()
        .as_str()
    {
        "session" => Ok(Owner::Session),
        "transaction" | "" => Ok(Owner::Transaction),
        other => Err(SqlError::new(
            15_600,
            format!(
                "An invalid parameter or option was specified for procedure 'sys.sp_getapplock': the owner {other}."
            ),
        )),
    }
}

/// An argument by its name, or by its place if it has none.
fn named<'g>(given: &'g [Given], place: usize, names: &[&str]) -> Option<&'g Given> {
    given
        .iter()
        .find(|given| names.contains(&given.name.as_str()))
        .or_else(|| given.get(place).filter(|given| given.name.is_empty()))
}

fn at(given: &[Given], place: usize) -> Result<&Given, SqlError> {
    given.get(place).ok_or_else(|| {
        SqlError::new(
            201,
            "The procedure expects a parameter, which was not supplied.",
        )
        .state(4)
    })
}

fn text(given: &[Given], place: usize, names: &[&str]) -> Result<String, SqlError> {
    let found = named(given, place, names)
        .or_else(|| given.get(place))
        .ok_or_else(|| {
            SqlError::new(
                201,
                format!(
                    "The procedure expects the parameter '@{}', which was not supplied.",
                    names[0]
                ),
            )
            .state(4)
        })?;
    text_or_empty(found)
}

fn text_or_empty(given: &Given) -> Result<String, SqlError> {
    let long = SqlType::sized(Kind::NVarChar, crate::types::MAX);
    Ok(
        match convert(given.value.clone(), &given.ty, &long, 0, How::Cast)? {
            Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            _ => String::new(),
        },
    )
}

fn number(given: &Given) -> Result<i64, SqlError> {
    match convert(
        given.value.clone(),
        &given.ty,
        &SqlType::plain(Kind::BigInt),
        0,
        How::Cast,
    )? {
        Value::Int(number) => Ok(number),
        _ => Ok(0),
    }
}

/// The parameters of a text, for those who describe it.
pub(super) fn declared_variables(text: &str) -> Result<Variables, SqlError> {
    Ok(declarations(text)?
        .into_iter()
        .map(|(name, ty, _)| (name, (ty, Value::Null)))
        .collect())
}
