//! One client, from its first byte to its last.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;

use rustix::net::RecvFlags;

use crate::control::{Encryption, Open, Shared, locked};
use crate::engine::Engine;
use crate::fault::SqlError;
use crate::faults::Effect;
use crate::reply::{Halt, Reply, Signals};
use crate::types::Collation;
use crate::wire::link::{self, Handshake, Incoming, Outgoing};
use crate::wire::login::{FEATURE_FEDAUTH, FEATURE_UTF8, Fedauth, Login};
use crate::wire::packet::{self, Packet};
use crate::wire::prelogin::{self, Prelogin};
use crate::wire::token::{self, Change};
use crate::wire::{bulk, request};

/// Packets read ahead of their use.
const AHEAD: usize = 64;

/// Serves a client until it goes away.
pub(crate) fn serve(tcp: TcpStream, shared: &Arc<Shared>) {
    // Whatever ends a session early, the client has been told or is gone.
    let _ = session(tcp, shared);
}

/// Runs a script for the server's owner.
pub(crate) fn run_script(shared: &Arc<Shared>, script: &str) -> Result<(), SqlError> {
    let signals = Arc::new(Signals::default());
    let mut reply = Reply::new(None, Arc::clone(&signals));
    let mut engine = Engine::new(shared, 0, &Login::default(), shared.databases.first())?;
    let outcome = engine.batch(&mut reply, script);
    engine.close();
    match (outcome, reply.first_error) {
        (Err(Halt::Sql(error)), _) | (_, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

fn session(tcp: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let for_control = tcp.try_clone()?;
    let (mut incoming, mut outgoing) = link::open(tcp)?;
    let Some(login) = greet(&mut incoming, &mut outgoing, shared)? else {
        return Ok(());
    };
    outgoing.spid = shared.next_spid.fetch_add(1, Ordering::SeqCst);
    let spid = outgoing.spid;

    let signals = Arc::new(Signals::default());
    let mut reply = Reply::new(Some(outgoing), Arc::clone(&signals));
    let engine = match admit(&login, shared, &mut reply, spid, &mut incoming) {
        Ok(engine) => engine,
        Err(Halt::Sql(error)) => {
            reply.message(&error, 0);
            reply.done(token::ERROR, 0, 0);
            reply.finish()?;
            return close(&mut reply);
        }
        Err(_) => return close(&mut reply),
    };
    let open = Open {
        spid,
        login: login.user.clone(),
        program: login.app.clone(),
        database: engine.database().name.clone(),
        transactions: 0,
    };
    {
        let mut sessions = locked(&shared.sessions);
        sessions.open.push((open, for_control));
        // Threads of those that have hung up may not have seen it yet.
        let here = sessions.open.iter().filter(|(_, tcp)| !has_hung_up(tcp));
        sessions.most = sessions.most.max(here.count());
    }
    shared.opened.fetch_add(1, Ordering::SeqCst);
    let _leaves = Leaves { shared, spid };
    reply.finish()?;
    converse(incoming, reply, engine)
}

/// Whether the client has closed the connection: nothing more can be read, or TLS says farewell.
fn has_hung_up(tcp: &TcpStream) -> bool {
    /// The type of a TLS alert, as no TDS packet is.
    const ALERT: u8 = 0x15;
    let mut first = [0];
    match rustix::net::recv(tcp, &mut first, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, 0)) => true,
        Ok(_) => first == [ALERT],
        Err(_) => false,
    }
}

/// Takes the session out of the count, however it ends.
struct Leaves<'a> {
    shared: &'a Shared,
    spid: u16,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut sessions = self
            .shared
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.open.retain(|(open, _)| open.spid != self.spid);
    }
}

fn close(reply: &mut Reply) -> io::Result<()> {
    if let Some(out) = &mut reply.out {
        out.close();
    }
    Ok(())
}

fn message(incoming: &mut Incoming) -> io::Result<(u8, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let packet = incoming.packet()?;
        body.extend(&packet.body);
        if body.len() > 1 << 20 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a login of more than a megabyte",
            ));
        }
        if packet.ends() {
            return Ok((packet.header.kind, body));
        }
    }
}

/// Settles encryption and reads the login; `None` for a client that is of no use.
fn greet(
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    shared: &Shared,
) -> io::Result<Option<Login>> {
    let offered = shared.options.encryption;
    // A TLS record where a PRELOGIN would be: TDS 8.
    let strict = incoming.peek()? == 0x16;
    if strict {
        if offered == Encryption::Off {
            return Ok(None);
        }
        link::encrypt(
            incoming,
            outgoing,
            Arc::clone(&shared.strict_tls),
            Handshake::Bare,
        )?;
    } else if offered == Encryption::Strict {
        return Ok(None);
    }
    let (kind, body) = message(incoming)?;
    if kind != packet::PRELOGIN {
        return Ok(None);
    }
    let Ok(asked) = Prelogin::parse(&body) else {
        return Ok(None);
    };
    let wanted = asked.encryption.unwrap_or(prelogin::ENCRYPT_NOT_SUPPORTED);
    let settled = settle(offered, wanted);
    outgoing.message(&prelogin::answer(
        if strict { wanted } else { settled },
        asked.fedauth,
    ))?;
    let encrypts = !strict && settled != prelogin::ENCRYPT_NOT_SUPPORTED;
    if encrypts {
        link::encrypt(
            incoming,
            outgoing,
            Arc::clone(&shared.tls),
            Handshake::Wrapped,
        )?;
    }
    let (kind, body) = message(incoming)?;
    if kind != packet::LOGIN7 {
        return Ok(None);
    }
    let login = Login::parse(&body).ok();
    if encrypts && settled == prelogin::ENCRYPT_OFF {
        link::decrypt(incoming, outgoing);
    }
    Ok(login)
}

