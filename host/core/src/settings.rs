use std::collections::BTreeSet;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::{Fault, code};

/// What stands where a secret was.
pub const REDACTED: &str = "***";

/// The resolved configuration of one Home, Store or transform, and which of its values are
/// secret. The only ways to see a secret are [`Settings::parse`] and [`Settings::expose`].
#[derive(Clone, Default, PartialEq)]
pub struct Settings {
    value: Value,
    secrets: BTreeSet<String>,
    credentials: BTreeSet<String>,
    connection: Option<String>,
}

impl Settings {
    /// Settings from a JSON object; `secrets` are JSON pointers (RFC 6901) to secret values.
    pub fn new(value: Value, secrets: impl IntoIterator<Item = String>) -> Self {
        Self {
            value,
            secrets: secrets.into_iter().collect(),
            credentials: BTreeSet::new(),
            connection: None,
        }
    }

    /// The same, of which these secrets are what the connector calls one: a password, a key. Others
    /// are secret for where they come from.
    #[must_use]
    pub fn with_credentials(self, credentials: impl IntoIterator<Item = String>) -> Self {
        let credentials = credentials.into_iter().collect();
        Self {
            credentials,
            ..self
        }
    }

    /// The same, of a connection that has a name.
    #[must_use]
    pub fn of_connection(self, connection: Option<String>) -> Self {
        Self { connection, ..self }
    }

    /// The name of the connection whose settings are among these, where it has one.
    pub fn connection(&self) -> Option<&str> {
        self.connection.as_deref()
    }

    /// The settings as the connector's own type. A fault has the JSON pointer of what is wrong as
    /// its attribute `setting`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let parsed: Result<T, _> = serde_path_to_error::deserialize(&self.value);
        parsed.map_err(|error| {
            let at = pointer(error.path());
            // serde's messages can quote a value, and a secret isn't to be said.
            let within = |secret: &String| *secret == at || secret.starts_with(&format!("{at}/"));
            let message = match self.secrets.iter().any(within) {
                true => "a secret has the wrong form".to_owned(),
                false => error.into_inner().to_string(),
            };
            Fault::new(code::CONFIG, message).with("setting", at)
        })
    }

    /// The settings with every secret in the clear, for handing to a connector.
    pub fn expose(&self) -> &Value {
        &self.value
    }

    /// The settings with `***` for every secret: the form for logs, state and people.
    pub fn redacted(&self) -> Value {
        let mut value = self.value.clone();
        for pointer in &self.secrets {
            if let Some(found) = value.pointer_mut(pointer) {
                *found = Value::String(REDACTED.to_owned());
            }
        }
        value
    }

    /// The secret texts, for keeping them out of what is said. Those of fewer than four
    /// characters are too likely to be part of other words.
    pub fn secret_values(&self) -> impl Iterator<Item = &str> {
        let values = self.secrets.iter().filter_map(|p| self.value.pointer(p));
        values.filter_map(Value::as_str).filter(|v| v.len() >= 4)
    }

    /// Whether anything in them is a secret, though no credential: a part of a query, say.
    pub fn has_veiled(&self) -> bool {
        self.secrets.difference(&self.credentials).next().is_some()
    }

    /// JSON pointers to the secret values.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }
}

/// RFC 6901.
fn pointer(path: &Path) -> String {
    let parts = path.iter().filter_map(|part| match part {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    parts.map(|part| format!("/{part}")).collect()
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_secrets_are_no_values_to_look_for() {
        let settings = Settings::new(
            json!({"user": "ann", "password": "hunter2", "pin": "42"}),
            ["/password".to_owned(), "/pin".to_owned()],
        );
        let values: Vec<&str> = settings.secret_values().collect();
        assert_eq!(values, ["hunter2"]);
    }

    #[test]
    fn what_is_secret_for_where_it_comes_from_is_no_credential() {
        let secrets = ["/password".to_owned(), "/where".to_owned()];
        let settings = Settings::new(json!({"password": "hunter2", "where": "a = 1"}), secrets);
        assert!(settings.clone().has_veiled());
        let both = ["/password".to_owned(), "/where".to_owned()];
        assert!(!settings.clone().with_credentials(both).has_veiled());
        assert!(
            settings
                .with_credentials(["/password".to_owned()])
                .has_veiled()
        );
    }

    #[test]
    fn debug_and_errors_hide_secrets() {
        let settings = Settings::new(
            json!({"user": "ann", "password": "hunter2"}),
            ["/password".to_owned()],
        );
        assert_eq!(
            format!("{settings:?}"),
            r#"{"password":"***","user":"ann"}"#
        );

        #[derive(serde::Deserialize)]
        struct Typed {
            #[expect(dead_code, reason = "only its parsing matters")]
            password: u32,
        }
        let fault = settings.parse::<Typed>().err().unwrap();
        assert!(!fault.message.contains("hunter2"), "{fault:?}");
        assert_eq!(fault.attribute("setting"), Some("/password"));
    }
}
