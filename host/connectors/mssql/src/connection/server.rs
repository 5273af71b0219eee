use std::fmt;
use std::net::Ipv4Addr;

/// Where a server listens: `host`, `host,port` or `host\instance`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) at: At,
}

/// How the port is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// It is known.
    Port(u16),
    /// The server's browser service is asked for that instance.
    Instance(String),
}

impl Server {
    /// The port SQL Server listens on when nobody says otherwise.
    const PORT: u16 = 1433;

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text.strip_prefix("tcp:").unwrap_or(text);
        let (named, port) = match text.rsplit_once(',') {
            Some((named, port)) => (named.trim(), Some(port.trim())),
            None => (text, None),
        };
        let (host, instance) = match named.split_once('\\') {
            Some((host, instance)) => (host, Some(instance)),
            None => (named, None),
        };
        let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ';' | '=' | '/');
        if host.is_empty() || host.contains(strange) {
            return Err(format!("{text:?} names no server"));
        }
        // As others write a port; an address of IPv6 has more of them.
        if host.matches(':').count() == 1 {
            return Err(format!(
                "{text:?} has a colon, and a port stands behind a comma"
            ));
        }
        // A resolver would make some address of it: 0.0.0.3 of 3.
        let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        if numeric && host != "." && host.parse::<Ipv4Addr>().is_err() {
            return Err(format!("{host:?} names no server"));
        }
        let host = match host {
            "." | "(local)" => "localhost",
            host => host,
        };
        let at = match (port, instance) {
            (Some(port), _) => match port.parse() {
                Ok(port) if port > 0 => At::Port(port),
                _ => return Err(format!("{port:?} is no port")),
            },
            (None, Some(instance)) if instance.is_empty() || instance.contains(strange) => {
                return Err(format!("{text:?} names no instance"));
            }
            (None, Some(instance)) => At::Instance(instance.to_owned()),
            (None, None) => At::Port(Self::PORT),
        };
        Ok(Self {
            host: host.to_owned(),
            at,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match &self.at {
            At::Port(Self::PORT) => Ok(()),
            At::Port(port) => write!(f, ",{port}"),
            At::Instance(instance) => write!(f, "\\{instance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_read_as_sql_server_people_write_them() {
        let shown = |text| Server::parse(text).map(|server| server.to_string());
        assert_eq!(shown("db"), Ok("db".into()));
        assert_eq!(
            shown("tcp:db.example.com,1444"),
            Ok("db.example.com,1444".into())
        );
        assert_eq!(shown("db\\SALES"), Ok("db\\SALES".into()));
        // A port makes the instance's name needless, as with every other client.
        assert_eq!(shown("db\\SALES,1500"), Ok("db,1500".into()));
        assert_eq!(shown("(local)"), Ok("localhost".into()));
        assert_eq!(
            shown("db:1433"),
            Err("\"db:1433\" has a colon, and a port stands behind a comma".into())
        );
        for number in ["3", "3,1433", "10.0.0", "1.2.3.4.5"] {
            assert!(shown(number).unwrap_err().ends_with(" names no server"));
        }
        assert_eq!(shown("10.0.0.7"), Ok("10.0.0.7".into()));
        assert_eq!(shown("3com"), Ok("3com".into()));
        assert_eq!(shown("::1"), Ok("::1".into()));
        assert_eq!(shown("db,x"), Err("\"x\" is no port".into()));
        assert_eq!(shown(""), Err("\"\" names no server".into()));
    }
}
