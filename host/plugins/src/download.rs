//! Fetching a plugin from where someone offers it, for the person who adds it. Nothing of it runs.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hygge_component::FILE;
use hygge_core::{Fault, Result};
use hyper::body::{Bytes, Incoming};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wasmtime_wasi_http::io::TokioIo;

use crate::fault::{self, clean};
use crate::roots::{self, tls};

/// Most redirects that are followed.
const REDIRECTS: usize = 5;
/// How long connecting, and each part of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The file at a URL: over https, or over http from this machine itself. Up to 64 MiB.
pub async fn download(url: &str) -> Result<Vec<u8>> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS {
        let at = Place::read(&url)?;
        let answer = patiently(&at, ask(&at)).await?;
        let status = answer.status();
        if status.is_redirection()
            && let Some(next) = answer.headers().get(LOCATION)
        {
            url = at.follow(next.to_str().unwrap_or_default())?;
            continue;
        }
        if !status.is_success() {
            return Err(at.failed(format!("it was answered with {}", status.as_u16())));
        }
        return at.take(answer).await;
    }
    Err(fault::load(format!(
        "{} can't be downloaded: it leads on and on",
        shown_url(&url)
    )))
}

/// A URL as it may be shown: without what may be a token or a password in it.
#[must_use]
pub fn shown_url(url: &str) -> String {
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let shown = match shown.split_once("://") {
        Some((scheme, rest)) => {
            let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let place = place.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{place}{path}")
        }
        None => shown.to_owned(),
    };
    clean(&shown, 500)
}

/// Where a file is.
struct Place {
    uri: Uri,
    host: String,
    port: u16,
    https: bool,
}

impl Place {
    fn read(url: &str) -> Result<Self> {
        let wrong =
            |why: &str| fault::load(format!("{} can't be downloaded: {why}", shown_url(url)));
        let uri: Uri = url.parse().map_err(|_| wrong("it isn't a URL"))?;
        let host = uri.host().ok_or_else(|| wrong("it isn't a URL"))?;
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        if uri
            .authority()
            .is_some_and(|all| all.as_str().contains('@'))
        {
            return Err(wrong("it names a user"));
        }
        let here = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if here => false,
            _ => {
                return Err(wrong("only https is safe enough for a program").advise(
                    "use the https address, or download it in your own way and add the file",
                ));
            }
        };
        Ok(Self {
            port: uri.port_u16().unwrap_or(if https { 443 } else { 80 }),
            uri,
            host,
            https,
        })
    }

    fn failed(&self, why: impl std::fmt::Display) -> Fault {
        let shown = shown_url(&self.uri.to_string());
        fault::load(format!("{shown} can't be downloaded: {why}"))
    }

    /// No connection that can be trusted.
    fn unproven(&self, error: &std::io::Error) -> Fault {
        let failed = self.failed(error);
        let tls = error.get_ref().and_then(|why| why.downcast_ref());
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        match tls == Some(&unknown) {
            true => failed.advise(format!(
                "if its authority is one of your own, name the file with its certificate: {}=ca.pem",
                roots::FILE
            )),
            false => failed,
        }
    }

    /// Where a redirect leads. From https never back to http.
    fn follow(&self, location: &str) -> Result<String> {
        let authority = self.uri.authority().map_or("", |all| all.as_str());
        let scheme = if self.https { "https" } else { "http" };
        let next = match location {
            whole if whole.contains("://") => whole.to_owned(),
            other if other.starts_with("//") => format!("{scheme}:{other}"),
            path if path.starts_with('/') => format!("{scheme}://{authority}{path}"),
            _ => return Err(self.failed("it leads to what isn't a URL")),
        };
        match self.https && !next.starts_with("https://") {
            true => Err(self.failed("it leads from https to http")),
            false => Ok(next),
        }
    }

    async fn take(&self, answer: Response<Incoming>) -> Result<Vec<u8>> {
        let large = || self.failed(format!("it is larger than {} MiB", FILE >> 20));
        let length = answer.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > FILE) {
            return Err(large());
        }
        let (mut body, mut bytes) = (answer.into_body(), Vec::new());
        while let Some(frame) = patiently(self, async { Ok(body.frame().await) }).await? {
            let frame = frame.map_err(|error| self.failed(error))?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            if bytes.len() as u64 > FILE {
                return Err(large());
            }
        }
        if length.is_some_and(|length| length != bytes.len() as u64) {
            return Err(self.failed("it was cut short"));
        }
        Ok(bytes)
    }
}

async fn patiently<T>(at: &Place, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(at.failed("nothing came for 30 seconds")),
    }
}

async fn ask(at: &Place) -> Result<Response<Incoming>> {
    let stream = TcpStream::connect((at.host.as_str(), at.port)).await;
    let stream = stream.map_err(|error| at.failed(error))?;
    if !at.https {
        return send(at, stream).await;
    }
    let name = ServerName::try_from(at.host.clone()).map_err(|error| at.failed(error))?;
    let tls = tokio_rustls::TlsConnector::from(tls()?);
    let stream = tls.connect(name, stream).await;
    send(at, stream.map_err(|error| at.unproven(&error))?).await
}

async fn send(
    at: &Place,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Response<Incoming>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| at.failed(error))?;
    // Ends when the answer was read, or nobody waits for it any more.
    tokio::spawn(async move { drop(connection.await) });
    let path = at.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = at.uri.authority().map_or("", |all| all.as_str());
    let request = Request::get(path)
        .header("host", host)
        .header("user-agent", concat!("hygge/", env!("CARGO_PKG_VERSION")))
        .header("accept", "application/wasm, */*")
        .body(Empty::<Bytes>::new())
        .map_err(|error| at.failed(error))?;
    sender
        .send_request(request)
        .await
        .map_err(|error| at.failed(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_in_a_url_is_not_shown() {
        let shown = |url: &str| shown_url(url);
        assert_eq!(
            shown("https://u:pw@a.example/b.wasm?token=x#y"),
            "https://a.example/b.wasm"
        );
        assert_eq!(shown("https://a.example/"), "https://a.example/");
        assert_eq!(shown("https://u:pw@a.example"), "https://a.example");
    }

    #[test]
    fn only_https_or_this_machine() {
        for fine in [
            "https://example.com/a.wasm",
            "http://127.0.0.1:8080/a.wasm",
            "http://localhost/a",
        ] {
            assert!(Place::read(fine).is_ok(), "{fine}");
        }
        for bad in [
            "http://example.com/a",
            "ftp://localhost/a",
            "https://u:p@example.com/a",
            "https://",
            "a b",
        ] {
            assert!(Place::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redirect_leads_never_to_less() {
        let at = Place::read("https://example.com/a").unwrap();
        assert_eq!(at.follow("/b").unwrap(), "https://example.com/b");
        assert_eq!(
            at.follow("//other.example/b").unwrap(),
            "https://other.example/b"
        );
        assert!(at.follow("http://example.com/b").is_err());
        assert!(at.follow("").is_err());
    }
}
