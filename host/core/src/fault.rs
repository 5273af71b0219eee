use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of everything that can go wrong.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// Codes that more than one crate uses. A code is a string, never an enum: connectors, also
/// sandboxed ones, bring their own.
pub mod code {
    /// The configuration can't be carried out.
    pub const CONFIG: &str = "config";
    /// What should be read isn't there.
    pub const SOURCE_MISSING: &str = "source.missing";
    /// What should be read changed while it was read.
    pub const SOURCE_CHANGED: &str = "source.changed";
    /// What was read can't be understood.
    pub const SOURCE_INVALID: &str = "source.invalid";
    /// The source can't say any more what changed since the last run; only all rows can be read.
    pub const POSITION_LOST: &str = "position.lost";
    /// Reading failed.
    pub const SOURCE_IO: &str = "source.io";
    /// Schemas of source and destination, or of two sources, don't agree.
    pub const SCHEMA: &str = "schema";
    /// A check says that rows aren't as they should be.
    pub const CHECK: &str = "check";
    /// The destination holds something hygge didn't write.
    pub const DESTINATION_FOREIGN: &str = "destination.foreign";
    /// Writing failed.
    pub const DESTINATION_IO: &str = "destination.io";
    /// A commit can't be finished: what it needs is gone. A run that replaces everything takes
    /// its place.
    pub const COMMIT_LOST: &str = "commit.lost";
    /// A commit didn't come about, and nothing of it is left: its rows have to be moved again.
    pub const COMMIT_UNDONE: &str = "commit.undone";
    /// The destination refused a commit, for its rows or for how it is made itself, and would each
    /// time: nothing of it was written.
    pub const COMMIT_REFUSED: &str = "commit.refused";
    /// The destination can't do what was asked.
    pub const DESTINATION_UNSUPPORTED: &str = "destination.unsupported";
    /// The destination was written by hygge, but nothing is remembered of it.
    pub const STATE_LOST: &str = "state.lost";
    /// What is remembered isn't true of the destination: another one was configured, or what
    /// stood there is gone.
    pub const STATE_ELSEWHERE: &str = "state.elsewhere";
    /// Rows settled, but what is remembered doesn't say where an incremental run goes on.
    pub const STATE_INCOMPLETE: &str = "state.incomplete";
    /// The state store failed.
    pub const STATE: &str = "state";
    /// Another run holds the entity.
    pub const LOCKED: &str = "locked";
    /// The run was asked to stop.
    pub const STOPPED: &str = "stopped";
    /// A bound on memory would be broken.
    pub const MEMORY: &str = "memory";
    /// A defect in hygge itself.
    pub const INTERNAL: &str = "internal";
}

/// One typed error crosses every boundary of hygge.
///
/// `message` says what failed, in one line, for a person; `advice` says what to do and is kept
/// apart from it; `attributes` give the context (flow, entity, split, file, column, ...).
/// Neither may ever hold a secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// A short, stable name of the kind of failure; see [`code`].
    pub code: Cow<'static, str>,
    /// What failed.
    pub message: String,
    /// Whether trying the same again may work.
    #[serde(default)]
    pub retryable: bool,
    /// The least time to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Context, in the order it was added, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// What the person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Fault {
    /// A fault that trying again won't mend.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            message: message.into(),
            retryable: false,
            retry_after: None,
            attributes: Vec::new(),
            advice: None,
        }
    }

    /// A defect in hygge.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, message)
            .advise("this is a defect in hygge; please report it with the run's log")
    }

    /// The run was asked to stop.
    pub fn stopped() -> Self {
        Self::new(code::STOPPED, "stopped before it finished")
    }

    /// An I/O error while `doing` something to `path`. Interrupted and timed-out calls may be
    /// tried again.
    pub fn io(
        code: &'static str,
        doing: &str,
        path: &std::path::Path,
        error: &std::io::Error,
    ) -> Self {
        use std::io::ErrorKind;
        let mut fault = Self::new(
            code,
            format!("{doing} {}: {}", path.display(), plain(error)),
        )
        .with("file", path.display());
        fault.retryable = matches!(
            error.kind(),
            ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::ResourceBusy
        );
        fault.advice = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Some("free some space, then run `hygge start` again".to_owned())
            }
            ErrorKind::PermissionDenied => Some(format!(
                "let the user who runs hygge at it (`namei -l {}` says who may), or name another \
                 place",
                crate::quoted(&path.display().to_string())
            )),
            ErrorKind::ReadOnlyFilesystem => {
                Some("mount the file system writable, or name another place".to_owned())
            }
            ErrorKind::FileTooLarge => {
                Some("raise this shell's limit on the size of files (`ulimit -f`)".to_owned())
            }
            ErrorKind::InvalidFilename => Some("give it a shorter name".to_owned()),
            // EMFILE and ENFILE have no kind of their own.
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => Some(
                "raise the limit of open files (`ulimit -n`), or lower `options.concurrency`"
                    .to_owned(),
            ),
            _ => None,
        };
        fault
    }

    /// Adds context.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        if !self.attributes.iter().any(|(n, _)| n == name) {
            self.attributes.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// Says what the person can do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Marks the fault as one that may pass.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The value of a context attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// The error's words without the "(os error 28)" tail.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
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
        if let Some(advice) = &self.advice {
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_faults_name_the_path_and_drop_the_number() {
        let error = std::io::Error::from_raw_os_error(28);
        let fault = Fault::io(code::DESTINATION_IO, "can't write", "a/b".as_ref(), &error);
        assert_eq!(fault.message, "can't write a/b: No space left on device");
        assert!(fault.advice.is_some_and(|a| a.contains("free some space")));
        assert!(!fault.retryable);
    }

    #[test]
    fn io_faults_that_a_person_can_mend_say_how() {
        // EACCES, EROFS, EDQUOT, ENOSPC, EMFILE, ENAMETOOLONG
        for number in [13, 30, 122, 28, 24, 36] {
            let error = std::io::Error::from_raw_os_error(number);
            let fault = Fault::io(code::STATE, "can't write", "a/b".as_ref(), &error);
            assert!(fault.advice.is_some(), "{fault:?}");
        }
    }

    #[test]
    fn the_innermost_context_wins() {
        let fault = Fault::internal("x")
            .with("file", "inner")
            .with("file", "outer");
        assert_eq!(fault.attribute("file"), Some("inner"));
    }
}
