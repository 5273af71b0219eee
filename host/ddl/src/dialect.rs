use std::fmt;

/// Whose SQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQL Server and Azure SQL.
    Mssql,
    /// PostgreSQL.
    Postgres,
    /// DuckDB.
    DuckDb,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// A name that may hold anything. All are quoted: which words are reserved changes with the
    /// version of a database.
    pub(crate) fn quoted(self, name: &str) -> String {
        match self {
            Self::Mssql => format!("[{}]", name.replace(']', "]]")),
            Self::Postgres | Self::DuckDb | Self::Sqlite => {
                format!("\"{}\"", name.replace('"', "\"\""))
            }
        }
    }

    /// How many columns a table may have.
    pub(crate) fn most_columns(self) -> Option<usize> {
        match self {
            Self::Mssql => Some(1_024),
            Self::Postgres => Some(1_600),
            Self::Sqlite => Some(2_000),
            Self::DuckDb => None,
        }
    }

    /// Whether a column can't have that name, however it is quoted.
    pub(crate) fn keeps_name(self, name: &str) -> bool {
        const POSTGRES: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
        self == Self::Postgres && POSTGRES.contains(&name)
    }

    /// Whether a table can't have that name.
    pub(crate) fn keeps_table(self, name: &str) -> bool {
        let begins = name.get(..7).unwrap_or_default();
        self == Self::Sqlite && begins.eq_ignore_ascii_case("sqlite_")
    }

    /// A name in quotes as one is told from another. PostgreSQL minds the case of all letters, SQLite
    /// and DuckDB of those that aren't ASCII.
    pub fn folded(self, name: &str) -> String {
        match self {
            Self::Postgres => name.to_owned(),
            Self::Sqlite | Self::DuckDb => name.to_ascii_lowercase(),
            Self::Mssql => name.to_lowercase(),
        }
    }

    /// How many letters, or bytes of UTF-8, a name may have.
    pub(crate) fn longest_name(self) -> Option<(usize, &'static str)> {
        match self {
            Self::Mssql => Some((128, "letters")),
            Self::Postgres => Some((63, "bytes")),
            Self::DuckDb | Self::Sqlite => None,
        }
    }
}

/// For people.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mssql => "SQL Server",
            Self::Postgres => "PostgreSQL",
            Self::DuckDb => "DuckDB",
            Self::Sqlite => "SQLite",
        })
    }
}
