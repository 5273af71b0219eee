use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::{Fault, REDACTED};

/// The secret texts of a configuration, which nothing that is said may hold: a connector, or the
/// system that it calls, may quote one without a thought, or its beginning alone where it is long.
#[derive(Clone, Default)]
pub struct Veil(Arc<[Form]>);

/// How many characters a beginning of a secret must have to be known as one. Fewer are part of
/// many texts, and tell little.
const BEGINNING: usize = 8;

/// One way in which a secret is written.
struct Form {
    /// With one blank in the place of white space, as in the texts that are looked through.
    text: String,
    /// Where the shortest part of it ends that is hidden: a beginning, or all of a short one.
    least: usize,
}

impl Veil {
    /// Over these texts. Those of one or two characters are part of any text, so they tell nothing
    /// and are left.
    pub fn over(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut forms = BTreeSet::new();
        let secrets = secrets.into_iter();
        for secret in secrets.filter(|secret| secret.trim().chars().count() > 2) {
            let line = collapsed(secret.trim()).0;
            // As it looks within quotes, in a message or in JSON, or in a message in JSON.
            let once = [secret.as_str(), &line].map(within_quotes).into_iter();
            let once: Vec<String> = once.flatten().collect();
            let twice = once.iter().flat_map(|text| within_quotes(text));
            let escaped = once.iter().cloned().chain(twice);
            forms.extend(escaped.map(|text| collapsed(text.trim()).0));
            forms.insert(line);
        }
        Self(forms.into_iter().map(Form::of).collect())
    }

    /// The text, with `***` for every secret in it, whatever became of the white space within, and
    /// for what is left of one that was cut.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        let (line, places) = collapsed(text);
        let there = |form: &&Form| line.contains(&form.text[..form.least]);
        let mut forms = self.0.iter().filter(there).peekable();
        if forms.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let cuts = cuts(&line, text, &places);
        let mut found: Vec<(usize, usize)> = forms
            .flat_map(|form| form.within(&line, &cuts))
            .map(|(start, end)| (places[start], places[end]))
            .collect();
        found.sort_unstable();
        let mut hidden = String::with_capacity(text.len());
        let mut until = 0;
        for (start, end) in found {
            // One may be part of another, or reach into it.
            if start >= until {
                hidden.push_str(&text[until..start]);
                hidden.push_str(REDACTED);
            }
            until = until.max(end);
        }
        if until == 0 {
            return Cow::Borrowed(text);
        }
        hidden.push_str(&text[until..]);
        Cow::Owned(hidden)
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

impl Form {
    fn of(text: String) -> Self {
        let mut ends = text.char_indices().map(|(at, _)| at);
        let least = ends.nth(BEGINNING).unwrap_or(text.len());
        Self { text, least }
    }

