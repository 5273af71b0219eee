//! What a client asks for: batches, calls of procedures, and transactions.

use super::reader::{Reader, utf16};
use crate::fault::{Result, SqlError};
use crate::types::info::{self, Declared};
use crate::types::{SqlType, Value, value};

/// Skips `ALL_HEADERS` (2.2.5.3). Only their lengths are looked at: a session has one request at a
/// time, and its transaction is the session's.
fn skip_headers(reader: &mut Reader<'_>) -> Result<()> {
    let total = usize::try_from(reader.u32()?).map_err(SqlError::protocol)?;
    let rest = total
        .checked_sub(4)
        .ok_or_else(|| SqlError::protocol("the headers have no length"))?;
    reader.take(rest)?;
    Ok(())
}

/// The text of a SQL batch (2.2.6.7).
pub(crate) fn batch(bytes: &[u8]) -> Result<String> {
    let mut reader = Reader::new(bytes);
    skip_headers(&mut reader)?;
    utf16(reader.take(reader.left())?)
}

/// A parameter of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    /// With its `@`; empty if it has none.
    pub(crate) name: String,
    pub(crate) output: bool,
    pub(crate) default: bool,
    pub(crate) ty: SqlType,
    pub(crate) value: Value,
}

/// The procedures that have a number instead of a name (2.2.6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Procedure {
    Named(String),
    ExecuteSql,
    Prepare,
    Execute,
    PrepareExecute,
    Unprepare,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) procedure: Procedure,
    pub(crate) parameters: Vec<Parameter>,
}

/// The calls of an RPC request (2.2.6.6).
pub(crate) fn calls(bytes: &[u8]) -> Result<Vec<Call>> {
    let mut reader = Reader::new(bytes);
    skip_headers(&mut reader)?;
    let mut calls = Vec::new();
    while reader.left() > 0 {
        let units = reader.u16()?;
        let procedure = if units == 0xFFFF {
            match reader.u16()? {
                10 => Procedure::ExecuteSql,
                11 => Procedure::Prepare,
                12 => Procedure::Execute,
                13 => Procedure::PrepareExecute,
                15 => Procedure::Unprepare,
                other => {
                    return Err(SqlError::new(
                        2812,
                        format!("The test server doesn't know the procedure number {other}."),
                    ));
                }
            }
        } else {
            Procedure::Named(utf16(reader.take(usize::from(units) * 2)?)?)
        };
        let _flags = reader.u16()?;
        let mut parameters = Vec::new();
        while let Some(next) = reader.peek() {
            // The end of a call, with or without execution.
            if next == 0xFF || next == 0xFE || next == 0x80 {
                reader.u8()?;
                break;
            }
            parameters.push(parameter(&mut reader)?);
        }
        calls.push(Call {
            procedure,
            parameters,
        });
    }
    if calls.is_empty() {
        return Err(SqlError::protocol("a call without a procedure"));
    }
    Ok(calls)
}

fn parameter(reader: &mut Reader<'_>) -> Result<Parameter> {
    let name = reader.b_varchar()?;
    let flags = reader.u8()?;
    let declared: Declared = info::read(reader)?;
    let value = match value::raw(&declared, reader)? {
        None => Value::Null,
        Some(data) => value::parse(&declared.ty, &data)?,
    };
    Ok(Parameter {
        name,
        output: flags & 1 != 0,
        default: flags & 2 != 0,
        ty: declared.ty,
        value,
    })
}

/// A transaction manager request (2.2.6.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manage {
    Begin {
        isolation: u8,
    },
    Commit {
        then_begin: Option<u8>,
    },
    RollBack {
        name: String,
        then_begin: Option<u8>,
    },
    Save {
        name: String,
    },
}

pub(crate) fn manage(bytes: &[u8]) -> Result<Manage> {
    let mut reader = Reader::new(bytes);
    skip_headers(&mut reader)?;
    let kind = reader.u16()?;
    Ok(match kind {
        5 => {
            let isolation = reader.u8()?;
            let _name = name(&mut reader)?;
            Manage::Begin { isolation }
        }
        7 | 8 => {
            let name = name(&mut reader)?;
            let then_begin = if reader.u8()? & 1 != 0 {
                Some(reader.u8()?)
            } else {
                None
            };
            if kind == 7 {
                Manage::Commit { then_begin }
            } else {
                Manage::RollBack { name, then_begin }
            }
        }
        9 => Manage::Save {
            name: name(&mut reader)?,
        },
        other => {
            return Err(SqlError::protocol(format!(
                "the test server doesn't know the transaction request {other}"
            )));
        }
    })
}

/// A transaction's name, whose length is told in bytes.
fn name(reader: &mut Reader<'_>) -> Result<String> {
    let length = usize::from(reader.u8()?);
    utf16(reader.take(length)?)
}
