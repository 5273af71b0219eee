//! Sessions of tiberius, which run statements, as bb8 keeps them.

use std::time::{Duration, Instant};

use futures::future::FutureExt;
use futures::stream::TryStreamExt;
use hygge_core::{Fault, Result};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row, SqlBrowser, ToSql};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::server::At;
use super::settings::{Encrypt, Intent, Login};
use super::who::Who;
use super::{Session, never_by_the_pool};
use crate::fault::{self, CONNECTING, Doing};

/// A session that rested longer is asked whether it still lives before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// Idle connections are noticed dead by the network's own means within about a minute.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// One session of tiberius.
pub(crate) struct Statements {
    client: Client<Compat<TcpStream>>,
    /// A request is under way, or ended in a way that leaves the session unsure.
    dirty: bool,
    /// Something outlives the statements that ran: it must not be lent again.
    changed: bool,
    command_timeout: Option<Duration>,
    rested_since: Instant,
    // Last, so that it is given back once the session is closed.
    _place: OwnedSemaphorePermit,
}

impl Statements {
    /// Runs statements with parameters `@P1`, …, and gives the rows of each result.
    pub(crate) async fn query(
        &mut self,
        what: &str,
        doing: Doing,
        sql: &str,
        parameters: &[&dyn ToSql],
    ) -> Result<Vec<Vec<Row>>> {
        let limit = self.command_timeout;
        self.ask(what, doing, sql, parameters, limit).boxed().await
    }

    /// Runs statements without any time-out, for what must end however long it takes.
    pub(crate) async fn unhurried(&mut self, what: &str, sql: &str) -> Result<()> {
        self.ask(what, Doing::Writing, sql, &[], None)
            .boxed()
            .await
            .map(drop)
    }

    /// Runs a statement that counts something, without any time-out.
    pub(crate) async fn count(&mut self, what: &str, sql: &str) -> Result<u64> {
        let found = self
            .ask(what, Doing::Writing, sql, &[], None)
            .boxed()
            .await?;
        let row = found.first().and_then(|rows| rows.first());
        let count = row.and_then(|row| crate::describe::whole(row, 0));
        Ok(u64::try_from(count.unwrap_or_default()).unwrap_or_default())
    }

    /// Runs a statement without any time-out and gives how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        what: &str,
        sql: &str,
        parameters: &[&dyn ToSql],
    ) -> Result<u64> {
        self.dirty = true;
        match self.client.execute(sql, parameters).boxed().await {
            Ok(done) => {
                self.dirty = false;
                self.rested_since = Instant::now();
                Ok(done.total())
            }
            Err(error) => Err(fault::statement(what, Doing::Writing, &error)),
        }
    }

    /// Runs a batch of anything; what it selects is of no interest. An error comes with the line of
    /// the batch that the server names.
    pub(crate) async fn script(
        &mut self,
        what: &str,
        sql: &str,
    ) -> Result<(), (Fault, Option<usize>)> {
        self.dirty = true;
        let limit = self.command_timeout;
        let client = &mut self.client;
        let running = async {
            let mut stream = client.simple_query(sql).await?;
            while stream.try_next().await?.is_some() {}
            Ok(())
        };
        let ran = match limit {
            None => running.boxed().await,
            Some(limit) => tokio::time::timeout(limit, running.boxed())
                .await
                .map_err(|_| (too_slow(what, Doing::Writing, limit), None))?,
        };
        ran.map_err(|error: tiberius::error::Error| {
            let line = match &error {
                // Of a procedure that the batch only calls it is another text's line.
                tiberius::error::Error::Server(said) if of_batch(said.procedure(), sql) => {
                    usize::try_from(said.line()).ok()
                }
                _ => None,
            };
            (fault::statement(what, Doing::Writing, &error), line)
        })?;
        self.dirty = false;
        self.rested_since = Instant::now();
        Ok(())
    }

    async fn ask(
        &mut self,
        what: &str,
        doing: Doing,
        sql: &str,
        parameters: &[&dyn ToSql],
        limit: Option<Duration>,
    ) -> Result<Vec<Vec<Row>>> {
        // Until the answer was read to its end: a dropped future leaves half of it behind.
        self.dirty = true;
        let client = &mut self.client;
        let asking = async {
            let stream = match parameters {
                [] => client.simple_query(sql).await?,
                parameters => client.query(sql, parameters).await?,
            };
            stream.into_results().await
        };
        let answer = match limit {
            None => asking.await,
            Some(limit) => tokio::time::timeout(limit, asking)
                .await
                .map_err(|_| too_slow(what, doing, limit))?,
        };
        match answer {
            Ok(rows) => {
                self.dirty = false;
                self.rested_since = Instant::now();
                Ok(rows)
            }
            // Also after an error that the server reported a transaction may be open.
            Err(error) => Err(fault::statement(what, doing, &error)),
        }
    }

    /// What was done outlives the statements: the session is closed instead of lent again.
    pub(crate) fn keep_to_oneself(&mut self) {
        self.changed = true;
    }

    pub(super) fn broken(&self) -> bool {
        self.dirty || self.changed
    }
}

/// Whether an error's line is counted in the batch: it is in none of a procedure's, or the batch makes
/// that procedure.
fn of_batch(procedure: &str, sql: &str) -> bool {
    let name = procedure.rsplit('.').next().unwrap_or_default();
    let (name, sql) = (name.to_lowercase(), sql.to_lowercase());
    let makes = sql.contains("create") || sql.contains("alter");
    name.is_empty() || (makes && sql.contains(&name))
}

