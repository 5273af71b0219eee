//! Connection strings, as ADO.NET, JDBC and ODBC write them.
//!
//! Messages name keys that are known, and nothing else: any value may be a secret, and what looks
//! like an unknown key may be the tail of one that wasn't put in quotes.

use std::num::NonZero;

use hygge_core::Problem;

use super::settings::{Encrypt, Intent, Seconds, problem};

/// What a connection string says.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) server: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// A way to log in, as `auth` says it.
    pub(crate) auth: Option<&'static str>,
    pub(crate) encrypt: Option<Encrypt>,
    pub(crate) trust: Option<bool>,
    pub(crate) application_name: Option<String>,
    pub(crate) packet_size: Option<u16>,
    pub(crate) intent: Option<Intent>,
    pub(crate) connect_timeout: Option<Seconds>,
    pub(crate) command_timeout: Option<Seconds>,
    pub(crate) pool_size: Option<usize>,
    pub(crate) min_idle: Option<usize>,
}

/// How a value is written that has a `;` in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// ADO.NET: in quotes of either kind, doubled within; braces are as good as any letter.
    Quotes,
    /// JDBC and ODBC: in braces, the closing one doubled within; so are quotes.
    Braces,
}

/// Keys that are said by many tools and that hygge can't honour, unless they say no.
const UNHONOURED: [&str; 24] = [
    "attachdbfilename",
    "authenticationscheme",
    "columnencryption",
    "columnencryptionsetting",
    "connectretrycount",
    "connectretryinterval",
    "contextconnection",
    "currentlanguage",
    "dsn",
    "enclaveattestationprotocol",
    "failoverpartner",
    "language",
    "loadbalancetimeout",
    "multisubnetfailover",
    "networklibrary",
    "poolblockingperiod",
    "replication",
    "servercertificate",
    "serverspn",
    "sockettimeout",
    "transactionbinding",
    "truststore",
    "truststorepassword",
    "userinstance",
];

