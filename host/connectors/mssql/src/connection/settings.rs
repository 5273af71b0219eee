use std::path::Path;
use std::time::Duration;

use hygge_core::{Problem, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::server::Server;
use super::text;
use super::who::{self, Who};

/// Settings of a connection: in `connections:` of hygge.yml, or beside those of a home or store.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
// As those who hold it are checked.
#[schemars(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// The server: `host`, `host,port` or `host\instance`.
    pub server: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// The SQL login's name.
    pub user: Option<String>,
    /// The SQL login's password.
    pub password: Option<Secret>,
    /// An access token of Entra ID in the place of user and password, as `az account
    /// get-access-token --resource https://database.windows.net` gives one.
    pub access_token: Option<Secret>,
    /// How to log in: `sql`, `access_token`, or as Entra ID knows one by `managed_identity`,
    /// `service_principal`, `azure_cli`, `workload_identity`, or `default`: the first of these that
    /// works. Default: by what is given.
    pub auth: Option<String>,
    /// The tenant of Entra ID.
    pub tenant_id: Option<String>,
    /// The application of a `service_principal` or `workload_identity`, or which of its identities a
    /// machine takes.
    pub client_id: Option<String>,
    /// The secret of a `service_principal`.
    pub client_secret: Option<Secret>,
    /// A file of PKCS #12 with the certificate and key of a `service_principal`.
    pub client_certificate: Option<String>,
    /// The password of that file.
    pub client_certificate_password: Option<Secret>,
    /// An ADO.NET, JDBC or ODBC connection string instead of the settings above; what is also written
    /// beside it wins.
    pub connection_string: Option<Secret>,
    /// Most sessions open at once over all flows. Default: 8.
    pub pool_size: Option<usize>,
    /// Sessions to open ahead, so that who needs one next doesn't wait for it. Default: 0.
    pub min_idle: Option<usize>,
    /// Whether and how to encrypt. Default: required.
    pub encrypt: Option<Encrypt>,
    /// Take any certificate the server shows, without looking at it. Default: false.
    pub trust_server_certificate: Option<bool>,
    /// A file with certificates to trust. Not every driver used here can: see the guide.
    pub ca_file: Option<String>,
    /// The name the server shows for hygge's sessions. Default: hygge.
    pub application_name: Option<String>,
    /// Bytes in a network packet, 512 to 32767. Default: 8000.
    pub packet_size: Option<u16>,
    /// Whether the sessions only read, so that a read-only replica may answer. Default: `read_write`.
    pub application_intent: Option<Intent>,
    /// How long opening a session may take: `15s`, or seconds. Default: 15s.
    pub connect_timeout: Option<Seconds>,
    /// How long a statement may take until it answers: `10m`, or seconds. A publish never times
    /// out. Default: no limit.
    pub command_timeout: Option<Seconds>,
    /// How long to wait for a free session of the pool. Default: 1h.
    pub pool_timeout: Option<Seconds>,
}

/// How a session is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encrypt {
    /// TLS before anything else is said (TDS 8.0).
    Strict,
    /// All of it, or no session.
    Required,
    /// All of it if the server can.
    Optional,
    /// Only the login.
    Off,
}

/// Which replica may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// The primary.
    ReadWrite,
    /// A secondary, where there is one.
    ReadOnly,
}

/// A time in seconds: `30`, `30s`, `5m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Written")]
pub struct Seconds(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Seconds {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let text = match written {
            Written::Number(seconds) => return Ok(Self(seconds)),
            Written::Text(text) => text,
        };
        let text = text.trim();
        let (number, unit) = text.split_at(
            text.find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len()),
        );
        let unit = match unit.trim() {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => 0,
        };
        match number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
            Some(seconds) if unit > 0 => Ok(Self(seconds)),
            _ => Err("must be a time like 30s, 5m or 2h, or a number of seconds".into()),
        }
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seconds".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^\\s*[0-9]+\\s*[smh]?\\s*$",
                  "x-form": "a time like 30s, 5m or 2h, or a number of seconds" },
            ]
        })
    }
}

/// A connection, complete: what a session is opened with. Two that are equal share a pool.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub(crate) server: Server,
    pub(crate) database: Option<String>,
    pub(crate) who: Who,
    pub(crate) pool_size: usize,
    pub(crate) min_idle: usize,
    pub(crate) encrypt: Encrypt,
    pub(crate) trust: bool,
    pub(crate) application_name: String,
    pub(crate) packet_size: u16,
    pub(crate) intent: Intent,
    pub(crate) connect_timeout: Duration,
    pub(crate) command_timeout: Option<Duration>,
    pub(crate) pool_timeout: Duration,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.describe())
    }
}

