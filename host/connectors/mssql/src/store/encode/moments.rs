//! Dates, times of day and moments as cells.

use super::{Cell, Wrong};
use crate::types::SqlType;

/// Days from 0001-01-01 and from 1900-01-01 to 1970-01-01.
const FROM_YEAR_1: i64 = 719_162;
const FROM_1900: i64 = 25_567;
const LAST_DAY: i64 = 3_652_058;
const DAY: i128 = 864_000_000_000;

pub(super) fn date<'a>(get: impl Fn(usize) -> i64 + 'a, to: SqlType) -> Option<Cell<'a>> {
    match to {
        SqlType::Date => Some(Box::new(move |row, into| {
            let days = get(row).saturating_add(FROM_YEAR_1);
            if !(0..=LAST_DAY).contains(&days) {
                return Err("a date outside the years 1 to 9999".to_owned());
            }
            into.push(3);
            into.extend_from_slice(&days.to_le_bytes()[..3]);
            Ok(())
        })),
        SqlType::DateTime | SqlType::SmallDateTime | SqlType::DateTime2(_) => {
            moment(move |row| i128::from(get(row)) * 86_400, 1, false, to)
        }
        _ => None,
    }
}

/// Ticks of 100 ns; none when there is something finer.
fn ticks(value: i128, per_second: i128) -> Option<i128> {
    let scaled = value * 10_000_000;
    (scaled % per_second == 0).then_some(scaled / per_second)
}

/// A time of day of `scale` digits: steps, and the bytes they take; [MS-TDS] 2.2.5.5.1.8.
fn steps(within: i128, scale: u8, to: SqlType) -> Result<(i128, usize), Wrong> {
    let size = 10_i128.pow(u32::from(7 - scale.min(7)));
    if within % size != 0 {
        return Err(format!(
            "a time with more digits behind the second than {to} has"
        ));
    }
    let width = match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    };
    Ok((within / size, width))
}

pub(super) fn time<'a>(
    get: impl Fn(usize) -> i128 + 'a,
    per_second: i128,
    to: SqlType,
) -> Option<Cell<'a>> {
    let SqlType::Time(scale) = to else {
        return None;
    };
    Some(Box::new(move |row, into| {
        let ticks = ticks(get(row), per_second)
            .ok_or_else(|| format!("a time with more digits behind the second than {to} has"))?;
        if !(0..DAY).contains(&ticks) {
            return Err("a time outside of a day".to_owned());
        }
        let (steps, width) = steps(ticks, scale, to)?;
        into.push(u8::try_from(width).unwrap_or_default());
        into.extend_from_slice(&steps.to_le_bytes()[..width]);
        Ok(())
    }))
}

/// Moments. Those with a zone are in UTC: `datetimeoffset` keeps that, the others take the
/// wall clock of UTC.
pub(super) fn moment<'a>(
    get: impl Fn(usize) -> i128 + 'a,
    per_second: i128,
    utc: bool,
    to: SqlType,
) -> Option<Cell<'a>> {
    let finer = move || format!("a time with more digits behind the second than {to} has");
    let apart = move |row| {
        let ticks = ticks(get(row), per_second).ok_or_else(finer)?;
        Ok::<_, Wrong>((ticks.div_euclid(DAY), ticks.rem_euclid(DAY)))
    };
    Some(match to {
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale)
            if utc || matches!(to, SqlType::DateTime2(_)) =>
        {
            let offset = matches!(to, SqlType::DateTimeOffset(_));
            Box::new(move |row, into| {
                let (day, within) = apart(row)?;
                let day = day + i128::from(FROM_YEAR_1);
                if !(0..=i128::from(LAST_DAY)).contains(&day) {
                    return Err("a moment outside the years 1 to 9999".to_owned());
                }
                let (steps, width) = steps(within, scale, to)?;
                let len = width + 3 + if offset { 2 } else { 0 };
                into.push(u8::try_from(len).unwrap_or_default());
                into.extend_from_slice(&steps.to_le_bytes()[..width]);
                into.extend_from_slice(&day.to_le_bytes()[..3]);
                if offset {
                    into.extend_from_slice(&[0; 2]);
                }
                Ok(())
            })
        }
        SqlType::DateTime => Box::new(move |row, into| {
            let (day, within) = apart(row)?;
            let day = day + i128::from(FROM_1900);
            let Some(day) = i32::try_from(day)
                .ok()
                .filter(|d| (-53_690..=2_958_463).contains(d))
            else {
                return Err("a moment outside the years 1753 to 9999".to_owned());
            };
            // Exactly what such a column shows: milliseconds that end in 0, 3 or 7.
            let millis = within / 10_000;
            let tick = (millis * 3 + 5) / 10;
            if within % 10_000 != 0 || (tick * 10 + 1) / 3 != millis || tick >= 25_920_000 {
                return Err(
                    "a time that datetime would round: it counts in 1/300 of a second".to_owned(),
                );
            }
            into.push(8);
            into.extend_from_slice(&day.to_le_bytes());
            into.extend_from_slice(&tick.to_le_bytes()[..4]);
            Ok(())
        }),
        SqlType::SmallDateTime => Box::new(move |row, into| {
            let (day, within) = apart(row)?;
            let day = day + i128::from(FROM_1900);
            let Ok(day) = u16::try_from(day) else {
                return Err("a moment outside the years 1900 to 2079".to_owned());
            };
            if within % 600_000_000 != 0 {
                return Err("a time with seconds, which smalldatetime doesn't have".to_owned());
            }
            into.push(4);
            into.extend_from_slice(&day.to_le_bytes());
            into.extend_from_slice(&(within / 600_000_000).to_le_bytes()[..2]);
            Ok(())
        }),
        _ => return None,
    })
}
