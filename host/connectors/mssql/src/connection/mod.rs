//! Connections: the sessions of one server and login, shared by every flow that uses them.
//!
//! The trade-off settled here: two drivers are used, one that runs statements and one that moves
//! rows, and a person who writes `pool_size: 8` means eight sessions on the server, whoever holds
//! them. So each driver has its bb8 pool, and above both stands one budget. Whoever wants a
//! session takes a permit of the budget first. A session has a place from before it is opened until
//! after it is closed, and when the other driver's resting sessions have all places, one is closed.
//!
//! Nobody who waits for a session can hold up those who hold one: readers never get the last
//! permit, and a writer asks for its session only once its reader has rows for it.

mod columns;
mod entra;
mod figures;
mod handshake;
mod http;
mod server;
mod settings;
mod statements;
mod text;
mod who;

use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bb8::{ManageConnection, Pool, PooledConnection};
use futures::future::FutureExt;
use hygge_core::{Fault, PoolUsage, Pooled, Result, code};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use self::entra::Tokens;
use self::figures::Figures;
pub(crate) use self::handshake::Shown;
pub use self::settings::{ConnectionSettings, Encrypt, Intent, Seconds};
pub(crate) use self::settings::{Login, problem};
pub(crate) use self::statements::Statements;
use self::who::Who;

/// All connections of this process, by what they are opened with.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<Login, Kept>>);

/// What is kept of a connection: its sessions until they are let go of, what they came to for ever.
#[derive(Debug, Default)]
struct Kept {
    connection: Option<Arc<Connection>>,
    figures: Arc<Figures>,
}

impl Connections {
    /// The connection of that login, and how hygge.yml calls it.
    pub(crate) fn get(&self, login: &Login, name: Option<&str>) -> Arc<Connection> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept {
            connection,
            figures,
        } = all.entry(login.clone()).or_default();
        if let Some(name) = name {
            figures.called(name);
        }
        let made = || Arc::new(Connection::new(login.clone(), Arc::clone(figures)));
        Arc::clone(connection.get_or_insert_with(made))
    }
}

impl Pooled for Connections {
    fn pools(&self) -> Vec<PoolUsage> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = |(login, kept): (&Login, &Kept)| {
            let figures = &kept.figures;
            figures.read(login.describe(), login.pool_size)
        };
        let mut pools: Vec<_> = all.iter().filter_map(usage).collect();
        pools.sort_by(|a, b| a.connection.cmp(&b.connection));
        pools
    }

    fn forget(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values_mut().for_each(|kept| kept.connection = None);
    }
}

/// The sessions of one server and login.
pub(crate) struct Connection {
    login: Arc<Login>,
    /// The budget: a permit for each session in use.
    all: Arc<Semaphore>,
    /// All but one: what readers may have.
    readers: Arc<Semaphore>,
    /// A permit for each session that is open, in use or not.
    places: Arc<Semaphore>,
    pools: OnceCell<Pools>,
    /// Held by whoever opens sessions ahead.
    ahead: tokio::sync::Mutex<()>,
    holders: Mutex<BTreeMap<u64, String>>,
    next: AtomicU64,
    figures: Arc<Figures>,
    tokens: OnceCell<Tokens>,
    shown: OnceCell<Result<Shown, String>>,
    pub(crate) runs: crate::store::Runs,
}

struct Pools {
    statements: Pool<statements::Manager>,
    columns: Pool<columns::Manager>,
    /// Held while a session is taken, so that two takers don't both open the last one; with when opening
    /// one took long to fail last, and why.
    gate: tokio::sync::Mutex<Option<(Instant, Fault)>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.login.describe())
    }
}

/// How many sessions readers may have at once: all but one, so that statements and writers come
/// to theirs.
pub(crate) fn readers(pool_size: usize) -> usize {
    pool_size.saturating_sub(1).max(1)
}

/// What takes longer to fail isn't tried by each who waited meanwhile.
const SLOW: Duration = Duration::from_secs(2);

impl Connection {
    fn new(login: Login, figures: Arc<Figures>) -> Self {
        Self {
            all: Arc::new(Semaphore::new(login.pool_size)),
            readers: Arc::new(Semaphore::new(readers(login.pool_size))),
            places: Arc::new(Semaphore::new(login.pool_size)),
            login: Arc::new(login),
            pools: OnceCell::new(),
            ahead: tokio::sync::Mutex::default(),
            holders: Mutex::default(),
            next: AtomicU64::new(0),
            figures,
            tokens: OnceCell::new(),
            shown: OnceCell::new(),
            runs: crate::store::Runs::default(),
        }
    }

    pub(crate) fn describe(&self) -> String {
        self.login.describe()
    }

    /// Which TLS the server speaks and whose certificate it shows, or why that isn't known; looked
    /// up once.
    pub(crate) async fn shown(&self) -> &Result<Shown, String> {
        let shake = async || {
            let shown = handshake::shake(&self.login).await;
            shown.map_err(|error| error.to_string())
        };
        self.shown.get_or_init(shake).await
    }

