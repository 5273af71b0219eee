//! What goes wrong when encoded Parquet is read, checked or written.

use std::io;

use parquet::errors::ParquetError;

use crate::size::shown_both;

/// What to do about pages that contradict themselves or their footer.
pub(crate) const DAMAGED: &str = "the file is damaged; write or fetch it again";

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
    #[error("{file}, row group {row_group}, column {column:?}: {what}")]
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
    /// Several row groups, taken together, can't be decoded.
    #[error("{file}, row groups {first} to {last}: {what}")]
    RowGroups {
        /// The source, as the caller named it.
        file: String,
        /// Position of the first in the file, from 0.
        first: usize,
        /// Position of the last.
        last: usize,
        /// What is wrong.
        what: String,
    },
    /// A page is too large to be held when it is decompressed.
    #[error(
        "{file}, row group {row_group}, column {column:?}: a page takes {} once decompressed, more \
         than the {} of options.memory",
        shown_both(*bytes, *most).0,
        shown_both(*bytes, *most).1
    )]
    TooLarge {
        /// The source, as the caller named it.
        file: String,
        /// Position of the row group in the file, from 0.
        row_group: usize,
        /// Dotted path of the column.
        column: String,
        /// Bytes of the page, decompressed.
        bytes: u64,
        /// How many it may have.
        most: u64,
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

/// The words of an error of Arrow or of the parquet crate, without the names of the kinds of
/// error it went through.
pub(crate) fn words(text: &str) -> &str {
    const KINDS: [&str; 14] = [
        "Arrow: ",
        "Arrow error: ",
        "Cast error: ",
        "Compute error: ",
        "Decode error: ",
        "EOF: ",
        "External: ",
        "External error: ",
        "Invalid argument error: ",
        "Json error: ",
        "NYI: ",
        "Parquet argument error: ",
        "Parquet error: ",
        "Parser error: ",
    ];
    let mut rest = text;
    while let Some(inner) = KINDS.iter().find_map(|kind| rest.strip_prefix(kind)) {
        rest = inner;
    }
    if rest.is_empty() { text } else { rest }
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

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn kinds_of_error_are_left_out() {
        let crc = "External: Parquet argument error: Parquet error: Page CRC checksum mismatch";
        assert_eq!(words(crc), "Page CRC checksum mismatch");
        assert_eq!(
            words("EOF: eof decoding byte array"),
            "eof decoding byte array"
        );
        assert_eq!(words("External: "), "External: ");
        assert_eq!(words("a Parquet error: b"), "a Parquet error: b");
    }
}
