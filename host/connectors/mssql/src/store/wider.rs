//! Types of columns that become wider (`on_schema_change: evolve`).

use crate::types::{Length, SqlType};

/// The type that holds every value of a column's type and of the type that comes; none when the
/// column's own does, or there is none.
pub(super) fn wider(column: SqlType, comes: SqlType) -> Option<SqlType> {
    both(column, comes).filter(|both| *both != column)
}

fn both(column: SqlType, comes: SqlType) -> Option<SqlType> {
    use SqlType as S;
    if let (Some(own), Some(new)) = (whole(column), whole(comes)) {
        return Some(if new > own { comes } else { column });
    }
    if let (Some(own), Some(new)) = (digits(column), digits(comes)) {
        let scale = own.1.max(new.1);
        let precision = (own.0 - own.1).max(new.0 - new.1) + scale;
        // What the column is declared as stays where it holds all there is.
        return match own == (precision, scale) {
            true => Some(column),
            false => (precision <= 38).then_some(S::Decimal { precision, scale }),
        };
    }
    Some(match (column, comes) {
        // A float holds 53 bits exactly, a real 24; the whole numbers of a bigint don't fit.
        (S::TinyInt | S::SmallInt, S::Real) => S::Real,
        (S::Real | S::TinyInt | S::SmallInt | S::Int, S::Float) | (S::Int, S::Real) => S::Float,
        (S::VarChar(own), S::VarChar(new)) => S::VarChar(longer(own, new)),
        (S::NVarChar(own), S::NVarChar(new)) => S::NVarChar(longer(own, new)),
        (S::VarBinary(own), S::VarBinary(new)) => S::VarBinary(longer(own, new)),
        (S::VarChar(own), S::NVarChar(new)) => S::NVarChar(match longer(own, new) {
            Length::Of(characters) if characters <= 4_000 => Length::Of(characters),
            _ => Length::Max,
        }),
        (S::Char(own), S::Char(new)) => S::Char(own.max(new)),
        (S::NChar(own), S::NChar(new)) => S::NChar(own.max(new)),
        // Blanks behind a text mean nothing; zeros behind bytes do.
        (S::Binary(own), S::Binary(new)) if new > own => S::VarBinary(Length::Of(new)),
        (S::Time(own), S::Time(new)) => S::Time(own.max(new)),
        (S::DateTime2(own), S::DateTime2(new)) => S::DateTime2(own.max(new)),
        (S::DateTimeOffset(own), S::DateTimeOffset(new)) => S::DateTimeOffset(own.max(new)),
        _ => return None,
    })
}

/// Whether a column leaves room for every text or bytes of a type, by the lengths of both.
pub(super) fn has_room(column: SqlType, comes: SqlType) -> bool {
    let wide = |sql_type| matches!(sql_type, SqlType::NChar(_) | SqlType::NVarChar(_));
    match (length(column), length(comes)) {
        // Of a character in UTF-16 a code page may make several bytes, and never the other way.
        (Some(own), Some(new)) => own >= new && (wide(column) || !wide(comes)),
        _ => false,
    }
}

/// How long texts and bytes may be, in characters of two bytes or in bytes.
fn length(sql_type: SqlType) -> Option<u32> {
    use SqlType as S;
    Some(match sql_type {
        S::Char(length) | S::NChar(length) | S::Binary(length) => length.into(),
        S::VarChar(length) | S::NVarChar(length) | S::VarBinary(length) => match length {
            Length::Of(length) => length.into(),
            Length::Max => u32::MAX,
        },
        S::UniqueIdentifier => 36,
        _ => return None,
    })
}

/// Whole numbers, by what they hold.
fn whole(sql_type: SqlType) -> Option<u8> {
    Some(match sql_type {
        SqlType::Bit => 0,
        SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int => 3,
        SqlType::BigInt => 4,
        _ => return None,
    })
}

/// The digits of a number, and how many of them stand behind the point.
fn digits(sql_type: SqlType) -> Option<(u8, u8)> {
    Some(match sql_type {
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::Int => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::SmallMoney => (10, 4),
        SqlType::Money => (19, 4),
        SqlType::Decimal { precision, scale } => (precision, scale),
        _ => return None,
    })
}

fn longer(own: Length, new: Length) -> Length {
    match (own, new) {
        (Length::Of(own), Length::Of(new)) => Length::Of(own.max(new)),
        _ => Length::Max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_wider_and_never_narrower() {
        use SqlType as S;
        let decimal = |precision, scale| S::Decimal { precision, scale };
        assert_eq!(wider(S::Int, S::BigInt), Some(S::BigInt));
        assert_eq!(wider(S::BigInt, S::Int), None);
        assert_eq!(wider(S::Int, decimal(12, 2)), Some(decimal(12, 2)));
        assert_eq!(wider(decimal(9, 4), decimal(9, 2)), Some(decimal(11, 4)));
        assert_eq!(wider(decimal(38, 0), decimal(38, 10)), None);
        assert_eq!(wider(S::Money, decimal(10, 2)), None);
        assert_eq!(wider(S::Real, S::Float), Some(S::Float));
        assert_eq!(wider(S::Float, S::Real), None);
        assert_eq!(wider(S::Int, S::Float), Some(S::Float));
        assert_eq!(wider(S::Int, S::Real), Some(S::Float));
        assert_eq!(wider(S::SmallInt, S::Real), Some(S::Real));
        assert_eq!(wider(S::BigInt, S::Float), None);
        let (short, long) = (Length::Of(10), Length::Of(5_000));
        assert_eq!(
            wider(S::VarChar(short), S::VarChar(long)),
            Some(S::VarChar(long))
        );
        assert_eq!(wider(S::VarChar(long), S::VarChar(short)), None);
        assert_eq!(
            wider(S::VarChar(long), S::NVarChar(short)),
            Some(S::NVarChar(Length::Max))
        );
        assert_eq!(wider(S::NVarChar(Length::Max), S::NVarChar(long)), None);
        assert_eq!(
            wider(S::DateTime2(3), S::DateTime2(7)),
            Some(S::DateTime2(7))
        );
        assert_eq!(wider(S::Date, S::DateTime2(7)), None);
        assert_eq!(wider(S::Char(3), S::Char(10)), Some(S::Char(10)));
        assert_eq!(
            wider(S::Binary(3), S::Binary(10)),
            Some(S::VarBinary(short))
        );
        assert_eq!(wider(S::Binary(10), S::Binary(3)), None);
    }

    #[test]
    fn room_is_told_by_lengths() {
        use SqlType as S;
        let ten = Length::Of(10);
        assert!(has_room(S::VarChar(ten), S::Char(10)));
        assert!(has_room(S::NVarChar(ten), S::VarChar(ten)));
        assert!(has_room(
            S::VarBinary(Length::Max),
            S::VarBinary(Length::Max)
        ));
        assert!(has_room(S::Char(36), S::UniqueIdentifier));
        assert!(!has_room(S::Char(9), S::VarChar(ten)));
        assert!(!has_room(S::VarChar(ten), S::NChar(10)));
        assert!(!has_room(S::VarChar(ten), S::Xml));
    }
}
