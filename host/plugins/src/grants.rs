//! What an operator lets a plugin do: `plugins.<name>` in hygge.yml. Nothing that isn't here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hygge_core::{Fault, Problem, Result, Secret};
use serde::Deserialize;
use serde_json::Value;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::fault::code;
use crate::folders;
use crate::limits::{Limits, LimitsConfig};

/// What one plugin may do, ready for use.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Where it may send requests.
    pub http: Vec<HttpGrant>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, SecretGrant>,
    /// Folders it may read, by the name it knows them by.
    pub read: Vec<(String, PathBuf)>,
    /// Folders it may read and write.
    pub write: Vec<(String, PathBuf)>,
    /// Environment variables and their values.
    pub env: Vec<(String, String)>,
    /// Environment variables that it may see, set or not.
    pub env_named: Vec<String>,
    /// How much it may take.
    pub limits: Limits,
    root: PathBuf,
}

/// An origin, and the methods allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// `http` or `https`.
    pub scheme: String,
    /// The host, lower case: a name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Methods, upper case; empty: all.
    pub methods: Vec<String>,
    /// Whether the name may lead to addresses that aren't of the open internet.
    pub private: bool,
}

/// A secret, and the one host that it may be sent to.
#[derive(Debug, Clone)]
pub struct SecretGrant {
    /// The host.
    pub host: String,
    /// Its value.
    pub value: Secret,
    /// Whether the plugin may see it.
    pub reveal: bool,
    placeholder: String,
}

impl SecretGrant {
    /// What stands for it inside the sandbox.
    pub(crate) fn placeholder(&self) -> &str {
        &self.placeholder
    }
}

/// `plugins.<name>` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    http: Vec<Value>,
    secrets: BTreeMap<String, Value>,
    read: Vec<String>,
    write: Vec<String>,
    env: Vec<String>,
    limits: LimitsConfig,
}

// A word that isn't known must not widen a grant: `method: [GET]` would allow every method.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpWritten {
    url: String,
    methods: Option<Vec<String>>,
    #[serde(default)]
    private: bool,
}

