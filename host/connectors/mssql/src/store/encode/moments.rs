//! Dates, times of day and moments as cells.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int16Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, StructArray};
use arrow_schema::{DataType, TimeUnit};

use hygge_core::WatermarkType;

use super::{Cell, Fit, Wrong};
use crate::types::SqlType;

/// Days from 0001-01-01 and from 1900-01-01 to 1970-01-01.
const FROM_YEAR_1: i64 = 719_162;
const FROM_1900: i64 = 25_567;
const LAST_DAY: i64 = 3_652_058;
const DAY: i128 = 864_000_000_000;

pub(super) fn date<'a>(
    get: impl Fn(usize) -> i64 + Copy + 'a,
    to: SqlType,
    clip: bool,
) -> Option<Cell<'a>> {
    match to {
        SqlType::Date => Some(Box::new(move |row, into| {
            let days = get(row).saturating_add(FROM_YEAR_1);
            let near = days.clamp(0, LAST_DAY);
            if near != days && !clip {
                let day = WatermarkType::Date.show(get(row).into());
                return Err(format!("{day} is outside the years 1 to 9999"));
            }
            into.push(3);
            into.extend_from_slice(&near.to_le_bytes()[..3]);
            Ok(Fit::clipped(near != days))
        })),
        SqlType::DateTime | SqlType::SmallDateTime | SqlType::DateTime2(_) => {
            let seconds = move |row| i128::from(get(row)) * 86_400;
            moment(seconds, 1, false, no_offset, to, clip)
        }
        _ => None,
    }
}

/// Values in ticks of 100 ns, and whether something finer was cut.
fn ticks(value: i128, per_second: i128) -> (i128, bool) {
    let scaled = value * 10_000_000;
    (
        scaled.div_euclid(per_second),
        scaled.rem_euclid(per_second) != 0,
    )
}

fn finer(shown: &str, to: SqlType) -> Wrong {
    format!("{shown} has more digits behind the second than {to}")
}

/// A moment, for people.
fn shown(value: i128, per_second: i128, utc: bool) -> String {
    let per_second = u32::try_from(per_second).unwrap_or(1);
    WatermarkType::Timestamp { per_second, utc }.show(value)
}

/// A time of day, for people.
fn time_shown(value: i128, per_second: i128) -> String {
    let whole = shown(value, per_second, false);
    match (0..per_second * 86_400).contains(&value) {
        true => whole
            .split_once('T')
            .map_or(whole.clone(), |(_, time)| time.to_owned()),
        false => format!("{value} (in 1/{per_second} of a second)"),
    }
}

/// A time of day of `scale` digits: steps, the bytes they take ([MS-TDS] 2.2.5.5.1.8), and whether
/// something finer was cut.
fn steps(within: i128, scale: u8) -> (i128, usize, bool) {
    let size = 10_i128.pow(u32::from(7 - scale.min(7)));
    let width = match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    };
    (within / size, width, within % size != 0)
}

pub(super) fn time<'a>(
    get: impl Fn(usize) -> i128 + Copy + 'a,
    per_second: i128,
    to: SqlType,
    clip: bool,
) -> Option<Cell<'a>> {
    let SqlType::Time(scale) = to else {
        return None;
    };
    Some(Box::new(move |row, into| {
        let (ticks, cut) = ticks(get(row), per_second);
        let near = ticks.clamp(0, DAY - 1);
        if near != ticks && !clip {
            let time = time_shown(get(row), per_second);
            return Err(format!("the time {time} is outside of a day"));
        }
        let (steps, width, finer_still) = steps(near, scale);
        let cut = cut || finer_still;
        if cut && !clip {
            return Err(finer(&time_shown(get(row), per_second), to));
        }
        into.push(u8::try_from(width).unwrap_or_default());
        into.extend_from_slice(&steps.to_le_bytes()[..width]);
        Ok(Fit::clipped(cut || near != ticks))
    }))
}

/// Of moments that are in UTC and nowhere else.
pub(super) fn no_offset(_: usize) -> Result<(i16, Fit), Wrong> {
    Ok((0, Fit::Whole))
}

/// Moments with their offsets.
pub(super) fn with_offset(array: &StructArray, to: SqlType, clip: bool) -> Option<Cell<'_>> {
    let SqlType::DateTimeOffset(_) = to else {
        return None;
    };
    let (moments, offsets) = (array.column(0), array.column(1).as_primitive::<Int16Type>());
    let offset = move |row| {
        if moments.is_null(row) || offsets.is_null(row) {
            return Err("a moment without its offset, or an offset without its moment".to_owned());
        }
        // [MS-TDS] 2.2.5.5.1.9: up to fourteen hours.
        let (offset, near) = (offsets.value(row), offsets.value(row).clamp(-840, 840));
        match offset == near || clip {
            true => Ok((near, Fit::clipped(offset != near))),
            false => Err(format!(
                "an offset of {offset} minutes, and datetimeoffset has 14 hours at most"
            )),
        }
    };
    macro_rules! moments {
        ($type:ty, $per_second:expr) => {{
            let values = moments.as_primitive::<$type>().values();
            let get = move |row: usize| i128::from(values[row]);
            moment(get, $per_second, true, offset, to, clip)
        }};
    }
    match moments.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => moments!(TimestampSecondType, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => moments!(TimestampMillisecondType, 1_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            moments!(TimestampMicrosecondType, 1_000_000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            moments!(TimestampNanosecondType, 1_000_000_000)
        }
        _ => None,
    }
}