    /// Where it stands in a line, all of it or as much as was not cut off. It takes as long as both
    /// are, however often they repeat themselves.
    fn within(&self, line: &str, cuts: &[Cut]) -> Vec<(usize, usize)> {
        let own = self.text.len();
        let agreeing = agreeing(&[self.text.as_bytes(), line.as_bytes()].concat());
        let mut found = Vec::new();
        let starts = agreeing[own..].iter().enumerate();
        for (start, length) in starts.filter(|(_, length)| **length > 0) {
            let mut end = start + (*length).min(own);
            // Two characters may begin alike.
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            if end - start < own {
                // No further: a sign of the cut may be one that the secret goes on with.
                let cut = cuts[end];
                if cut.sign < start + self.least {
                    continue;
                }
                end = if cut.at > start { cut.at } else { cut.sign };
            }
            found.push((start, end));
        }
        found
    }
}

/// For each place of some bytes, how many from there on are those that all begin with (this is
/// known as the Z function).
fn agreeing(bytes: &[u8]) -> Vec<usize> {
    let mut agreeing = vec![0; bytes.len()];
    // The stretch that reaches furthest of those that agree with the beginning.
    let (mut from, mut to) = (0, 0);
    for at in 1..bytes.len() {
        let mut length = if at < to {
            agreeing[at - from].min(to - at)
        } else {
            0
        };
        while at + length < bytes.len() && bytes[length] == bytes[at + length] {
            length += 1;
        }
        if at + length > to {
            (from, to) = (at, at + length);
        }
        agreeing[at] = length;
    }
    agreeing
}

/// A text with one blank for each run of white space, and where each of its bytes, and its end,
/// stood before.
fn collapsed(text: &str) -> (String, Vec<usize>) {
    let mut line = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut blank = false;
    for (at, c) in text.char_indices() {
        let was = std::mem::replace(&mut blank, c.is_whitespace());
        if !(was && blank) {
            line.push(if blank { ' ' } else { c });
            places.extend(at..at + if blank { 1 } else { c.len_utf8() });
        }
    }
    places.push(text.len());
    (line, places)
}

/// A place in a line at which something may have been cut.
#[derive(Clone, Copy, Default)]
struct Cut {
    /// Where the sign of it stands: an ellipsis, a quote, a backslash, the end of a line.
    sign: usize,
    /// The same, before the backslashes that escape it: it stays as it is with them.
    at: usize,
}

/// For each place in a line, the last cut up to there.
fn cuts(line: &str, text: &str, places: &[usize]) -> Vec<Cut> {
    let mut cuts = Vec::with_capacity(line.len() + 1);
    let (mut last, mut escape) = (Cut::default(), None);
    for (sign, c) in line.char_indices() {
        let cut = match c {
            '…' | '"' | '\'' | '`' | '\\' => true,
            '.' => line[sign..].starts_with("..."),
            ' ' => text[places[sign]..places[sign + 1]].contains(['\n', '\r']),
            _ => false,
        };
        let at = escape.unwrap_or(sign);
        if cut {
            last = Cut { sign, at };
        }
        escape = (c == '\\').then_some(at);
        cuts.resize(sign + c.len_utf8(), last);
    }
    let sign = line.len();
    cuts.push(Cut { sign, at: sign });
    cuts
}

/// A text as it looks within quotes, of Rust and of JSON.
fn within_quotes(text: &str) -> [String; 2] {
    let json = serde_json::Value::from(text).to_string();
    [format!("{text:?}"), json].map(|quoted| quoted[1..quoted.len() - 1].to_owned())
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
    use proptest::prelude::*;

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

    #[test]
    fn what_became_of_a_secret_on_its_way_is_hidden() {
        let secret = "first  part\n\tsecond part é日 and \"third\" ";
        let veil = Veil::over([secret.to_owned()]);
        let line = secret.split_whitespace().collect::<Vec<_>>().join(" ");
        let wrapped = line.replace(' ', "\n    ");
        for form in [secret, &line, secret.trim()] {
            for said in [form.to_owned(), format!("{form:?}")] {
                for said in [said.clone(), format!("{said:?}")] {
                    let hidden = veil.hide(&said).into_owned();
                    let left = hidden.trim_matches(['"', '\\', '*', ' ', 'n', 't']);
                    assert_eq!(left, "", "{said} became {hidden}");
                }
            }
        }
        assert_eq!(veil.hide(&wrapped), "***");
        assert_eq!(veil.hide("`x = 'first part s…`"), "`x = '***…`");
        assert_eq!(
            veil.hide("it meets \"first part s\" in"),
            "it meets \"***\" in"
        );
        assert_eq!(veil.hide("\"first pa\"…"), "\"***\"…");
        assert_eq!(veil.hide("first par\nfirst part"), "***\n***");
        assert_eq!(
            veil.hide("{\"a\":\"\\\"first part\\\"\"}"),
            "{\"a\":\"\\\"***\\\"\"}"
        );
        assert_eq!(veil.hide("first part second…"), "***…");
    }

    #[test]
    fn what_is_no_secret_stays() {
        let veil = Veil::over(["long-enough-to-cut".to_owned(), "tiny".to_owned()]);
        for text in [
            "long-enough of it",
            "`long-en`",
            "long-en…",
            "tin…",
            "a  b\n",
            "",
        ] {
            assert!(matches!(veil.hide(text), Cow::Borrowed(_)), "{text}");
        }
        assert_eq!(veil.hide("a  b\n tiny  c\n"), "a  b\n ***  c\n");
    }

    #[test]
    fn a_long_text_takes_no_longer_for_repeating_itself() {
        let veil = Veil::over(["a".repeat(100_000) + "b"]);
        let text = "a".repeat(1_000_000) + "c";
        assert_eq!(veil.hide(&text), text);
    }

    proptest! {
        #[test]
        fn no_beginning_of_a_secret_that_was_cut_is_said(
            secret in "[a-c \n\"\\\\é日'`…]{9,60}",
            before in "[a-c \n\"']{0,20}",
            kept in 8usize..60,
            form in 0usize..4,
            end in prop::sample::select(vec!["…", "…`", "\"", "\"…", "'", "`", "\n", ""]),
        ) {
            let secret = secret.trim();
            prop_assume!(secret.chars().count() > BEGINNING);
            let veil = Veil::over([secret.to_owned()]);
            let line = secret.split_whitespace().collect::<Vec<_>>().join(" ");
            let form = match form {
                0 => secret.to_owned(),
                1 => line.clone(),
                2 => within_quotes(secret)[0].clone(),
                _ => within_quotes(&line)[1].clone(),
            };
            let cut: String = form.chars().take(kept).collect();
            let seen = collapsed(&cut).0;
            prop_assume!(seen.trim_end().chars().count() >= BEGINNING);
            let hidden = veil.hide(&format!("{before}{cut}{end}")).into_owned();
            let shown: String = seen.chars().take(BEGINNING).collect();
            let rest = collapsed(&hidden).0;
            // What stands before it is no part of it, though it may look like one.
            let from = collapsed(&before).0.matches(&shown).count();
            prop_assert!(rest.matches(&shown).count() <= from, "{hidden:?} of {form:?}");
            prop_assert!(rest.contains(REDACTED), "{hidden:?} of {form:?}");
        }

        #[test]
        fn a_text_without_a_secret_stays_as_it_is(text in "[a-z \n\"…]{0,80}") {
            let veil = Veil::over(["0123456789".to_owned()]);
            prop_assert_eq!(veil.hide(&text), text.as_str());
        }
    }
}