/// What both sides do, by what the server offers and the client wants (2.2.6.5).
fn settle(offered: Encryption, wanted: u8) -> u8 {
    match (offered, wanted) {
        (Encryption::Off, _) | (Encryption::Optional, prelogin::ENCRYPT_NOT_SUPPORTED) => {
            prelogin::ENCRYPT_NOT_SUPPORTED
        }
        (Encryption::Optional, prelogin::ENCRYPT_OFF) => prelogin::ENCRYPT_OFF,
        (_, prelogin::ENCRYPT_ON | prelogin::ENCRYPT_REQUIRED) => prelogin::ENCRYPT_ON,
        _ => prelogin::ENCRYPT_REQUIRED,
    }
}

/// Checks who it is and answers the login.
fn admit(
    login: &Login,
    shared: &Arc<Shared>,
    reply: &mut Reply,
    spid: u16,
    incoming: &mut Incoming,
) -> Result<Engine, Halt> {
    for effect in shared.faults.strike(&format!("LOGIN {}", login.user)) {
        match effect {
            Effect::DropBefore | Effect::DropAfter => {
                if let Some(out) = &mut reply.out {
                    out.reset();
                }
                return Err(Halt::Gone);
            }
            Effect::DropAfterBytes(count) => {
                if let Some(out) = &mut reply.out {
                    out.cut_after(count);
                }
            }
            Effect::Delay(time) => crate::engine::wait(time, &reply.signals)?,
            Effect::Error(error) => return Err(error.into()),
        }
    }
    authenticate(login, shared, reply, incoming)?;
    let database = if login.database.is_empty() {
        shared.databases.first()
    } else {
        shared.databases.get(&login.database).ok_or_else(|| {
            SqlError::new(
                4060,
                format!(
                    "Cannot open database \"{}\" requested by the login. The login failed.",
                    login.database
                ),
            )
            .class(11)
        })?
    };
    let engine = Engine::new(shared, spid, login, Arc::clone(&database))?;

    let wanted = if login.packet_size == 0 {
        4096
    } else {
        login.packet_size
    };
    let size = wanted.clamp(512, shared.options.largest_packet.clamp(512, 32_767));
    reply.change(&Change::Database(&database.name, "master"));
    reply.message(
        &SqlError::new(
            5701,
            format!("Changed database context to '{}'.", database.name),
        )
        .class(0)
        .state(2),
        1,
    );
    reply.change(&Change::Collation(Collation::DEFAULT));
    reply.change(&Change::Language("us_english"));
    reply.message(
        &SqlError::new(5703, "Changed language setting to us_english.").class(0),
        1,
    );
    token::loginack(
        reply.tokens(),
        "Microsoft SQL Server",
        prelogin::SERVER_VERSION,
    );
    reply.change(&Change::PacketSize(size, 4096));
    if !login.features.is_empty() {
        let mut acknowledged = Vec::new();
        if login.fedauth.is_some() {
            acknowledged.push((FEATURE_FEDAUTH, Vec::new()));
        }
        if login.features.contains(&FEATURE_UTF8) {
            acknowledged.push((FEATURE_UTF8, vec![1]));
        }
        token::features(reply.tokens(), &acknowledged);
    }
    reply.done(0, 0, 0);
    if let Some(out) = &mut reply.out {
        // The answer itself fits the old size, and all that follows goes by the new one.
        out.packet_size = usize::try_from(size).unwrap_or(4096);
    }
    Ok(engine)
}

fn authenticate(
    login: &Login,
    shared: &Shared,
    reply: &mut Reply,
    incoming: &mut Incoming,
) -> Result<(), Halt> {
    let failed = |user: &str, state: u8| {
        SqlError::new(18456, format!("Login failed for user '{user}'."))
            .class(14)
            .state(state)
    };
    let token = match &login.fedauth {
        Some(Fedauth::SecurityToken(token)) => token.clone(),
        Some(Fedauth::Library) => {
            let (sts, spn) = &shared.options.token_source;
            token::fedauth_info(reply.tokens(), sts, spn);
            reply.finish()?;
            let (kind, body) = message(incoming)?;
            if kind != packet::FEDAUTH_TOKEN {
                return Err(
                    SqlError::protocol("a token was asked for and something else came").into(),
                );
            }
            fedauth_token(&body)?
        }
        None if login.sspi => {
            return Err(SqlError::new(18452, "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.").class(14).into());
        }
        None => {
            let known = shared.options.users.iter().any(|(user, password)| {
                user.eq_ignore_ascii_case(&login.user) && *password == login.password
            });
            return if known {
                Ok(())
            } else {
                Err(failed(&login.user, 1).into())
            };
        }
    };
    let text = crate::wire::reader::utf16(&token)?;
    if shared.options.tokens.contains(&text) {
        Ok(())
    } else {
        Err(failed("<token-identified principal>", 1).into())
    }
}

