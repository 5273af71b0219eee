//! What the drivers report, as faults: by SQL Server's error number, not by its text.

use hygge_core::{Fault, code};

/// Whether something was read or written: the two have codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Reading a home.
    Reading,
    /// Writing a store.
    Writing,
}

impl Doing {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Reading => code::SOURCE_IO,
            Self::Writing => code::DESTINATION_IO,
        }
    }
}

/// Errors that pass: Azure's list of transient faults, lost connections, deadlocks and locks
/// that were waited for too long.
/// <https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues>
pub(crate) const TRANSIENT: &[u32] = &[
    20, 64, 233, 617, 669, 921, 997, 1203, 1204, 1205, 1221, 1222, 1807, 3935, 3960, 4060, 4221,
    4891, 8628, 8645, 8651, 9515, 10053, 10054, 10060, 10928, 10929, 10936, 14355, 17197, 18401,
    40020, 40143, 40166, 40197, 40501, 40540, 40613, 41301, 41302, 41305, 41325, 41839, 42108,
    42109, 49918, 49919, 49920,
];

/// An error that the server reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) number: u32,
    pub(crate) state: u8,
    pub(crate) class: u8,
    pub(crate) message: String,
}

impl Reported {
    /// The fault, after what was being done: `can't read dbo.users`.
    pub(crate) fn fault(&self, what: &str, doing: Doing) -> Fault {
        let message = self
            .message
            .trim()
            .trim_end_matches('.')
            .replace(['\r', '\n'], " ");
        let fault_code = match self.number {
            208 | 4902 | 3701 if doing == Doing::Reading => code::SOURCE_MISSING,
            _ => doing.code(),
        };
        let mut fault = Fault::new(
            fault_code,
            format!("{what}: {message} (SQL Server error {})", self.number),
        )
        .with("sql_error", self.number)
        .with("sql_state", self.state);
        fault.retryable = TRANSIENT.contains(&self.number);
        let own = match self.number {
            // What hygge writes itself is right.
            8155 | 8156 if doing == Doing::Reading => Some(
                "give each column of the query a name of its own, as in `count(*) AS n` or `b.id AS \
                 b_id`",
            ),
            102 | 105 | 156 | 1033 if doing == Doing::Reading => Some(
                "look at `where` and `query`: they stand in the statement as they are written, a \
                 query in brackets",
            ),
            number => advice(number),
        };
        match own {
            Some(advice) => fault.advise(advice),
            None => fault,
        }
    }
}

/// What a person can do about an error of that number.
fn advice(number: u32) -> Option<&'static str> {
    Some(match number {
        18452 | 18456 => {
            "look at `user` and `password` of the connection, or whether its `access_token` has expired"
        }
        18486 | 18487 | 18488 | 18470 => {
            "the login is locked or disabled, or its password has expired: somebody who may has to \
             reset it"
        }
        40_615 | 47_073 => {
            "let this machine's address through the server's firewall, or reach it over its private \
             endpoint"
        }
        4060 | 911 | 916 => {
            "look at `database` of the connection, and whether the login may open it"
        }
        208 | 4902 => "look at the table's name and schema, and whether the login may see it",
        207 => "look at the names of the columns",
        229 | 230 | 262 | 297 | 300 | 1088 | 2760 => {
            "grant the login that permission; docs/connectors/mssql.md lists what is needed"
        }
        515 => "fill the column in the source, or let the destination's column be NULL",
        1505 | 2601 | 2627 => "the rows bring a key that stands there already, or bring one twice",
        547 => "mend the rows in the source, or the constraint of the destination that they break",
        1105 | 9002 | 1101 => "free some space in the database or its log, then run again",
        1204 => "the server ran out of locks; run fewer splits at once",
        1205 => "others work on the same rows: run when they don't, or with fewer `workers`",
        1222 => "somebody else holds the table; run again when they are done",
        3952 => {
            "run `ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON`, or leave `isolation` out"
        }
        2628 | 8152 => "make the column wider, or shorten the values in the source",
        2705 => {
            "two columns differ in case alone, which the database doesn't tell apart: rename one of \
             them, or leave it out"
        }
        4712 => "drop those foreign keys, or merge: it leaves rows in their place",
        13_609 => "the column takes JSON, and a value is none",
        42_204 => "the column takes vectors of another length",
        22_105 => "run `ALTER TABLE … ENABLE CHANGE_TRACKING` on the table",
        10_928 | 10_929 | 10_936 => {
            "the database is at its limit of sessions or workers: a smaller `pool_size`, or a larger \
             size of the database"
        }
        40_197 | 40_501 | 40_613 | 49_918 | 49_919 | 49_920 => {
            "Azure is busy, or is moving the database: run again in some minutes"
        }
        40_544 => "the database has reached its size quota",
        _ => return None,
    })
}

/// A fault of tiberius.
pub(crate) fn statement(what: &str, doing: Doing, error: &tiberius::error::Error) -> Fault {
    use tiberius::error::Error;
    let fault = |said: String| Fault::new(doing.code(), format!("{what}: {said}"));
    match error {
        Error::Server(token) => Reported {
            number: token.code(),
            state: token.state(),
            class: token.class(),
            message: token.message().to_owned(),
        }
        .fault(what, doing),
        Error::Io { message, .. } => unreachable(what, fault(lost(what, message)).retryable()),
        Error::Tls(said) => fault(certificate(said)).advise(TLS_ADVICE),
        // All that it says is of its own settings.
        Error::Conversion(said) if said.starts_with("SQL browser timeout") => {
            fault("nobody there says at which port that instance listens".to_owned()).advise(
                "name the port instead of the instance (`server: host,port`), or start SQL Server \
                 Browser there, and let UDP to port 1434 through",
            )
        }
        Error::Protocol(said) => fault(format!("the server answered what can't be read ({said})")),
        other => fault(other.to_string()),
    }
}

