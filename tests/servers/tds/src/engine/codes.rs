//! Types as numbers in the text that `SQLite` runs, so that its functions know what they are given.

use std::sync::Mutex;

use crate::control::locked;
use crate::types::SqlType;

static TYPES: Mutex<Vec<SqlType>> = Mutex::new(Vec::new());

/// The number of a type; the same for the same type.
pub(crate) fn code(ty: &SqlType) -> i64 {
    let mut types = locked(&TYPES);
    let at = types
        .iter()
        .position(|known| known == ty)
        .unwrap_or_else(|| {
            types.push(*ty);
            types.len() - 1
        });
    i64::try_from(at).unwrap_or_default()
}

pub(crate) fn decode(code: i64) -> Option<SqlType> {
    locked(&TYPES).get(usize::try_from(code).ok()?).copied()
}