impl Login {
    /// `server/database`, for people.
    pub(crate) fn describe(&self) -> String {
        match &self.database {
            Some(database) => format!("{}/{database}", self.server),
            None => self.server.to_string(),
        }
    }
}

impl ConnectionSettings {
    /// What a session is opened with, or what is wrong or missing. Files are looked for from `root`.
    pub(crate) fn login(&self, root: &Path) -> Result<Login, Vec<Problem>> {
        let mut problems = Vec::new();
        let given = match &self.connection_string {
            None => text::Given::default(),
            // What it doesn't say isn't known, so nothing else can be told to be missing.
            Some(written) => text::read(written.expose()).map_err(|wrong| vec![wrong])?,
        };
        let server = self.server.clone().or(given.server.clone());
        let server = match server.as_deref().map(Server::parse) {
            Some(Ok(server)) => Some(server),
            Some(Err(why)) => {
                let (at, why) = match self.server {
                    Some(_) => ("/server", why),
                    // It may be the tail of a password that wanted quotes.
                    None => (
                        "/connection_string",
                        "what the connection string says of the server can't be understood".into(),
                    ),
                };
                let form = "write host, host,port or host\\instance";
                problems.push(problem(at, why, Some(form)));
                None
            }
            None => {
                problems.push(problem(
                    "",
                    "the connection names no `server`",
                    Some("say `server: host`, or give a `connection_string`"),
                ));
                None
            }
        };
        if self.ca_file.is_some() {
            problems.push(problem(
                "/ca_file",
                "`ca_file` can't be honoured by the driver that reads and loads rows",
                Some(
                    "leave it out, and set the environment variable SSL_CERT_FILE to that file \
                     when you run hygge",
                ),
            ));
        }
        let pool_size = self.pool_size.or(given.pool_size).unwrap_or(8);
        if pool_size == 0 || pool_size > 1_000 {
            problems.push(problem(
                "/pool_size",
                "`pool_size` must be from 1 to 1000",
                None,
            ));
        }
        let packet_size = self.packet_size.or(given.packet_size).unwrap_or(8_000);
        if !(512..=32_767).contains(&packet_size) {
            problems.push(problem(
                "/packet_size",
                "`packet_size` must be from 512 to 32767 bytes",
                None,
            ));
        }
        let min_idle = self.min_idle.or(given.min_idle).unwrap_or(0);
        if min_idle > 0 && min_idle >= pool_size {
            problems.push(problem(
                "/min_idle",
                "`min_idle` must be smaller than `pool_size`: one session at least is in use",
                None,
            ));
        }
        let who = who::who(self, &given, root)
            .map_err(|wrong| problems.extend(wrong))
            .ok();
        let encrypt = self.encrypt.or(given.encrypt).unwrap_or(Encrypt::Required);
        if who.as_ref().is_some_and(Who::by_token)
            && !matches!(encrypt, Encrypt::Required | Encrypt::Strict)
        {
            problems.push(problem(
                "/encrypt",
                "a token of Entra ID is only sent over an encrypted connection",
                Some("say `encrypt: required`, or leave it out"),
            ));
        }
        let trust = self.trust_server_certificate.or(given.trust);
        let trust = trust.unwrap_or(false);
        if trust && encrypt == Encrypt::Strict {
            problems.push(problem(
                "/trust_server_certificate",
                "`encrypt: strict` always looks at the certificate, so it can't be trusted unseen",
                Some(
                    "leave `trust_server_certificate` out and name the certificate's authority in \
                     SSL_CERT_FILE, or say `encrypt: required`",
                ),
            ));
        }
        let (Some(server), Some(who), true) = (server, who, problems.is_empty()) else {
            return Err(problems);
        };
        let seconds = |time: Seconds| Duration::from_secs(time.0);
        Ok(Login {
            server,
            database: self.database.clone().or(given.database),
            who,
            pool_size,
            min_idle,
            encrypt,
            trust,
            application_name: self
                .application_name
                .clone()
                .or(given.application_name)
                .unwrap_or_else(|| "hygge".to_owned()),
            packet_size,
            intent: self
                .application_intent
                .or(given.intent)
                .unwrap_or(Intent::ReadWrite),
            connect_timeout: self
                .connect_timeout
                .or(given.connect_timeout)
                .filter(|time| time.0 > 0)
                .map_or(Duration::from_secs(15), seconds),
            command_timeout: self
                .command_timeout
                .or(given.command_timeout)
                .filter(|time| time.0 > 0)
                .map(seconds),
            pool_timeout: self
                .pool_timeout
                .filter(|time| time.0 > 0)
                .map_or(Duration::from_secs(3_600), seconds),
        })
    }
}

