//! Numbers as cells.

use super::{Cell, Fit, Wrong};
use crate::types::SqlType;

/// Whole numbers into whole numbers, truths and decimals.
pub(super) fn whole<'a>(
    get: impl Fn(usize) -> i128 + 'a,
    to: SqlType,
    clip: bool,
) -> Option<Cell<'a>> {
    fn int<'a, const N: usize>(
        get: impl Fn(usize) -> i128 + 'a,
        least: i128,
        most: i128,
        to: SqlType,
        clip: bool,
    ) -> Cell<'a> {
        Box::new(move |row, into| {
            let value = get(row);
            let near = value.clamp(least, most);
            if near != value && !clip {
                return Err(format!("{value} doesn't fit {to}"));
            }
            into.push(u8::try_from(N).unwrap_or_default());
            into.extend_from_slice(&near.to_le_bytes()[..N]);
            Ok(Fit::clipped(near != value))
        })
    }
    Some(match to {
        SqlType::Bit => int::<1>(get, 0, 1, to, clip),
        SqlType::TinyInt => int::<1>(get, 0, 255, to, clip),
        SqlType::SmallInt => int::<2>(get, i16::MIN.into(), i16::MAX.into(), to, clip),
        SqlType::Int => int::<4>(get, i32::MIN.into(), i32::MAX.into(), to, clip),
        SqlType::BigInt => int::<8>(get, i64::MIN.into(), i64::MAX.into(), to, clip),
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => {
            return decimal(get, 0, to, clip);
        }
        _ => return None,
    })
}

pub(super) fn float<'a>(
    get: impl Fn(usize) -> f64 + 'a,
    single: bool,
    to: SqlType,
    clip: bool,
) -> Option<Cell<'a>> {
    /// The number itself, or, of an infinite one, the last that is finite.
    fn finite(value: f64, most: f64, to: SqlType, clip: bool) -> Result<(f64, Fit), Wrong> {
        match value.is_finite() {
            true => Ok((value, Fit::Whole)),
            false if clip && !value.is_nan() => Ok((value.clamp(-most, most), Fit::Clipped)),
            false => Err(format!("{value} has no form in {to}")),
        }
    }
    match to {
        SqlType::Float => Some(Box::new(move |row, into| {
            let (value, fit) = finite(get(row), f64::MAX, to, clip)?;
            into.push(8);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(fit)
        })),
        SqlType::Real if single => Some(Box::new(move |row, into| {
            let (value, fit) = finite(get(row), f64::from(f32::MAX), to, clip)?;
            #[expect(clippy::cast_possible_truncation, reason = "it was a f32 before")]
            let value = value as f32;
            into.push(4);
            into.extend_from_slice(&value.to_le_bytes());
            Ok(fit)
        })),
        _ => None,
    }
}

/// Decimals of any scale into those of another, exactly.
pub(super) fn decimal<'a>(
    get: impl Fn(usize) -> i128 + 'a,
    from: i8,
    to: SqlType,
    clip: bool,
) -> Option<Cell<'a>> {
    let (precision, scale) = match to {
        SqlType::Decimal { precision, scale } => (precision, scale),
        SqlType::Money => (19, 4),
        SqlType::SmallMoney => (10, 4),
        _ => return None,
    };
    let shift = i32::from(scale) - i32::from(from);
    let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
    // Money counts to the ends of its bytes, which aren't those of its digits.
    let (least, most) = match to {
        SqlType::Money => (i128::from(i64::MIN), i128::from(i64::MAX)),
        SqlType::SmallMoney => (i128::from(i32::MIN), i128::from(i32::MAX)),
        _ => {
            let most = 10_i128.checked_pow(u32::from(precision))? - 1;
            (-most, most)
        }
    };
    let shown = move |value: i128| {
        hygge_core::WatermarkType::Decimal {
            scale: u8::try_from(from).unwrap_or_default(),
        }
        .show(value)
    };
    let scaled = move |value: i128| {
        let (scaled, cut) = match shift >= 0 {
            true => (value.checked_mul(factor), false),
            false => (Some(value / factor), value % factor != 0),
        };
        match scaled {
            Some(scaled) if !cut && (least..=most).contains(&scaled) => Ok((scaled, Fit::Whole)),
            _ if !clip => Err(format!("{} doesn't fit {to}", shown(value))),
            Some(scaled) => Ok((scaled.clamp(least, most), Fit::Clipped)),
            None if value < 0 => Ok((least, Fit::Clipped)),
            None => Ok((most, Fit::Clipped)),
        }
    };
    Some(match to {
        SqlType::Money => Box::new(move |row, into| {
            let (value, fit) = scaled(get(row))?;
            // The upper half first; [MS-TDS] 2.2.5.5.1.2.
            let bytes = value.to_le_bytes();
            into.push(8);
            into.extend_from_slice(&bytes[4..8]);
            into.extend_from_slice(&bytes[..4]);
            Ok(fit)
        }),
        SqlType::SmallMoney => Box::new(move |row, into| {
            let (value, fit) = scaled(get(row))?;
            into.push(4);
            into.extend_from_slice(&value.to_le_bytes()[..4]);
            Ok(fit)
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
                let (value, fit) = scaled(get(row))?;
                into.push(width + 1);
                into.push(u8::from(value >= 0));
                let bytes = value.unsigned_abs().to_le_bytes();
                into.extend_from_slice(&bytes[..usize::from(width)]);
                Ok(fit)
            })
        }
    })
}
