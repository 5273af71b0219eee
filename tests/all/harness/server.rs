use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// `GET`.
    pub(crate) method: String,
    /// `/deals?page=2`.
    pub(crate) target: String,
    /// What was sent with it.
    pub(crate) body: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(each, _)| each == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// What the path ends before, and the value of a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut all = query.split('&').filter_map(|each| each.split_once('='));
        all.find(|(each, _)| *each == name).map(|(_, value)| value)
    }
}

/// What is answered.
pub(crate) struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    sized: bool,
}

impl Answer {
    /// `200 OK` and this.
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::of("200 OK", body)
    }

    /// A status and a body.
    pub(crate) fn of(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: String::new(),
            body: body.into(),
            sized: true,
        }
    }

    /// Without its length: it ends when the connection does.
    pub(crate) fn of_any_length(mut self) -> Self {
        self.sized = false;
        self
    }

    /// One more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

/// A web server of this machine that writes down what it was asked. Its thread ends with the
/// process.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers as `answer` says, one request after the other.
    pub(crate) fn start(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        Self::listen("http", move |stream, heard| {
            serve(stream, heard, &mut answer);
        })
    }

    /// The same over TLS.
    pub(crate) fn start_tls(
        tls: Arc<rustls::ServerConfig>,
        mut answer: impl FnMut(&Asked) -> Answer + Send + 'static,
    ) -> Self {
        Self::listen("https", move |stream, heard| {
            let connection = rustls::ServerConnection::new(Arc::clone(&tls)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            serve(&mut stream, heard, &mut answer);
            stream.conn.send_close_notify();
            // Whoever asked may have gone away.
            drop(stream.flush());
        })
    }

    fn listen(
        scheme: &'static str,
        mut serve: impl FnMut(TcpStream, &Mutex<Vec<Asked>>) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                serve(stream, &heard);
            }
        });
        Self {
            address,
            scheme,
            asked,
        }
    }

    /// `127.0.0.1:PORT`'s port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT`, or https.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn serve(
    mut stream: impl Read + Write,
    heard: &Mutex<Vec<Asked>>,
    answer: &mut impl FnMut(&Asked) -> Answer,
) {
    if let Some(request) = read(&mut stream) {
        heard.lock().unwrap().push(request.clone());
        // Whoever asked may have gone away; the next one is answered all the same.
        drop(write(&mut stream, &answer(&request)));
    }
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut asked = Asked {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        body: String::new(),
        headers: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let named = (name.to_ascii_lowercase(), value.trim().to_owned());
        asked.headers.push(named);
    }
    let length = asked.header("content-length").map_or(Ok(0), str::parse);
    let mut body = vec![0; length.ok()?];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}

fn write(stream: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let Answer {
        status,
        headers,
        body,
        sized,
    } = answer;
    let length = match sized {
        true => format!("content-length: {}\r\n", body.len()),
        false => String::new(),
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}{length}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}