/// A federated authentication token message (2.2.6.3): its length, then the token's.
fn fedauth_token(body: &[u8]) -> Result<Vec<u8>, SqlError> {
    let mut reader = crate::wire::reader::Reader::new(body);
    let _whole = reader.u32()?;
    let length = usize::try_from(reader.u32()?).map_err(SqlError::protocol)?;
    Ok(reader.take(length)?.to_vec())
}

/// What the reading half found.
pub(crate) enum Arrived {
    Packet(Packet),
    Attention,
}

fn read_ahead(
    mut incoming: Incoming,
    signals: &Signals,
    interrupt: &rusqlite::InterruptHandle,
    packets: &SyncSender<Arrived>,
) {
    while let Ok(packet) = incoming.packet() {
        let arrived = if packet.header.kind == packet::ATTENTION {
            signals.attention.store(true, Ordering::SeqCst);
            interrupt.interrupt();
            Arrived::Attention
        } else {
            Arrived::Packet(packet)
        };
        if packets.send(arrived).is_err() {
            return;
        }
    }
    signals.gone.store(true, Ordering::SeqCst);
    interrupt.interrupt();
}

/// Answers requests until the client goes away.
fn converse(incoming: Incoming, mut reply: Reply, mut engine: Engine) -> io::Result<()> {
    let (sender, arrivals) = sync_channel(AHEAD);
    let signals = Arc::clone(&reply.signals);
    let interrupt = engine.interrupt_handle();
    thread::Builder::new()
        .name("tds reader".to_owned())
        .spawn(move || read_ahead(incoming, &signals, &interrupt, &sender))?;
    let outcome = requests(&arrivals, &mut reply, &mut engine);
    engine.close();
    close(&mut reply)?;
    outcome
}

fn requests(
    arrivals: &Receiver<Arrived>,
    reply: &mut Reply,
    engine: &mut Engine,
) -> io::Result<()> {
    while let Ok(arrived) = arrivals.recv() {
        let first = match arrived {
            Arrived::Attention => {
                reply.signals.attention.store(false, Ordering::SeqCst);
                reply.acknowledge_attention()?;
                continue;
            }
            Arrived::Packet(first) => first,
        };
        match request(first, arrivals, reply, engine) {
            Ok(()) => reply.finish()?,
            // The attention itself is still to come out of the channel, and is answered there.
            Err(Halt::Attention) => {}
            Err(Halt::Cancelled) => {
                reply.signals.attention.store(false, Ordering::SeqCst);
                reply.acknowledge_attention()?;
            }
            Err(Halt::Gone) => return Ok(()),
            Err(Halt::Sql(error)) => {
                reply.message(&error, 0);
                reply.done(token::ERROR, token::CMD_OTHER, 0);
                reply.finish()?;
                if error.class >= 20 {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn request(
    first: Packet,
    arrivals: &Receiver<Arrived>,
    reply: &mut Reply,
    engine: &mut Engine,
) -> Result<(), Halt> {
    let header = first.header;
    reply.in_call = false;
    if header.status & (packet::RESET | packet::RESET_KEEP_TRANSACTION) != 0 {
        engine.reset(header.status & packet::RESET_KEEP_TRANSACTION != 0)?;
        reply.in_transaction = engine.in_transaction();
        reply.change(&Change::Reset);
    }
    if header.kind == packet::BULK {
        let mut stream = bulk::Stream::new(first, arrivals);
        return engine.bulk(reply, &mut stream);
    }
    let mut packet = first;
    let mut body = std::mem::take(&mut packet.body);
    while !packet.ends() {
        packet = match arrivals.recv() {
            Ok(Arrived::Packet(packet)) => packet,
            Ok(Arrived::Attention) => return Err(Halt::Cancelled),
            Err(_) => return Err(Halt::Gone),
        };
        body.append(&mut packet.body);
    }
    if packet.header.status & packet::IGNORE != 0 {
        return Err(bulk::ignored());
    }
    match header.kind {
        packet::BATCH => {
            let text = request::batch(&body)?;
            engine.batch(reply, &text)
        }
        packet::RPC => engine.calls(reply, request::calls(&body)?),
        packet::TRANSACTION => engine.manage(reply, &request::manage(&body)?),
        other => Err(SqlError::protocol(format!(
            "the test server doesn't know messages of the type 0x{other:02X}"
        ))
        .into()),
    }
}
