//! Tokens of a response (2.2.7).

use super::reader::{put_b_varchar, put_us_varchar, put_utf16};
use crate::fault::SqlError;
use crate::types::{Collation, SqlType, info};

pub(crate) const COLMETADATA: u8 = 0x81;
pub(crate) const ROW: u8 = 0xD1;
pub(crate) const NBCROW: u8 = 0xD2;
pub(crate) const DONE: u8 = 0xFD;
pub(crate) const DONEPROC: u8 = 0xFE;
pub(crate) const DONEINPROC: u8 = 0xFF;

/// Bits of a DONE token's status (2.2.7.6).
pub(crate) const MORE: u16 = 0x01;
pub(crate) const ERROR: u16 = 0x02;
pub(crate) const IN_TRANSACTION: u16 = 0x04;
pub(crate) const COUNT: u16 = 0x10;
pub(crate) const ATTENTION: u16 = 0x20;

/// What a statement was, as a DONE token's command says.
pub(crate) const CMD_SELECT: u16 = 0xC1;
pub(crate) const CMD_INSERT: u16 = 0xC3;
pub(crate) const CMD_DELETE: u16 = 0xC4;
pub(crate) const CMD_UPDATE: u16 = 0xC5;
pub(crate) const CMD_MERGE: u16 = 0x117;
pub(crate) const CMD_BULK: u16 = 0xF0;
pub(crate) const CMD_OTHER: u16 = 0xFD;

/// What a result's column is called and holds (2.2.7.4).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
    pub(crate) computed: bool,
}

pub(crate) fn done(out: &mut Vec<u8>, token: u8, status: u16, command: u16, rows: u64) {
    out.push(token);
    out.extend(status.to_le_bytes());
    out.extend(command.to_le_bytes());
    out.extend(rows.to_le_bytes());
}

pub(crate) fn colmetadata(out: &mut Vec<u8>, columns: &[Column]) {
    out.push(COLMETADATA);
    out.extend(
        u16::try_from(columns.len())
            .unwrap_or(u16::MAX)
            .to_le_bytes(),
    );
    for column in columns {
        // A rowversion's user type is 0x50, which is how clients know it from a binary(8).
        let user_type: u32 = if column.ty.is_rowversion() { 0x50 } else { 0 };
        out.extend(user_type.to_le_bytes());
        let mut flags: u16 = 0x08;
        if column.nullable {
            flags |= 0x01;
        }
        if column.identity {
            flags = flags & !0x0C | 0x10;
        }
        if column.computed || column.ty.is_rowversion() {
            flags = flags & !0x0C | 0x20;
        }
        out.extend(flags.to_le_bytes());
        info::put(out, &column.ty, column.nullable);
        if column.ty.has_text_pointer() {
            // The name of the table, in parts: none.
            out.push(0);
        }
        put_b_varchar(out, &column.name);
    }
}

/// ERROR (2.2.7.10) or, for a class of 10 and below, INFO (2.2.7.13).
pub(crate) fn message(out: &mut Vec<u8>, error: &SqlError, server: &str, line: u32) {
    let mut body = Vec::new();
    body.extend(error.number.to_le_bytes());
    body.push(error.state);
    body.push(error.class);
    put_us_varchar(&mut body, &error.message);
    put_b_varchar(&mut body, server);
    put_b_varchar(&mut body, "");
    body.extend(line.to_le_bytes());
    out.push(if error.class > 10 { 0xAA } else { 0xAB });
    out.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(body);
}

/// What changed in the session's environment (2.2.7.9).
pub(crate) enum Change<'a> {
    Database(&'a str, &'a str),
    Language(&'a str),
    PacketSize(u32, u32),
    Collation(Collation),
    Began(u64),
    Committed(u64),
    RolledBack(u64),
    /// RESETCONNECTION was honoured.
    Reset,
}

pub(crate) fn environment(out: &mut Vec<u8>, change: &Change<'_>) {
    let mut body = Vec::new();
    let mut texts = |kind: u8, new: &str, old: &str| {
        body.push(kind);
        put_b_varchar(&mut body, new);
        put_b_varchar(&mut body, old);
    };
    match *change {
        Change::Database(new, old) => texts(1, new, old),
        Change::Language(new) => texts(2, new, ""),
        Change::PacketSize(new, old) => texts(4, &new.to_string(), &old.to_string()),
        Change::Collation(collation) => {
            body.extend([7, 5]);
            body.extend(collation.bytes());
            body.push(0);
        }
        Change::Began(id) => {
            body.extend([8, 8]);
            body.extend(id.to_le_bytes());
            body.push(0);
        }
        Change::Committed(id) => {
            body.extend([9, 0, 8]);
            body.extend(id.to_le_bytes());
        }
        Change::RolledBack(id) => {
            body.extend([10, 0, 8]);
            body.extend(id.to_le_bytes());
        }
        Change::Reset => body.extend([18, 0, 0]),
    }
    out.push(0xE3);
    out.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(body);
}

/// LOGINACK (2.2.7.14): T-SQL over TDS 7.4.
pub(crate) fn loginack(out: &mut Vec<u8>, program: &str, version: [u8; 4]) {
    let mut body = vec![1];
    body.extend(0x7400_0004_u32.to_be_bytes());
    put_b_varchar(&mut body, program);
    body.extend(version);
    out.push(0xAD);
    out.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(body);
}

/// FEATUREEXTACK (2.2.7.11).
pub(crate) fn features(out: &mut Vec<u8>, features: &[(u8, Vec<u8>)]) {
    out.push(0xAE);
    for (id, data) in features {
        out.push(*id);
        out.extend(u32::try_from(data.len()).unwrap_or_default().to_le_bytes());
        out.extend(data);
    }
    out.push(0xFF);
}

/// FEDAUTHINFO (2.2.7.12): where to get a token, and for what.
pub(crate) fn fedauth_info(out: &mut Vec<u8>, sts: &str, spn: &str) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    put_utf16(&mut first, sts);
    put_utf16(&mut second, spn);
    let mut body = 2_u32.to_le_bytes().to_vec();
    let mut offset = 4 + 2 * 9;
    for (id, data) in [(0x01, &first), (0x02, &second)] {
        body.push(id);
        body.extend(u32::try_from(data.len()).unwrap_or_default().to_le_bytes());
        body.extend(u32::try_from(offset).unwrap_or_default().to_le_bytes());
        offset += data.len();
    }
    body.extend(first);
    body.extend(second);
    out.push(0xEE);
    out.extend(u32::try_from(body.len()).unwrap_or_default().to_le_bytes());
    out.extend(body);
}

pub(crate) fn return_status(out: &mut Vec<u8>, status: i32) {
    out.push(0x79);
    out.extend(status.to_le_bytes());
}

/// RETURNVALUE (2.2.7.19): an output parameter. The value follows in the type's own form.
pub(crate) fn return_value(
    out: &mut Vec<u8>,
    ordinal: u16,
    name: &str,
    ty: &SqlType,
    value: &[u8],
) {
    out.push(0xAC);
    out.extend(ordinal.to_le_bytes());
    put_b_varchar(out, name);
    out.push(0x01);
    out.extend(0_u32.to_le_bytes());
    out.extend(0_u16.to_le_bytes());
    info::put(out, ty, true);
    out.extend(value);
}
