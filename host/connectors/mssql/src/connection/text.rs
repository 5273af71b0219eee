//! Connection strings, as ADO.NET and JDBC write them.
//!
//! Messages name keys and never values: any of them may be a secret, or part of one.

use super::settings::{Encrypt, Intent, Seconds};

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
}

/// Reads a connection string of either form. What hygge can't honour is an error, never ignored.
pub(crate) fn read(text: &str) -> Result<Given, String> {
    let text = text.trim();
    let jdbc = text.strip_prefix("jdbc:sqlserver://");
    let mut given = Given::default();
    let mut instance = None;
    let mut port = None;
    let pairs = match jdbc {
        None => text,
        Some(rest) => {
            let (server, pairs) = rest.split_once(';').unwrap_or((rest, ""));
            if !server.is_empty() {
                let (host, of) = server.rsplit_once(':').unwrap_or((server, ""));
                given.server = Some(host.to_owned());
                port = (!of.is_empty()).then(|| of.to_owned());
            }
            pairs
        }
    };
    for (key, value) in split(pairs)? {
        let plain: String = key
            .chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect();
        let wrong = || format!("the value of {key:?} can't be understood");
        match plain.as_str() {
            "server" | "datasource" | "address" | "addr" | "networkaddress" | "servername" => {
                given.server = Some(value);
            }
            "port" | "portnumber" => port = Some(value),
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
            // Said by every tool that writes such strings, and true of hygge's sessions anyway.
            "persistsecurityinfo" | "pooling" => {}
            "multipleactiveresultsets"
            | "integratedsecurity"
            | "trustedconnection"
            | "trusted_connection"
                if flag(&value) == Some(false) => {}
            "integratedsecurity" | "trustedconnection" | "trusted_connection" => {
                return Err(format!(
                    "{key:?} asks for Windows logins, which hygge doesn't have: give a SQL login \
                     (`User ID`, `Password`), or say `auth` beside the string, as Entra ID knows you"
                ));
            }
            "authentication" if value.eq_ignore_ascii_case("sqlpassword") => {}
            "authentication" => {
                given.auth = Some(way(&value).ok_or_else(|| {
                    format!(
                        "{key:?} asks for a login that hygge doesn't have; `auth` beside the string \
                         says those that it has"
                    )
                })?);
            }
            _ => return Err(format!("the connection string's key {key:?} isn't known")),
        }
    }
    if let (Some(server), Some(port)) = (&mut given.server, port) {
        *server = format!("{server},{port}");
    } else if let (Some(server), Some(instance)) = (&mut given.server, instance) {
        *server = format!("{server}\\{instance}");
    }
    Ok(given)
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

/// `key=value;…`, where a value may stand in quotes, doubled within, or in braces.
fn split(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start();
            continue;
        }
        let Some((key, after)) = rest.split_once('=') else {
            return Err("the connection string isn't made of key=value pairs".to_owned());
        };
        let key = key.trim().to_owned();
        let after = after.trim_start();
        let close = match after.chars().next() {
            Some('{') => Some('}'),
            Some(quote @ ('"' | '\'')) => Some(quote),
            _ => None,
        };
        let (value, left) = match close {
            None => {
                let (value, left) = after.split_once(';').unwrap_or((after, ""));
                (value.trim_end().to_owned(), left)
            }
            Some(close) => quoted(&after[1..], close)
                .ok_or_else(|| format!("the value of {key:?} isn't closed"))?,
        };
        rest = left.trim_start();
        if close.is_some() && !rest.is_empty() && !rest.starts_with(';') {
            return Err(format!("the value of {key:?} goes on after its end"));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
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

    #[test]
    fn jdbc_strings_are_read() {
        let given = read(
            "jdbc:sqlserver://db.example.com:1444;databaseName=sales;user=ann;password={a;b};\
             encrypt=true;trustServerCertificate=true;loginTimeout=5",
        )
        .unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(given.server.as_deref(), Some("db.example.com,1444"));
        assert_eq!(given.database.as_deref(), Some("sales"));
        assert_eq!(given.password.as_deref(), Some("a;b"));
        assert_eq!(given.trust, Some(true));
        assert_eq!(given.connect_timeout, Some(Seconds(5)));
    }

    #[test]
    fn what_cannot_be_honoured_is_named_without_its_value() {
        let refused = |text| read(text).err().unwrap();
        assert_eq!(
            refused("Server=db;Failover Partner=hunter2"),
            "the connection string's key \"Failover Partner\" isn't known"
        );
        assert_eq!(
            refused("Server=db;Password='hunter2"),
            "the value of \"Password\" isn't closed"
        );
        assert!(refused("Server=db;Integrated Security=true").starts_with(
            "\"Integrated Security\" asks for Windows logins, which hygge doesn't have"
        ));
        assert!(
            refused("Server=db;Authentication=ActiveDirectoryInteractive")
                .starts_with("\"Authentication\" asks for a login that hygge doesn't have")
        );
        assert_eq!(
            refused("hunter2"),
            "the connection string isn't made of key=value pairs"
        );
    }
}
