//! Requests of guests: refused unless granted, and sent to the very address that was checked.
//!
//! A name is resolved once. Every address it has must be public unless the operator named the
//! host as an address, as `localhost` or with `private: true`, and the connection is made to one of the addresses that
//! were checked, so that a name which resolves differently the second time gains nothing.
//! Redirects are the guest's to follow, and each is a request like any other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hygge_core::failpoint;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::grants::{HttpGrant, host_of, port_of};
use crate::limits::Limits;
use crate::log::{GuestLog, Severity};
use crate::plugin::Plugin;
use crate::roots::tls;
use crate::tally::Sent as Account;

/// Requests of one plugin that may be open at once, all its instances together.
const AT_ONCE: usize = 4;
/// How long connecting may take at most. All waiting counts into the time of the guest's call,
/// and that is how long the first byte may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many requests of a plugin are under way, and when the next may leave.
#[derive(Debug)]
pub(crate) struct Traffic {
    open: Arc<Semaphore>,
    next: Mutex<Option<Instant>>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            open: Arc::new(Semaphore::new(AT_ONCE)),
            next: Mutex::default(),
        }
    }
}

impl Traffic {
    /// Waits for a place, and then for the moment that `rate` requests a second leave.
    async fn turn(&self, rate: Option<u32>) -> Result<OwnedSemaphorePermit, Error> {
        let open = Arc::clone(&self.open).acquire_owned().await;
        let turn = open.map_err(|_| Error::HttpRequestDenied)?;
        if let Some(rate) = rate {
            let at = {
                let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                let at = next.map_or(now, |next| next.max(now));
                *next = Some(at + Duration::from_secs(1) / rate.max(1));
                at
            };
            tokio::time::sleep_until(at.into()).await;
        }
        Ok(turn)
    }
}

/// What one instance may reach.
pub(crate) struct Network {
    plugin: Arc<Plugin>,
    log: Arc<GuestLog>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Network {
    pub(crate) fn new(plugin: &Arc<Plugin>, log: &Arc<GuestLog>) -> hygge_core::Result<Self> {
        let https = |grant: &HttpGrant| grant.scheme == "https";
        let https = plugin.grants.http.iter().any(https);
        Ok(Self {
            plugin: Arc::clone(plugin),
            log: Arc::clone(log),
            tls: https.then(tls).transpose()?,
        })
    }

    /// The grant that lets a request pass.
    fn granted(&self, request: &Request<WasiBody>) -> Option<Target> {
        let uri = request.uri();
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let authority = uri.authority()?;
        // TRACE sends back what it was sent, secrets too; CONNECT leads on to anywhere.
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return None;
        }
        // `https://granted@elsewhere` and the like: the host is what comes after, but there is
        // no honest use.
        if authority.as_str().contains('@') {
            return None;
        }
        let host = host_of(authority);
        let port = port_of(authority, if scheme == "https" { 443 } else { 80 })?;
        let method = request.method().as_str();
        let mut grants = self.plugin.grants.http.iter();
        let fits = |grant: &&HttpGrant| grant.allows(&scheme, &host, port, method);
        let private = grants.clone().filter(fits).any(|grant| grant.private);
        grants.find(fits).map(|_| Target {
            private,
            port,
            scheme: scheme.clone(),
            host: host.clone(),
        })
    }

    /// Counts a request that isn't sent, and says so the first time.
    fn deny(&self, request: &Request<WasiBody>, why: &str) {
        Refusal {
            plugin: Arc::clone(&self.plugin),
            log: Arc::clone(&self.log),
            what: asked(request),
        }
        .tell(why);
    }

    /// Puts secrets where their placeholders stand; false when one is bound to another host.
    fn reveal(&self, request: &mut Request<WasiBody>, host: &str) -> bool {
        for value in request.headers_mut().values_mut() {
            let Ok(text) = value.to_str() else { continue };
            let mut text = text.to_owned();
            let mut changed = false;
            for secret in self.plugin.grants.secrets.values() {
                if !text.contains(secret.placeholder()) {
                    continue;
                }
                if secret.host != host {
                    return false;
                }
                text = text.replace(secret.placeholder(), secret.value.expose());
                changed = true;
            }
            if changed {
                let Ok(mut filled) = HeaderValue::from_str(&text) else {
                    return false;
                };
                filled.set_sensitive(true);
                *value = filled;
            }
        }
        true
    }
}

