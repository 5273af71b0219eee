use crate::{Fault, Result};

/// The parts of an absolute `http` or `https` URL that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// Host, and port when there is one.
    pub authority: String,
    /// Begins with `/`; with the query.
    pub path: String,
}

impl Url {
    /// Reads one. A name or password in it is refused: it would end up in messages.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Err(Fault::config(format!("a URL {why}")));
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("has to begin with https:// or http://");
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return wrong("has to begin with https:// or http://");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return wrong("can't hold a name or password; use a header with a secret");
        }
        if authority.is_empty() {
            return wrong("names no host");
        }
        if text
            .chars()
            .any(|each| each.is_whitespace() || each.is_control())
        {
            return wrong("has a space or a control character in it");
        }
        let path = match path.chars().next() {
            None => "/".to_owned(),
            Some('?') => format!("/{path}"),
            Some(_) => path.to_owned(),
        };
        Ok(Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path,
        })
    }

    /// What a reference in an answer of this URL points to (RFC 3986, 5.2).
    pub fn join(&self, reference: &str) -> Result<String> {
        let Self {
            scheme,
            authority,
            path,
        } = self;
        let origin = format!("{scheme}://{authority}");
        let plain = path.split('?').next().unwrap_or_default();
        if reference
            .find("://")
            .is_some_and(|at| !reference[..at].contains(['/', '?']))
        {
            return Ok(reference.to_owned());
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Ok(format!("{scheme}://{rest}"));
        }
        if reference.starts_with('?') {
            return Ok(format!("{origin}{plain}{reference}"));
        }
        let (target, query) = match reference.find('?') {
            Some(at) => reference.split_at(at),
            None => (reference, ""),
        };
        let whole = match target.strip_prefix('/') {
            Some(_) => target.to_owned(),
            None => format!(
                "{}/{target}",
                plain.rsplit_once('/').map_or("", |(folder, _)| folder)
            ),
        };
        let mut segments: Vec<&str> = Vec::new();
        let mut all = whole.split('/').skip(1).peekable();
        while let Some(segment) = all.next() {
            let last = all.peek().is_none();
            match segment {
                ".." => {
                    segments.pop();
                }
                "." => {}
                other => segments.push(other),
            }
            if last && matches!(segment, "." | "..") {
                segments.push("");
            }
        }
        Ok(format!("{origin}/{}{query}", segments.join("/")))
    }

    /// For messages: without parameters, which may be anything.
    #[must_use]
    pub fn shown(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{}://{}{path}", self.scheme, self.authority)
    }
}

/// Adds a parameter, percent-encoded.
pub(super) fn with_query(url: &str, name: &str, value: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let with = if url.contains('?') { '&' } else { '?' };
    format!("{url}{with}{}={}", encoded(name), encoded(value))
}

fn encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(byte.into());
        } else {
            // Writing to a String can't fail.
            let _ = write!(all, "%{byte:02X}");
        }
    }
    all
}

/// The target in a `Link` header whose `rel` has that relation (RFC 8288).
pub(super) fn link<'a>(header: &'a str, relation: &str) -> Option<&'a str> {
    let mut rest = header;
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>')?;
        let target = &rest[begin + 1..end];
        rest = &rest[end + 1..];
        let parameters = &rest[..rest
            .find(",<")
            .or_else(|| rest.find(", <"))
            .unwrap_or(rest.len())];
        let relates = parameters.split(';').any(|each| {
            let Some((name, value)) = each.split_once('=') else {
                return false;
            };
            let value = value.trim().trim_end_matches(',').trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .split_whitespace()
                    .any(|each| each.eq_ignore_ascii_case(relation))
        });
        if relates {
            return Some(target);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_urls_are_taken() {
        let url = Url::parse("HTTPS://API.example.com:8443?a=1#there").unwrap();
        assert_eq!(
            (
                url.scheme.as_str(),
                url.authority.as_str(),
                url.path.as_str()
            ),
            ("https", "api.example.com:8443", "/?a=1")
        );
        assert_eq!(url.shown(), "https://api.example.com:8443/");
        for wrong in [
            "ftp://a",
            "a.example",
            "https://",
            "https://u:p@a.example",
            "https://a.example/a b",
        ] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn references_join_as_the_rfc_says() {
        let base = Url::parse("https://a.example/b/c/d?q=1").unwrap();
        for (reference, expected) in [
            ("https://other.example/x", "https://other.example/x"),
            ("//other.example/x", "https://other.example/x"),
            ("?page=2", "https://a.example/b/c/d?page=2"),
            (
                "/x?u=https://b.example",
                "https://a.example/x?u=https://b.example",
            ),
            ("e", "https://a.example/b/c/e"),
            (
                "e?u=https://b.example",
                "https://a.example/b/c/e?u=https://b.example",
            ),
            ("../e?f", "https://a.example/b/e?f"),
            ("..", "https://a.example/b/"),
            ("../../../../e", "https://a.example/e"),
        ] {
            assert_eq!(base.join(reference).unwrap(), expected, "{reference}");
        }
    }

    #[test]
    fn links_are_found_by_their_relation() {
        let header = r#"<https://a/?p=1>; rel="prev", </?p=3>; title="x"; rel="last next""#;
        assert_eq!(link(header, "next"), Some("/?p=3"));
        assert_eq!(link(header, "prev"), Some("https://a/?p=1"));
        assert_eq!(link(header, "first"), None);
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(
            with_query("https://a?x=1", "since", "2013-01-01T05:00+2&ü"),
            "https://a?x=1&since=2013-01-01T05%3A00%2B2%26%C3%BC"
        );
    }
}
