//! PRELOGIN (2.2.6.5): what both sides settle before anything else.

use super::reader::Reader;
use crate::fault::Result;

const VERSION: u8 = 0x00;
const ENCRYPTION: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const THREAD: u8 = 0x03;
const MARS: u8 = 0x04;
const FEDAUTH: u8 = 0x06;
const END: u8 = 0xFF;

/// Values of ENCRYPTION.
pub(crate) const ENCRYPT_OFF: u8 = 0x00;
pub(crate) const ENCRYPT_ON: u8 = 0x01;
pub(crate) const ENCRYPT_NOT_SUPPORTED: u8 = 0x02;
pub(crate) const ENCRYPT_REQUIRED: u8 = 0x03;

/// What this server says it is: SQL Server 2022, build 4125.
pub(crate) const SERVER_VERSION: [u8; 4] = [16, 0, 0x10, 0x1D];

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prelogin {
    pub(crate) version: Option<[u8; 6]>,
    pub(crate) encryption: Option<u8>,
    pub(crate) mars: Option<u8>,
    pub(crate) fedauth: Option<u8>,
}

impl Prelogin {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut found = Self::default();
        let mut list = Reader::new(bytes);
        loop {
            let option = list.u8()?;
            if option == END {
                return Ok(found);
            }
            let offset = usize::from(u16::from_be_bytes(list.array()?));
            let length = usize::from(u16::from_be_bytes(list.array()?));
            let mut data = Reader::new(bytes);
            data.take(offset)?;
            let data = data.take(length)?;
            match option {
                VERSION => found.version = data.try_into().ok(),
                ENCRYPTION => found.encryption = data.first().copied(),
                MARS => found.mars = data.first().copied(),
                FEDAUTH => found.fedauth = data.first().copied(),
                // The instance's name, ids for tracing, a nonce: nothing to settle.
                _ => {}
            }
        }
    }
}

/// The answer: encryption as settled, no MARS, and federated authentication if it was asked for.
pub(crate) fn answer(encryption: u8, fedauth: Option<u8>) -> Vec<u8> {
    let [a, b, c, d] = SERVER_VERSION;
    let mut options: Vec<(u8, Vec<u8>)> = vec![
        (VERSION, vec![a, b, c, d, 0, 0]),
        (ENCRYPTION, vec![encryption]),
        (INSTANCE, vec![0]),
        (THREAD, vec![]),
        (MARS, vec![0]),
    ];
    if let Some(wanted) = fedauth {
        options.push((FEDAUTH, vec![wanted]));
    }
    let mut offset = options.len() * 5 + 1;
    let (mut list, mut data) = (Vec::new(), Vec::new());
    for (option, value) in options {
        list.push(option);
        list.extend(u16::try_from(offset).unwrap_or_default().to_be_bytes());
        list.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        offset += value.len();
        data.extend(value);
    }
    list.push(END);
    list.extend(data);
    list
}
