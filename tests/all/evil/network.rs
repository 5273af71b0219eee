//! Ways to a host that wasn't granted, and of a secret to a host that it isn't bound to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::slice;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{EVIL, Part, Scene, home, trust};
use crate::harness::Outcome;

/// A server of this machine that answers everything, and writes down what it heard.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `location`: where it sends whoever asks for `/away`.
    fn start(location: String) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), location).unwrap()
    }

    /// At this address, if it can be had.
    fn at(address: SocketAddr, location: String) -> Option<Self> {
        let listener = TcpListener::bind(address).ok()?;
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = Arc::clone(&heard);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
                let away = request.starts_with("GET /away");
                hears.lock().unwrap().push(request);
                let answer = match away {
                    true => format!("302 Found\r\nlocation: {location}"),
                    false => "200 OK".to_owned(),
                };
                let answer =
                    format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        Some(Self { address, heard })
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// One server that is granted as `http://127.0.0.1:PORT`, and one that isn't.
fn servers() -> (Server, Server) {
    let other = Server::start("http://127.0.0.1:1/".to_owned());
    let granted = Server::start(format!("http://{}/secret", other.address));
    (granted, other)
}

fn reach(tries: &[String]) -> Value {
    home(json!({"at": "open", "deed": "reach", "tries": tries}))
}

/// What became of each try, a line each, without the ports.
fn shown(told: &str, servers: [&Server; 2]) -> String {
    let port = |n: usize| servers[n].address.port().to_string();
    told.replace("; ", "\n")
        .replace(&port(0), "[GRANTED]")
        .replace(&port(1), "[OTHER]")
}

#[test]
fn there_are_no_sockets() {
    let (granted, other) = servers();
    let address = granted.address;
    let scene = Scene::granted(&format!("http: [\"http://{address}\"]"));
    let tries = [
        format!("tcp {address}"),
        "listen 127.0.0.1:0".to_owned(),
        "udp 127.0.0.1:0".to_owned(),
        format!("resolve localhost:{}", address.port()),
    ];
    let seen = scene.run(Part::Home, &reach(&tries));
    insta::assert_snapshot!(shown(&seen.told(), [&granted, &other]));
    assert!(granted.heard().is_empty());
}

#[test]
fn requests_go_where_they_are_granted_and_nowhere_else() {
    let (granted, other) = servers();
    let (yes, no) = (granted.address, other.address);
    let port = no.port();
    let scene = Scene::granted(&format!(
        "http: [{{url: \"http://{yes}\", methods: [GET]}}]"
    ));
    let tries = [
        format!("get http://{yes}/fine"),
        format!("get http://{no}/"),
        format!("get http://localhost:{port}/"),
        format!("get https://{yes}/"),
        "get http://127.0.0.1/".to_owned(),
        // Names for the same machine that aren't the one that was granted.
        format!("get http://localhost:{}/", yes.port()),
        format!("get http://2130706433:{}/", yes.port()),
        format!("get http://0x7f.1:{}/", yes.port()),
        format!("get http://0.0.0.0:{}/", yes.port()),
        format!("get http://[::ffff:127.0.0.1]:{}/", yes.port()),
        // The host is what comes after the `@`.
        format!("get http://{yes}@{no}/"),
        format!("get http://user:word@{yes}/"),
        format!("get http://127.0.0.1%40127.0.0.1:{port}/"),
        format!("get http://{no}#@{yes}/"),
        format!("get http://{no}\\@{yes}/"),
        format!("get http://{yes}.evil.example/"),
        "get http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("follow http://{yes}/away"),
    ];
    let seen = scene.run(Part::Home, &reach(&tries));
    insta::assert_snapshot!(shown(&seen.told(), [&granted, &other]));
    assert_eq!(granted.heard().len(), 2, "/fine and /away");
    assert!(other.heard().is_empty());
}

/// A name that the operator granted, but that stands for an address of this machine: what
/// `/etc/hosts` says here, the owner of a name's DNS can say anywhere.
#[test]
fn a_granted_name_may_not_stand_for_a_private_address() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut names = hosts
        .lines()
        .filter_map(|line| line.strip_prefix("127."))
        .flat_map(|line| line.split_whitespace().skip(1))
        .filter(|name| *name != "localhost");
    let Some(name) = names.next() else {
        // Not a failure in CI either: tests don't write /etc/hosts.
        return crate::harness::say("SKIPPED: /etc/hosts has no other name for 127.0.0.1");
    };
    let (granted, other) = servers();
    let port = granted.address.port();
    let scene = Scene::granted(&format!("http: [\"http://{name}:{port}\"]"));
    let seen = scene.run(Part::Home, &reach(&[format!("get http://{name}:{port}/")]));
    let told = shown(&seen.told(), [&granted, &other]).replace(name, "[NAME]");
    insta::assert_snapshot!(told);
    assert!(granted.heard().is_empty());
}