/// A text, or a map that says more; what is wrong with that names the key.
fn short_or_full<T: serde::de::DeserializeOwned>(
    written: &Value,
    short: impl FnOnce(&str) -> T,
) -> Result<T, String> {
    match written {
        Value::String(text) => Ok(short(text)),
        Value::Array(_) => Err("write a text or a map here, not a list".to_owned()),
        full => serde_json::from_value(full.clone()).map_err(|error| error.to_string()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretWritten {
    host: String,
    #[serde(default)]
    reveal: bool,
}

impl Grants {
    /// Reads what is written for one plugin. `env` looks a variable up; a secret is the variable
    /// of its name. `flows` is the folder of the flows, below the root.
    pub fn read(
        written: &Value,
        root: &Path,
        flows: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let wrong = |pointer: &str, message: String| Problem {
            pointer: pointer.to_owned(),
            message,
            advice: None,
        };
        let written = match written {
            Value::Null => &Value::Object(serde_json::Map::new()),
            written => written,
        };
        // By default a list would do for any of these, with its places for the names.
        if !written.is_object() {
            let form = "write a map here: `http`, `secrets`, `read`, `write`, `env`, `limits`";
            return Err(vec![wrong("", form.to_owned())]);
        }
        for (key, example) in [
            ("http", "https://api.example.com"),
            ("read", "data"),
            ("write", "out"),
            ("env", "LANG"),
        ] {
            if !matches!(written[key], Value::Null | Value::Array(_)) {
                let form = format!("write a list here, as `{key}: [{example}]`");
                return Err(vec![wrong(&format!("/{key}"), form)]);
            }
        }
        for key in ["secrets", "limits"] {
            if !matches!(written[key], Value::Null | Value::Object(_)) {
                let form = "write a map here".to_owned();
                return Err(vec![wrong(&format!("/{key}"), form)]);
            }
        }
        let config: Config = serde_json::from_value(written.clone())
            .map_err(|error| vec![wrong("", error.to_string())])?;
        let mut problems = Vec::new();
        let mut grants = Self {
            root: root.to_owned(),
            ..Self::default()
        };
        for (n, each) in config.http.iter().enumerate() {
            let pointer = format!("/http/{n}");
            let written = short_or_full(each, |url| HttpWritten {
                url: url.to_owned(),
                methods: None,
                private: false,
            });
            let HttpWritten {
                url,
                methods,
                private,
            } = match written {
                Ok(written) => written,
                Err(why) => {
                    problems.push(wrong(&pointer, why));
                    continue;
                }
            };
            if methods.as_ref().is_some_and(Vec::is_empty) {
                problems.push(wrong(&pointer, "no method is listed".to_owned()));
            }
            match HttpGrant::read(&url, &methods.unwrap_or_default()) {
                Ok(grant) => grants.http.push(HttpGrant { private, ..grant }),
                Err(why) => problems.push(wrong(&pointer, why)),
            }
        }
        for (name, each) in config.secrets {
            let pointer = format!("/secrets/{name}");
            let written = short_or_full(&each, |host| SecretWritten {
                host: host.to_owned(),
                reveal: false,
            });
            let bound = written
                .and_then(|SecretWritten { host, reveal }| Ok((secret_host(&host)?, reveal)));
            let (host, reveal) = match bound {
                Ok(bound) => bound,
                Err(why) => {
                    problems.push(wrong(&pointer, why));
                    continue;
                }
            };
            match env(&name) {
                Some(value) if !value.is_empty() => {
                    let placeholder = placeholder(&name);
                    let value = Secret::new(value);
                    grants.secrets.insert(
                        name,
                        SecretGrant {
                            host,
                            value,
                            reveal,
                            placeholder,
                        },
                    );
                }
                _ => problems.push(Problem {
                    advice: Some(format!("set {name} in the environment")),
                    ..wrong(&pointer, format!("the environment has no {name}"))
                }),
            }
        }
        for (what, folders, into) in [
            ("read", &config.read, &mut grants.read),
            ("write", &config.write, &mut grants.write),
        ] {
            for (n, folder) in folders.iter().enumerate() {
                let pointer = format!("/{what}/{n}");
                match folders::inside(root, folder) {
                    Ok(path) => {
                        let governs = match what {
                            "write" => folders::governs(root, flows, &path),
                            _ => None,
                        };
                        if let Some(why) = governs {
                            problems.push(Problem {
                                advice: Some("grant a folder that holds data only".to_owned()),
                                ..wrong(&pointer, format!("{folder:?} can't be written: {why}"))
                            });
                        }
                        into.push((folder.clone(), path));
                    }
                    Err(why) => problems.push(wrong(&pointer, why)),
                }
            }
        }
        for (n, name) in config.env.into_iter().enumerate() {
            if name.is_empty() || name.contains(['*', '?', '=']) {
                problems.push(Problem {
                    advice: Some("write the names out, one each: `env: [LANG, TZ]`".to_owned()),
                    ..wrong(
                        &format!("/env/{n}"),
                        format!("{name:?} is no name of an environment variable"),
                    )
                });
                continue;
            }
            // One that isn't set isn't set inside either.
            if let Some(value) = env(&name) {
                grants.env.push((name.clone(), value));
            }
            grants.env_named.push(name);
        }
        match config.limits.read() {
            Ok(limits) => grants.limits = limits,
            Err((name, form)) => problems.push(wrong(
                &format!("/limits/{name}"),
                format!("{name} must be {form}"),
            )),
        }
        match problems.is_empty() {
            true => Ok(grants),
            false => Err(problems),
        }
    }

    /// A secret that was granted.
    pub(crate) fn secret(&self, name: &str) -> Option<&SecretGrant> {
        self.secrets.get(name)
    }

    /// The folder that relative paths begin at.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Opens what was granted of the file system and the environment, and nothing else.
    pub(crate) fn open(&self, plugin: &str, wasi: &mut WasiCtxBuilder) -> Result<()> {
        for (name, value) in &self.env {
            wasi.env(name, value);
        }
        let read = self.read.iter().map(|each| (each, FsPerms::ReadOnly));
        let write = self.write.iter().map(|each| (each, FsPerms::ReadWrite));
        for ((name, path), may) in read.chain(write) {
            let denied = |why: String| {
                Fault::new(
                    code::DENIED,
                    format!("{plugin} is granted the folder {name:?}, but {why}"),
                )
            };
            let folder = folders::open(&self.root, path).map_err(denied)?;
            wasi.preopened_dir(folders::path_of(&folder, path), name, may)
                .map_err(|error| denied(format!("it can't be opened: {error}")))?;
        }
        Ok(())
    }
}

/// What a grant may name.
const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

impl HttpGrant {
    /// Reads an origin: `https://api.example.com`, also with a port. Anything more is refused.
    pub fn read(url: &str, methods: &[String]) -> Result<Self, String> {
        let form = || format!("{url:?} is not an origin, as https://api.example.com");
        let parsed: http::Uri = url.parse().map_err(|_| form())?;
        let scheme = parsed.scheme_str().ok_or_else(form)?.to_ascii_lowercase();
        let default = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => {
                return Err(format!(
                    "{url:?}: requests are made over http and https only"
                ));
            }
        };
        let authority = parsed.authority().ok_or_else(form)?;
        if authority.as_str().contains('@') {
            return Err(format!("{url:?} must not name a user"));
        }
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
            return Err(format!(
                "{url:?} is more than an origin; leave out what comes after the host"
            ));
        }
        let host = host_of(authority);
        if host.contains('*') {
            return Err(format!(
                "{url:?}: each host is written out; `*` stands for none"
            ));
        }
        let methods: Vec<String> = methods.iter().map(|m| m.to_ascii_uppercase()).collect();
        if let Some(unknown) = methods.iter().find(|m| !METHODS.contains(&m.as_str())) {
            return Err(format!("{unknown:?} is none of {}", METHODS.join(", ")));
        }
        Ok(Self {
            scheme,
            host,
            port: port_of(authority, default).ok_or_else(form)?,
            methods,
            private: false,
        })
    }

    pub(crate) fn covers(&self, want: &Self) -> bool {
        self.scheme == want.scheme && self.host == want.host && self.port == want.port
    }

    /// Whether a request may be sent there.
    pub(crate) fn allows(&self, scheme: &str, host: &str, port: u16, method: &str) -> bool {
        self.scheme == scheme
            && self.host.eq_ignore_ascii_case(host)
            && self.port == port
            && (self.methods.is_empty() || self.methods.iter().any(|m| m == method))
    }
}

/// A text that nothing else is likely to contain, and that no other process knows.
fn placeholder(name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    let (a, b) = (RandomState::new(), RandomState::new());
    format!(
        "hygge-secret-{:016x}{:016x}",
        a.hash_one(name),
        b.hash_one(name)
    )
}

/// The host as it is compared: lower case, without the dot of the root.
pub(crate) fn host_of(authority: &http::uri::Authority) -> String {
    authority.host().trim_end_matches('.').to_ascii_lowercase()
}

/// The port that is written, or that of the scheme where none is; `None` when it is no port.
/// Falling back to the scheme's then would grant what nobody wrote.
pub(crate) fn port_of(authority: &http::uri::Authority, default: u16) -> Option<u16> {
    let (_, place) = authority
        .as_str()
        .rsplit_once('@')
        .unwrap_or(("", authority.as_str()));
    let rest = place.strip_prefix(authority.host())?;
    let Some(port) = rest.strip_prefix(':') else {
        return rest.is_empty().then_some(default);
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port != 0)
}

/// The host that a secret is bound to. Anything more would never fit, and be noticed too late.
pub(crate) fn secret_host(written: &str) -> Result<String, String> {
    let form = || match written.contains('*') {
        true => "write the host that may get the secret, as api.example.com".to_owned(),
        false => format!("{written:?} is not a host, as api.example.com"),
    };
    let authority: http::uri::Authority = written.parse().map_err(|_| form())?;
    match authority.as_str() == authority.host() && !written.contains('*') {
        true => Ok(host_of(&authority)),
        false => Err(form()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn read(written: &Value) -> Result<Grants, Vec<Problem>> {
        let env = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        Grants::read(written, Path::new("/p"), "flows", &env)
    }

    #[test]
    fn nothing_written_is_nothing_granted() {
        let grants = read(&Value::Null).unwrap();
        assert!(grants.http.is_empty() && grants.read.is_empty() && grants.env.is_empty());
        assert_eq!(grants.limits, Limits::default());
    }

    #[test]
    fn a_port_that_is_none_is_refused() {
        for port in ["99999", "0", "", "+80", "8x"] {
            let url = format!("http://localhost:{port}");
            assert!(read(&json!({"http": [url]})).is_err(), "{port}");
            assert!(secret_host(&format!("localhost:{port}")).is_err(), "{port}");
        }
        let authority = |text: &str| text.parse::<http::uri::Authority>().unwrap();
        assert_eq!(port_of(&authority("a:99999"), 80), None);
        assert_eq!(port_of(&authority("a:81"), 80), Some(81));
        assert_eq!(port_of(&authority("[::1]:81"), 80), Some(81));
        assert_eq!(port_of(&authority("[::1]"), 443), Some(443));
        assert_eq!(port_of(&authority("u@a"), 443), Some(443));
    }

    #[test]
    fn what_never_fits_is_refused() {
        assert!(read(&json!({"http": ["https://*.example.com"]})).is_err());
        let method = json!({"url": "https://a.example", "methods": ["GTE"]});
        assert!(read(&json!({"http": [method]})).is_err());
    }

    #[test]
    fn origins_are_origins() {
        let grants = read(&json!({"http": [
            "https://API.example.com",
            {"url": "http://localhost:8080/", "methods": ["get"]},
        ]}))
        .unwrap();
        let [api, local] = &grants.http[..] else {
            panic!()
        };
        assert!(api.allows("https", "api.example.com", 443, "DELETE"));
        assert!(!api.allows("http", "api.example.com", 443, "GET"));
        assert!(!api.allows("https", "api.example.com.evil.net", 443, "GET"));
        assert!(local.allows("http", "localhost", 8080, "GET"));
        assert!(!local.allows("http", "localhost", 8080, "POST"));
        for wrong in [
            "ftp://a",
            "api.example.com",
            "https://u:p@a",
            "https://a/path",
            "https://a?q",
        ] {
            assert!(read(&json!({"http": [wrong]})).is_err(), "{wrong}");
        }
    }

    #[test]
    fn folders_stay_in_the_project() {
        let grants = read(&json!({"read": ["data", "/srv/in"], "write": ["out/crm"]})).unwrap();
        assert_eq!(grants.read[0].1, Path::new("/p/data"));
        assert_eq!(grants.read[1].1, Path::new("/srv/in"));
        assert!(read(&json!({"read": ["../other"]})).is_err());
        assert!(read(&json!({"write": ["a/../../b"]})).is_err());
        assert!(read(&json!({"write": ["."]})).is_err());
        assert!(read(&json!({"write": ["plugins"]})).is_err());
    }

    /// A slip of the pen must not give more than was meant.
    #[test]
    fn unknown_words_do_not_widen_a_grant() {
        for slip in [
            json!({"http": [{"url": "https://a.example", "method": ["GET"]}]}),
            json!({"http": [{"url": "https://a.example", "methods": []}]}),
            json!({"secrets": {"TOKEN": {"host": "a.example", "revael": true}}}),
            json!({"secrets": {"TOKEN": "https://a.example"}}),
            json!({"secrets": {"TOKEN": "a.example:8443"}}),
            json!({"htttp": []}),
            // Nor what would be taken by its place.
            json!([["https://a.example"]]),
            json!({"http": [["https://a.example"]]}),
            json!({"secrets": {"TOKEN": ["a.example", true]}}),
            json!({"http": "https://a.example"}),
            json!({"read": {"data": true}}),
            json!({"limits": ["1 GiB"]}),
        ] {
            assert!(read(&slip).is_err(), "{slip}");
        }
    }

    #[test]
    fn the_environment_is_granted_by_name() {
        for bad in ["*", "AWS_*", "", "A=b"] {
            let problems = read(&json!({"env": ["LANG", bad]})).unwrap_err();
            assert_eq!(problems[0].pointer, "/env/1", "{bad}");
            assert!(problems[0].advice.is_some(), "{bad}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_not_set_inside() {
        let grants = read(&json!({"env": ["TOKEN", "NOWHERE"]})).unwrap();
        assert_eq!(grants.env, [("TOKEN".to_owned(), "s3cret".to_owned())]);
        let wanted: hygge_component::Wanted =
            serde_json::from_value(json!({"env": ["NOWHERE"]})).unwrap();
        assert_eq!(grants.missing(&wanted, "crm"), None);
    }

    #[test]
    fn secrets_come_from_the_environment_and_stay_hidden() {
        let grants = read(&json!({"secrets": {"TOKEN": "api.example.com"}})).unwrap();
        assert!(!format!("{grants:?}").contains("s3cret"));
        assert!(
            !grants
                .secret("TOKEN")
                .unwrap()
                .placeholder()
                .contains("s3cret")
        );
        let problems = read(&json!({"secrets": {"OTHER": "a"}})).unwrap_err();
        assert_eq!(problems[0].message, "the environment has no OTHER");
    }
}
