//! A few small values that belong to one flow, entity and plugin, committed together with
//! [`SplitPlan::position`](crate::SplitPlan). For [`Home::splits`](crate::Home::splits) only:
//! elsewhere every call is a fault of code `state.unavailable`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Fault, Result, code, imports};

/// The value of a key, with what this call has set so far.
pub fn get(key: &str) -> Result<Option<Vec<u8>>> {
    imports::get(key)
}

/// Sets a key.
pub fn set(key: &str, value: &[u8]) -> Result<()> {
    imports::set(key, Some(value))
}

/// Removes a key.
pub fn remove(key: &str) -> Result<()> {
    imports::set(key, None)
}

/// All keys, sorted.
pub fn keys() -> Result<Vec<String>> {
    imports::keys()
}

/// The value of a key, from JSON.
pub fn read<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let Some(bytes) = get(key)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Fault::new(
            code::PLUGIN,
            format!("can't read the state {key:?}: {error}"),
        )
    })
}

/// Sets a key, as JSON.
pub fn write(key: &str, value: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|error| {
        Fault::new(
            code::PLUGIN,
            format!("can't write the state {key:?}: {error}"),
        )
    })?;
    set(key, &bytes)
}