/// The owner of a name answers as he likes, each time anew.
#[test]
fn a_name_is_asked_for_once_a_request() {
    // On another address of this machine, with the same port.
    let first = Server::start(String::new());
    let port = first.address.port();
    let Some(second) = Server::at(([127, 0, 0, 2], port).into(), String::new()) else {
        return crate::harness::say("SKIPPED: 127.0.0.2 can't be listened on");
    };
    let url = format!("http://turn.example:{port}");
    let run = |grants: &str, answers: &str, tries: &[String]| {
        let scene = Scene::granted(grants);
        scene.flow(Part::Home, &reach(tries));
        scene.forget();
        let run = super::hygge(&scene.project, "start --output json");
        let outcome = run
            .env("HYGGE_STAND_IN_DNS", format!("turn.example={answers}"))
            .run();
        crate::harness::Events::of(&outcome)
            .fault("bad.bad")
            .to_owned()
    };
    // Looked at and dialled are the same: if they were two questions, the second would lead to
    // the other server.
    let private = format!("http: [{{url: \"{url}\", private: true}}]");
    let get = format!("get {url}/");
    let told = run(&private, "127.0.0.1,127.0.0.2", slice::from_ref(&get));
    assert!(told.ends_with("got 200"), "{told}");
    assert_eq!((first.heard().len(), second.heard().len()), (1, 0));
    let told = run(&private, "127.0.0.1,127.0.0.2", &[get.clone(), get.clone()]);
    assert_eq!(told.matches("got 200").count(), 2, "{told}");
    assert_eq!((first.heard().len(), second.heard().len()), (1, 1));
    // Every request is looked at, and every address: one that is fine vouches for no other.
    let public = format!("http: [\"{url}\"]");
    for answers in ["127.0.0.1", "8.8.8.8+127.0.0.1", "127.0.0.1+8.8.8.8", "::1"] {
        let told = run(&public, answers, slice::from_ref(&get));
        assert!(
            told.contains("DestinationIpProhibited"),
            "{answers}: {told}"
        );
    }
    assert_eq!((first.heard().len(), second.heard().len()), (0, 0));
}

/// The program with the secret in its environment, and everything it says searched for it.
fn with_secret(scene: &Scene, tries: &[String]) -> Outcome {
    scene.flow(Part::Home, &reach(tries));
    scene.forget();
    let run = super::hygge(&scene.project, "start --output json");
    let outcome = run.env("EVIL_TOKEN", "s3cret-value").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!said.contains("s3cret-value"), "{outcome}");
    outcome
}

#[test]
fn a_secret_goes_to_its_host_and_no_other() {
    let (granted, other) = servers();
    let (here, there) = (granted.address, other.address);
    let port = there.port();
    // The secret is bound to 127.0.0.1; the same machine as `localhost` is another host.
    let scene = Scene::new();
    let both = format!(
        "http: [\"http://{here}\", \"http://localhost:{port}\"]\n    \
         secrets: {{EVIL_TOKEN: 127.0.0.1}}"
    );
    super::grant(&scene.project, &both);
    trust(&scene.project, "evil", &EVIL);
    let tries = [
        format!("get http://localhost:{port}/"),
        format!("send EVIL_TOKEN http://localhost:{port}/"),
        format!("send EVIL_TOKEN http://{here}/"),
        "reveal EVIL_TOKEN".to_owned(),
        "reveal HOME".to_owned(),
        format!("send HOME http://{here}/"),
        "env".to_owned(),
    ];
    let outcome = with_secret(&scene, &tries);
    let events = crate::harness::Events::of(&outcome);
    insta::assert_snapshot!(shown(events.fault("bad.bad"), [&granted, &other]));
    let heard = granted.heard();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("s3cret-value"), "{heard:?}");
    let heard = other.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(!heard[0].contains("s3cret"), "{heard:?}");
}