    /// Whether the server's certificate is taken unseen.
    pub(crate) fn trusts(&self) -> bool {
        self.login.trust
    }

    /// A session to run statements in; `who` is told to those who wait for one.
    pub(crate) async fn statements(self: &Arc<Self>, who: &str) -> Result<StatementSession> {
        let permits = self.permits(&[&self.all], who).await?;
        self.take(
            who,
            permits,
            |pools| &pools.statements,
            |pools| &pools.columns,
        )
        .await
    }

    /// A session to read rows in.
    pub(crate) async fn reading(self: &Arc<Self>, who: &str) -> Result<ColumnSession> {
        let permits = self.permits(&[&self.readers, &self.all], who).await?;
        self.take(
            who,
            permits,
            |pools| &pools.columns,
            |pools| &pools.statements,
        )
        .await
    }

    /// A session to load rows in.
    pub(crate) async fn loading(self: &Arc<Self>, who: &str) -> Result<ColumnSession> {
        let permits = self.permits(&[&self.all], who).await?;
        self.take(
            who,
            permits,
            |pools| &pools.columns,
            |pools| &pools.statements,
        )
        .await
    }

    /// A permit of each, in that order.
    async fn permits(
        &self,
        of: &[&Arc<Semaphore>],
        who: &str,
    ) -> Result<Vec<OwnedSemaphorePermit>> {
        let mut waits = None;
        let mut permits = Vec::with_capacity(of.len());
        for semaphore in of {
            let permit = match Arc::clone(semaphore).try_acquire_owned() {
                Ok(permit) => Ok(permit),
                Err(_) => {
                    waits.get_or_insert_with(Instant::now);
                    self.permit(semaphore, who).await
                }
            };
            permits.push(permit);
            if permits.last().is_some_and(Result::is_err) {
                break;
            }
        }
        if let Some(since) = waits {
            self.figures.waited(since.elapsed());
        }
        permits.into_iter().collect()
    }

