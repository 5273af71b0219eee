//! Which names mean that a value must not be shown. Errs on the side of hiding: what is hidden
//! for nothing costs a look into a file, what is shown for nothing can't be taken back.

use hygge_core::{REDACTED, Veil, nearest};

use crate::node::{Node, Value};
use crate::source::At;

/// Parts of a name, between underscores and the like, that mean a secret on their own.
const PARTS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "token",
    "credential",
    "credentials",
    "sas",
    "apikey",
    "dsn",
];

/// Whether a variable's name looks as if its value were secret.
pub(crate) fn variable(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(['_', '-', '.'])
        .any(|part| PARTS.contains(&part) || matches!(part, "key" | "pass" | "pw" | "pat"))
        || [
            "password",
            "secret",
            "token",
            "connection_string",
            "connectionstring",
            "conn_str",
        ]
        .iter()
        .any(|part| name.contains(part))
}

/// Whether a key of a YAML file is one for a secret. Stricter than for variables: `key` and
/// `token_column` are ordinary settings.
pub(crate) fn key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    PARTS.contains(&name.as_str())
        || [
            "_password",
            "_passwd",
            "_pwd",
            "_secret",
            "_token",
            "api_key",
            "access_key",
            "account_key",
            "private_key",
            "secret_key",
            "connection_string",
            "connectionstring",
            "sas_url",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether a name is nearly one for a secret, whatever else may come of it.
fn misspelt(name: &str) -> bool {
    const MEANT: [&str; 6] = [
        "password",
        "passphrase",
        "credential",
        "client_secret",
        "access_token",
        "connection_string",
    ];
    nearest(name, MEANT).is_some()
}

/// Whether a value is nothing but `${NAME}`: that says where a secret is, not what.
pub(crate) fn is_reference(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let name = value
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// A line of YAML, or a `--var`, without the values of secret keys.
pub(crate) fn hide(line: &str) -> String {
    let mut from = 0;
    while let Some(found) = line[from..].find([':', '=']) {
        let colon = from + found;
        let before = line[..colon].trim_end_matches(['"', '\'']);
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |at| {
                at + before[at..].chars().next().map_or(1, char::len_utf8)
            });
        let value = line[colon + 1..].trim();
        let name = &before[start..];
        if (key(name) || misspelt(name)) && !value.is_empty() && !is_reference(value) {
            let gap = if line[colon + 1..].starts_with(' ') {
                " "
            } else {
                ""
            };
            return format!("{}{gap}{REDACTED}", &line[..=colon]);
        }
        from = colon + 1;
    }
    line.to_owned()
}

/// Where secrets stand in a project, and what they are.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    places: Vec<At>,
    texts: Vec<String>,
}

impl Secrets {
    /// Remembers every secret of a tree, and that its place isn't to be shown.
    pub(crate) fn note(&mut self, node: &Node) {
        self.texts(node);
        let secrets = node.secrets().into_iter();
        self.places.extend(secrets.map(|secret| secret.at.clone()));
    }

    /// Remembers what every secret of a tree is.
    pub(crate) fn texts(&mut self, node: &Node) {
        for secret in node.secrets() {
            // A yes or no tells nothing, and would be missing everywhere.
            if let Value::Text { text, .. } | Value::Number(_, text) = &secret.value {
                self.texts.push(text.clone());
            }
        }
    }

    /// The same of hygge.yml. `secrets` of a plugin says of each variable to which host it may go,
    /// and hosts are in every message.
    pub(crate) fn texts_of_project(&mut self, project: &Node) {
        self.texts_below(project, &["plugins", "*", "secrets"]);
    }

    /// Those of a tree, but not those at a path of keys.
    fn texts_below(&mut self, node: &Node, but: &[&str]) {
        match (node.as_map(), but) {
            (Some(_), []) => {}
            (Some(map), [next, rest @ ..]) => {
                for entry in &map.entries {
                    match *next == "*" || *next == entry.key {
                        true => self.texts_below(&entry.value, rest),
                        false => self.texts(&entry.value),
                    }
                }
            }
            (None, _) => self.texts(node),
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &At> {
        self.places.iter()
    }

    /// Hides them all, and what stood in variables: a text may hold more than the variable, and a
    /// message less than the text.
    pub(crate) fn veil(&self, variables: Vec<String>) -> Veil {
        Veil::over(self.texts.iter().cloned().chain(variables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_secret() {
        for name in [
            "DB_PASSWORD",
            "PGPASSWORD",
            "API_KEY",
            "STORAGE_SAS",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "CRM_CONNECTION_STRING",
            "DB_PASS",
            "MSSQL_PWD",
        ] {
            assert!(variable(name), "{name}");
        }
        for name in [
            "DB_HOST",
            "MONKEY",
            "KEYBOARD",
            "COMPASS",
            "HOME",
            "PASSENGERS",
        ] {
            assert!(!variable(name), "{name}");
        }
        assert!(key("password") && key("client_secret") && key("api-key"));
        assert!(!key("key") && !key("keys") && !key("token_column"));
    }

    #[test]
    fn lines_are_shown_without_secrets() {
        assert_eq!(hide("  password: hunter2"), "  password: ***");
        assert_eq!(
            hide("{user: ann, \"password\": hunter2, x: 1}"),
            "{user: ann, \"password\": ***"
        );
        assert_eq!(
            hide("flow.a.home.password=hunter2"),
            "flow.a.home.password=***"
        );
        assert_eq!(hide("home.pasword=hunter2"), "home.pasword=***");
        assert_eq!(hide("connection_strng: x"), "connection_strng: ***");
        assert_eq!(hide("connection: dw"), "connection: dw");
        assert_eq!(hide("columns: [passengers: 1]"), "columns: [passengers: 1]");
        assert_eq!(hide("password: ${PW}"), "password: ${PW}");
        assert_eq!(hide("password: ${PW:-hunter2}"), "password: ***");
        assert_eq!(hide("password: a${PW}"), "password: ***");
        assert_eq!(hide("key: id"), "key: id");
        assert_eq!(hide("päth: ü"), "päth: ü");
    }
}
