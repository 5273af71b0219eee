use std::fmt;

/// An identifier in brackets, with `]` doubled: safe to stand in a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A text as an `N'…'` literal, with `'` doubled; for the few places that take no parameter.
pub(crate) fn literal(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// A table: its schema and name, in the connection's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl TableName {
    /// Reads `users`, `dbo.users`, `[my schema].[a]]b]`, `"my schema".users`. Without a schema it
    /// is `dbo`'s.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = parts(text).ok_or_else(|| format!("{text:?} isn't the name of a table"))?;
        let (schema, table) = match <[String; 2]>::try_from(parts) {
            Ok([schema, table]) => (schema, table),
            Err(parts) => match <[String; 1]>::try_from(parts) {
                Ok([table]) => ("dbo".to_owned(), table),
                Err(_) => {
                    return Err(format!("{text:?} has more parts than a schema and a table"));
                }
            },
        };
        if table.starts_with('#') {
            return Err(format!(
                "{text:?} is a temporary table, which is gone as soon as its session ends"
            ));
        }
        for part in [&schema, &table] {
            if part.is_empty() || part.encode_utf16().count() > 128 || part.contains('\0') {
                return Err(format!("{text:?} isn't the name of a table"));
            }
        }
        Ok(Self { schema, table })
    }

    /// Another table in the same schema.
    pub(crate) fn beside(&self, table: impl Into<String>) -> Self {
        Self {
            schema: self.schema.clone(),
            table: table.into(),
        }
    }

    /// `[dbo].[users]`, for statements.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

/// For people: brackets only where a name needs them.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // White space at an end of a name is read as none of it.
        let odd = |c: char| matches!(c, '.' | '[' | ']' | '"') || c.is_whitespace();
        let plain = |part: &str| match part.contains(odd) {
            true => quoted(part),
            false => part.to_owned(),
        };
        write!(f, "{}.{}", plain(&self.schema), plain(&self.table))
    }
}

/// The parts of a table's name, which are parted by dots and may stand in brackets or quotes; none
/// when one of these isn't closed or text follows one.
pub fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, left) = if let Some(inner) = rest.strip_prefix('[') {
            enclosed(inner, ']')?
        } else if let Some(inner) = rest.strip_prefix('"') {
            enclosed(inner, '"')?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let part = rest[..end].trim();
            if part.contains(['[', ']', '"']) {
                return None;
            }
            (part.to_owned(), &rest[end..])
        };
        parts.push(part);
        let left = left.trim_start();
        if left.is_empty() {
            return Some(parts);
        }
        rest = left.strip_prefix('.')?.trim_start();
    }
}

/// A name up to what closes it, and what follows.
fn enclosed(text: &str, closing: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let at = rest.find(closing)?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix(closing) {
            Some(more) => {
                name.push(closing);
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_read_as_people_write_them() {
        let read = |text| TableName::parse(text).map(|t| (t.schema, t.table));
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(read("users"), pair("dbo", "users"));
        assert_eq!(read("sales.orders"), pair("sales", "orders"));
        assert_eq!(read("[my.schema].[a]]b]"), pair("my.schema", "a]b"));
        assert_eq!(read("\"my.schema\".\"a\"\"b\""), pair("my.schema", "a\"b"));
        assert!(read("a.b.c").is_err());
        assert!(read("[a").is_err());
        assert!(read("a]; drop table x --").is_err());
        assert!(read("").is_err());
        for temporary in ["#t", "dbo.#t", "[##t]"] {
            assert!(read(temporary).unwrap_err().contains("temporary"));
        }
    }

    proptest! {
        #[test]
        fn whatever_a_name_holds_it_stays_one_name(schema in "[^\0]{1,20}", table in "[^\0]{1,20}") {
            prop_assume!(!table.starts_with('#'));
            let name = TableName { schema, table };
            prop_assert_eq!(TableName::parse(&name.quoted()), Ok(name.clone()));
            prop_assert_eq!(TableName::parse(&name.to_string()), Ok(name));
        }

        #[test]
        fn a_name_is_read_as_it_is_shown(
            schema in "[ab.\"\\[\\] \t\u{a0}\u{2028}]{1,4}",
            table in "[ab.\"\\[\\] \t\u{a0}\u{2028}]{1,4}",
        ) {
            let name = TableName { schema, table };
            prop_assert_eq!(TableName::parse(&name.to_string()), Ok(name));
        }

        #[test]
        fn a_literal_ends_where_it_ends(text in "\\PC*") {
            let literal = literal(&text);
            let inner = &literal[2..literal.len() - 1];
            prop_assert_eq!(inner.replace("''", ""), text.replace('\'', ""));
        }
    }
}