    async fn permit(&self, of: &Arc<Semaphore>, who: &str) -> Result<OwnedSemaphorePermit> {
        let limit = self.login.pool_timeout;
        match tokio::time::timeout(limit, Arc::clone(of).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Fault::internal("a semaphore was closed")),
            Err(_) => Err(self.waited(who, limit)),
        }
    }

    fn waited(&self, who: &str, limit: Duration) -> Fault {
        let holders: Vec<String> = self.holders().values().cloned().collect();
        Fault::new(
            code::LOCKED,
            format!(
                "{who}: no session of {} came free within {}s; held by {}",
                self.describe(),
                limit.as_secs(),
                holders.join(", ")
            ),
        )
        .retryable()
        .advise("a larger `pool_size` of the connection lets more be done at once")
    }

    fn holders(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take<M, O>(
        self: &Arc<Self>,
        who: &str,
        permits: Vec<OwnedSemaphorePermit>,
        of: impl Fn(&Pools) -> &Pool<M>,
        other: impl Fn(&Pools) -> &Pool<O>,
    ) -> Result<Held<M>>
    where
        M: ManageConnection<Error = Fault>,
        M::Connection: Session,
        O: ManageConnection<Error = Fault>,
        O::Connection: Session,
    {
        let pools = self.pools().await;
        let (own, others) = (of(pools), other(pools));
        let came = Instant::now();
        let mut gate = pools.gate.lock().await;
        let session = loop {
            let place = self.place(own, others).await?;
            let resting = place.is_none();
            if let Some(place) = place {
                // A server that doesn't answer lets all who wait for it go, instead of one after the
                // other.
                if let Some((_, fault)) = gate.as_ref().filter(|(failed, _)| *failed > came) {
                    return Err(fault.clone());
                }
                let begun = Instant::now();
                let token = self.token().boxed().await?;
                let opened = M::Connection::open(&self.login, token.as_deref(), place);
                let opened = opened.boxed().await.inspect_err(|fault| {
                    if begun.elapsed() > SLOW {
                        *gate = Some((Instant::now(), fault.clone()));
                    }
                })?;
                self.figures.opened(begun.elapsed());
                own.add(opened).map_err(|_| {
                    Fault::internal("a pool has no place for a session that has one")
                })?;
            }
            let mut session = own.get_owned().boxed().await.map_err(broken)?;
            if session.still_there().boxed().await.is_ok() {
                if resting {
                    self.figures.reused();
                }
                break session;
            }
            self.figures.broken();
            session.close();
        };
        drop(gate);
        if self.login.min_idle > 0 {
            tokio::spawn(Arc::clone(self).open_ahead());
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.holders().insert(id, who.to_owned());
        Ok(Held {
            session,
            holder: Holder {
                connection: Arc::clone(self),
                id,
                _permits: permits,
            },
        })
    }

    /// Opens sessions for statements until `min_idle` rest. That one can't be opened is told to
    /// whoever comes to need it.
    async fn open_ahead(self: Arc<Self>) {
        let pools = self.pools().await;
        let Ok(_only) = self.ahead.try_lock() else {
            return;
        };
        let resting = || pools.statements.state().idle_connections as usize;
        while resting() < self.login.min_idle {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                return;
            };
            let begun = Instant::now();
            let Ok(token) = self.token().boxed().await else {
                return;
            };
            let opened = Statements::open(&self.login, token.as_deref(), place);
            let Ok(opened) = opened.boxed().await else {
                return;
            };
            self.figures.opened(begun.elapsed());
            if pools.statements.add(opened).is_err() {
                return;
            }
        }
    }

    /// The token to log in with, where that is how.
    async fn token(&self) -> Result<Option<String>> {
        let principal = match &self.login.who {
            Who::Sql { .. } => return Ok(None),
            Who::Token(token) => return Ok(Some(token.clone())),
            Who::Entra(principal) => principal,
        };
        let tokens = self.tokens.get_or_try_init(async || {
            let host = &self.login.server.host;
            Tokens::new(self.describe(), host, principal.clone()).await
        });
        tokens.await?.get().await.map(Some)
    }

    /// A place for one more session; none when one rests that can be taken. The permit that its
    /// taker has says that fewer than all are in use: where there is no place, a session rests, or
    /// is just being closed.
    async fn place<M, O>(
        &self,
        own: &Pool<M>,
        others: &Pool<O>,
    ) -> Result<Option<OwnedSemaphorePermit>>
    where
        M: ManageConnection,
        M::Connection: Session,
        O: ManageConnection<Error = Fault>,
        O::Connection: Session,
    {
        let begun = Instant::now();
        while own.state().idle_connections == 0 {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Ok(Some(place));
            }
            // One in use may be back in a moment, which is cheaper than to close and to open one.
            let patient = own.state().connections > 0 && begun.elapsed() < M::Connection::PATIENCE;
            if others.state().idle_connections > 0 && !patient {
                others.get_owned().boxed().await.map_err(broken)?.close();
            } else {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(None)
    }

    async fn pools(&self) -> &Pools {
        fn pool<M: ManageConnection>(manager: M, login: &Login) -> Pool<M> {
            let size = u32::try_from(login.pool_size).unwrap_or(u32::MAX);
            Pool::builder()
                .max_size(size)
                .retry_connection(false)
                // Whoever takes one looks, so that what is opened instead has its place.
                .test_on_check_out(false)
                .connection_timeout(login.connect_timeout + Duration::from_secs(60))
                .queue_strategy(bb8::QueueStrategy::Lifo)
                .build_unchecked(manager)
        }
        self.pools
            .get_or_init(async || Pools {
                statements: pool(statements::Manager, &self.login),
                columns: pool(columns::Manager, &self.login),
                gate: tokio::sync::Mutex::default(),
            })
            .await
    }
}

fn broken(error: bb8::RunError<Fault>) -> Fault {
    match error {
        bb8::RunError::User(fault) => fault,
        bb8::RunError::TimedOut => {
            Fault::new(code::SOURCE_IO, "opening a session took too long").retryable()
        }
    }
}

/// A session to run statements in.
pub(crate) type StatementSession = Held<statements::Manager>;

/// A session to read or load rows in.
pub(crate) type ColumnSession = Held<columns::Manager>;

/// A session in use. Dropped, it goes back to its pool, or is closed when it isn't fit for that;
/// then its permit is given back.
pub(crate) struct Held<M: ManageConnection>
where
    M::Connection: Session,
{
    // In this order: the permit is given back last.
    session: PooledConnection<'static, M>,
    holder: Holder,
}

impl<M: ManageConnection> Drop for Held<M>
where
    M::Connection: Session,
{
    fn drop(&mut self) {
        if self.session.is_unsure() {
            self.holder.connection.figures.broken();
        }
    }
}

struct Holder {
    connection: Arc<Connection>,
    id: u64,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.connection.holders().remove(&self.id);
    }
}

impl<M: ManageConnection> Deref for Held<M>
where
    M::Connection: Session,
{
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        &self.session
    }
}

impl<M: ManageConnection> DerefMut for Held<M>
where
    M::Connection: Session,
{
    fn deref_mut(&mut self) -> &mut M::Connection {
        &mut self.session
    }
}

/// A session of either driver.
pub(crate) trait Session: Sized + Send {
    /// How long to wait for one in use before another is opened in the place of one that rests.
    const PATIENCE: Duration;

    /// Opens one, in a place that it has until it is closed; with a token when that is how one
    /// logs in.
    fn open(
        login: &Login,
        token: Option<&str>,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = Result<Self>> + Send;

    /// Whether it can be used, if that is in doubt.
    fn still_there(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Whether it was lost, or left in the middle of something.
    fn is_unsure(&self) -> bool;

    /// Tells that it must not be lent again.
    fn close(&mut self);
}

/// Sessions are opened by whoever takes one, in a place that they got before.
fn never_by_the_pool<T>() -> Result<T> {
    Err(Fault::internal("a pool wanted to open a session by itself"))
}
