//! A bulk load's rows as they arrive (2.2.6.1).

use std::sync::mpsc::Receiver;

use super::packet::{self, Packet};
use super::reader::{Reader, Short};
use super::token::{DONE, ROW};
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome};
use crate::session::Arrived;
use crate::types::info::{self, Declared};

/// A column as the client declares it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether it is flagged as an identity column, whose values are kept (2.2.7.4).
    pub(crate) identity: bool,
    pub(crate) declared: Declared,
}

/// The packets of one message, joined only as far as a row needs them.
pub(crate) struct Stream<'a> {
    arrivals: &'a Receiver<Arrived>,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(first: Packet, arrivals: &'a Receiver<Arrived>) -> Self {
        let ended = first.ends();
        Self {
            arrivals,
            buffer: first.body,
            at: 0,
            ended,
        }
    }

    /// Waits for a packet more; false if that was the last.
    pub(crate) fn more(&mut self) -> Outcome<bool> {
        if self.ended {
            return Ok(false);
        }
        match self.arrivals.recv() {
            Ok(Arrived::Packet(packet)) => {
                self.ended = packet.ends();
                if self.at > 0 {
                    self.buffer.drain(..self.at);
                    self.at = 0;
                }
                self.buffer.extend(&packet.body);
                if packet.header.status & packet::IGNORE != 0 {
                    return Err(ignored());
                }
                Ok(true)
            }
            Ok(Arrived::Attention) => Err(Halt::Cancelled),
            Err(_) => Err(Halt::Gone),
        }
    }

    /// Whether the message ends here: `FreeTDS` ends a load so, without a DONE.
    pub(crate) fn is_over(&mut self) -> Outcome<bool> {
        while self.at == self.buffer.len() {
            if !self.more()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads to the end of the message and forgets it.
    pub(crate) fn drain(&mut self) -> Outcome {
        loop {
            self.at = self.buffer.len();
            if !self.more()? {
                return Ok(());
            }
        }
    }

    /// Tries to read something; waits for more where it ends too early.
    pub(crate) fn read<T>(
        &mut self,
        mut read: impl FnMut(&mut Reader<'_>) -> Result<T, Stop>,
    ) -> Outcome<T> {
        loop {
            let mut reader = Reader::new(&self.buffer[self.at..]);
            match read(&mut reader) {
                Ok(found) => {
                    self.at += reader.position();
                    return Ok(found);
                }
                Err(Stop::Sql(error)) => return Err(error.into()),
                Err(Stop::Short) => {
                    // Twice as much before it's tried again: a long value comes in many packets.
                    let wanted = (self.buffer.len() - self.at) * 2;
                    let mut came = false;
                    while self.more()? {
                        came = true;
                        if self.buffer.len() - self.at >= wanted {
                            break;
                        }
                    }
                    if !came {
                        return Err(SqlError::protocol("a bulk load ends within a row").into());
                    }
                }
            }
        }
    }
}

/// Why something can't be read: it isn't all there yet, or it is wrong.
#[derive(Debug)]
pub(crate) enum Stop {
    Short,
    Sql(SqlError),
}

impl From<Short> for Stop {
    fn from(_: Short) -> Self {
        Self::Short
    }
}

/// The columns that a load begins with (2.2.7.4), as far as there are bytes for.
pub(crate) fn columns(reader: &mut Reader<'_>) -> Result<Vec<Column>, Stop> {
    match reader.u8()? {
        super::token::COLMETADATA => {}
        other => {
            return Err(Stop::Sql(SqlError::protocol(format!(
                "a bulk load begins with the token 0x{other:02X}"
            ))));
        }
    }
    let count = reader.u16()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let _user_type = reader.u32()?;
        let flags = reader.u16()?;
        let before = reader.clone();
        let declared = match info::read(reader) {
            Ok(declared) => declared,
            // The declaration reader tells an early end as an error of the protocol: only where
            // everything is there is it one.
            Err(_) if before.left() < 64 => return Err(Stop::Short),
            Err(error) => return Err(Stop::Sql(error)),
        };
        if declared.ty.has_text_pointer() {
            for _ in 0..reader.u8()? {
                let units = usize::from(reader.u16()?);
                reader.take(units * 2)?;
            }
        }
        let units = usize::from(reader.u8()?);
        let name = super::reader::utf16(reader.take(units * 2)?).map_err(Stop::Sql)?;
        columns.push(Column {
            name,
            identity: flags & 0x0010 != 0,
            declared,
        });
    }
    Ok(columns)
}

/// What stands next: a row, or the end.
pub(crate) fn next(reader: &mut Reader<'_>) -> Result<bool, Stop> {
    match reader.u8()? {
        ROW => Ok(true),
        // What else a DONE holds is of no use here.
        DONE => Ok(false),
        other => Err(Stop::Sql(SqlError::protocol(format!(
            "a bulk load has the token 0x{other:02X} where a row would be"
        )))),
    }
}

/// What a message is answered with that the client itself gave up (the status' ignore bit).
pub(crate) fn ignored() -> Halt {
    SqlError::new(
        3617,
        "The request was given up by the client before its end.",
    )
    .into()
}
