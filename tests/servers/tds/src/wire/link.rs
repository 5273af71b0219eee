//! One socket in two halves. The half that reads has a thread of its own once the client is logged
//! in, so that an attention (2.2.1.7) or a client that went away is seen while rows are on their
//! way out.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ServerConfig, ServerConnection};

use super::packet::{self, HEADER, Header, Packet};

type Tls = Arc<Mutex<ServerConnection>>;

fn locked(tls: &Tls) -> std::sync::MutexGuard<'_, ServerConnection> {
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Incoming {
    tcp: TcpStream,
    tls: Option<Tls>,
    /// Read and decrypted, not yet taken.
    ready: Vec<u8>,
    at: usize,
    raw: Vec<u8>,
}

pub(crate) struct Outgoing {
    tcp: TcpStream,
    tls: Option<Tls>,
    /// Of a packet, its header included.
    pub(crate) packet_size: usize,
    pub(crate) spid: u16,
    id: u8,
    body: Vec<u8>,
    sealed: Vec<u8>,
    sent: u64,
    /// The connection is cut once so many bytes of packets went out.
    cut_after: Option<u64>,
}

/// Both halves of a socket, nothing encrypted yet.
pub(crate) fn open(tcp: TcpStream) -> io::Result<(Incoming, Outgoing)> {
    tcp.set_nodelay(true)?;
    let incoming = Incoming {
        tcp: tcp.try_clone()?,
        tls: None,
        ready: Vec::new(),
        at: 0,
        raw: vec![0; 64 * 1024],
    };
    let outgoing = Outgoing {
        tcp,
        tls: None,
        packet_size: 4096,
        spid: 0,
        id: 0,
        body: Vec::new(),
        sealed: Vec::new(),
        sent: 0,
        cut_after: None,
    };
    Ok((incoming, outgoing))
}

impl Incoming {
    /// At least one byte more; an error at the end of the stream.
    fn fill(&mut self) -> io::Result<()> {
        if self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
        }
        loop {
            let count = self.tcp.read(&mut self.raw)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(tls) = &self.tls else {
                self.ready.extend_from_slice(&self.raw[..count]);
                return Ok(());
            };
            let mut tls = locked(tls);
            let before = self.ready.len();
            let mut sealed = &self.raw[..count];
            while !sealed.is_empty() {
                tls.read_tls(&mut sealed)?;
                let state = tls.process_new_packets().map_err(io::Error::other)?;
                let at = self.ready.len();
                self.ready.resize(at + state.plaintext_bytes_to_read(), 0);
                tls.reader().read_exact(&mut self.ready[at..])?;
                if state.peer_has_closed() && self.ready.len() == before {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            if self.ready.len() > before {
                return Ok(());
            }
        }
    }

    /// The first byte, left where it is.
    pub(crate) fn peek(&mut self) -> io::Result<u8> {
        while self.at == self.ready.len() {
            self.fill()?;
        }
        Ok(self.ready[self.at])
    }

    pub(crate) fn packet(&mut self) -> io::Result<Packet> {
        while self.ready.len() - self.at < HEADER {
            self.fill()?;
        }
        let head: &[u8; HEADER] = self.ready[self.at..self.at + HEADER]
            .try_into()
            .map_err(io::Error::other)?;
        let header = Header::parse(head).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "a packet shorter than its header",
            )
        })?;
        let length = usize::from(header.length);
        while self.ready.len() - self.at < length {
            self.fill()?;
        }
        let body = self.ready[self.at + HEADER..self.at + length].to_vec();
        self.at += length;
        if self.at == self.ready.len() || self.at > 256 * 1024 {
            self.ready.drain(..self.at);
            self.at = 0;
        }
        Ok(Packet { header, body })
    }
}

