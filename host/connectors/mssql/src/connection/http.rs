//! HTTP for those who ask for tokens: one request a connection, no redirects, certificates of the
//! system's authorities.

use std::sync::Arc;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use http_body_util::{BodyExt, Full, Limited};
use hygge_core::async_trait;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// An answer holds a token or an error, both short.
const LARGEST: usize = 1 << 20;

/// How long somebody may take to take a call. Where no machine has an identity nobody answers at
/// its address, and there may be others to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Http {
    tls: Arc<rustls::ClientConfig>,
}

impl Http {
    /// Reads the system's authorities, or those of the file in `SSL_CERT_FILE`, as both drivers do.
    pub(super) fn new() -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map(ToString::to_string);
            let why = why.unwrap_or_else(|| "there is none".to_owned());
            return Err(format!("no certificate authority to trust: {why}"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(config),
        })
    }

    async fn ask(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or(443);
        let unreachable = |error: std::io::Error| {
            let inner = error.get_ref();
            let kind = match inner
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
            {
                // It would be the same the next time.
                true => ErrorKind::Other,
                false => ErrorKind::Connection,
            };
            let what = format!("{host} can't be reached: {error}");
            azure_core::Error::with_error(kind, error, what)
        };
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect((bare, port)))
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(unreachable)?;
        if url.scheme() != "https" {
            return send(stream, request).await;
        }
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| unreachable(std::io::Error::other(error)))?;
        let tls = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
        let stream = tls.connect(name, stream).await.map_err(unreachable)?;
        send(stream, request).await
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: &Request,
) -> azure_core::Result<AsyncRawResponse> {
    let url = request.url();
    let lost = |error| azure_core::Error::new(ErrorKind::Io, error);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    // Ends when the answer was read, or nobody waits for it any more.
    tokio::spawn(async move { drop(connection.await) });
    let host = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let Body::Bytes(body) = request.body().clone() else {
        let what = "a request for a token that is streamed";
        return Err(azure_core::Error::with_message(ErrorKind::Other, what));
    };
    let mut asked = ::http::Request::builder()
        .method(request.method().as_ref())
        .uri(request.path_and_query())
        .header("host", host);
    for (name, value) in request.headers().iter() {
        asked = asked.header(name.as_str(), value.as_str());
    }
    let asked = asked
        .body(Full::new(body))
        .map_err(|error| azure_core::Error::new(ErrorKind::Other, error))?;
    let answer = sender.send_request(asked).await.map_err(lost)?;
    let status = answer.status().as_u16();
    let mut headers = Headers::new();
    for (name, value) in answer.headers() {
        if let Ok(value) = value.to_str() {
            headers.insert(
                HeaderName::from(name.as_str().to_owned()),
                HeaderValue::from(value.to_owned()),
            );
        }
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| azure_core::Error::new(ErrorKind::Io, error))?;
    Ok(AsyncRawResponse::from_bytes(
        status.into(),
        headers,
        body.to_bytes(),
    ))
}

#[async_trait]
impl HttpClient for Http {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        match tokio::time::timeout(ANSWER, self.ask(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(azure_core::Error::with_message(
                ErrorKind::Io,
                format!("no answer within {}s", ANSWER.as_secs()),
            )),
        }
    }
}
