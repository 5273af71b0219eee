//! What Polars says of a value that doesn't fit, in hygge's words: the value, its column and the type
//! that was asked for, without counts, which depend on the batch.

/// A cast that met what it can't take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure<'a> {
    pub(crate) column: &'a str,
    value: String,
    from: String,
    to: String,
}

impl Failure<'_> {
    /// What is said of a value that is in the column as it is.
    pub(crate) fn of_column(&self) -> String {
        let Self {
            column,
            value,
            from,
            to,
        } = self;
        format!("it meets {value} in column {column}, which is {from}, and {to} can't hold it")
    }

    /// What is said of a value that isn't to be shown.
    pub(crate) fn of_something(&self) -> String {
        format!(
            "it meets a text that was computed, and {} can't hold it",
            self.to
        )
    }

    pub(crate) fn is_text(&self) -> bool {
        self.from == "string"
    }

    /// Whether a value of a type, as Polars names it, failed as it is.
    pub(crate) fn is_from(&self, polars: &str) -> bool {
        self.from == name(polars)
    }

    /// Whether it is of a text as it is written.
    pub(crate) fn is_of(&self, text: &str) -> bool {
        self.value == shown(text)
    }

    /// Whether a moment has no room in a finer unit.
    pub(crate) fn is_too_fine(&self) -> bool {
        self.from.starts_with("timestamp[") && self.to.starts_with("timestamp[ns")
            || self.from == "date"
    }

    /// What is said of a value that was computed.
    pub(crate) fn of_a_part(&self) -> String {
        format!("it meets {}, and {} can't hold it", self.value, self.to)
    }
}

/// Reads ``conversion from `str` to `i32` failed in column 'state' for 3 out of 4 values: ["paid", …]``;
/// none for anything else.
pub(crate) fn read(why: &str) -> Option<Failure<'_>> {
    let (from, rest) = why
        .strip_prefix("conversion from `")?
        .split_once("` to `")?;
    let (to, rest) = rest.split_once("` failed in column '")?;
    let (column, rest) = rest.split_once("' for ")?;
    let (_, values) = rest.split_once(" values: [")?;
    let value = match values.strip_prefix('"') {
        Some(text) => {
            let end = ["\", \"", "\", …", "\"]"].into_iter();
            let end = end.filter_map(|end| text.find(end)).min()?;
            shown(&text[..end])
        }
        None => values.split([',', ']']).next()?.trim().to_owned(),
    };
    Some(Failure {
        column,
        value,
        from: name(from),
        to: name(to),
    })
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

/// All that Polars says of bytes that are no text.
pub(crate) const NO_TEXT: &str = "invalid utf8";

/// What is said of a failure that is no cast's.
pub(crate) fn told(why: &str) -> String {
    match why {
        NO_TEXT => "it meets bytes that are no text".to_owned(),
        why => words(why),
    }
}

pub(crate) const LEAVE_OUT: &str = "leave such rows out before (`filter`)";

/// What to do instead, where an error is of no cast.
pub(crate) fn advice(why: &str) -> &'static str {
    if why.contains("with format '") {
        "the usual codes are `%Y-%m-%d %H:%M:%S`; others are in Polars' documentation"
    } else if why.contains("division by zero") {
        "`NULLIF(…, 0)` makes NULL of what is divided by zero"
    } else if why.contains("LPAD and RPAD") {
        LEAVE_OUT
    } else {
        "compute it in a type with more room (`CAST(… AS DOUBLE)` has it, and rounds), or leave such rows \
         out before (`filter`)"
    }
}

/// Whether a date or a moment was compared with a text.
pub(crate) fn compares_a_moment(why: &str) -> bool {
    why.contains("cannot compare 'date/datetime/time' to a string value")
}

/// What to do where a moment has no room in nanoseconds.
pub(crate) const COARSER: &str = "`CAST(… AS TIMESTAMP)` brings the finer one to microseconds, which have \
                                  room for it; `TRY_CAST(… AS …)` gives NULL";

/// How it begins to be told that a pattern is none.
pub(crate) const PATTERN: &str = "the pattern can't be read: ";

/// A sentence of Polars with the names that types have elsewhere.
pub(crate) fn words(why: &str) -> String {
    let marks = ['(', ')', '`', ' '];
    let why = why
        .replace("datetime[", "timestamp[")
        .replace("μs", "us")
        .replace("dyn int", "a whole number")
        .replace("dyn float", "a number");
    let each = why.split_inclusive(marks).map(|part| {
        let plain = part.trim_end_matches(marks);
        let sized = plain.strip_prefix(['i', 'u', 'f']).unwrap_or_default();
        let typed = plain == "str" || plain.starts_with("decimal[");
        match typed || sized.parse::<u8>().is_ok() {
            true => format!("{}{}", name(plain), &part[plain.len()..]),
            false => part.to_owned(),
        }
    });
    each.collect()
}

/// The name of a type as it is said elsewhere.
pub(crate) fn name(polars: &str) -> String {
    let sized = |prefix: &str| {
        let bits = polars.strip_prefix(prefix)?;
        bits.bytes().all(|b| b.is_ascii_digit()).then_some(bits)
    };
    match (polars, sized("i"), sized("u"), sized("f")) {
        ("str", ..) => "string".to_owned(),
        (_, Some(bits), ..) => format!("int{bits}"),
        (_, _, Some(bits), _) => format!("uint{bits}"),
        (_, _, _, Some(bits)) => format!("float{bits}"),
        (other, ..) => {
            let name = other.replace("datetime[", "timestamp[").replace("μs", "us");
            match name.strip_prefix("decimal[") {
                Some(digits) => format!("decimal({}", digits.replace(']', ")").replace(',', ", ")),
                None => name,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_is_told_in_words() {
        let of = |why: &str| read(why).map(|failure| failure.of_column());
        assert_eq!(
            of("conversion from `str` to `i32` failed in column 'state' for 3 out of 4 values: [\"paid\", \"open\", \"paid\"]").as_deref(),
            Some("it meets \"paid\" in column state, which is string, and int32 can't hold it")
        );
        assert_eq!(
            of("conversion from `i64` to `u32` failed in column 'a b' for 1 out of 1 values: [-5]")
                .as_deref(),
            Some("it meets -5 in column a b, which is int64, and uint32 can't hold it")
        );
        let other = "cannot compare string with numeric type (i32)";
        assert_eq!(of(other), None);
        assert_eq!(
            words(other),
            "cannot compare string with numeric type (int32)"
        );
        assert_eq!(
            words("* not allowed on datetime[μs] and dyn int"),
            "* not allowed on timestamp[us] and a whole number"
        );
        assert_eq!(
            words("`str` and `f64`, in a fit"),
            "`string` and `float64`, in a fit"
        );
    }
}
