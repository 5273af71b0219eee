use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use arrow_schema::ArrowError;

/// The result of everything that can go wrong.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// Codes that the host knows. Any other is shown as it is.
pub mod code {
    /// The configuration can't be carried out.
    pub const CONFIG: &str = "config";
    /// What should be read isn't there.
    pub const SOURCE_MISSING: &str = "source.missing";
    /// What should be read changed while it was read.
    pub const SOURCE_CHANGED: &str = "source.changed";
    /// What was read can't be understood.
    pub const SOURCE_INVALID: &str = "source.invalid";
    /// Reading failed.
    pub const SOURCE_IO: &str = "source.io";
    /// Schemas don't agree.
    pub const SCHEMA: &str = "schema";
    /// The destination holds something that hygge didn't write.
    pub const DESTINATION_FOREIGN: &str = "destination.foreign";
    /// Writing failed.
    pub const DESTINATION_IO: &str = "destination.io";
    /// The destination can't do what was asked.
    pub const DESTINATION_UNSUPPORTED: &str = "destination.unsupported";
    /// The run was asked to stop.
    pub const STOPPED: &str = "stopped";
    /// A defect of the plugin.
    pub const PLUGIN: &str = "plugin";
}

/// What went wrong: a code, a line for a person, whether trying again may help, and context.
///
/// The message is lower case, has no dot at the end and never holds a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    /// A short, stable name of the kind of failure; see [`code`].
    pub code: String,
    /// What failed.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// The least time to wait before that.
    pub after: Option<Duration>,
    /// Context, in the order it was added; `advice` is one of them.
    pub attributes: Vec<(String, String)>,
}

impl Fault {
    /// A fault that trying again won't mend.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: false,
            after: None,
            attributes: Vec::new(),
        }
    }

    /// The configuration can't be carried out.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(code::CONFIG, message)
    }

    /// A column is missing or of the wrong type.
    pub fn column(column: &str, message: impl Into<String>) -> Self {
        Self::new(code::SCHEMA, message).with("column", column)
    }

    /// The run was asked to stop.
    pub fn stopped() -> Self {
        Self::new(code::STOPPED, "stopped before it finished")
    }

    /// An I/O error while `doing` something to `path`: `can't write out/a.json: …`.
    pub fn io(code: &str, doing: &str, path: &Path, error: &io::Error) -> Self {
        let text = error.to_string();
        let words = text.split(" (os error").next().unwrap_or_default();
        let mut fault = Self::new(code, format!("{doing} {}: {words}", path.display()))
            .with("file", path.display());
        fault.retryable = matches!(
            error.kind(),
            io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::ResourceBusy
        );
        fault
    }

    /// Adds context; a name that is there already stays as it is.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        if self.attribute(name).is_none() {
            self.attributes.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// Says what the person can do.
    #[must_use]
    pub fn advise(self, advice: impl fmt::Display) -> Self {
        self.with("advice", advice)
    }

    /// Marks the fault as one that may pass.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Marks the fault as one that may pass after that time.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.retryable = true;
        self.after = Some(time);
        self
    }

    /// The value of a context attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(each, _)| each == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)?;
        for (name, value) in &self.attributes {
            write!(f, "; {name}={value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// An Arrow error that a plugin passes on is its own: it built an array that can't be.
impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        Self::new(code::PLUGIN, error.to_string())
    }
}
