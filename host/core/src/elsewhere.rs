//! Paths are of this machine. What is written for another place would otherwise become a folder
//! of that name.

/// Why a text can't be meant as a path here, and the way out.
pub fn not_a_path(text: &str) -> Option<(String, String)> {
    if text.trim().is_empty() {
        return Some((
            "path is empty".to_owned(),
            "name a file or a folder, such as `data/in.csv` or `data/out/`".to_owned(),
        ));
    }
    if text == "~" || text.starts_with("~/") {
        return Some((
            format!("`~` in `{text}` is the shell's, and would be a folder of that name"),
            "write the path in full, or `${HOME}` for `~`".to_owned(),
        ));
    }
    if let Some((scheme, rest)) = text.split_once("://")
        && is_scheme(scheme)
    {
        return Some(if scheme.eq_ignore_ascii_case("file") {
            (
                format!("`{text}` is a URL, and a path is wanted"),
                format!("write `{rest}`"),
            )
        } else {
            (
                format!("`{text}` isn't on this machine, and would be a folder of that name"),
                "files are read and written on this machine only, object stores aren't there \
                 yet: give a local path"
                    .to_owned(),
            )
        });
    }
    if let [drive, b':', b'\\' | b'/', ..] = text.as_bytes()
        && drive.is_ascii_alphabetic()
    {
        return Some((
            format!("`{text}` is a path of Windows, and would be a folder of that name"),
            "give a path of this machine, such as `/data/out`".to_owned(),
        ));
    }
    None
}

/// As in RFC 3986.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere_is_no_path() {
        for elsewhere in [
            "s3://bucket/x",
            "abfss://c@a.dfs.core.windows.net/x",
            "HTTPS://x/y.csv",
            "file:///data/x",
            r"C:\data\x",
            "d:/data",
            "~/x",
            " ",
        ] {
            assert!(not_a_path(elsewhere).is_some(), "{elsewhere}");
        }
        let (_, advice) = not_a_path("file:///data/x").unwrap();
        assert_eq!(advice, "write `/data/x`");
        for path in [
            "data/x",
            "/data/c:/x",
            "a:b",
            "data/~/x",
            "://x",
            "x y://z",
            "c:x",
        ] {
            assert_eq!(not_a_path(path), None, "{path}");
        }
    }
}