struct Target {
    scheme: String,
    host: String,
    port: u16,
    private: bool,
}

/// A request that may not be sent.
struct Refusal {
    plugin: Arc<Plugin>,
    log: Arc<GuestLog>,
    what: String,
}

impl Refusal {
    fn tell(&self, why: &str) {
        if self.plugin.tally.deny(&self.what) {
            let line = format!("was refused {}: {why}", self.what);
            self.log.line(Severity::Warning, &line);
        }
    }
}

/// `GET https://api.example.com`, without what may be secret or endless.
fn asked(request: &Request<WasiBody>) -> String {
    let uri = request.uri();
    let host = uri.authority().map_or("", |authority| {
        let whole = authority.as_str();
        whole.rsplit_once('@').map_or(whole, |(_, host)| host)
    });
    let scheme = uri.scheme_str().unwrap_or("?");
    crate::fault::clean(&format!("{} {scheme}://{host}", request.method()), 300)
}

/// About how many bytes a head takes.
fn head(headers: &HeaderMap) -> u64 {
    let each = |(name, value): (&http::HeaderName, &HeaderValue)| {
        (name.as_str().len() + value.len() + 4) as u64
    };
    headers.iter().map(each).sum()
}

type Ending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Ending), Error>;

impl WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(target) = self.granted(&request) else {
            self.deny(&request, "it isn't granted");
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        if !self.reveal(&mut request, &target.host) {
            self.deny(&request, "a secret in it is bound to another host");
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let (plugin, tls) = (Arc::clone(&self.plugin), self.tls.clone());
        let refusal = Refusal {
            plugin: Arc::clone(&plugin),
            log: Arc::clone(&self.log),
            what: asked(&request),
        };
        Box::new(async move {
            let limits = plugin.grants.limits;
            let turn = plugin.traffic.turn(limits.rate).await?;
            let account = plugin
                .tally
                .host(&format!("{}:{}", target.host, target.port));
            let sent = send(request, options, &target, tls, &account, &limits).await;
            if matches!(sent, Err(Error::DestinationIpProhibited)) {
                refusal.tell(
                    "it leads into a private network; if that is meant, grant \
                     {url: …, private: true}",
                );
            }
            let (response, ending) = sent?;
            let ending: Ending = Box::new(async move {
                let _turn = turn;
                Box::into_pin(ending).await
            });
            Ok((response, ending))
        })
    }
}

