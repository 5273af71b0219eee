//! What a test holds of a running server: its address, its counters, its log, its faults.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::faults::{Fault, Faults};
use crate::session;
use crate::store::{Backup, Databases};

/// What the server says of encryption when it is asked (MS-TDS 2.2.6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It has none.
    Off,
    /// As the client likes; a client that wants none still logs in encrypted.
    Optional,
    /// Always.
    Required,
    /// TLS before anything else, as TDS 8 has it; other clients are refused.
    Strict,
}

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens on 127.0.0.1; 0 for any free port.
    pub port: u16,
    /// What it says of encryption. TLS first (strict) is taken unless this is `Off`.
    pub encryption: Encryption,
    /// Logins and their passwords.
    pub users: Vec<(String, String)>,
    /// Access tokens that are taken instead of a password.
    pub tokens: Vec<String>,
    /// What clients that ask are told of where tokens are had: an address and a resource.
    pub token_source: (String, String),
    /// Databases beside master and tempdb; the first is what a login gets that names none.
    pub databases: Vec<String>,
    /// The largest packet that is agreed to: 512 to 32767.
    pub largest_packet: u32,
    /// Whether readers see the last committed rows instead of waiting for a writer
    /// (`READ_COMMITTED_SNAPSHOT`, on in Azure SQL, off elsewhere).
    pub read_committed_snapshot: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            encryption: Encryption::Optional,
            users: vec![(USER.to_owned(), PASSWORD.to_owned())],
            tokens: Vec::new(),
            token_source: (
                "https://login.example/tenant".to_owned(),
                "https://database.example/".to_owned(),
            ),
            databases: vec!["test".to_owned()],
            largest_packet: 32_767,
            read_committed_snapshot: false,
        }
    }
}

/// The login that a server has by default.
pub const USER: &str = "sa";
/// Its password.
pub const PASSWORD: &str = "Hygge.Test.1";

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that is open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its `@@SPID`.
    pub spid: u16,
    /// Who logged in.
    pub login: String,
    /// The name that the program gave itself.
    pub program: String,
    /// The database that it is in.
    pub database: String,
    /// Transactions open in it, as `@@TRANCOUNT` says.
    pub transactions: u32,
}

/// A statement that a session ran, or was to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Whose it was.
    pub spid: u16,
    /// Its text, without the values of parameters.
    pub text: String,
}

#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) open: Vec<(Open, TcpStream)>,
    pub(crate) most: usize,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) tls: Arc<ServerConfig>,
    /// For TLS before anything else.
    pub(crate) strict_tls: Arc<ServerConfig>,
    pub(crate) databases: Databases,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) opened: AtomicUsize,
    pub(crate) next_spid: AtomicU16,
    pub(crate) log: Mutex<Vec<Logged>>,
    pub(crate) logging: AtomicBool,
    pub(crate) faults: Faults,
    stopping: AtomicBool,
}

/// A server that listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    certificate: String,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a thread of its own.
    pub fn start(options: Options) -> io::Result<Self> {
        let (tls, strict_tls, certificate) = certificate()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            databases: Databases::new(&options),
            options,
            tls: Arc::new(tls),
            strict_tls: Arc::new(strict_tls),
            sessions: Mutex::default(),
            opened: AtomicUsize::new(0),
            next_spid: AtomicU16::new(51),
            log: Mutex::default(),
            logging: AtomicBool::new(true),
            faults: Faults::default(),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let listener = thread::Builder::new()
            .name("tds listener".to_owned())
            .spawn(move || accept(&listener, &accepting))?;
        Ok(Self {
            address,
            certificate,
            shared,
            listener: Some(listener),
        })
    }

    /// What the first database holds now.
    pub fn backup(&self) -> Backup {
        self.shared.databases.first().backup()
    }

    /// Puts the first database back to what it held. Nobody may be at work in it.
    pub fn restore(&self, backup: &Backup) {
        self.shared.databases.first().restore(backup);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that it shows, as PEM: for `localhost` and 127.0.0.1, signed by itself.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Sessions that are logged in now.
    pub fn open_sessions(&self) -> usize {
        locked(&self.shared.sessions).open.len()
    }

    /// Those sessions, one by one.
    pub fn sessions(&self) -> Vec<Open> {
        locked(&self.shared.sessions)
            .open
            .iter()
            .map(|(open, _)| open.clone())
            .collect()
    }

    /// The most that were logged in at once.
    pub fn most_sessions(&self) -> usize {
        locked(&self.shared.sessions).most
    }

    /// How many logged in so far.
    pub fn sessions_opened(&self) -> usize {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Starts counting anew: the most at once is what is open now, and none were opened.
    pub fn reset_counters(&self) {
        let mut sessions = locked(&self.shared.sessions);
        sessions.most = sessions.open.len();
        self.shared.opened.store(0, Ordering::SeqCst);
    }

    /// Every statement since the start or since the log was cleared.
    pub fn log(&self) -> Vec<Logged> {
        locked(&self.shared.log).clone()
    }

    /// Empties the log.
    pub fn clear_log(&self) {
        locked(&self.shared.log).clear();
    }

    /// Whether statements are logged; they are, unless this is told otherwise.
    pub fn keep_log(&self, keep: bool) {
        self.shared.logging.store(keep, Ordering::SeqCst);
    }

    /// Lets something go wrong.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// How often a fault took effect since the start.
    pub fn faults_struck(&self) -> usize {
        self.shared.faults.struck()
    }

    /// Cuts every session that is open now, as a server that dies would.
    pub fn drop_sessions(&self) {
        for (_, tcp) in &locked(&self.shared.sessions).open {
            let socket = socket2::SockRef::from(tcp);
            // A socket that is gone already needs no cutting.
            let _ = socket.set_linger(Some(std::time::Duration::ZERO));
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Runs a script on a session that no client has and that counts for nothing.
    pub fn run(&self, script: &str) -> Result<(), crate::SqlError> {
        session::run_script(&self.shared, script)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        self.drop_sessions();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for tcp in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(tcp) = tcp else { continue };
        let shared = Arc::clone(shared);
        // Deeply nested expressions are compiled by recursion.
        let started = thread::Builder::new()
            .name("tds session".to_owned())
            .stack_size(16 << 20)
            .spawn(move || session::serve(tcp, &shared));
        drop(started);
    }
}

/// The TLS of TDS 7, that of TDS 8, and the certificate that both show, as PEM.
fn certificate() -> io::Result<(ServerConfig, ServerConfig, String)> {
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
            .map_err(io::Error::other)?;
    let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)
    };
    // TDS 7 hides the handshake in packets, where the late messages of TLS 1.3 have no place.
    let wrapped = config(&[&rustls::version::TLS12])?;
    let mut strict = config(&[&rustls::version::TLS12, &rustls::version::TLS13])?;
    strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
    Ok((wrapped, strict, made.cert.pem()))
}