impl Outgoing {
    /// Appends to the message, and sends each packet that is full.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.body.extend_from_slice(bytes);
        let room = self.packet_size - HEADER;
        if self.body.len() <= room {
            return Ok(());
        }
        let body = std::mem::take(&mut self.body);
        let mut packets = Vec::with_capacity(body.len() + 1024);
        let mut rest = body.as_slice();
        // The last one stays, as only the end of the message tells its status.
        while rest.len() > room {
            self.frame(&mut packets, packet::RESPONSE, 0, &rest[..room]);
            rest = &rest[room..];
        }
        self.body = rest.to_vec();
        self.send(&packets)
    }

    /// Sends what is left as the message's last packet.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let body = std::mem::take(&mut self.body);
        let mut packets = Vec::with_capacity(body.len() + HEADER);
        self.frame(&mut packets, packet::RESPONSE, packet::END, &body);
        self.send(&packets)?;
        self.id = 0;
        Ok(())
    }

    /// Forgets what was not sent yet.
    pub(crate) fn discard(&mut self) {
        self.body.clear();
    }

    fn frame(&mut self, out: &mut Vec<u8>, kind: u8, status: u8, body: &[u8]) {
        self.id = self.id.wrapping_add(1);
        let length = u16::try_from(body.len() + HEADER).unwrap_or(u16::MAX);
        out.extend(
            Header {
                kind,
                status,
                length,
                spid: self.spid,
                id: self.id,
            }
            .bytes(),
        );
        out.extend_from_slice(body);
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let count = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        if let Some(limit) = self.cut_after
            && self.sent + count > limit
        {
            let left =
                usize::try_from(limit.saturating_sub(self.sent)).map_err(io::Error::other)?;
            self.transmit(&bytes[..left.min(bytes.len())])?;
            self.reset();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.sent += count;
        self.transmit(bytes)
    }

    fn transmit(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &self.tls else {
            return self.tcp.write_all(bytes);
        };
        self.sealed.clear();
        {
            let mut tls = locked(tls);
            tls.writer().write_all(bytes)?;
            while tls.wants_write() {
                tls.write_tls(&mut self.sealed)?;
            }
        }
        self.tcp.write_all(&self.sealed)
    }

    /// Cuts the connection once so many more bytes went out.
    pub(crate) fn cut_after(&mut self, bytes: u64) {
        self.cut_after = Some(self.sent + bytes);
    }

    /// Closes the socket so that the client sees a reset, not an end.
    pub(crate) fn reset(&mut self) {
        // Neither can fail in a way that matters: the socket is given up.
        let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO));
        let _ = self.tcp.shutdown(Shutdown::Read);
        let _ = socket2::SockRef::from(&self.tcp).shutdown(Shutdown::Both);
    }

    pub(crate) fn close(&mut self) {
        if let Some(tls) = &self.tls {
            let mut sealed = Vec::new();
            let mut tls = locked(tls);
            tls.send_close_notify();
            while tls.wants_write() && tls.write_tls(&mut sealed).is_ok() {}
            drop(tls);
            let _ = self.tcp.write_all(&sealed);
        }
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

/// Where the records of a TLS handshake stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// In PRELOGIN packets (2.2.6.5), as TDS 7 has it.
    Wrapped,
    /// On the socket itself, before anything else, as TDS 8 has it.
    Bare,
}

/// Makes a TLS session of the socket.
pub(crate) fn encrypt(
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    config: Arc<ServerConfig>,
    how: Handshake,
) -> io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    tls.set_buffer_limit(None);
    while tls.is_handshaking() {
        let records = match how {
            Handshake::Wrapped => {
                let packet = incoming.packet()?;
                if packet.header.kind != packet::PRELOGIN {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "no TLS handshake in the packet",
                    ));
                }
                packet.body
            }
            Handshake::Bare => {
                incoming.peek()?;
                let records = incoming.ready[incoming.at..].to_vec();
                incoming.ready.clear();
                incoming.at = 0;
                records
            }
        };
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            let state = tls.process_new_packets();
            flush(&mut tls, outgoing, how)?;
            state.map_err(io::Error::other)?;
        }
    }
    flush(&mut tls, outgoing, how)?;
    // What came with the last record of the handshake.
    let mut early = Vec::new();
    let waiting = tls
        .process_new_packets()
        .map_err(io::Error::other)?
        .plaintext_bytes_to_read();
    early.resize(waiting, 0);
    tls.reader().read_exact(&mut early)?;
    incoming.ready.extend(early);
    let tls = Arc::new(Mutex::new(tls));
    incoming.tls = Some(Arc::clone(&tls));
    outgoing.tls = Some(tls);
    Ok(())
}

/// Goes on without TLS: only the login was to be encrypted (`ENCRYPT_OFF`).
pub(crate) fn decrypt(incoming: &mut Incoming, outgoing: &mut Outgoing) {
    incoming.tls = None;
    outgoing.tls = None;
}

fn flush(tls: &mut ServerConnection, outgoing: &mut Outgoing, how: Handshake) -> io::Result<()> {
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records)?;
    }
    if records.is_empty() {
        return Ok(());
    }
    if how == Handshake::Bare {
        return outgoing.tcp.write_all(&records);
    }
    let mut framed = Vec::new();
    let room = outgoing.packet_size - HEADER;
    let mut rest = records.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(room));
        outgoing.frame(
            &mut framed,
            packet::PRELOGIN,
            if later.is_empty() { packet::END } else { 0 },
            now,
        );
        rest = later;
    }
    outgoing.id = 0;
    outgoing.tcp.write_all(&framed)
}

impl Outgoing {
    /// A PRELOGIN answer travels as a response (2.2.6.5).
    pub(crate) fn message(&mut self, body: &[u8]) -> io::Result<()> {
        self.write(body)?;
        self.finish()
    }
}
