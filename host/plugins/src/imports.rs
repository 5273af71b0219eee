//! What a guest can ask of the host, besides WASI.

use wasmtime::Result;

use crate::contract::{control, log, secrets, state, types};
use crate::guest::Guest;
use crate::limits::MESSAGE;
use crate::log::Severity;
use crate::plugin::Plugin;

fn refused(code: &str, message: impl Into<String>) -> types::Fault {
    types::Fault {
        code: code.to_owned(),
        message: message.into(),
        retryable: false,
        after_ms: None,
        attributes: Vec::new(),
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(
        &mut self,
        level: String,
        message: String,
        attributes: Vec<types::Attribute>,
    ) -> Result<()> {
        let mut text = message;
        for attribute in attributes.iter().take(crate::fault::ATTRIBUTES) {
            // What comes after isn't shown, and one may be as large as the guest.
            if text.len() > MESSAGE {
                break;
            }
            text.push_str(&format!(" {}={}", attribute.name, attribute.value));
        }
        self.log.line(Severity::of(&level), &text);
        Ok(())
    }
}

impl control::Host for Guest {
    fn should_stop(&mut self) -> Result<bool> {
        Ok(self.stop.is_set())
    }

    fn remaining_ms(&mut self) -> Result<u64> {
        Ok(u64::try_from(self.remaining().as_millis()).unwrap_or(u64::MAX))
    }
}

impl secrets::Host for Guest {
    fn placeholder(&mut self, name: String) -> Result<Result<String, types::Fault>> {
        Ok(match self.plugin.grants.secret(&name) {
            Some(secret) => Ok(secret.placeholder().to_owned()),
            None => Err(denied(&self.plugin, &name)),
        })
    }

    fn reveal(&mut self, name: String) -> Result<Result<String, types::Fault>> {
        Ok(match self.plugin.grants.secret(&name) {
            Some(secret) if secret.reveal => Ok(secret.value.expose().to_owned()),
            Some(_) => Err(refused(
                "secret.denied",
                format!("the secret {name:?} may be used, but not seen"),
            )),
            None => Err(denied(&self.plugin, &name)),
        })
    }
}

fn denied(plugin: &Plugin, secret: &str) -> types::Fault {
    let secret = crate::fault::clean(secret, 100);
    let (name, key) = (&plugin.name, &plugin.key);
    let mut fault = refused(
        "secret.denied",
        format!("the secret {secret:?} isn't granted to {name}"),
    );
    fault.attributes.push(types::Attribute {
        name: "advice".to_owned(),
        value: format!(
            "if it may have it, put `plugins: {{{key}: {{secrets: {{{secret}: HOST}}}}}}` into \
             hygge.yml, with the one host it is for; then `hygge plugin trust {key}`"
        ),
    });
    fault
}

impl state::Host for Guest {
    fn get(&mut self, key: String) -> Result<Result<Option<Vec<u8>>, types::Fault>> {
        Ok(match &self.scratch {
            Some(scratch) => Ok(scratch.get(&key)),
            None => Err(unavailable()),
        })
    }

    fn set(&mut self, key: String, value: Option<Vec<u8>>) -> Result<Result<(), types::Fault>> {
        Ok(match &mut self.scratch {
            Some(scratch) => scratch
                .set(key, value)
                .map_err(|why| refused("state.quota", why)),
            None => Err(unavailable()),
        })
    }

    fn keys(&mut self) -> Result<Result<Vec<String>, types::Fault>> {
        Ok(match &self.scratch {
            Some(scratch) => Ok(scratch.keys()),
            None => Err(unavailable()),
        })
    }
}

fn unavailable() -> types::Fault {
    refused("state.unavailable", "state can be used in `splits` only")
}