/// Something wrong with the setting at that pointer.
pub(crate) fn problem(pointer: &str, message: impl Into<String>, advice: Option<&str>) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        message: message.into(),
        advice: advice.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(value: serde_json::Value) -> ConnectionSettings {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_token_takes_the_place_of_user_and_password() {
        let with = |more: serde_json::Value| {
            let mut all = json!({"server": "db", "access_token": " ey.token "});
            let object = all.as_object_mut().unwrap();
            object.extend(more.as_object().unwrap().clone());
            settings(all).login(Path::new("/p"))
        };
        let login = with(json!({})).unwrap();
        assert!(matches!(login.who, Who::Token(token) if token == "ey.token"));
        let both = with(json!({"user": "ann"})).unwrap_err();
        assert_eq!(both[0].pointer, "/access_token");
        let open = with(json!({"encrypt": "optional"})).unwrap_err();
        assert_eq!(open[0].pointer, "/encrypt");
    }

    #[test]
    fn ways_to_log_in_that_are_not_there_say_what_to_write() {
        let told = |auth: &str| {
            let asked = settings(json!({"server": "db", "auth": auth}));
            let problems = asked.login(Path::new("/p")).unwrap_err();
            let [only] = problems.as_slice() else {
                panic!("{problems:?}")
            };
            assert_eq!(only.pointer, "/auth");
            assert!(only.advice.is_some());
            only.message.clone()
        };
        assert!(told("windows").starts_with("`auth: windows` isn't there: the driver"));
        assert_eq!(
            told("access_token"),
            "`auth: access_token` needs an `access_token`"
        );
        assert_eq!(told("kerberos"), "`auth: kerberos` is no way to log in");
        let right = json!({"server": "db", "auth": "sql", "user": "ann", "password": "pw"});
        assert!(settings(right).login(Path::new("/p")).is_ok());
        let idle = json!({"server": "db", "user": "ann", "password": "pw", "min_idle": 8});
        assert_eq!(
            settings(idle).login(Path::new("/p")).unwrap_err()[0].pointer,
            "/min_idle"
        );
    }

    #[test]
    fn whom_entra_id_knows_is_said_by_auth_and_what_it_needs() {
        let asked = |more: serde_json::Value| {
            let mut all = json!({"server": "db"});
            let object = all.as_object_mut().unwrap();
            object.extend(more.as_object().unwrap().clone());
            settings(all).login(Path::new("/p"))
        };
        let said = |more| {
            let problems = asked(more).unwrap_err();
            let said = problems
                .into_iter()
                .map(|p| format!("{} {}", p.pointer, p.message));
            said.collect::<Vec<_>>()
        };
        for auth in [
            "managed_identity",
            "azure_cli",
            "workload_identity",
            "Default",
        ] {
            let login = asked(json!({"auth": auth})).unwrap();
            assert!(matches!(login.who, Who::Entra(_)), "{auth}");
        }
        let complete = json!({
            "auth": "service_principal", "tenant_id": "t", "client_id": "c",
            "client_certificate": "own.pfx", "client_certificate_password": "hunter2",
        });
        let Who::Entra(principal) = asked(complete).unwrap().who else {
            panic!("another login")
        };
        assert_eq!(
            principal.certificate.as_deref(),
            Some(Path::new("/p/own.pfx"))
        );
        assert!(!format!("{principal:?}").contains("hunter2"));
        assert_eq!(
            said(json!({"auth": "service_principal", "client_id": "c"})),
            [
                "/auth `auth: service_principal` needs a `tenant_id`",
                "/auth `auth: service_principal` needs either a `client_secret` or a \
                 `client_certificate`",
            ]
        );
        assert_eq!(
            said(json!({"auth": "azure_cli", "user": "ann", "client_id": "c"})),
            [
                "/user `auth: azure_cli` takes no `user`",
                "/client_id `auth: azure_cli` takes no `client_id`",
            ]
        );
        assert_eq!(
            said(json!({"user": "ann", "password": "pw", "tenant_id": "t"})),
            ["/tenant_id `tenant_id` belongs to a login that Entra ID knows"]
        );
        assert_eq!(
            said(json!({"auth": "default", "encrypt": "off"})),
            ["/encrypt a token of Entra ID is only sent over an encrypted connection"]
        );
        // As ADO.NET writes it.
        let string = |how: &str| json!({"connection_string": format!("Server=db;Authentication=Active Directory {how}")});
        let login = asked(string("Managed Identity;User Id=c")).unwrap();
        assert!(matches!(login.who, Who::Entra(own) if own.client.as_deref() == Some("c")));
        assert_eq!(
            said(string("Interactive")),
            [
                "/connection_string \"Authentication\" asks for a login that hygge doesn't have; \
                 `auth` beside the string says those that it has"
            ]
        );
        assert_eq!(
            said(json!({"connection_string": "Server=db;Trusted_Connection=yes"})),
            [
                "/connection_string \"Trusted_Connection\" asks for Windows logins, which hygge \
                 doesn't have: give a SQL login (`User ID`, `Password`), or say `auth` beside the \
                 string, as Entra ID knows you"
            ]
        );
    }

    #[test]
    fn a_server_and_a_login_are_enough() {
        let login = settings(json!({"server": "db", "user": "ann", "password": "pw"}))
            .login(Path::new("/p"))
            .unwrap();
        assert_eq!(login.describe(), "db");
        assert_eq!((login.pool_size, login.encrypt), (8, Encrypt::Required));
        assert_eq!(login.command_timeout, None);
    }

    #[test]
    fn settings_win_over_the_connection_string() {
        let login = settings(json!({
            "connection_string": "Server=tcp:db,1444;Database=a;User ID=ann;Password='p;w''x';Encrypt=strict",
            "database": "b",
        }))
        .login(Path::new("/p"))
        .unwrap();
        assert_eq!(login.describe(), "db,1444/b");
        assert!(matches!(login.who, Who::Sql { password, .. } if password == "p;w'x"));
        assert_eq!(login.encrypt, Encrypt::Strict);
    }

    #[test]
    fn a_server_that_is_none_is_shown_where_it_can_be_no_secret() {
        let told = |value: serde_json::Value| {
            let problems = settings(value).login(Path::new("/p")).unwrap_err();
            let said = problems
                .iter()
                .map(|p| format!("{} {}", p.pointer, p.message));
            said.collect::<Vec<_>>()
        };
        assert_eq!(
            told(json!({"server": "3", "user": "ann", "password": "pw"})),
            ["/server \"3\" names no server"]
        );
        for string in [
            "User ID=ann;Pwd=abc;Server=db,HUNTER2",
            "User ID=ann;Pwd=abc;Server=HUNTER 2",
            "jdbc:sqlserver://db:HUNTER2;user=ann;password=pw",
        ] {
            assert_eq!(
                told(json!({"connection_string": string})),
                [
                    "/connection_string what the connection string says of the server can't be understood"
                ]
            );
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_shows_no_secret() {
        let wrong = settings(json!({
            "password": "hunter2", "pool_size": 0, "packet_size": 100, "ca_file": "ca.pem",
        }));
        let problems = wrong.login(Path::new("/p")).unwrap_err();
        let said: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "the connection names no `server`",
                "`ca_file` can't be honoured by the driver that reads and loads rows",
                "`pool_size` must be from 1 to 1000",
                "`packet_size` must be from 512 to 32767 bytes",
                "the connection names no `user`",
            ]
        );
        assert!(!format!("{wrong:?}{problems:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_strict_trusts_nothing_unseen() {
        let read = |encrypt: &str| {
            let login = json!({
                "server": "h", "user": "u", "password": "hunter2", "encrypt": encrypt,
                "trust_server_certificate": true,
            });
            settings(login).login(Path::new("/p"))
        };
        assert!(read("required").unwrap().trust);
        let problems = read("strict").unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].pointer, "/trust_server_certificate");
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let read = |value| serde_json::from_value::<Seconds>(value).map(|time| time.0);
        assert_eq!(read(json!("5m")).unwrap(), 300);
        assert_eq!(read(json!(7)).unwrap(), 7);
        assert!(read(json!("5 days")).is_err());
    }
}
