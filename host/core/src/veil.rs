use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::{Fault, REDACTED};

/// The secret texts of a configuration, which nothing that is said may hold: a connector, or the
/// system that it calls, may quote one without a thought.
#[derive(Clone, Default)]
pub struct Veil(Arc<[String]>);

impl Veil {
    /// Over these texts. Those of one or two characters are part of any text, so they tell nothing
    /// and are left.
    pub fn over(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut forms = Vec::new();
        let secrets = secrets.into_iter();
        for secret in secrets.filter(|secret| secret.trim().chars().count() > 2) {
            // As it looks within quotes, in a message or in JSON.
            let json = serde_json::Value::from(secret.as_str()).to_string();
            for quoted in [format!("{secret:?}"), json] {
                forms.push(quoted[1..quoted.len() - 1].to_owned());
            }
            forms.push(secret);
        }
        // The longest first: one may be part of another.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        forms.dedup();
        Self(forms.into())
    }

    /// The text, with `***` for every secret in it.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut hidden = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if hidden.contains(secret.as_str()) {
                hidden = Cow::Owned(hidden.replace(secret.as_str(), REDACTED));
            }
        }
        hidden
    }

    /// The same in place.
    pub fn cover(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hide(text) {
            *text = hidden;
        }
    }

    /// Everything that a fault says.
    pub fn cover_fault(&self, fault: &mut Fault) {
        self.cover(&mut fault.message);
        if let Some(advice) = &mut fault.advice {
            self.cover(advice);
        }
        for (_, value) in &mut fault.attributes {
            self.cover(value);
        }
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veil")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn no_form_of_a_secret_is_said() {
        let secrets = ["hunter2", "hunter", "a\"b\\c", "ab"];
        let veil = Veil::over(secrets.map(str::to_owned));
        assert_eq!(veil.hide("hunter2 hunters ab"), "*** ***s ab");
        assert_eq!(veil.hide(&format!("{:?}", "a\"b\\c")), "\"***\"");
        assert_eq!(veil.hide(r#"{"x":"a\"b\\c"}"#), r#"{"x":"***"}"#);
        let mut fault = Fault::new(code::CONFIG, "hunter2 is no column")
            .with("column", "hunter2")
            .advise("use `hunter`");
        veil.cover_fault(&mut fault);
        assert!(!format!("{fault:?} {veil:?}").contains("hunt"), "{fault:?}");
    }
}
