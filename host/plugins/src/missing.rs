//! What a plugin wants and isn't given, and the lines that would give it.

use hygge_component::Wanted;

use crate::grants::{Grants, HttpGrant, secret_host};

/// What a plugin wants and isn't given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// A secret that is given, but for another host than it is wanted for.
    elsewhere: Option<String>,
    lines: String,
}

impl Missing {
    /// What it is about, after the name of the plugin.
    pub fn what(&self) -> &str {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere,
            None => "wants more than it is granted",
        }
    }

    /// What a person does about it, with the lines of hygge.yml.
    pub fn advice(&self) -> String {
        let how = match self.elsewhere {
            Some(_) => "write in",
            None => "add to",
        };
        format!("if it may, {how} hygge.yml:\n{}", self.lines)
    }
}

impl Grants {
    /// What is wanted and isn't given; none when all is.
    pub fn missing(&self, wanted: &Wanted, key: &str) -> Option<Missing> {
        let mut lines = Vec::new();
        let mut elsewhere = None;
        let http: Vec<&str> = wanted
            .http
            .iter()
            .filter(|url| match HttpGrant::read(url, &[]) {
                Ok(want) => !self.http.iter().any(|grant| grant.covers(&want)),
                Err(_) => true,
            })
            .map(String::as_str)
            .collect();
        let list = |names: &[&str]| serde_json::to_string(names).unwrap_or_default();
        if !http.is_empty() {
            lines.push(format!("    http: {}", list(&http)));
        }
        let mut secrets = Vec::new();
        for (name, host) in &wanted.secrets {
            if let Some(given) = self.secrets.get(name) {
                if secret_host(host).as_ref() == Ok(&given.host) {
                    continue;
                }
                // It would be refused where it is needed.
                let bound = || {
                    format!(
                        "wants the secret {name} for {host}, and hygge.yml binds it to {}",
                        given.host
                    )
                };
                elsewhere.get_or_insert_with(bound);
            }
            secrets.push(format!("{name}: {host}"));
        }
        if !secrets.is_empty() {
            lines.push(format!("    secrets: {{{}}}", secrets.join(", ")));
        }
        for (what, wanted, given) in [
            ("read", &wanted.read, vec![&self.read, &self.write]),
            ("write", &wanted.write, vec![&self.write]),
        ] {
            let given: Vec<&str> = given
                .into_iter()
                .flatten()
                .map(|(n, _)| n.as_str())
                .collect();
            let missing: Vec<&str> = wanted
                .iter()
                .map(String::as_str)
                .filter(|folder| !given.contains(folder))
                .collect();
            if !missing.is_empty() {
                lines.push(format!("    {what}: {}", list(&missing)));
            }
        }
        let env: Vec<&str> = wanted
            .env
            .iter()
            .map(String::as_str)
            .filter(|name| !self.env_named.iter().any(|given| given == name))
            .collect();
        if !env.is_empty() {
            lines.push(format!("    env: {}", list(&env)));
        }
        (!lines.is_empty()).then(|| Missing {
            elsewhere,
            lines: format!("plugins:\n  {key}:\n{}", lines.join("\n")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::tests::read;
    use serde_json::json;

    #[test]
    fn a_secret_for_another_host_is_not_the_one_that_is_wanted() {
        let wanted: Wanted =
            serde_json::from_value(json!({"secrets": {"TOKEN": "Api.example.com"}})).unwrap();
        let missing = |host: &str| {
            let grants = read(&json!({"secrets": {"TOKEN": host}})).unwrap();
            grants.missing(&wanted, "crm")
        };
        assert_eq!(missing("api.example.com"), None);
        let told = missing("example.com").unwrap();
        assert_eq!(
            told.what(),
            "wants the secret TOKEN for Api.example.com, and hygge.yml binds it to example.com"
        );
        let written = "if it may, write in hygge.yml:\nplugins:\n  crm:\n    secrets: {TOKEN: \
                       Api.example.com}";
        assert_eq!(told.advice(), written);
    }

    #[test]
    fn what_is_missing_is_told_as_lines_to_add() {
        let wanted: Wanted = serde_json::from_value(json!({
            "http": ["https://api.example.com"], "secrets": {"TOKEN": "api.example.com"},
            "read": ["data"], "env": ["LANG"],
        }))
        .unwrap();
        assert_eq!(
            Grants::default().missing(&wanted, "crm").unwrap().advice(),
            "if it may, add to hygge.yml:\nplugins:\n  crm:\n    http: [\"https://api.example.com\"]\n    \
             secrets: {TOKEN: api.example.com}\n    read: [\"data\"]\n    env: [\"LANG\"]"
        );
        let given = read(&json!({
            "http": ["https://api.example.com"], "secrets": {"TOKEN": "api.example.com"},
            "write": ["data"], "env": ["LANG"],
        }))
        .unwrap();
        assert_eq!(given.missing(&wanted, "crm"), None);
    }
}
