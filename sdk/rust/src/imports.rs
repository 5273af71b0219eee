//! The two sides on which the imports can stand: the host's, or natively what a test set up.

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::stand_in::*;
#[cfg(target_family = "wasm")]
pub(crate) use host::*;

#[cfg(target_family = "wasm")]
mod host {
    use crate::bindings::base::hygge::plugin;
    use crate::{Fault, Result};

    pub(crate) fn write(level: &str, message: &str) {
        plugin::log::write(level, message, &[]);
    }

    pub(crate) fn should_stop() -> bool {
        plugin::control::should_stop()
    }

    pub(crate) fn remaining_ms() -> u64 {
        plugin::control::remaining_ms()
    }

    pub(crate) fn placeholder(name: &str) -> Result<String> {
        plugin::secrets::placeholder(name).map_err(Fault::from)
    }

    pub(crate) fn reveal(name: &str) -> Result<String> {
        plugin::secrets::reveal(name).map_err(Fault::from)
    }

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>> {
        plugin::state::get(key).map_err(Fault::from)
    }

    pub(crate) fn set(key: &str, value: Option<&[u8]>) -> Result<()> {
        plugin::state::set(key, value).map_err(Fault::from)
    }

    pub(crate) fn keys() -> Result<Vec<String>> {
        plugin::state::keys().map_err(Fault::from)
    }
}
