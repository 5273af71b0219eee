//! What a client is told when something goes wrong: SQL Server's numbers, states and classes.

use std::fmt;

/// An error as an ERROR token carries it (MS-TDS 2.2.7.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// SQL Server's number, such as 1205.
    pub number: i32,
    /// The state, which tells apart where a number comes from.
    pub state: u8,
    /// The severity: 10 and below informs, 20 and above ends the session.
    pub class: u8,
    /// The text for a person.
    pub message: String,
}

impl SqlError {
    /// An error of class 16, as most statements' errors are.
    pub fn new(number: i32, message: impl Into<String>) -> Self {
        Self {
            number,
            state: 1,
            class: 16,
            message: message.into(),
        }
    }

    /// The same with another class.
    #[must_use]
    pub fn class(mut self, class: u8) -> Self {
        self.class = class;
        self
    }

    /// The same with another state.
    #[must_use]
    pub fn state(mut self, state: u8) -> Self {
        self.state = state;
        self
    }

    /// What the server answers to SQL that it has no notion of.
    pub(crate) fn unknown(what: impl fmt::Display) -> Self {
        Self::new(
            102,
            format!("The test server doesn't know this SQL: {what}"),
        )
        .class(15)
    }

    /// A message that doesn't follow the protocol: the session ends after it.
    pub(crate) fn protocol(what: impl fmt::Display) -> Self {
        Self::new(
            4014,
            format!(
                "A fatal error occurred while reading the input stream from the network: {what}"
            ),
        )
        .class(20)
    }

    /// Something that the server itself got wrong.
    pub(crate) fn broken(what: impl fmt::Display) -> Self {
        Self::new(50999, format!("The test server failed: {what}"))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (number {}, state {}, class {})",
            self.message, self.number, self.state, self.class
        )
    }
}

impl std::error::Error for SqlError {}

pub(crate) type Result<T> = std::result::Result<T, SqlError>;
