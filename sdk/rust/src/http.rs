//! A blocking HTTP client on `wasi:http`, in the manner of the usual ones.
//!
//! ```no_run
//! # use hygge_sdk::{http, Result, serde_json::Value};
//! # fn f() -> Result<()> {
//! let page: Value = http::get("https://api.example.com/deals")
//!     .query("page", 2)
//!     .header("accept", "application/json")
//!     .bearer("TOKEN")?
//!     .send()?
//!     .json()?;
//! # Ok(()) }
//! ```
//!
//! An answer of 400 or above is a fault, unless [`Request::any_status`] asked for it. Those that
//! may pass (408, 425, 429 and 5xx) are retryable, after the time that `Retry-After` says.
//! Redirects are not followed: the answer says where to, see [`Response::header`].

mod url;
#[cfg(all(target_os = "wasi", target_env = "p2"))]
mod wasi;

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Fault, Result, code, secrets};

pub use url::Url;

/// A request under construction.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to; checked when it is sent.
    pub url: String,
    /// In the order they were added.
    pub headers: Vec<(String, String)>,
    /// What is sent along.
    pub body: Vec<u8>,
    /// The longest wait for a connection, for the answer to begin, and between two parts of it.
    pub timeout: Duration,
    any_status: bool,
}

/// Asks for what is there.
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// Sends something there.
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

impl Request {
    /// A request of any method.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            // A little less, so that there is time to say which request it was.
            timeout: crate::control::remaining() * 9 / 10,
            any_status: false,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds `authorization: Bearer …` with a secret that the operator granted for this host. The
    /// plugin never sees it.
    pub fn bearer(self, secret: &str) -> Result<Self> {
        Ok(self.header(
            "authorization",
            format!("Bearer {}", secrets::placeholder(secret)?),
        ))
    }

    /// Adds a parameter to the URL.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.url = url::with_query(&self.url, name, &value.to_string());
        self
    }

    /// Puts in a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Puts in a body of JSON.
    pub fn json(self, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Fault::new(
                code::PLUGIN,
                format!("can't write the body of a request: {error}"),
            )
        })?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Another [`timeout`](Self::timeout) than nearly all the time that is left to the present
    /// call, which the operator sets.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Takes an answer of any status, also one that says that something is wrong.
    #[must_use]
    pub fn any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// Sends it, and reads the whole answer.
    pub fn send(self) -> Result<Response> {
        let place = Url::parse(&self.url)?;
        let shown = place.shown();
        let mut answer = transport(&self, &place).map_err(|fault| fault.with("url", &shown))?;
        answer.url = self.url;
        if answer.status < 400 || self.any_status {
            return Ok(answer);
        }
        Err(refused(&answer, &self.method, &shown))
    }
}

#[cfg(all(target_os = "wasi", target_env = "p2"))]
use wasi::transport;

#[cfg(not(target_family = "wasm"))]
fn transport(request: &Request, _: &Url) -> Result<Response> {
    crate::imports::send(request)
}

#[cfg(all(
    target_family = "wasm",
    not(all(target_os = "wasi", target_env = "p2"))
))]
fn transport(_: &Request, _: &Url) -> Result<Response> {
    Err(Fault::new(
        "http.denied",
        "this plugin was built for a target without wasi:http",
    )
    .advise("build it for wasm32-wasip2"))
}

/// An answer, read in full.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// 200 and so on.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
    /// What was asked for, for [`Url::join`].
    pub url: String,
}

impl Response {
    /// An answer for a test.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    /// Adds a header to an answer for a test.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(each, _)| each.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(self) -> Result<String> {
        String::from_utf8(self.body).map_err(|_| {
            Fault::new(code::SOURCE_INVALID, "the answer is not UTF-8").with("url", &self.url)
        })
    }

    /// The body, from JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Fault::new(
                code::SOURCE_INVALID,
                format!("the answer is not the JSON that was expected: {error}"),
            )
        })
    }

    /// Where a `Link` header with that relation (`next`) points, as an absolute URL.
    pub fn link(&self, relation: &str) -> Result<Option<String>> {
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("link"));
        for (_, value) in headers {
            if let Some(target) = url::link(value, relation) {
                return Url::parse(&self.url)?.join(target).map(Some);
            }
        }
        Ok(None)
    }
}

fn refused(answer: &Response, method: &str, shown: &str) -> Fault {
    let status = answer.status;
    let mut fault = Fault::new(
        "http.status",
        format!("{method} {shown} was answered with {status}"),
    )
    .with("status", status)
    .with("url", shown);
    match status {
        401 | 403 => fault = fault.advise("check the secret, and that it may do this"),
        408 | 425 | 429 | 500.. => {
            fault.retryable = true;
            fault.after = retry_after(answer);
        }
        _ => {}
    }
    fault
}

/// `Retry-After`: seconds, or a date. A date is compared with that of the answer, so that the
/// clock of this machine doesn't matter; without one with the clock.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let date = answer
        .header("date")
        .and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    let now = date.unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn answered(status: u16, headers: &[(&str, &str)]) -> Fault {
        let mut answer = Response::new(status, "");
        for (name, value) in headers {
            answer = answer.with(name, value);
        }
        testing::serve(move |_| Ok(answer.clone()));
        get("https://a.example/x?key=1").send().unwrap_err()
    }

    #[test]
    fn what_may_pass_is_retryable_after_the_time_it_says() {
        let fault = answered(429, &[("Retry-After", "7")]);
        assert_eq!(
            (fault.retryable, fault.after),
            (true, Some(Duration::from_secs(7)))
        );
        let date = [
            ("Date", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("Retry-After", "Wed, 21 Oct 2015 07:29:30 GMT"),
        ];
        assert_eq!(answered(503, &date).after, Some(Duration::from_secs(90)));
        let fault = answered(500, &[("Retry-After", "soon")]);
        assert_eq!((fault.retryable, fault.after), (true, None));
        assert!(!answered(404, &[]).retryable);
    }

    #[test]
    fn a_fault_names_what_was_asked_without_its_parameters() {
        let fault = answered(404, &[]);
        assert_eq!(
            fault.message,
            "GET https://a.example/x was answered with 404"
        );
    }

    #[test]
    fn a_bearer_is_a_placeholder() {
        testing::grant_secret("TOKEN", "hunter2");
        testing::serve(|request| {
            assert_eq!(request.headers[0].1, "Bearer <secret TOKEN>");
            Ok(Response::new(200, r#"{"a": 1}"#))
        });
        let read: serde_json::Value = get("https://a.example")
            .bearer("TOKEN")
            .unwrap()
            .send()
            .unwrap()
            .json()
            .unwrap();
        assert_eq!(read["a"], 1);
        assert_eq!(
            get("https://a.example").bearer("OTHER").unwrap_err().code,
            "secret.denied"
        );
    }
}
