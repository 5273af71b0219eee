use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A text that a person wrote: a YAML file, or the value of `--var`.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the project root.
    pub(crate) file: PathBuf,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(file: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            file: file.into(),
            text: text.into(),
        })
    }
}

/// A stretch of one line of a source.
#[derive(Clone)]
pub(crate) struct At {
    pub(crate) source: Arc<Source>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
    /// In characters, at least 1.
    pub(crate) length: usize,
}

impl At {
    pub(crate) fn new(source: &Arc<Source>, line: usize, column: usize, length: usize) -> Self {
        Self {
            source: Arc::clone(source),
            line,
            column,
            length: length.max(1),
        }
    }

    /// The beginning of a source, for what is wrong with it as a whole.
    pub(crate) fn start(source: &Arc<Source>) -> Self {
        Self::new(source, 1, 1, 1)
    }

    /// The whole line.
    pub(crate) fn text(&self) -> &str {
        self.source.text.lines().nth(self.line - 1).unwrap_or("")
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.source.file.display(),
            self.line,
            self.column
        )
    }
}
