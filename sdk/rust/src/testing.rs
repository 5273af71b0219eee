//! The host's side of a plugin in native tests: every thread has its own, so tests don't see
//! each other. Log lines go to standard output, which the test harness keeps for failures.

use std::cell::RefCell;
use std::collections::BTreeMap;

#[cfg(feature = "http")]
use crate::Result;
#[cfg(feature = "http")]
use crate::http::{Request, Response};

#[derive(Default)]
struct StandIn {
    state: BTreeMap<String, Vec<u8>>,
    secrets: BTreeMap<String, String>,
    stop: bool,
    log: Vec<(String, String)>,
    #[cfg(feature = "http")]
    server: Option<Server>,
}

#[cfg(feature = "http")]
type Server = Box<dyn FnMut(&Request) -> Result<Response>>;

thread_local! {
    static STAND_IN: RefCell<StandIn> = RefCell::default();
}

/// Grants a secret, with its value.
pub fn grant_secret(name: &str, value: &str) {
    STAND_IN.with_borrow_mut(|all| all.secrets.insert(name.to_owned(), value.to_owned()));
}

/// Asks the plugin to stop, or takes that back.
pub fn stop(stop: bool) {
    STAND_IN.with_borrow_mut(|all| all.stop = stop);
}

/// What the plugin has said so far: level and message.
#[must_use]
pub fn logged() -> Vec<(String, String)> {
    crate::logger::begin();
    STAND_IN.with_borrow(|all| all.log.clone())
}

/// Answers the plugin's HTTP requests.
#[cfg(feature = "http")]
pub fn serve(server: impl FnMut(&Request) -> Result<Response> + 'static) {
    STAND_IN.with_borrow_mut(|all| all.server = Some(Box::new(server)));
}

pub(crate) mod stand_in {
    use super::STAND_IN;
    use crate::{Fault, Result};

    #[expect(
        clippy::print_stdout,
        reason = "what a test prints is shown when it fails"
    )]
    pub(crate) fn write(level: &str, message: &str) {
        println!("{level}: {message}");
        STAND_IN.with_borrow_mut(|all| all.log.push((level.to_owned(), message.to_owned())));
    }

    pub(crate) fn should_stop() -> bool {
        STAND_IN.with_borrow(|all| all.stop)
    }

    pub(crate) fn remaining_ms() -> u64 {
        30_000
    }

    pub(crate) fn placeholder(name: &str) -> Result<String> {
        reveal(name).map(|_| format!("<secret {name}>"))
    }

    pub(crate) fn reveal(name: &str) -> Result<String> {
        let found = STAND_IN.with_borrow(|all| all.secrets.get(name).cloned());
        found.ok_or_else(|| Fault::new("secret.denied", format!("the secret {name} isn't granted")))
    }

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>> {
        Ok(STAND_IN.with_borrow(|all| all.state.get(key).cloned()))
    }

    pub(crate) fn set(key: &str, value: Option<&[u8]>) -> Result<()> {
        STAND_IN.with_borrow_mut(|all| match value {
            Some(value) => all.state.insert(key.to_owned(), value.to_vec()),
            None => all.state.remove(key),
        });
        Ok(())
    }

    pub(crate) fn keys() -> Result<Vec<String>> {
        Ok(STAND_IN.with_borrow(|all| all.state.keys().cloned().collect()))
    }

    #[cfg(feature = "http")]
    pub(crate) fn send(request: &crate::http::Request) -> Result<crate::http::Response> {
        // Taken out while it answers, so that it may use the plugin's own functions.
        let server = STAND_IN.with_borrow_mut(|all| all.server.take());
        let Some(mut server) = server else {
            return Err(Fault::new(
                "http.denied",
                "no server in this test; see testing::serve",
            ));
        };
        let answer = server(request);
        STAND_IN.with_borrow_mut(|all| all.server = all.server.take().or(Some(server)));
        answer
    }
}
