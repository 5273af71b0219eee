//! What an operator lets a plugin do: `plugins.<name>` in hygge.yml. Nothing that isn't here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hygge_core::{Fault, Problem, Result, Secret};
use serde::Deserialize;
use serde_json::Value;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::describe::Wanted;
use crate::fault::code;
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
    /// How much it may take.
    pub limits: Limits,
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
    http: Vec<HttpConfig>,
    secrets: BTreeMap<String, SecretConfig>,
    read: Vec<String>,
    write: Vec<String>,
    env: Vec<String>,
    limits: LimitsConfig,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HttpConfig {
    Origin(String),
    #[serde(rename_all = "snake_case")]
    Full {
        url: String,
        #[serde(default)]
        methods: Vec<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SecretConfig {
    Host(String),
    Full {
        host: String,
        #[serde(default)]
        reveal: bool,
    },
}

impl Grants {
    /// Reads what is written for one plugin. `env` looks a variable up; a secret is the variable
    /// of its name.
    pub fn read(
        written: &Value,
        root: &Path,
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
        let config: Config = serde_json::from_value(written.clone())
            .map_err(|error| vec![wrong("", error.to_string())])?;
        let mut problems = Vec::new();
        let mut grants = Self::default();
        for (n, each) in config.http.iter().enumerate() {
            let (url, methods) = match each {
                HttpConfig::Origin(url) => (url, &[][..]),
                HttpConfig::Full { url, methods } => (url, &methods[..]),
            };
            match HttpGrant::read(url, methods) {
                Ok(grant) => grants.http.push(grant),
                Err(why) => problems.push(wrong(&format!("/http/{n}"), why)),
            }
        }
        for (name, each) in config.secrets {
            let (host, reveal) = match each {
                SecretConfig::Host(host) => (host, false),
                SecretConfig::Full { host, reveal } => (host, reveal),
            };
            let pointer = format!("/secrets/{name}");
            match env(&name) {
                Some(value) if !value.is_empty() => {
                    let placeholder = placeholder(&name);
                    let host = host.to_ascii_lowercase();
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
                match inside(root, folder) {
                    Ok(path) => into.push((folder.clone(), path)),
                    Err(why) => problems.push(wrong(&format!("/{what}/{n}"), why)),
                }
            }
        }
        for name in config.env {
            let value = env(&name).unwrap_or_default();
            grants.env.push((name, value));
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

    /// Opens what was granted of the file system and the environment, and nothing else.
    pub(crate) fn open(&self, plugin: &str, wasi: &mut WasiCtxBuilder) -> Result<()> {
        for (name, value) in &self.env {
            wasi.env(name, value);
        }
        let read = self.read.iter().map(|each| (each, FsPerms::ReadOnly));
        let write = self.write.iter().map(|each| (each, FsPerms::ReadWrite));
        for ((name, path), may) in read.chain(write) {
            wasi.preopened_dir(path, name, may).map_err(|error| {
                let folder = path.display();
                Fault::new(
                    code::DENIED,
                    format!("{plugin} is granted {folder}, which can't be opened: {error}"),
                )
            })?;
        }
        Ok(())
    }

    /// The lines to add to hygge.yml for what is wanted and isn't given; none when all is.
    pub fn missing(&self, wanted: &Wanted, key: &str) -> Option<String> {
        let mut lines = Vec::new();
        let http: Vec<&str> = wanted
            .http
            .iter()
            .filter(|url| match HttpGrant::read(url, &[]) {
                Ok(want) => !self.http.iter().any(|grant| grant.covers(&want)),
                Err(_) => true,
            })
            .map(String::as_str)
            .collect();
        let list = |names: &[&str]| serde_json::to_string(names).unwrap_or_default();
        if !http.is_empty() {
            lines.push(format!("    http: {}", list(&http)));
        }
        let secrets: Vec<String> = wanted
            .secrets
            .iter()
            .filter(|(name, _)| !self.secrets.contains_key(*name))
            .map(|(name, host)| format!("{name}: {host}"))
            .collect();
        if !secrets.is_empty() {
            lines.push(format!("    secrets: {{{}}}", secrets.join(", ")));
        }
        for (what, wanted, given) in [
            ("read", &wanted.read, vec![&self.read, &self.write]),
            ("write", &wanted.write, vec![&self.write]),
        ] {
            let given: Vec<&str> = given
                .into_iter()
                .flatten()
                .map(|(n, _)| n.as_str())
                .collect();
            let missing: Vec<&str> = wanted
                .iter()
                .map(String::as_str)
                .filter(|folder| !given.contains(folder))
                .collect();
            if !missing.is_empty() {
                lines.push(format!("    {what}: {}", list(&missing)));
            }
        }
        let env: Vec<&str> = wanted
            .env
            .iter()
            .map(String::as_str)
            .filter(|name| !self.env.iter().any(|(given, _)| given == name))
            .collect();
        if !env.is_empty() {
            lines.push(format!("    env: {}", list(&env)));
        }
        (!lines.is_empty()).then(|| format!("plugins:\n  {key}:\n{}", lines.join("\n")))
    }
}

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
        Ok(Self {
            scheme,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(default),
            methods: methods.iter().map(|m| m.to_ascii_uppercase()).collect(),
        })
    }

    fn covers(&self, want: &Self) -> bool {
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

/// The folder in the project; outside of it only when it is written absolute.
fn inside(root: &Path, folder: &str) -> Result<PathBuf, String> {
    use std::path::Component;
    let path = Path::new(folder);
    if folder.is_empty() {
        return Err("a folder is missing".to_owned());
    }
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    if path.components().any(|c| matches!(c, Component::ParentDir)) {
        return Err(format!(
            "{folder:?} leaves the project; write the whole path if that is meant"
        ));
    }
    Ok(root.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(written: &Value) -> Result<Grants, Vec<Problem>> {
        let env = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        Grants::read(written, Path::new("/p"), &env)
    }

    #[test]
    fn nothing_written_is_nothing_granted() {
        let grants = read(&Value::Null).unwrap();
        assert!(grants.http.is_empty() && grants.read.is_empty() && grants.env.is_empty());
        assert_eq!(grants.limits, Limits::default());
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

    #[test]
    fn what_is_missing_is_told_as_lines_to_add() {
        let wanted: Wanted = serde_json::from_value(json!({
            "http": ["https://api.example.com"], "secrets": {"TOKEN": "api.example.com"},
            "read": ["data"], "env": ["LANG"],
        }))
        .unwrap();
        assert_eq!(
            Grants::default().missing(&wanted, "crm").unwrap(),
            "plugins:\n  crm:\n    http: [\"https://api.example.com\"]\n    \
             secrets: {TOKEN: api.example.com}\n    read: [\"data\"]\n    env: [\"LANG\"]"
        );
        let given = read(&json!({
            "http": ["https://api.example.com"], "secrets": {"TOKEN": "api.example.com"},
            "write": ["data"], "env": ["LANG"],
        }))
        .unwrap();
        assert_eq!(given.missing(&wanted, "crm"), None);
    }
}
