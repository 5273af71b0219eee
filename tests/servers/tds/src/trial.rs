//! A small client of this crate's own, to try what a real one can't be made to do.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::types::{Value, info, value};
use crate::wire::packet::{self, HEADER, Header};
use crate::wire::reader::{Reader, put_utf16};
use crate::wire::token;
use crate::{PASSWORD, Server, USER};

pub(crate) struct Client {
    tcp: TcpStream,
    size: usize,
}

/// What a response says, as far as these tests look.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) errors: Vec<i32>,
    /// Statuses and counts of the DONEs.
    pub(crate) done: Vec<(u16, u64)>,
    pub(crate) environment: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> std::io::Result<Self> {
        Self::login(server, USER, PASSWORD, 4096).map(|(client, _)| client)
    }

    pub(crate) fn login(
        server: &Server,
        user: &str,
        password: &str,
        size: u32,
    ) -> std::io::Result<(Self, Answer)> {
        let tcp = TcpStream::connect(server.address())?;
        let mut client = Self { tcp, size: 4096 };
        let prelogin = [
            1,
            0,
            6,
            0,
            1,
            0xFF,
            crate::wire::prelogin::ENCRYPT_NOT_SUPPORTED,
        ];
        client.send(packet::PRELOGIN, 0, &prelogin)?;
        client.receive()?;
        let mut fixed = Vec::new();
        fixed.extend(0_u32.to_le_bytes());
        fixed.extend(0x7400_0004_u32.to_le_bytes());
        fixed.extend(size.to_le_bytes());
        fixed.extend([0; 24]);
        let mut data = Vec::new();
        let hidden = |text: &str| {
            let mut bytes = Vec::new();
            put_utf16(&mut bytes, text);
            bytes
                .iter()
                .map(|byte| byte.rotate_right(4) ^ 0xA5)
                .collect::<Vec<u8>>()
        };
        let plain = |text: &str| {
            let mut bytes = Vec::new();
            put_utf16(&mut bytes, text);
            bytes
        };
        let texts = [
            plain("here"),
            plain(user),
            hidden(password),
            plain("trial"),
            plain(""),
            vec![],
            plain("trial"),
            plain(""),
            plain(""),
        ];
        let start = 36 + 58;
        for text in texts {
            fixed.extend(u16::try_from(start + data.len()).unwrap().to_le_bytes());
            fixed.extend(u16::try_from(text.len() / 2).unwrap().to_le_bytes());
            data.extend(text);
        }
        fixed.resize(start, 0);
        fixed.extend(data);
        client.send(packet::LOGIN7, 0, &fixed)?;
        let bytes = client.receive()?;
        client.size = usize::try_from(size).unwrap().clamp(512, 32_767);
        Ok((client, answer(&bytes)))
    }

    pub(crate) fn send(&mut self, kind: u8, status: u8, body: &[u8]) -> std::io::Result<()> {
        let room = self.size - HEADER;
        let mut rest = body;
        loop {
            let (now, later) = rest.split_at(rest.len().min(room));
            let end = if later.is_empty() { packet::END } else { 0 };
            let length = u16::try_from(now.len() + HEADER).unwrap();
            let header = Header {
                kind,
                status: status | end,
                length,
                spid: 0,
                id: 1,
            };
            self.tcp
                .write_all(&[header.bytes().as_slice(), now].concat())?;
            rest = later;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// The body of the next message, and the largest packet that it came in.
    pub(crate) fn receive_sized(&mut self) -> std::io::Result<(Vec<u8>, usize)> {
        let (mut all, mut largest) = (Vec::new(), 0);
        loop {
            let mut head = [0; HEADER];
            self.tcp.read_exact(&mut head)?;
            let header =
                Header::parse(&head).map_err(|_| std::io::Error::other("a short packet"))?;
            let mut body = vec![0; usize::from(header.length) - HEADER];
            self.tcp.read_exact(&mut body)?;
            largest = largest.max(usize::from(header.length));
            all.extend(body);
            if header.status & packet::END != 0 {
                return Ok((all, largest));
            }
        }
    }

    pub(crate) fn receive(&mut self) -> std::io::Result<Vec<u8>> {
        self.receive_sized().map(|(body, _)| body)
    }

    pub(crate) fn ask(&mut self, text: &str) -> std::io::Result<()> {
        self.send(packet::BATCH, 0, &batch(text))
    }

    pub(crate) fn run(&mut self, text: &str) -> std::io::Result<Answer> {
        self.ask(text)?;
        Ok(answer(&self.receive()?))
    }
}

pub(crate) fn batch(text: &str) -> Vec<u8> {
    let mut body = 22_u32.to_le_bytes().to_vec();
    body.extend(18_u32.to_le_bytes());
    body.extend(2_u16.to_le_bytes());
    body.extend([0; 8]);
    body.extend(1_u32.to_le_bytes());
    put_utf16(&mut body, text);
    body
}

/// Reads a response. It is this server's own, so what it can't read is a failure of the test.
pub(crate) fn answer(bytes: &[u8]) -> Answer {
    let mut reader = Reader::new(bytes);
    let mut answer = Answer::default();
    let mut columns = Vec::new();
    while reader.left() > 0 {
        match reader.u8().unwrap() {
            token::COLMETADATA => {
                columns.clear();
                for _ in 0..reader.u16().unwrap() {
                    reader.take(6).unwrap();
                    columns.push(info::read(&mut reader).unwrap());
                    assert!(
                        !columns.last().unwrap().ty.has_text_pointer(),
                        "not asked for here"
                    );
                    reader.b_varchar().unwrap();
                }
            }
            token::ROW => answer.rows.push(
                columns
                    .iter()
                    .map(|declared| read(declared, &mut reader))
                    .collect(),
            ),
            token::NBCROW => {
                let nulls = reader.take(columns.len().div_ceil(8)).unwrap();
                let is_null = |at: usize| nulls[at / 8] >> (at % 8) & 1 == 1;
                let row = columns.iter().enumerate().map(|(at, declared)| {
                    if is_null(at) {
                        Value::Null
                    } else {
                        read(declared, &mut reader)
                    }
                });
                answer.rows.push(row.collect());
            }
            token::DONE | token::DONEPROC | token::DONEINPROC => {
                let status = reader.u16().unwrap();
                reader.u16().unwrap();
                answer.done.push((status, reader.u64().unwrap()));
            }
            0x79 => drop(reader.take(4).unwrap()),
            other @ (0xAA | 0xAB | 0xAD | 0xE3) => {
                let length = usize::from(reader.u16().unwrap());
                let body = reader.take(length).unwrap();
                match other {
                    0xAA => answer
                        .errors
                        .push(i32::from_le_bytes(body[..4].try_into().unwrap())),
                    0xE3 => answer.environment.push(body[0]),
                    _ => {}
                }
            }
            other => panic!("token 0x{other:02X}"),
        }
    }
    answer
}

fn read(declared: &info::Declared, reader: &mut Reader<'_>) -> Value {
    match value::raw(declared, reader).unwrap() {
        None => Value::Null,
        Some(data) => value::parse(&declared.ty, &data).unwrap(),
    }
}
