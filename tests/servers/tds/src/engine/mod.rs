//! Throwaway.
use std::sync::Arc;
use std::time::Duration;
use crate::control::Shared;
use crate::fault::SqlError;
use crate::reply::{Outcome, Reply, Signals};
use crate::store::Database;
use crate::types::{Kind, SqlType, Value, value};
use crate::wire::bulk::Stream;
use crate::wire::login::Login;
use crate::wire::request::{Call, Manage};
use crate::wire::token::{self, Column};

pub(crate) struct Engine { db: Arc<Database>, sqlite: rusqlite::Connection }
pub(crate) fn wait(time: Duration, _: &Signals) -> Outcome { let _ = time; Ok(()) }
impl Engine {
    pub(crate) fn new(_: &Arc<Shared>, _: u16, _: &Login, db: Arc<Database>) -> Result<Self, SqlError> {
        Ok(Self { db, sqlite: rusqlite::Connection::open_in_memory().map_err(SqlError::broken)? })
    }
    pub(crate) fn database(&self) -> &Arc<Database> { &self.db }
    pub(crate) fn interrupt_handle(&self) -> rusqlite::InterruptHandle { self.sqlite.get_interrupt_handle() }
    pub(crate) fn close(&mut self) {}
    pub(crate) fn reset(&mut self, _: bool) -> Outcome { Ok(()) }
    pub(crate) fn in_transaction(&self) -> bool { false }
    pub(crate) fn bulk(&mut self, _: &mut Reply, _: &mut Stream<'_>) -> Outcome { Ok(()) }
    pub(crate) fn calls(&mut self, reply: &mut Reply, calls: Vec<Call>) -> Outcome {
        for call in calls { if let Some(p) = call.parameters.first() { let t = p.value.lossy(); self.batch(reply, &t)?; } }
        Ok(())
    }
    pub(crate) fn manage(&mut self, _: &mut Reply, _: &Manage) -> Outcome { Ok(()) }
    pub(crate) fn batch(&mut self, reply: &mut Reply, text: &str) -> Outcome {
        let mut columns = Vec::new();
        let mut row = vec![token::ROW];
        let Some(rest) = text.trim().to_lowercase().strip_prefix("select ").map(str::to_owned) else { reply.done(0, token::CMD_OTHER, 0); return Ok(()) };
        for (i, item) in rest.split(',').enumerate() {
            let item = item.trim();
            let (ty, v) = match item.parse::<i64>() {
                Ok(n) => (SqlType::plain(Kind::Int), Value::Int(n)),
                Err(_) => (SqlType::nvarchar(item.len()), Value::text(item)),
            };
            columns.push(Column { name: format!("c{i}"), ty, nullable: true, identity: false, computed: false });
            value::put(&mut row, &ty, &v)?;
        }
        reply.columns(&columns);
        reply.tokens().extend(row);
        reply.done(token::COUNT, token::CMD_SELECT, 1);
        Ok(())
    }
}