async fn send(
    mut request: Request<WasiBody>,
    options: Option<RequestOptions>,
    target: &Target,
    tls: Option<Arc<rustls::ClientConfig>>,
    account: &Arc<Account>,
    limits: &Limits,
) -> Sent {
    let asked = |time: Option<Duration>, most: Duration| time.unwrap_or(most).min(most);
    let connect_time = asked(options.as_ref().and_then(|o| o.connect_timeout), PATIENCE);
    let first_byte = options.as_ref().and_then(|o| o.first_byte_timeout);
    let first_byte = asked(first_byte, limits.call_timeout);
    let late = |_| Error::ConnectionTimeout;
    let stream = tokio::time::timeout(connect_time, dial(target))
        .await
        .map_err(late)??;
    let stream: Box<dyn Stream> = match (target.scheme.as_str(), tls) {
        ("https", Some(tls)) => {
            let name = ServerName::try_from(bare(&target.host).to_owned())
                .map_err(|_| Error::HttpRequestUriInvalid)?;
            let connector = tokio_rustls::TlsConnector::from(tls);
            let shaken = tokio::time::timeout(connect_time, connector.connect(name, stream));
            Box::new(shaken.await.map_err(late)?.map_err(Error::Tls)?)
        }
        ("https", None) => return Err(Error::HttpRequestDenied),
        _ => Box::new(stream),
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Scheme and authority are for proxies; a server is told the path.
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    *request.uri_mut() = path
        .parse::<Uri>()
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    let uri = request.uri().to_string().len() as u64;
    account.requests.fetch_add(1, Ordering::Relaxed);
    let up = head(request.headers()) + uri;
    account.sent.fetch_add(up, Ordering::Relaxed);
    let counted = Arc::clone(account);
    let request = request.map(|body| {
        body.map_frame(move |frame| {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            counted.sent.fetch_add(bytes, Ordering::Relaxed);
            frame
        })
        .boxed_unsync()
    });
    let driven = tokio::spawn(connection);
    // However this ends, the connection ends with it.
    let closing = Closing(driven.abort_handle());
    let response = tokio::time::timeout(first_byte, sender.send_request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)??;
    let down = head(response.headers());
    account.received.fetch_add(down, Ordering::Relaxed);
    let (counted, most) = (Arc::clone(account), limits.response);
    let response = response.map(|body| {
        let body = body.map_frame(move |frame| {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            counted.received.fetch_add(bytes, Ordering::Relaxed);
            frame
        });
        Limited::new(body, most)
            .map_err(move |error| match error.downcast::<hyper::Error>() {
                Ok(error) => Error::from(*error),
                Err(_) => Error::HttpResponseBodySize(Some(most as u64)),
            })
            .boxed_unsync()
    });
    let ending: Ending = Box::new(async move {
        let (_sender, _closing) = (sender, closing);
        match driven.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::from(error)),
            Err(_) => Err(Error::ConnectionTerminated),
        }
    });
    Ok((response, ending))
}

/// Ends a connection when dropped.
struct Closing(AbortHandle);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to an address of the host, all of which may be reached.
async fn dial(target: &Target) -> Result<TcpStream, Error> {
    let host = bare(&target.host);
    let literal: Option<IpAddr> = host.parse().ok();
    let addresses: Vec<SocketAddr> = match literal {
        // The operator wrote this very address.
        Some(address) => vec![SocketAddr::new(address, target.port)],
        None => resolve(host, target.port).await.map_err(Error::Connect)?,
    };
    let named = target.private || literal.is_some() || host == "localhost";
    if !named && addresses.iter().any(|address| !public(address.ip())) {
        return Err(Error::DestinationIpProhibited);
    }
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}

/// The addresses of a name. Asked for once a request: another answer could be another host.
async fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    if let Some(names) = failpoint::stand_in("DNS") {
        return Ok(stood_in(&names, host, port));
    }
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

/// What a test answers: `NAME=ADDRESS+ADDRESS,ADDRESS`, one answer after the other.
fn stood_in(names: &str, host: &str, port: u16) -> Vec<SocketAddr> {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let answers = names
        .strip_prefix(host)
        .and_then(|rest| rest.strip_prefix('='));
    let nth = ASKED.fetch_add(1, Ordering::Relaxed);
    let answer = answers.and_then(|answers| answers.split(',').cycle().nth(nth));
    let addresses = answer.unwrap_or_default().split('+');
    let read = addresses.filter_map(|address| address.parse::<IpAddr>().ok());
    read.map(|address| SocketAddr::new(address, port)).collect()
}

/// `::1` of `[::1]`.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// Whether an address is one of the open internet.
fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => public_v4(address),
        IpAddr::V6(address) => public_v6(address),
    }
}

/// The special-purpose registry of RFC 6890, as far as it isn't global.
fn public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

/// Only global unicast (`2000::/3`), without documentation and the ways to smuggle a v4 address.
fn public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return public_v4(v4);
    }
    let segments = address.segments();
    let global = segments[0] & 0xe000 == 0x2000;
    let teredo = segments[0] == 0x2001 && segments[1] < 0x200;
    let documentation = (segments[0] == 0x2001 && segments[1] == 0xdb8)
        || (segments[0] == 0x3fff && segments[1] < 0x1000);
    let six_to_four = segments[0] == 0x2002;
    global && !(teredo || documentation || six_to_four)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_ranges_are_not_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
            "3fff:fff::1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!public(private.parse().unwrap()), "{private}");
        }
        for open in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "100.128.0.1"] {
            assert!(public(open.parse().unwrap()), "{open}");
        }
    }
}
