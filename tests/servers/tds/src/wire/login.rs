//! LOGIN7 (2.2.6.4): who the client is and what it wants.

use super::reader::{Reader, utf16};
use crate::fault::{Result, SqlError};

/// How a client that doesn't log in with a password says who it is (FEDAUTH, 2.2.6.4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fedauth {
    /// The token itself.
    SecurityToken(Vec<u8>),
    /// The client wants to be told where to get one.
    Library,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) tds_version: u32,
    pub(crate) packet_size: u32,
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) app: String,
    pub(crate) server: String,
    pub(crate) library: String,
    pub(crate) language: String,
    pub(crate) database: String,
    pub(crate) read_only: bool,
    pub(crate) sspi: bool,
    pub(crate) fedauth: Option<Fedauth>,
    /// Ids of the features that the client listed, in order.
    pub(crate) features: Vec<u8>,
}

pub(crate) const FEATURE_FEDAUTH: u8 = 0x02;
pub(crate) const FEATURE_UTF8: u8 = 0x0A;
const FEATURE_END: u8 = 0xFF;

impl Login {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut head = Reader::new(bytes);
        let _length = head.u32()?;
        let tds_version = head.u32()?;
        let packet_size = head.u32()?;
        let _client_version = head.u32()?;
        let _pid = head.u32()?;
        let _connection = head.u32()?;
        let _flags1 = head.u8()?;
        let flags2 = head.u8()?;
        let type_flags = head.u8()?;
        let flags3 = head.u8()?;
        let _time_zone = head.u32()?;
        let _lcid = head.u32()?;
        let mut texts = Vec::new();
        for _ in 0..9 {
            let (offset, units) = (usize::from(head.u16()?), usize::from(head.u16()?));
            texts.push((offset, units));
        }
        let text = |index: usize| -> Result<String> {
            let (offset, units) = texts[index];
            if units == 0 {
                Ok(String::new())
            } else {
                utf16(slice(bytes, offset, units * 2)?)
            }
        };
        let (password_at, password_units) = texts[2];
        let password: Vec<u8> = slice(bytes, password_at, password_units * 2)?
            .iter()
            .map(|byte| clear(*byte))
            .collect();

        let mut login = Self {
            tds_version,
            packet_size,
            host: text(0)?,
            user: text(1)?,
            password: utf16(&password)?,
            app: text(3)?,
            server: text(4)?,
            library: text(6)?,
            language: text(7)?,
            database: text(8)?,
            read_only: type_flags & 0x20 != 0,
            sspi: flags2 & 0x80 != 0,
            ..Self::default()
        };
        if flags3 & 0x10 != 0 {
            let (offset, length) = texts[5];
            if length < 4 {
                return Err(SqlError::protocol("the offset of the features is missing"));
            }
            let at = Reader::new(slice(bytes, offset, 4)?).u32()?;
            let at = usize::try_from(at).map_err(SqlError::protocol)?;
            login.read_features(
                bytes
                    .get(at..)
                    .ok_or_else(|| SqlError::protocol("the features are past the end"))?,
            )?;
        }
        Ok(login)
    }

    fn read_features(&mut self, bytes: &[u8]) -> Result<()> {
        let mut list = Reader::new(bytes);
        loop {
            let id = list.u8()?;
            if id == FEATURE_END {
                return Ok(());
            }
            let length = usize::try_from(list.u32()?).map_err(SqlError::protocol)?;
            let data = list.take(length)?;
            self.features.push(id);
            if id == FEATURE_FEDAUTH {
                let mut data = Reader::new(data);
                self.fedauth = Some(match data.u8()? >> 1 {
                    0x01 => {
                        let length = usize::try_from(data.u32()?).map_err(SqlError::protocol)?;
                        Fedauth::SecurityToken(data.take(length)?.to_vec())
                    }
                    0x02 => Fedauth::Library,
                    other => {
                        return Err(SqlError::protocol(format!(
                            "authentication library {other} is not known"
                        )));
                    }
                });
            }
        }
    }
}

fn slice(bytes: &[u8], offset: usize, length: usize) -> Result<&[u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    let mut reader = Reader::new(bytes);
    reader.take(offset)?;
    Ok(reader.take(length)?)
}

/// A password's byte as it was before it was made unreadable: halves swapped, then XOR 0xA5.
fn clear(byte: u8) -> u8 {
    (byte ^ 0xA5).rotate_left(4)
}
