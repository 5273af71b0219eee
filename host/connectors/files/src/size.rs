//! Bytes for people.

/// `1.5 MiB`.
pub(crate) fn shown(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Two of them, told apart: in bytes when they would look the same.
pub(crate) fn shown_both(one: u64, other: u64) -> (String, String) {
    let both = (shown(one), shown(other));
    if both.0 == both.1 && one != other {
        return (format!("{one} bytes"), format!("{other} bytes"));
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sizes_are_told_apart() {
        let both = |one, other| {
            let (one, other) = shown_both(one, other);
            format!("{one}, {other}")
        };
        assert_eq!(both(1 << 20, 3 << 20), "1.0 MiB, 3.0 MiB");
        assert_eq!(both(1_048_612, 1 << 20), "1048612 bytes, 1048576 bytes");
        assert_eq!(both(5, 5), "5 B, 5 B");
    }
}
