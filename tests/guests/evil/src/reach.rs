//! Reaching out of the sandbox: files, environment, sockets, requests, handles.

use std::fmt::Display;
use std::fs;
use std::io::{Seek, SeekFrom, Write};

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingRequest, Scheme};
use wasip2::io::streams::OutputStream;

use crate::Config;
use crate::hygge::plugin::secrets;

fn told<T: Display>(result: Result<T, impl Display>) -> String {
    match result {
        Ok(got) => format!("got {got}"),
        Err(error) => format!("refused: {error}"),
    }
}

/// Tries each of `tries`, a text as `read /etc/passwd`, and says what came of all of them.
pub(crate) fn deed(deed: &str, config: &Config) -> String {
    assert_eq!(deed, "reach", "there is no such deed");
    let tries = config.0["tries"].as_array().cloned().unwrap_or_default();
    let each = tries.iter().map(|one| {
        let one = one.as_str().unwrap_or_default();
        let (what, with) = one.split_once(' ').unwrap_or((one, ""));
        format!("{one}: {}", reach(what, with))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn reach(what: &str, with: &str) -> String {
    match what {
        "read" => told(fs::read_to_string(with)),
        "list" => told(fs::read_dir(with).map(Iterator::count)),
        "write" => told(fs::write(with, "evil").map(|()| "in")),
        "spend" => {
            let (bytes, to) = with.split_once(' ').unwrap_or_default();
            let bytes = vec![b'x'; bytes.parse().unwrap_or(0)];
            told(fs::write(format!("{to}/spent"), bytes).map(|()| "it all"))
        }
        "fill" => {
            let (how, to) = with.split_once(' ').unwrap_or_default();
            told(fill(how, to).map(|()| "all there is"))
        }
        "remove" => told(fs::remove_file(with).map(|()| "rid of it")),
        "link" => {
            let (from, to) = with.split_once(' ').unwrap_or_default();
            #[expect(deprecated, reason = "what is left of it without std's unstable ones")]
            told(fs::soft_link(from, to).map(|()| "a link"))
        }
        "hardlink" => {
            let (from, to) = with.split_once(' ').unwrap_or_default();
            told(fs::hard_link(from, to).map(|()| "another name"))
        }
        "rename" => {
            let (from, to) = with.split_once(' ').unwrap_or_default();
            told(fs::rename(from, to).map(|()| "it moved"))
        }
        "env" => told(Ok::<String, String>(
            std::env::vars()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
                .join(","),
        )),
        "arguments" => told(Ok::<_, String>(std::env::args().count())),
        "tcp" => told(std::net::TcpStream::connect(with).map(|_| "a connection")),
        "listen" => told(std::net::TcpListener::bind(with).map(|_| "a listener")),
        "udp" => told(std::net::UdpSocket::bind(with).map(|_| "a socket")),
        "resolve" => told(std::net::ToSocketAddrs::to_socket_addrs(with).map(Iterator::count)),
        "get" => request(with, None, 0),
        "follow" => request(with, None, 3),
        "send" => {
            let (name, url) = with.split_once(' ').unwrap_or_default();
            match secrets::placeholder(name) {
                Ok(placeholder) => request(url, Some(&placeholder), 0),
                Err(fault) => format!("refused: {} {}", fault.code, fault.message),
            }
        }
        "reveal" => told(secrets::reveal(with).map_err(|fault| fault.code)),
        "placeholder" => told(secrets::placeholder(with).map_err(|fault| fault.code)),
        "handles" => {
            let count = with.parse().unwrap_or(0);
            for _ in 0..count {
                std::mem::forget(Fields::new());
            }
            format!("got {count}")
        }
        "closed" => {
            let stream = wasip2::cli::stdout::get_stdout();
            let handle = stream.take_handle();
            // SAFETY: none; the second is used after the first was closed.
            let (first, second) = unsafe {
                (
                    OutputStream::from_handle(handle),
                    OutputStream::from_handle(handle),
                )
            };
            drop(first);
            told(second.check_write().map_err(|error| format!("{error:?}")))
        }
        "sleep" => {
            let clock = wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX / 2);
            clock.block();
            "woke up".to_owned()
        }
        other => panic!("there is no way to {other}"),
    }
}

/// Takes room below a folder for as long as it is given any.
fn fill(how: &str, to: &str) -> std::io::Result<()> {
    let bytes = [b'x'; 1 << 16];
    let file = |n: u64| {
        let path = format!("{to}/{how}-{n}");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).open(path)
    };
    match how {
        "written" => {
            let mut file = file(0)?;
            loop {
                file.write_all(&bytes)?;
            }
        }
        "appended" => {
            let path = format!("{to}/{how}");
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
            loop {
                file.write_all(&bytes)?;
            }
        }
        "removed" => loop {
            // A file without a name takes as much as one with it.
            let mut file = file(0)?;
            fs::remove_file(format!("{to}/{how}-0"))?;
            for _ in 0..64 {
                file.write_all(&bytes)?;
            }
            std::mem::forget(file);
        },
        "lengthened" => {
            let file = file(0)?;
            for n in 1.. {
                file.set_len(n << 20)?;
            }
        }
        "holes" => {
            // A byte in each block takes all of them.
            let mut file = file(0)?;
            for n in 1.. {
                file.seek(SeekFrom::Start(n << 12))?;
                file.write_all(b"x")?;
            }
        }
        "files" => {
            for n in 0.. {
                file(n)?;
            }
        }
        "folders" => {
            for n in 0.. {
                fs::create_dir(format!("{to}/{how}-{n}"))?;
            }
        }
        "names" => {
            file(0)?;
            for n in 1.. {
                fs::hard_link(format!("{to}/{how}-0"), format!("{to}/{how}-{n}"))?;
            }
        }
        other => panic!("there is no way to fill with {other}"),
    }
    Ok(())
}

/// A request to `SCHEME AUTHORITY PATH`, given as a URL that is taken apart as literally as can
/// be; the secret goes into a header, and redirects are followed that many times.
fn request(url: &str, secret: Option<&str>, follow: u32) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let fields = Fields::new();
    if let Some(secret) = secret {
        let _ = fields.append("authorization", secret.as_bytes());
    }
    let request = OutgoingRequest::new(fields);
    let scheme = if scheme == "https" {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let set = request.set_method(&Method::Get).is_ok()
        && request.set_scheme(Some(&scheme)).is_ok()
        && request.set_authority(Some(authority)).is_ok()
        && request.set_path_with_query(Some(path)).is_ok();
    if !set {
        return "refused: no request".to_owned();
    }
    let future = match outgoing_handler::handle(request, None) {
        Ok(future) => future,
        Err(error) => return format!("refused: {error}"),
    };
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => {
            let to = response.headers().get("location").pop();
            match to.filter(|_| follow > 0) {
                Some(to) => {
                    let to = String::from_utf8_lossy(&to).into_owned();
                    format!("redirect, then {}", self::request(&to, secret, follow - 1))
                }
                None => format!("got {}", response.status()),
            }
        }
        Some(Ok(Err(error))) => format!("refused: {error}"),
        _ => "refused: nothing came".to_owned(),
    }
}