fn too_slow(what: &str, doing: Doing, limit: Duration) -> Fault {
    Fault::new(
        doing.code(),
        format!("{what}: no answer within {}s", limit.as_secs()),
    )
    .retryable()
    .advise("a longer `command_timeout` of the connection waits longer")
}

fn config(login: &Login, token: Option<&str>) -> Config {
    let mut config = Config::new();
    config.host(&login.server.host);
    match &login.server.at {
        At::Port(port) => config.port(*port),
        At::Instance(instance) => config.instance_name(instance),
    }
    if let Some(database) = &login.database {
        config.database(database);
    }
    config.authentication(match (&login.who, token) {
        (Who::Sql { user, password }, _) => AuthMethod::sql_server(user, password),
        (_, token) => AuthMethod::aad_token(token.unwrap_or_default()),
    });
    config.application_name(&login.application_name);
    config.packet_size(u32::from(login.packet_size));
    config.encryption(match login.encrypt {
        Encrypt::Strict => EncryptionLevel::Strict,
        Encrypt::Required => EncryptionLevel::Required,
        Encrypt::Optional => EncryptionLevel::On,
        Encrypt::Off => EncryptionLevel::Off,
    });
    if login.trust {
        config.trust_cert();
    }
    config.readonly(login.intent == Intent::ReadOnly);
    // One limit covers all of opening; statements have theirs in `ask`.
    config.handshake_timeout(None);
    config.command_timeout(None);
    config
}

/// A line to the server, on which nothing was said yet.
pub(super) async fn line(login: &Login) -> tiberius::Result<TcpStream> {
    dial(&config(login, None), login).await
}

async fn dial(config: &Config, login: &Login) -> tiberius::Result<TcpStream> {
    Ok(match login.server.at {
        At::Port(_) => TcpStream::connect(config.get_addr()).await?,
        At::Instance(_) => TcpStream::connect_named(config).await?,
    })
}

async fn connect(config: &Config, login: &Login) -> tiberius::Result<Client<Compat<TcpStream>>> {
    let stream = dial(config, login).await?;
    stream.set_nodelay(true)?;
    let probes = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(Duration::from_secs(5));
    socket2::SockRef::from(&stream).set_tcp_keepalive(&probes)?;
    one_tls();
    Client::connect(config.clone(), stream.compat_write()).await
}

impl Session for Statements {
    const PATIENCE: Duration = Duration::from_millis(200);

    async fn open(login: &Login, token: Option<&str>, place: OwnedSemaphorePermit) -> Result<Self> {
        let what = format!("{CONNECTING} {}", login.describe());
        let opening = async {
            let mut config = config(login, token);
            // A gateway may name another server, which may do so once more.
            for _ in 0..4 {
                match connect(&config, login).await {
                    Err(tiberius::error::Error::Routing { host, port }) => {
                        config.host(host);
                        config.port(port);
                    }
                    done => return done,
                }
            }
            Err(tiberius::error::Error::Protocol(
                "it was sent from server to server".into(),
            ))
        };
        let client = tokio::time::timeout(login.connect_timeout, opening)
            .await
            .map_err(|_| {
                Fault::new(
                    hygge_core::code::SOURCE_IO,
                    format!(
                        "{what}: no answer within {}s",
                        login.connect_timeout.as_secs()
                    ),
                )
                .retryable()
                .advise("look at `server`, and whether a firewall stands between")
            })?
            .map_err(|error| fault::statement(&what, Doing::Reading, &error))?;
        Ok(Self {
            client,
            dirty: false,
            changed: false,
            command_timeout: login.command_timeout,
            rested_since: Instant::now(),
            _place: place,
        })
    }

    async fn still_there(&mut self) -> Result<()> {
        if self.rested_since.elapsed() < TRUSTED_FOR {
            return Ok(());
        }
        self.query("the session is gone", Doing::Reading, "SELECT 1", &[])
            .await
            .map(drop)
    }

    fn is_unsure(&self) -> bool {
        self.dirty
    }

    fn close(&mut self) {
        self.changed = true;
    }
}

/// How bb8 looks after them.
pub(crate) struct Manager;

impl bb8::ManageConnection for Manager {
    type Connection = Statements;
    type Error = Fault;

    async fn connect(&self) -> Result<Statements> {
        never_by_the_pool()
    }

    async fn is_valid(&self, session: &mut Statements) -> Result<()> {
        session.still_there().await
    }

    fn has_broken(&self, session: &mut Statements) -> bool {
        session.broken()
    }
}

/// Makes tiberius use the implementation of TLS that the rest of hygge does. Its own gathers
/// entropy from the jitter of the clock before the first byte, in every process anew.
fn one_tls() {
    // Whoever came first has decided, and that is as well.
    drop(rustls::crypto::ring::default_provider().install_default());
}

#[cfg(test)]
mod tests {
    use super::of_batch;

    #[test]
    fn lines_of_procedures_that_are_only_called_are_not_the_batchs() {
        assert!(of_batch("", "SELECT 1"));
        assert!(of_batch(
            "dbo.Fill",
            "CREATE PROCEDURE dbo.fill AS SELECT x"
        ));
        assert!(!of_batch("dbo.fill", "EXEC dbo.fill"));
        assert!(!of_batch("fill", "CREATE TABLE t (a int); EXEC other"));
    }
}