/// A fault of mssql-tds.
pub(crate) fn rows(what: &str, doing: Doing, error: &mssql_tds::error::Error) -> Fault {
    use mssql_tds::error::Error;
    let fault = |said: String| Fault::new(doing.code(), format!("{what}: {said}"));
    match error {
        Error::SqlServerError { diagnostics } => match worst(&diagnostics.errors) {
            Some(reported) => reported.fault(what, doing),
            None => fault("the server reported an error without saying which".to_owned()),
        },
        Error::Io(error) => unreachable(what, fault(lost(what, &error.to_string())).retryable()),
        Error::ConnectionError(said) | Error::ConnectionClosed(said) => {
            unreachable(what, fault(lost(what, said)).retryable())
        }
        Error::TimeoutError(_) => fault("the server took too long".to_owned()).retryable(),
        Error::TlsError(error) => fault(certificate(&error.to_string())).advise(TLS_ADVICE),
        Error::TlsHandshakeError { source, .. } => {
            fault(certificate(&source.to_string())).advise(TLS_ADVICE)
        }
        Error::ProtocolError(said) => {
            fault(format!("the server answered what can't be read ({said})"))
        }
        other => fault(other.to_string()),
    }
}

/// What is said of a connection that isn't there, or not any more.
fn lost(what: &str, said: &str) -> String {
    let said = match said {
        // As decoders of packets say it.
        "bytes remaining on stream" | "failed to fill whole buffer" => {
            "its answer ended in the middle"
        }
        _ => said.split(" (os error").next().unwrap_or(said),
    };
    match what.starts_with(CONNECTING) {
        true => said.to_owned(),
        false => format!("the connection was lost ({said})"),
    }
}

/// What can be done where there never was a connection.
fn unreachable(what: &str, fault: Fault) -> Fault {
    match what.starts_with(CONNECTING) {
        true => fault.advise(
            "look at `server` of the connection (host, or host,port), and whether it can be reached \
             from this machine",
        ),
        false => fault,
    }
}

/// How a fault begins that says that a session couldn't be opened.
pub(crate) const CONNECTING: &str = "can't connect to";

/// Of several errors the first one is the cause, unless it says nothing but that it failed.
fn worst(errors: &[mssql_tds::error::SqlErrorInfo]) -> Option<Reported> {
    let transient = errors
        .iter()
        .find(|error| TRANSIENT.contains(&error.number));
    let first = transient.or_else(|| errors.first())?;
    Some(Reported {
        number: first.number,
        state: first.state,
        class: u8::try_from(first.class).unwrap_or(u8::MAX),
        message: first.message.clone(),
    })
}

const TLS_ADVICE: &str = "trust the server's certificate: put its authority's into a file and name \
                          that in the environment variable SSL_CERT_FILE, or, in a network you \
                          trust, say `trust_server_certificate: true`";

fn certificate(said: &str) -> String {
    // Drivers append paragraphs of advice about their own settings.
    let said = said.split(" To connect anyway").next().unwrap_or(said);
    format!(
        "no TLS session with the server ({})",
        said.trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(number: u32) -> Fault {
        Reported {
            number,
            state: 1,
            class: 13,
            message: "Something.\r\nMore.".into(),
        }
        .fault("can't read dbo.t", Doing::Reading)
    }

    #[test]
    fn transient_errors_are_tried_again_and_others_are_not() {
        for number in [
            40613, 40501, 49918, 49919, 49920, 10928, 10929, 4060, 10053, 10054, 10060, 1205, 1222,
        ] {
            assert!(reported(number).retryable, "{number}");
        }
        for number in [18456, 229, 547, 2627, 245, 8152, 2628, 208] {
            assert!(!reported(number).retryable, "{number}");
        }
    }

    /// Only what is read has words of its writer in it.
    #[test]
    fn what_cannot_be_parsed_leads_to_where_and_query() {
        assert!(
            reported(102)
                .advice
                .unwrap()
                .contains("`where` and `query`")
        );
        let own = Reported {
            number: 102,
            state: 1,
            class: 15,
            message: String::new(),
        };
        assert_eq!(own.fault("can't commit", Doing::Writing).advice, None);
    }

    /// docs/connectors/mssql.md lists what is told here.
    #[test]
    fn every_number_with_advice_is_on_the_page() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../docs/connectors/mssql.md"
        );
        let page = std::fs::read_to_string(path).unwrap();
        let (_, section) = page.split_once("\n## When something is wrong\n").unwrap();
        let listed: Vec<u32> = section
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let advised = (0..100_000).filter(|number| advice(*number).is_some());
        let unlisted = advised.chain(TRANSIENT.iter().copied());
        let unlisted: Vec<u32> = unlisted.filter(|n| !listed.contains(n)).collect();
        assert!(unlisted.is_empty(), "{unlisted:?}");
    }

    #[test]
    fn an_instance_that_nobody_knows_leads_to_its_port() {
        let said = "SQL browser timeout during resolving instance x. Please check if";
        let error = tiberius::error::Error::Conversion(said.into());
        let fault = statement("can't connect to db\\x", Doing::Reading, &error);
        let expected =
            "can't connect to db\\x: nobody there says at which port that instance listens";
        assert_eq!(fault.message, expected);
        assert!(fault.advice.unwrap().contains("host,port"));
    }

    #[test]
    fn the_number_is_told_and_the_text_is_one_line() {
        let fault = reported(208);
        assert_eq!(
            fault.message,
            "can't read dbo.t: Something.  More (SQL Server error 208)"
        );
        assert_eq!(fault.code, code::SOURCE_MISSING);
        assert_eq!(fault.attribute("sql_error"), Some("208"));
    }
}