/// Reads a connection string of any form. What hygge can't honour is an error, never ignored.
pub(crate) fn read(text: &str) -> Result<Given, Problem> {
    const JDBC: &str = "jdbc:sqlserver://";
    let text = text.trim();
    let begins = |with: &str| {
        text.get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let mut given = Given::default();
    let (mut instance, mut port, mut certificate) = (None, None, None);
    let (pairs, form) = if begins(JDBC) {
        let rest = &text[JDBC.len()..];
        let (server, pairs) = rest.split_once(';').unwrap_or((rest, ""));
        if !server.is_empty() {
            let (host, of) = server.rsplit_once(':').unwrap_or((server, ""));
            given.server = Some(host.to_owned());
            port = (!of.is_empty()).then(|| of.to_owned());
        }
        (pairs, Form::Braces)
    } else if begins("driver=") {
        (text, Form::Braces)
    } else {
        (text, Form::Quotes)
    };
    let mut rest = Rest {
        text: pairs,
        form,
        last: None,
    };
    while let Some((key, value)) = rest.pair()? {
        let wrong = || said(format!("the value of {key:?} can't be understood"));
        match &*plain(key) {
            "server" | "datasource" | "address" | "addr" | "networkaddress" | "servername" => {
                given.server = Some(value);
            }
            "port" | "portnumber" => {
                let number: NonZero<u16> = value.parse().map_err(|_| wrong())?;
                port = Some(number.to_string());
            }
            "instancename" => instance = Some(value),
            "database" | "initialcatalog" | "databasename" => given.database = Some(value),
            "userid" | "uid" | "user" | "username" => given.user = Some(value),
            "password" | "pwd" => given.password = Some(value),
            "encrypt" => {
                given.encrypt = Some(match value.to_lowercase().as_str() {
                    "strict" => Encrypt::Strict,
                    "true" | "yes" | "mandatory" | "required" => Encrypt::Required,
                    "false" | "no" | "optional" => Encrypt::Optional,
                    _ => return Err(wrong()),
                });
            }
            "trustservercertificate" => given.trust = Some(flag(&value).ok_or_else(wrong)?),
            "hostnameincertificate" => certificate = Some(value),
            "applicationname" | "app" => given.application_name = Some(value),
            "packetsize" => given.packet_size = Some(value.parse().map_err(|_| wrong())?),
            "applicationintent" => {
                given.intent = Some(match value.to_lowercase().as_str() {
                    "readonly" => Intent::ReadOnly,
                    "readwrite" => Intent::ReadWrite,
                    _ => return Err(wrong()),
                });
            }
            "connecttimeout" | "connectiontimeout" | "timeout" | "logintimeout" => {
                given.connect_timeout = Some(Seconds(value.parse().map_err(|_| wrong())?));
            }
            "commandtimeout" | "querytimeout" => {
                given.command_timeout = Some(Seconds(value.parse().map_err(|_| wrong())?));
            }
            "maxpoolsize" => given.pool_size = Some(value.parse().map_err(|_| wrong())?),
            "minpoolsize" => given.min_idle = Some(value.parse().map_err(|_| wrong())?),
            "integratedsecurity" | "trustedconnection" | "trusted_connection" => {
                if flag(&value) != Some(false) {
                    return Err(said(format!(
                        "{key:?} asks for Windows logins, which hygge doesn't have: give a SQL \
                         login (`User ID`, `Password`), or say `auth` beside the string, as Entra ID \
                         knows you"
                    )));
                }
            }
            "authentication" if value.eq_ignore_ascii_case("sqlpassword") => {}
            "authentication" => {
                given.auth = Some(way(&value).ok_or_else(|| {
                    said(format!(
                        "{key:?} asks for a login that hygge doesn't have; `auth` beside the string \
                         says those that it has"
                    ))
                })?);
            }
            // Said by every tool that writes such strings, and true of hygge's sessions anyway: it
            // never needs several results of one at once.
            "driver"
            | "enlist"
            | "multipleactiveresultsets"
            | "mars_connection"
            | "pooling"
            | "persistsecurityinfo" => {}
            unhonoured if UNHONOURED.contains(&unhonoured) => {
                if flag(&value) != Some(false) && !value.eq_ignore_ascii_case("disabled") {
                    return Err(problem(
                        CONNECTION_STRING,
                        format!("hygge can't do what {key:?} asks for"),
                        Some("leave it out of the connection string"),
                    ));
                }
            }
            _ => return Err(rest.unknown()),
        }
        rest.last = Some(key);
    }
    if let (Some(server), Some(named)) = (&given.server, certificate)
        && !names(&named, server)
    {
        return Err(problem(
            CONNECTION_STRING,
            "\"hostNameInCertificate\" names another host than the server, and hygge looks for the \
             server's own name in its certificate",
            Some("leave it out, and give the server by the name that its certificate has"),
        ));
    }
    if let (Some(server), Some(port)) = (&mut given.server, port) {
        *server = format!("{server},{port}");
    } else if let (Some(server), Some(instance)) = (&mut given.server, instance) {
        *server = format!("{server}\\{instance}");
    }
    Ok(given)
}

const CONNECTION_STRING: &str = "/connection_string";

fn said(message: String) -> Problem {
    problem(CONNECTION_STRING, message, None)
}

/// A key, whatever its case and spaces.
fn plain(key: &str) -> String {
    let chars = key.chars().filter(|c| !c.is_whitespace());
    chars.flat_map(char::to_lowercase).collect()
}

/// Whether the name that a certificate should have, perhaps with a `*` in front, is the server's.
fn names(certificate: &str, server: &str) -> bool {
    let server = server.trim_start_matches("tcp:").to_lowercase();
    let host = server.split([',', '\\']).next().unwrap_or_default();
    let certificate = certificate.to_lowercase();
    match certificate.strip_prefix('*') {
        Some(end) => end.starts_with('.') && host.ends_with(end),
        None => certificate == host,
    }
}

/// Ways to log in by Entra ID that need nobody to be there.
fn way(value: &str) -> Option<&'static str> {
    let plain: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    Some(match plain.to_lowercase().as_str() {
        "activedirectorymanagedidentity" | "activedirectorymsi" => "managed_identity",
        "activedirectoryserviceprincipal" => "service_principal",
        "activedirectoryworkloadidentity" => "workload_identity",
        "activedirectorydefault" => "default",
        _ => return None,
    })
}

