//! The transport of a component: one request, waited for.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

use super::{Request, Response, Url};
use crate::{Fault, Result, control};

/// What is taken of a body at once.
const PART: u64 = 64 * 1024;

pub(super) fn transport(request: &Request, place: &Url) -> Result<Response> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers
            .append(name, value.as_bytes())
            .map_err(|_| Fault::config(format!("the header {name:?} can't be sent")))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let scheme = if place.scheme == "https" {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let set = outgoing.set_method(&method(&request.method)).is_ok()
        && outgoing.set_scheme(Some(&scheme)).is_ok()
        && outgoing.set_authority(Some(&place.authority)).is_ok()
        && outgoing.set_path_with_query(Some(&place.path)).is_ok();
    if !set {
        return Err(Fault::config(format!(
            "{} {} is not a request",
            request.method,
            place.shown()
        )));
    }
    let options = RequestOptions::new();
    let nanoseconds = u64::try_from(request.timeout.as_nanos()).unwrap_or(u64::MAX);
    // A host that has no such limit says so; then the limit of the call is all there is.
    let _ = options.set_connect_timeout(Some(nanoseconds));
    let _ = options.set_first_byte_timeout(Some(nanoseconds));
    let _ = options.set_between_bytes_timeout(Some(nanoseconds));

    let body = outgoing
        .body()
        .map_err(|()| broken("the request has no body"))?;
    let future = outgoing_handler::handle(outgoing, Some(options)).map_err(|code| failed(&code))?;
    write(body, &request.body)?;
    future.subscribe().block();
    let answer = match future.get() {
        Some(Ok(answer)) => answer.map_err(|code| failed(&code))?,
        Some(Err(())) | None => return Err(broken("the answer was taken before")),
    };
    read(&answer)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<()> {
    if !bytes.is_empty() {
        let stream = body
            .write()
            .map_err(|()| broken("the request takes no body"))?;
        // As much as one call of the stream may take.
        for part in bytes.chunks(4_096) {
            stream
                .blocking_write_and_flush(part)
                .map_err(|error| interrupted(&error))?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|code| failed(&code))
}

fn read(answer: &IncomingResponse) -> Result<Response> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let headers = answer.headers().entries();
    let mut read = Response {
        status: answer.status(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), text(value)))
            .collect(),
        ..Response::default()
    };
    let body: IncomingBody = answer
        .consume()
        .map_err(|()| broken("the answer has no body"))?;
    let stream = body
        .stream()
        .map_err(|()| broken("the answer has no body"))?;
    loop {
        match stream.blocking_read(PART) {
            Ok(part) => read.body.extend_from_slice(&part),
            Err(StreamError::Closed) => return Ok(read),
            Err(error) => return Err(interrupted(&error)),
        }
        control::go_on()?;
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn broken(what: &str) -> Fault {
    Fault::new("http.failed", what)
}

fn interrupted(error: &StreamError) -> Fault {
    match error {
        StreamError::Closed => broken("the connection was closed").retryable(),
        StreamError::LastOperationFailed(error) => broken(&error.to_debug_string()).retryable(),
    }
}

/// The kinds of failure that a person can do something about get their words; the others are
/// taken to be the network's, which may pass.
fn failed(code: &ErrorCode) -> Fault {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            Fault::new("http.denied", "the request was denied").advise(
                "if it may be sent, add its origin to `http` of the plugin in hygge.yml, then \
                     trust the plugin",
            )
        }
        ErrorCode::DestinationNotFound | ErrorCode::DnsError(_) => {
            broken("the host wasn't found").retryable()
        }
        ErrorCode::ConnectionRefused => broken("the connection was refused").retryable(),
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => broken("the host didn't answer in time").retryable(),
        ErrorCode::TlsCertificateError
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsAlertReceived(_) => broken("no secure connection could be made"),
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => {
            Fault::config("this is not a request that can be sent")
        }
        ErrorCode::HttpResponseBodySize(_) => {
            broken("the answer is larger than the host of the plugin allows")
        }
        ErrorCode::InternalError(Some(why)) => broken(why).retryable(),
        other => broken(&format!("the request failed: {other}")).retryable(),
    }
}
