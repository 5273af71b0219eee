//! Which TLS a server speaks, and whose certificate it shows.
//!
//! Neither driver tells, so `hygge debug` makes a handshake beside them, up to where one would log
//! in. It believes every certificate and sends nothing: whether one is to be trusted is for the
//! drivers to say, which log in.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::settings::{Encrypt, Login};
use super::statements::line;

/// How a session is kept from being read on its way.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// All of it is encrypted.
    All(Tls),
    /// Only the login is.
    Login(Tls),
    /// Nothing can be.
    Nothing,
}

/// What was agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    version: String,
    cipher: String,
    certificate: Option<Certificate>,
}

/// Whom a server says it is.
#[derive(Debug, Clone)]
struct Certificate {
    subject: String,
    issuer: String,
    until: String,
    over: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(tls) => write!(f, "all is encrypted by {tls}"),
            Self::Login(tls) => write!(f, "only the login is encrypted, by {tls}"),
            Self::Nothing => f.write_str("the server can encrypt nothing, not even a login"),
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.cipher)?;
        let Some(Certificate {
            subject,
            issuer,
            until,
            over,
        }) = &self.certificate
        else {
            return Ok(());
        };
        let over = if *over { ", which is over" } else { "" };
        write!(f, "; the certificate is that of {subject}, ")?;
        match subject == issuer {
            true => write!(f, "signed by itself, until {until}{over}"),
            false => write!(f, "from {issuer}, until {until}{over}"),
        }
    }
}

/// Shakes hands with a server.
pub(super) async fn shake(login: &Login) -> io::Result<Shown> {
    let limit = login.connect_timeout;
    match tokio::time::timeout(limit, meet(login)).await {
        Ok(shown) => shown,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {}s", limit.as_secs()),
        )),
    }
}

async fn meet(login: &Login) -> io::Result<Shown> {
    let mut stream = line(login).await.map_err(io::Error::other)?;
    // TDS 8.0 has TLS below it, and is agreed on there.
    if login.encrypt == Encrypt::Strict {
        let tls = agree(&mut stream, login, Framing::Bare).await?;
        return Ok(Shown::All(tls));
    }
    let asked = if login.encrypt == Encrypt::Off {
        OFF
    } else {
        ON
    };
    let answered = prelogin(&mut stream, asked).await?;
    if answered == NOT_SUPPORTED {
        return Ok(Shown::Nothing);
    }
    let tls = agree(&mut stream, login, Framing::Packets).await?;
    Ok(match (asked, answered) {
        (OFF, OFF) => Shown::Login(tls),
        _ => Shown::All(tls),
    })
}

// [MS-TDS] 2.2.6.5: the values of ENCRYPTION.
const OFF: u8 = 0;
const ON: u8 = 1;
const NOT_SUPPORTED: u8 = 2;

const PRELOGIN: u8 = 0x12;
const HEADER: usize = 8;
/// Bytes of a packet before another size was agreed on.
const PACKET: usize = 4_096;

/// Says what is wanted, and gives what the server says of encryption.
async fn prelogin(stream: &mut TcpStream, wanted: u8) -> io::Result<u8> {
    // VERSION and ENCRYPTION, each with the place and length of its data, and the end.
    let message = [
        0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 0, 0, 0, 0, 0, 0, wanted,
    ];
    send(stream, &message).await?;
    let mut answer = Vec::new();
    while !receive(stream, &mut answer).await? {}
    let found = answer.chunks(5).take_while(|option| option[0] != 0xFF);
    for option in found {
        if let [1, high, low, ..] = option
            && let Some(value) = answer.get(usize::from(u16::from_be_bytes([*high, *low])))
        {
            return Ok(*value);
        }
    }
    Err(invalid("it says nothing about encryption"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let parts = message.chunks(PACKET - HEADER);
    let count = parts.len();
    for (n, part) in parts.enumerate() {
        let last = u8::from(n + 1 == count);
        let length = u16::try_from(part.len() + HEADER).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        let number = u8::try_from(n % 256).unwrap_or_default().wrapping_add(1);
        let header = [PRELOGIN, last, high, low, 0, 0, number, 0];
        stream.write_all(&header).await?;
        stream.write_all(part).await?;
    }
    Ok(())
}

/// Adds a packet's content; whether it was the last of its message.
async fn receive(stream: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let length = length.checked_sub(HEADER);
    let length = length.ok_or_else(|| invalid("it doesn't speak TDS"))?;
    let begin = into.len();
    into.resize(begin + length, 0);
    stream.read_exact(&mut into[begin..]).await?;
    Ok(header[1] & 1 == 1)
}

/// Whether TLS stands on the line itself, or in packets of TDS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Bare,
    Packets,
}

async fn agree(stream: &mut TcpStream, login: &Login, framing: Framing) -> io::Result<Tls> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer(provider)))
        .with_no_client_auth();
    if framing == Framing::Bare {
        config.alpn_protocols = vec![b"tds/8.0".to_vec()];
    }
    let name = ServerName::try_from(login.server.host.clone()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        let mut own = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut own)?;
        }
        match framing {
            Framing::Bare => stream.write_all(&own).await?,
            Framing::Packets => send(stream, &own).await?,
        }
        if !tls.is_handshaking() {
            break;
        }
        let mut theirs = Vec::new();
        match framing {
            Framing::Bare => {
                if stream.read_buf(&mut theirs).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Framing::Packets => {
                receive(stream, &mut theirs).await?;
            }
        }
        let mut theirs = theirs.as_slice();
        while !theirs.is_empty() {
            tls.read_tls(&mut theirs)?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }
    let version = match tls.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = tls.negotiated_cipher_suite();
    let cipher = suite.and_then(|suite| suite.suite().as_str());
    let first = tls.peer_certificates().and_then(<[_]>::first);
    Ok(Tls {
        version,
        cipher: cipher.unwrap_or("an unknown cipher").to_owned(),
        certificate: first.map(|der| read(der)).transpose()?,
    })
}

fn read(der: &[u8]) -> io::Result<Certificate> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(io::Error::other)?;
    let validity = certificate.validity();
    Ok(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        until: validity.not_after.to_datetime().date().to_string(),
        over: validity.not_after < x509_parser::time::ASN1Time::now(),
    })
}

/// Takes any certificate, to show it.
#[derive(Debug)]
struct Believer(Arc<CryptoProvider>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.0.signature_verification_algorithms;
        known.supported_schemes()
    }
}
