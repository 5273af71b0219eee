//! A response on its way out. Each statement's DONE is held back until it's known whether more
//! follows, as its status says so.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault::SqlError;
use crate::wire::link::Outgoing;
use crate::wire::token::{self, Change, Column};

/// Why a request stops before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The client is told.
    Sql(SqlError),
    /// There is nobody to tell.
    Gone,
    /// The client asked for it, by an attention that is still to be read.
    Attention,
    /// The same, and the attention was read where a part of a message was looked for.
    Cancelled,
}

impl From<SqlError> for Halt {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<io::Error> for Halt {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<crate::wire::reader::Short> for Halt {
    fn from(short: crate::wire::reader::Short) -> Self {
        Self::Sql(short.into())
    }
}

pub(crate) type Outcome<T = ()> = Result<T, Halt>;

/// What the reading half saw while a request runs.
#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) attention: AtomicBool,
    pub(crate) gone: AtomicBool,
}

impl Signals {
    pub(crate) fn check(&self) -> Outcome {
        if self.gone.load(Ordering::SeqCst) {
            return Err(Halt::Gone);
        }
        if self.attention.load(Ordering::SeqCst) {
            return Err(Halt::Attention);
        }
        Ok(())
    }
}

struct Done {
    token: u8,
    status: u16,
    command: u16,
    rows: u64,
}

pub(crate) struct Reply {
    /// Nobody, for scripts that the server runs for itself.
    pub(crate) out: Option<Outgoing>,
    pub(crate) signals: Arc<Signals>,
    buffer: Vec<u8>,
    held: Option<Done>,
    /// Inside a call, where a statement's end is a DONEINPROC.
    pub(crate) in_call: bool,
    pub(crate) in_transaction: bool,
    /// The first error, for scripts.
    pub(crate) first_error: Option<SqlError>,
}

const FLUSH: usize = 32 * 1024;

impl Reply {
    pub(crate) fn new(out: Option<Outgoing>, signals: Arc<Signals>) -> Self {
        Self {
            out,
            signals,
            buffer: Vec::new(),
            held: None,
            in_call: false,
            in_transaction: false,
            first_error: None,
        }
    }

    fn release(&mut self, more: u16) {
        if let Some(done) = self.held.take() {
            token::done(
                &mut self.buffer,
                done.token,
                done.status | more,
                done.command,
                done.rows,
            );
        }
    }

    /// Where the next token goes; what was held back goes first.
    pub(crate) fn tokens(&mut self) -> &mut Vec<u8> {
        self.release(token::MORE);
        &mut self.buffer
    }

    /// Sends what there is once it is worth it; stops if the client wants no more.
    pub(crate) fn pace(&mut self) -> Outcome {
        if self.buffer.len() < FLUSH {
            return Ok(());
        }
        self.signals.check()?;
        if let Some(out) = &mut self.out {
            out.write(&self.buffer)?;
        }
        self.buffer.clear();
        Ok(())
    }

    pub(crate) fn columns(&mut self, columns: &[Column]) {
        token::colmetadata(self.tokens(), columns);
    }

    pub(crate) fn done(&mut self, status: u16, command: u16, rows: u64) {
        self.release(token::MORE);
        let token = if self.in_call {
            token::DONEINPROC
        } else {
            token::DONE
        };
        let status = status
            | if self.in_transaction {
                token::IN_TRANSACTION
            } else {
                0
            };
        self.held = Some(Done {
            token,
            status,
            command,
            rows,
        });
    }

    /// The end of a call.
    pub(crate) fn done_call(&mut self, status: u16) {
        self.release(token::MORE);
        self.held = Some(Done {
            token: token::DONEPROC,
            status,
            command: 0,
            rows: 0,
        });
    }

    pub(crate) fn message(&mut self, error: &SqlError, line: u32) {
        if error.class > 10 && self.first_error.is_none() {
            self.first_error = Some(error.clone());
        }
        token::message(self.tokens(), error, crate::SERVER_NAME, line);
    }

    pub(crate) fn change(&mut self, change: &Change<'_>) {
        token::environment(self.tokens(), change);
    }

    /// Ends the response.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.held.is_none() && self.buffer.is_empty() {
            self.done(0, token::CMD_OTHER, 0);
        }
        self.release(0);
        let buffer = std::mem::take(&mut self.buffer);
        if let Some(out) = &mut self.out {
            out.write(&buffer)?;
            out.finish()?;
        }
        Ok(())
    }

    /// Ends the response as an attention is acknowledged (2.2.1.7).
    pub(crate) fn acknowledge_attention(&mut self) -> io::Result<()> {
        self.held = None;
        self.buffer.clear();
        token::done(&mut self.buffer, token::DONE, token::ATTENTION, 0, 0);
        let buffer = std::mem::take(&mut self.buffer);
        if let Some(out) = &mut self.out {
            out.write(&buffer)?;
            out.finish()?;
        }
        Ok(())
    }
}