fn flag(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}

/// What of a string is still to be read.
struct Rest<'a> {
    text: &'a str,
    form: Form,
    /// The last key that was known.
    last: Option<&'a str>,
}

impl<'a> Rest<'a> {
    /// The next `key=value`.
    fn pair(&mut self) -> Result<Option<(&'a str, String)>, Problem> {
        self.text = self
            .text
            .trim_start_matches(|c: char| c == ';' || c.is_whitespace());
        if self.text.is_empty() {
            return Ok(None);
        }
        let Some((key, after)) = self.text.split_once('=') else {
            return Err(self.unknown());
        };
        let after = after.trim_start();
        let close = match (self.form, after.chars().next()) {
            (Form::Braces, Some('{')) => Some('}'),
            (Form::Quotes, Some(quote @ ('"' | '\''))) => Some(quote),
            _ => None,
        };
        let (value, left) = match close {
            None => {
                let (value, left) = after.split_once(';').unwrap_or((after, ""));
                (value.trim_end().to_owned(), left)
            }
            Some(close) => {
                quoted(&after[1..], close).ok_or_else(|| self.misquoted("isn't closed"))?
            }
        };
        let left = left.trim_start();
        if close.is_some() && !left.is_empty() && !left.starts_with(';') {
            return Err(self.misquoted("goes on after its end"));
        }
        self.text = left;
        Ok(Some((key.trim(), value)))
    }

    /// Where a value is, by the key before it: its own may be the tail of a secret.
    fn misquoted(&self, why: &str) -> Problem {
        let place = match self.last {
            Some(last) => format!("the value after that of {last:?}"),
            None => "the first value".to_owned(),
        };
        let form = match self.form {
            Form::Quotes => "quotes within a quoted value are doubled",
            Form::Braces => "a } within a value in braces is doubled",
        };
        let message = format!("{place} of the connection string {why}");
        problem(CONNECTION_STRING, message, Some(form))
    }

    /// Says where what isn't known stands, without showing it.
    fn unknown(&self) -> Problem {
        let message = match self.last {
            None => "the connection string begins with no key that hygge knows".to_owned(),
            Some(last) => format!(
                "after {last:?} the connection string goes on with no key that hygge knows; it isn't \
                 shown, since it may be part of a secret"
            ),
        };
        let advice = match self.form {
            Form::Quotes => {
                "put a value that has a ; in it in \"quotes\"; docs/connectors/mssql.md lists the keys"
            }
            Form::Braces => {
                "put a value that has a ; in it in {braces}; docs/connectors/mssql.md lists the keys"
            }
        };
        problem(CONNECTION_STRING, message, Some(advice))
    }
}

