/// An argument as a shell takes it, for commands that a person is to paste.
pub fn quoted(argument: &str) -> String {
    let plain = !argument.is_empty()
        && argument
            .chars()
            .all(|c| c.is_alphanumeric() || "-_=./,:@%+*".contains(c));
    if plain {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for plain in ["sales.orders", "日本.x", "--flow=a,b"] {
            assert_eq!(quoted(plain), plain);
        }
        assert_eq!(quoted("日本 x.it's"), r"'日本 x.it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a;b"), "'a;b'");
    }
}
