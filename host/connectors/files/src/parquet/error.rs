//! What goes wrong when encoded Parquet is read, checked or written.

use std::io;

use parquet::errors::ParquetError;

/// A Parquet file that can't be read, doesn't agree with itself, or can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source could not be opened or read.
    #[error("can't read {file}: {source}")]
    Read {
        /// The source, as the caller named it.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not Parquet, or its footer is broken.
    #[error("{file} has no valid Parquet footer: {what}")]
    Footer {
        /// The source, as the caller named it.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The footer itself is encrypted: nothing can be read without keys, which hygge has none of.
    #[error("{file} is encrypted Parquet (its footer is encrypted), which can't be read")]
    Encrypted {
        /// The source, as the caller named it.
        file: String,
    },
    /// A row group's footer entry doesn't agree with itself or with the file.
    #[error("{file}, row group {row_group}: {what}")]
    RowGroup {
        /// The source, as the caller named it.
        file: String,
        /// Its position in the file, from 0.
        row_group: usize,
        /// What is wrong.
        what: String,
    },
    /// A column chunk doesn't agree with its footer entry, or its pages are broken.
    #[error("{file}, row group {row_group}, column {column}: {what}")]
    Column {
        /// The source, as the caller named it.
        file: String,
        /// Position of the row group in the file, from 0.
        row_group: usize,
        /// Dotted path of the column.
        column: String,
        /// What is wrong.
        what: String,
    },
    /// The output could not be written.
    #[error("can't write Parquet: {0}")]
    Write(#[source] io::Error),
    /// The caller asked for what the output can't hold; nothing was written.
    #[error("{0}")]
    Refused(String),
    /// The parquet crate could not encode or append.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// Result of this module's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a check inside one column found, before it is known which file and column that was.
#[derive(Debug)]
pub(crate) enum Trouble {
    Read(io::Error),
    Says(String),
}

impl Trouble {
    pub(crate) fn in_column(self, file: &str, row_group: usize, column: &str) -> Error {
        match self {
            Self::Read(source) => Error::Read {
                file: file.to_owned(),
                source,
            },
            Self::Says(what) => Error::Column {
                file: file.to_owned(),
                row_group,
                column: column.to_owned(),
                what,
            },
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Says("the file ends inside it".to_owned()),
            _ => Self::Read(error),
        }
    }
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Says(what)
    }
}

impl From<&str> for Trouble {
    fn from(what: &str) -> Self {
        Self::Says(what.to_owned())
    }
}

impl From<super::thrift::Malformed> for Trouble {
    fn from(error: super::thrift::Malformed) -> Self {
        Self::Says(error.to_string())
    }
}
