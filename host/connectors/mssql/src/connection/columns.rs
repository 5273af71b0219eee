//! Sessions of mssql-tds, which read and load rows, as bb8 keeps them.

use std::time::{Duration, Instant};

use futures::future::FutureExt;
use hygge_core::{Fault, Result, code};
use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::{ExecuteOptions, TdsClient};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::message::login_options::ApplicationIntent;

use tokio::sync::OwnedSemaphorePermit;

use super::server::At;
use super::settings::{Encrypt, Intent, Login};
use super::who::Who;
use super::{Session, never_by_the_pool};
use crate::fault::{self, CONNECTING, Doing};

/// As of [`Statements`](super::statements::Statements).
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// One session of mssql-tds.
pub(crate) struct Columns {
    client: TdsClient,
    /// A request is under way, or ended in a way that leaves the session unsure.
    dirty: bool,
    pub(crate) command_timeout: Option<Duration>,
    rested_since: Instant,
    // Last, so that it is given back once the session is closed.
    _place: OwnedSemaphorePermit,
}

impl Columns {
    /// The session for a request of one's own. Until [`settled`](Self::settled) says that it was
    /// read to its end it counts as broken, so an error, a cancel or a panic closes it.
    pub(crate) fn begin(&mut self) -> &mut TdsClient {
        self.dirty = true;
        &mut self.client
    }

    /// The session in the middle of a request.
    pub(crate) fn client(&mut self) -> &mut TdsClient {
        &mut self.client
    }

    /// The request that was begun was read to its end. The next one resets the session first.
    pub(crate) fn settled(&mut self) {
        if self.client.is_connection_dead() || self.client.has_open_batch() {
            return;
        }
        self.client.prepare_reset_connection(false);
        self.dirty = false;
        self.rested_since = Instant::now();
    }
}

fn context(login: &Login, token: Option<&str>, source: &str) -> ClientContext {
    let mut context = ClientContext::with_data_source(source);
    match &login.who {
        Who::Sql { user, password } => {
            context.tds_authentication_method = TdsAuthenticationMethod::Password;
            context.user_name.clone_from(user);
            context.password.clone_from(password);
        }
        Who::Token(_) | Who::Entra(_) => {
            context.tds_authentication_method = TdsAuthenticationMethod::AccessToken;
            context.access_token = token.map(str::to_owned);
        }
    }
    context.database = login.database.clone().unwrap_or_default();
    context.application_name.clone_from(&login.application_name);
    context.application_intent = match login.intent {
        Intent::ReadOnly => ApplicationIntent::ReadOnly,
        Intent::ReadWrite => ApplicationIntent::ReadWrite,
    };
    context.packet_size = login.packet_size;
    // A session that reconnects by itself would go on after rows were lost.
    context.connect_retry_count = 0;
    context.connect_timeout = u32::try_from(login.connect_timeout.as_secs()).unwrap_or(u32::MAX);
    context.encryption_options = EncryptionOptions {
        mode: match login.encrypt {
            Encrypt::Strict => EncryptionSetting::Strict,
            Encrypt::Required => EncryptionSetting::Required,
            Encrypt::Optional => EncryptionSetting::On,
            Encrypt::Off => EncryptionSetting::PreferOff,
        },
        trust_server_certificate: login.trust,
        host_name_in_cert: None,
        server_certificate: None,
    };
    context
}

impl Session for Columns {
    const PATIENCE: Duration = Duration::ZERO;

    async fn open(login: &Login, token: Option<&str>, place: OwnedSemaphorePermit) -> Result<Self> {
        let what = format!("{CONNECTING} {}", login.describe());
        let source = match &login.server.at {
            At::Port(port) => format!("tcp:{},{port}", login.server.host),
            At::Instance(instance) => format!("{}\\{instance}", login.server.host),
        };
        let context = context(login, token, &source);
        let provider = TdsConnectionProvider::new();
        let opening = provider.create_client(context, &source, None).boxed();
        let client = tokio::time::timeout(login.connect_timeout, opening)
            .await
            .map_err(|_| {
                Fault::new(
                    code::SOURCE_IO,
                    format!(
                        "{what}: no answer within {}s",
                        login.connect_timeout.as_secs()
                    ),
                )
                .retryable()
                .advise("look at `server`, and whether a firewall stands between")
            })?
            .map_err(|error| fault::rows(&what, Doing::Reading, &error))?;
        Ok(Self {
            client,
            dirty: false,
            command_timeout: login.command_timeout,
            rested_since: Instant::now(),
            _place: place,
        })
    }

    async fn still_there(&mut self) -> Result<()> {
        if self.rested_since.elapsed() < TRUSTED_FOR {
            return Ok(());
        }
        let what = "the session is gone";
        let wrong = |error| fault::rows(what, Doing::Reading, &error);
        let client = self.begin();
        client
            .execute(
                "SELECT 1".to_owned(),
                ExecuteOptions::new().timeout_secs(15),
            )
            .await
            .map_err(wrong)?;
        client.close_query().await.map_err(wrong)?;
        self.settled();
        Ok(())
    }

    fn is_unsure(&self) -> bool {
        self.dirty || self.client.is_connection_dead()
    }

    fn close(&mut self) {
        self.dirty = true;
    }
}

/// How bb8 looks after them.
pub(crate) struct Manager;

impl bb8::ManageConnection for Manager {
    type Connection = Columns;
    type Error = Fault;

    async fn connect(&self) -> Result<Columns> {
        never_by_the_pool()
    }

    async fn is_valid(&self, session: &mut Columns) -> Result<()> {
        session.still_there().await
    }

    fn has_broken(&self, session: &mut Columns) -> bool {
        session.is_unsure()
    }
}
