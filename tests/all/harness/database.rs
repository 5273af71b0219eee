use hygge_tds_server::{Fault, Options, PASSWORD, Server, USER};
use tiberius::{Client, Config};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::{Project, say};

/// A SQL Server to test against: the one made for it, or the one that `HYGGE_TEST_MSSQL` holds a
/// connection string of.
pub(crate) struct Database {
    server: Option<Server>,
    string: String,
}

impl Database {
    /// Starts one, or names the real one.
    pub(crate) fn start() -> Self {
        if let Ok(string) = std::env::var("HYGGE_TEST_MSSQL") {
            say("against the SQL Server in HYGGE_TEST_MSSQL");
            return Self {
                server: None,
                string,
            };
        }
        let server = Server::start(Options::default()).unwrap();
        let port = server.address().port();
        let string = format!(
            "Server=127.0.0.1,{port};Database=test;User ID={USER};Password={PASSWORD};\
             Encrypt=true;TrustServerCertificate=true"
        );
        Self {
            server: Some(server),
            string,
        }
    }

    /// The server that is made for tests, if that is the one: faults can be had of it, and its
    /// sessions counted.
    pub(crate) fn made(&self) -> Option<&Server> {
        if self.server.is_none() {
            super::skip("a real server takes no orders to fail");
        }
        self.server.as_ref()
    }

    /// Orders a fault; false when the server is a real one.
    pub(crate) fn fault(&self, fault: Fault) -> bool {
        let server = self.made();
        if let Some(server) = server {
            server.fault(fault);
        }
        server.is_some()
    }

    /// A project with a connection `db` to it, of that many sessions.
    pub(crate) fn project(&self, pool_size: usize) -> Project {
        let project = Project::new();
        project.write(
            "hygge.yml",
            format!(
                "name: test\nconnections:\n  db:\n    type: mssql\n    connection_string: \
                 '{}'\n    pool_size: {pool_size}\n",
                self.string.replace('\'', "''")
            ),
        );
        project
    }

    /// How one connects to it.
    pub(crate) fn connection_string(&self) -> &str {
        &self.string
    }

    /// Runs statements and gives the first column of every row as text.
    pub(crate) fn run(&self, sql: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let config = Config::from_ado_string(&self.string).unwrap();
            let stream = TcpStream::connect(config.get_addr()).await.unwrap();
            let stream = stream.compat_write();
            let mut client = Client::connect(config, stream).await.unwrap();
            let found = client.simple_query(sql).await;
            let found = found.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let results = found.into_results().await;
            let results = results.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let rows = results.iter().flatten();
            rows.map(|row| {
                use tiberius::ColumnData as Cell;
                match row.get_column_data(0usize).unwrap() {
                    Cell::String(text) => text.as_deref().unwrap_or("NULL").to_owned(),
                    Cell::I32(n) => n.map_or("NULL".to_owned(), |n| n.to_string()),
                    Cell::I64(n) => n.map_or("NULL".to_owned(), |n| n.to_string()),
                    other => format!("{other:?}"),
                }
            })
            .collect()
        })
    }

    /// Does something in a transaction that stays open until what this gives is dropped.
    pub(crate) fn hold(&self, sql: &str) -> impl Drop + use<> {
        struct Held(tokio::runtime::Runtime, Option<Client<Compat<TcpStream>>>);
        impl Drop for Held {
            fn drop(&mut self) {
                if let Some(client) = self.1.take() {
                    self.0.block_on(client.close()).ok();
                }
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(async {
            let config = Config::from_ado_string(&self.string).unwrap();
            let stream = TcpStream::connect(config.get_addr()).await.unwrap();
            let mut client = Client::connect(config, stream.compat_write())
                .await
                .unwrap();
            let sql = format!("BEGIN TRANSACTION; {sql}");
            client
                .simple_query(sql)
                .await
                .unwrap()
                .into_results()
                .await
                .unwrap();
            client
        });
        Held(runtime, Some(client))
    }

    /// Drops tables that an earlier test left on a real server.
    pub(crate) fn without(&self, tables: &[&str]) -> &Self {
        for table in tables {
            self.run(&format!("DROP TABLE IF EXISTS {table}"));
        }
        self
    }
}