/// Moments. Those with a zone are in UTC: `datetimeoffset` keeps that, the others take the
/// wall clock of UTC.
pub(super) fn moment<'a>(
    get: impl Fn(usize) -> i128 + Copy + 'a,
    per_second: i128,
    utc: bool,
    offset: impl Fn(usize) -> Result<(i16, Fit), Wrong> + 'a,
    to: SqlType,
    clip: bool,
) -> Option<Cell<'a>> {
    let said = move |row| shown(get(row), per_second, utc);
    // The day from 1970 and the ticks within it, in the days that the type has.
    let apart = move |row: usize, first: i128, last: i128, years: &str| {
        let (ticks, cut) = ticks(get(row), per_second);
        let (day, within) = (ticks.div_euclid(DAY), ticks.rem_euclid(DAY));
        match (first..=last).contains(&day) {
            true => Ok((day, within, cut)),
            false if !clip => Err(format!("{} is outside the years {years}", said(row))),
            false if day < first => Ok((first, 0, true)),
            false => Ok((last, DAY - 1, true)),
        }
    };
    Some(match to {
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale)
            if utc || matches!(to, SqlType::DateTime2(_)) =>
        {
            let has_offset = matches!(to, SqlType::DateTimeOffset(_));
            let (first, last) = (-FROM_YEAR_1, LAST_DAY - FROM_YEAR_1);
            Box::new(move |row, into| {
                let (offset, offset_fit) = offset(row)?;
                let (day, within, cut) = apart(row, first.into(), last.into(), "1 to 9999")?;
                let (steps, width, finer_still) = steps(within, scale);
                let cut = cut || finer_still;
                if cut && !clip {
                    return Err(finer(&said(row), to));
                }
                let day = day + i128::from(FROM_YEAR_1);
                let len = width + 3 + if has_offset { 2 } else { 0 };
                into.push(u8::try_from(len).unwrap_or_default());
                into.extend_from_slice(&steps.to_le_bytes()[..width]);
                into.extend_from_slice(&day.to_le_bytes()[..3]);
                if has_offset {
                    into.extend_from_slice(&offset.to_le_bytes());
                }
                Ok(Fit::clipped(cut || offset_fit == Fit::Clipped))
            })
        }
        SqlType::DateTime => Box::new(move |row, into| {
            // 1753-01-01 and 9999-12-31, from 1900-01-01.
            let (first, last) = (-53_690 - FROM_1900, 2_958_463 - FROM_1900);
            let (day, within, cut) = apart(row, first.into(), last.into(), "1753 to 9999")?;
            let day = day + i128::from(FROM_1900);
            // Exactly what such a column shows: milliseconds that end in 0, 3 or 7.
            let millis = within / 10_000;
            let shown = |tick: i128| (tick * 10 + 1) / 3;
            let mut tick = ((millis * 3 + 5) / 10).min(25_919_999);
            if shown(tick) > millis {
                tick -= 1;
            }
            let cut = cut || shown(tick) * 10_000 != within;
            if cut && !clip {
                return Err(format!(
                    "{} would be rounded: datetime counts in 1/300 of a second",
                    said(row)
                ));
            }
            into.push(8);
            into.extend_from_slice(&day.to_le_bytes()[..4]);
            into.extend_from_slice(&tick.to_le_bytes()[..4]);
            Ok(Fit::clipped(cut))
        }),
        SqlType::SmallDateTime => Box::new(move |row, into| {
            let (first, last) = (-FROM_1900, i64::from(u16::MAX) - FROM_1900);
            let (day, within, cut) = apart(row, first.into(), last.into(), "1900 to 2079")?;
            let day = day + i128::from(FROM_1900);
            let cut = cut || within % 600_000_000 != 0;
            if cut && !clip {
                return Err(format!(
                    "{} has seconds, which smalldatetime doesn't",
                    said(row)
                ));
            }
            into.push(4);
            into.extend_from_slice(&day.to_le_bytes()[..2]);
            into.extend_from_slice(&(within / 600_000_000).to_le_bytes()[..2]);
            Ok(Fit::clipped(cut))
        }),
        _ => return None,
    })
}