/// A value up to its closing sign, which is doubled within; and what comes after.
fn quoted(text: &str, close: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == close) {
            value.push(close);
            chars.next();
        } else {
            return Some((value, &text[at + close.len_utf8()..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Given {
        read(text).unwrap_or_else(|why| panic!("{}", why.message))
    }

    fn refused(text: &str) -> String {
        read(text).err().unwrap().message
    }

    #[test]
    fn jdbc_strings_are_read() {
        let given = given(
            "JDBC:sqlserver://db.example.com:1444;databaseName=sales;user=ann;password={a;b}};\"c};\
             encrypt=true;trustServerCertificate=true;loginTimeout=5",
        );
        assert_eq!(given.server.as_deref(), Some("db.example.com,1444"));
        assert_eq!(given.database.as_deref(), Some("sales"));
        assert_eq!(given.password.as_deref(), Some("a;b};\"c"));
        assert_eq!(given.trust, Some(true));
        assert_eq!(given.connect_timeout, Some(Seconds(5)));
    }

    #[test]
    fn what_azures_portal_shows_is_read_in_every_form() {
        for text in [
            "Server=tcp:own.database.windows.net,1433;Initial Catalog=sales;Persist Security \
             Info=False;User ID=ann;Password=pw;MultipleActiveResultSets=True;Encrypt=True;\
             TrustServerCertificate=False;Connection Timeout=30;Min Pool Size=2;",
            "jdbc:sqlserver://own.database.windows.net:1433;database=sales;user=ann;password=pw;\
             encrypt=true;trustServerCertificate=false;\
             hostNameInCertificate=*.database.windows.net;loginTimeout=30;",
            "Driver={ODBC Driver 18 for SQL Server};Server=tcp:own.database.windows.net,1433;\
             Database=sales;Uid=ann;Pwd={pw};Encrypt=yes;TrustServerCertificate=no;Connection \
             Timeout=30;",
        ] {
            let given = given(text);
            let server = given.server.as_deref().unwrap();
            assert_eq!(
                server.trim_start_matches("tcp:"),
                "own.database.windows.net,1433"
            );
            assert_eq!(given.database.as_deref(), Some("sales"));
            assert_eq!(given.password.as_deref(), Some("pw"));
            assert_eq!(given.encrypt, Some(Encrypt::Required));
            assert_eq!(given.trust, Some(false));
        }
    }

    #[test]
    fn a_password_is_what_its_form_makes_of_it() {
        let password = |text: &str| given(text).password.unwrap();
        let jdbc = |value: &str| password(&format!("jdbc:sqlserver://db;password={value};user=a"));
        let ado = |value: &str| password(&format!("Server=db;Password={value};User ID=a"));
        assert_eq!(jdbc("\"x\""), "\"x\"");
        assert_eq!(jdbc("'x'y"), "'x'y");
        assert_eq!(jdbc("{x}"), "x");
        assert_eq!(ado("{x}"), "{x}");
        assert_eq!(ado("{x}y"), "{x}y");
        assert_eq!(ado("\"x;\"\"y\""), "x;\"y");
        assert_eq!(ado("'x'"), "x");
    }

    #[test]
    fn what_cannot_be_honoured_is_named_without_its_value() {
        assert_eq!(
            refused("Server=db;Failover Partner=hunter2"),
            "hygge can't do what \"Failover Partner\" asks for"
        );
        assert!(refused("Server=db;Integrated Security=true").starts_with(
            "\"Integrated Security\" asks for Windows logins, which hygge doesn't have"
        ));
        assert!(
            refused("Server=db;Authentication=ActiveDirectoryInteractive")
                .starts_with("\"Authentication\" asks for a login that hygge doesn't have")
        );
        assert!(
            refused("jdbc:sqlserver://db;hostNameInCertificate=*.example.com")
                .starts_with("\"hostNameInCertificate\" names another host than the server")
        );
        assert!(refused("Server=db;MultiSubnetFailover=True").contains("can't do"));
        assert!(
            read("Server=db;MultiSubnetFailover=False;Column Encryption Setting=Disabled").is_ok()
        );
    }

    /// A `;` in a password that isn't in quotes makes keys of its parts.
    #[test]
    fn no_part_of_a_password_is_shown() {
        for text in [
            "Server=db;Pwd=abc;HUNTER2=xyz;Encrypt=True",
            "Server=db;Pwd=abc;HUNTER2;TrustServerCertificate=True",
            "Server=db;Pwd=abc;HUNTER2",
            "Server=db;Pwd=abc;HUNTER2='",
            "Server=db;Pwd=abc;HUNTER2='x'y",
            "Server=db;Pwd='HUNTER2",
            "jdbc:sqlserver://db;Pwd=abc;HUNTER2={x",
            "Server=db;Pwd=abc;Port=HUNTER2",
            "HUNTER2",
        ] {
            let told = read(text).err().unwrap();
            let advice = told.advice.unwrap_or_default();
            assert!(
                !format!("{}{advice}", told.message).contains("HUNTER2"),
                "{told}",
                told = told.message
            );
        }
        assert_eq!(
            refused("Server=db;Pwd=abc;HUNTER2=xyz"),
            "after \"Pwd\" the connection string goes on with no key that hygge knows; it isn't shown, \
             since it may be part of a secret"
        );
        assert_eq!(
            refused("Server=db;Password='hunter2"),
            "the value after that of \"Server\" of the connection string isn't closed"
        );
        assert_eq!(
            refused("hunter2"),
            "the connection string begins with no key that hygge knows"
        );
    }
}
