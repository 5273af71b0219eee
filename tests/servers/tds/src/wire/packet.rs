//! Packet headers (2.2.3.1).

use super::reader::Short;

/// What a message is (2.2.3.1.1).
pub(crate) const BATCH: u8 = 0x01;
pub(crate) const RPC: u8 = 0x03;
pub(crate) const RESPONSE: u8 = 0x04;
pub(crate) const ATTENTION: u8 = 0x06;
pub(crate) const BULK: u8 = 0x07;
pub(crate) const FEDAUTH_TOKEN: u8 = 0x08;
pub(crate) const TRANSACTION: u8 = 0x0E;
pub(crate) const LOGIN7: u8 = 0x10;
pub(crate) const PRELOGIN: u8 = 0x12;

/// Bits of the status byte (2.2.3.1.2).
pub(crate) const END: u8 = 0x01;
pub(crate) const IGNORE: u8 = 0x02;
pub(crate) const RESET: u8 = 0x08;
pub(crate) const RESET_KEEP_TRANSACTION: u8 = 0x10;

pub(crate) const HEADER: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) status: u8,
    /// Of the packet, its header included.
    pub(crate) length: u16,
    pub(crate) spid: u16,
    pub(crate) id: u8,
}

impl Header {
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Self, Short> {
        let header = Self {
            kind: bytes[0],
            status: bytes[1],
            length: u16::from_be_bytes([bytes[2], bytes[3]]),
            spid: u16::from_be_bytes([bytes[4], bytes[5]]),
            id: bytes[6],
        };
        if usize::from(header.length) < HEADER {
            Err(Short)
        } else {
            Ok(header)
        }
    }

    pub(crate) fn bytes(self) -> [u8; HEADER] {
        let [l0, l1] = self.length.to_be_bytes();
        let [s0, s1] = self.spid.to_be_bytes();
        [self.kind, self.status, l0, l1, s0, s1, self.id, 0]
    }
}

/// A packet without its header.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) header: Header,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    pub(crate) fn ends(&self) -> bool {
        self.header.status & END != 0
    }
}
