//! Numbers as cells.

use super::{Cell, Wrong};
use crate::types::SqlType;

/// Whole numbers into whole numbers, truths and decimals.
pub(super) fn whole<'a>(get: impl Fn(usize) -> i128 + 'a, to: SqlType) -> Option<Cell<'a>> {
    fn int<'a, const N: usize>(
        get: impl Fn(usize) -> i128 + 'a,
        least: i128,
        most: i128,
        to: SqlType,
    ) -> Cell<'a> {
        Box::new(move |row, into| {
            let value = get(row);
            if value < least || value > most {
                return Err(format!("{value} doesn't fit {to}"));
            }
            into.push(u8::try_from(N).unwrap_or_default());
            into.extend_from_slice(&value.to_le_bytes()[..N]);
            Ok(())
        })
    }
    Some(match to {
        SqlType::Bit => int::<1>(get, 0, 1, to),
        SqlType::TinyInt => int::<1>(get, 0, 255, to),
        SqlType::SmallInt => int::<2>(get, i16::MIN.into(), i16::MAX.into(), to),
        SqlType::Int => int::<4>(get, i32::MIN.into(), i32::MAX.into(), to),
        SqlType::BigInt => int::<8>(get, i64::MIN.into(), i64::MAX.into(), to),
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => {
            return decimal(get, 0, to);
        }
        _ => return None,
    })
}

pub(super) fn float<'a>(
    get: impl Fn(usize) -> f64 + 'a,
    single: bool,
    to: SqlType,
) -> Option<Cell<'a>> {
    fn finite(value: f64, to: SqlType) -> Result<(), Wrong> {
        match value.is_finite() {
            true => Ok(()),
            false => Err(format!("{value} has no form in {to}")),
        }
    }
    match to {
        SqlType::Float => Some(Box::new(move |row, into| {
            let value = get(row);
            finite(value, to)?;
            into.push(8);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(())
        })),
        SqlType::Real if single => Some(Box::new(move |row, into| {
            let value = get(row);
            finite(value, to)?;
            #[expect(clippy::cast_possible_truncation, reason = "it was a f32 before")]
            let value = value as f32;
            into.push(4);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(())
        })),
        _ => None,
    }
}

/// Decimals of any scale into those of another, exactly.
pub(super) fn decimal<'a>(
    get: impl Fn(usize) -> i128 + 'a,
    from: i8,
    to: SqlType,
) -> Option<Cell<'a>> {
    let (precision, scale) = match to {
        SqlType::Decimal { precision, scale } => (precision, scale),
        SqlType::Money => (19, 4),
        SqlType::SmallMoney => (10, 4),
        _ => return None,
    };
    let shift = i32::from(scale) - i32::from(from);
    let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
    let most = 10_i128.checked_pow(u32::from(precision))? - 1;
    let shown = move |value: i128| {
        hygge_core::WatermarkType::Decimal {
            scale: u8::try_from(from).unwrap_or_default(),
        }
        .show(value)
    };
    let scaled = move |value: i128| {
        let scaled = match shift >= 0 {
            true => value.checked_mul(factor),
            false => (value % factor == 0).then_some(value / factor),
        };
        match scaled {
            Some(scaled) if (-most..=most).contains(&scaled) => Ok(scaled),
            _ => Err(format!("{} doesn't fit {to}", shown(value))),
        }
    };
    Some(match to {
        SqlType::Money => Box::new(move |row, into| {
            let value = scaled(get(row))?;
            let Ok(value) = i64::try_from(value) else {
                return Err(format!("{} doesn't fit money", shown(get(row))));
            };
            // The upper half first; [MS-TDS] 2.2.5.5.1.2.
            let bytes = value.to_le_bytes();
            into.push(8);
            into.extend_from_slice(&bytes[4..]);
            into.extend_from_slice(&bytes[..4]);
            Ok(())
        }),
        SqlType::SmallMoney => Box::new(move |row, into| {
            let value = scaled(get(row))?;
            let Ok(value) = i32::try_from(value) else {
                return Err(format!("{} doesn't fit smallmoney", shown(get(row))));
            };
            into.push(4);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(())
        }),
        _ => {
            // One sign byte, and as many words as the precision needs; [MS-TDS] 2.2.5.5.1.6.
            let width = match precision {
                0..=9 => 4_u8,
                10..=19 => 8,
                20..=28 => 12,
                _ => 16,
            };
            Box::new(move |row, into| {
                let value = scaled(get(row))?;
                into.push(width + 1);
                into.push(u8::from(value >= 0));
                let bytes = value.unsigned_abs().to_le_bytes();
                into.extend_from_slice(&bytes[..usize::from(width)]);
                Ok(())
            })
        }
    })
}
