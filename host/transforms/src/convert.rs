//! From one type to another, without a value that changes on the way.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_ord::cmp::distinct;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use arrow_select::nullif::nullif;
use hygge_core::{Fault, Result, code, textless, type_name, written, zone_offset};

use crate::decimal;

/// Makes NULL of what doesn't fit, which is then looked for.
pub(crate) const SAFE: CastOptions<'_> = CastOptions {
    safe: true,
    format_options: arrow_cast::display::FormatOptions::new(),
};

/// A way from one type to another.
pub(crate) struct Conversion {
    /// Through which the values go first.
    through: Option<DataType>,
    /// Through which they go last.
    last: Option<DataType>,
    to: DataType,
    /// Whether a value must come back as it was.
    exact: bool,
    /// Whether it is text that is a date, a time or a moment as it is written, or none.
    written: bool,
    /// Whether a time must be one of a day.
    timely: bool,
    /// Whether a number that had an end must still have one.
    ends: bool,
    /// Whether it goes by how numbers are written.
    digits: Option<Digits>,
    /// Ticks of the old unit to one of the new, for moments that are cut.
    ticks: Option<i64>,
}

#[derive(Clone, Copy)]
enum Digits {
    /// Decimals of texts and floats.
    Read,
    /// Floats of decimals.
    Floats,
}

impl Conversion {
    /// What can't be is told as `int64 from list<string>`, perhaps with a reason.
    pub(crate) fn new(from: &DataType, to: &DataType) -> Result<Self, String> {
        let pair = || format!("{} from {}", type_name(to), type_name(from));
        if (from.is_floating() || from.is_decimal()) && to.is_temporal() {
            return Err(format!("{} (only whole numbers count its units)", pair()));
        }
        if from.is_nested() || to.is_nested() || !can_cast_types(from, to) {
            return Err(pair());
        }
        if let (DataType::Timestamp(_, one), DataType::Timestamp(_, two)) = (from, to)
            && one.is_some() != two.is_some()
        {
            let why = "a moment and a time without a zone differ by a zone that nobody named";
            return Err(format!("{} ({why})", pair()));
        }
        let unknown = || format!("{} (a named zone needs the zones' history)", pair());
        let last = fixed(to, from).ok_or_else(unknown)?;
        let through = match (from, to) {
            (DataType::Dictionary(_, values), _) => Some(values.as_ref().clone()),
            (DataType::Float16, _) => Some(DataType::Float32),
            (DataType::Timestamp(..), _) => fixed(from, to).ok_or_else(unknown)?,
            _ => None,
        };
        let from = through.as_ref().unwrap_or(from);
        let float = matches!(to, DataType::Float32 | DataType::Float64);
        let digits = if to.is_decimal() && (from.is_string() || from.is_floating()) {
            Some(Digits::Read)
        } else if from.is_decimal() && float {
            Some(Digits::Floats)
        } else {
            None
        };
        Ok(Self {
            // A float that is asked to be a shorter one is asked to be rounded.
            exact: from.is_numeric()
                && digits.is_none()
                && (to.is_numeric() || *to == DataType::Boolean)
                && !(from.is_floating() && float)
                && !same_or_null(from, to),
            written: from.is_string() && is_written(to),
            timely: matches!(to, DataType::Time32(_) | DataType::Time64(_)),
            ends: float && (from.is_string() || from.is_floating()),
            digits,
            ticks: match (from, to) {
                (DataType::Timestamp(one, _), DataType::Timestamp(two, _)) => {
                    let ticks = per_second(*one) / per_second(*two);
                    (ticks > 1).then_some(ticks)
                }
                _ => None,
            },
            through,
            last,
            to: to.clone(),
        })
    }

    /// NULL for what the new type can't hold.
    pub(crate) fn lenient(&self, given: &ArrayRef) -> Result<ArrayRef> {
        self.run(given)
            .map_err(|error| Fault::internal(format!("a cast failed: {error}")))
    }

    /// An error for what the new type can't hold, with the first such value of the column.
    pub(crate) fn strict(&self, given: &ArrayRef, column: &str) -> Result<ArrayRef> {
        let made = self.lenient(given)?;
        let (before, after) = (given.logical_nulls(), made.logical_nulls());
        let lost = (0..given.len()).find(|row| {
            let was = before.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
            was && after.as_ref().is_some_and(|nulls| nulls.is_null(*row))
        });
        let Some(row) = lost else {
            return Ok(made);
        };
        let shown = array_value_to_string(given, row).unwrap_or_default();
        let shown: String = shown.chars().take(40).collect();
        let message = format!(
            "cast meets {shown:?} in column {column}, which {} can't hold",
            type_name(&self.to)
        );
        let instead = match &self.to {
            DataType::Date32 if self.written => "a date is written as 2026-01-31",
            DataType::Timestamp(..) if self.written => {
                "a timestamp is written as 2026-01-31T13:05:09.5, with a zone (`Z`, `+02:00`) where \
                 its type has one, and with no more digits than that holds"
            }
            _ if self.written => {
                "a time is written as 13:05:09.5, with no more digits than its type holds"
            }
            _ => "choose a wider type",
        };
        Err(Fault::new(code::SOURCE_INVALID, message)
            .with("column", column)
            .advise(format!(
                "{instead}, or `on_failure: set_null` to have NULL in its place"
            )))
    }

    fn run(&self, given: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        if let Some(ticks) = self.ticks {
            // Arrow cuts towards 1970, so that what was before would come after.
            let counted = cast_with_options(given, &DataType::Int64, &SAFE)?;
            let counted = counted.as_primitive::<Int64Type>();
            let cut = counted.unary::<_, Int64Type>(|at| at.div_euclid(ticks));
            return cast_with_options(&cut, &self.to, &SAFE);
        }
        let from = match &self.through {
            Some(through) => cast_with_options(given, through, &SAFE)?,
            None => Arc::clone(given),
        };
        if self.written {
            return read(&from, &self.to);
        }
        match self.digits {
            Some(Digits::Read) => return decimal::read(&from, &self.to),
            Some(Digits::Floats) => return decimal::floats(&from, &self.to),
            None => {}
        }
        let from = match &self.last {
            Some(last) => cast_with_options(&from, last, &SAFE)?,
            None => from,
        };
        // Arrow fails altogether over a moment beyond the calendar, and calls some lengths invalid.
        let silent = |row| from.is_valid(row) && textless(&from, row..row + 1);
        let shown =
            is_written(from.data_type()) || matches!(from.data_type(), DataType::Duration(_));
        let from = match shown && self.to.is_string() {
            true if textless(&from, 0..from.len()) => without(&from, silent)?,
            _ => from,
        };
        let made = cast_with_options(&from, &self.to, &SAFE)?;
        if self.timely {
            return without(&made, |row| {
                made.is_valid(row) && textless(&made, row..row + 1)
            });
        }
        if self.ends {
            let (before, after) = (endless(&from), endless(&made));
            return without(&made, |row| after(row) && !before(row));
        }
        if !self.exact {
            return Ok(made);
        }
        let back = cast_with_options(&made, from.data_type(), &SAFE)?;
        let differs: BooleanArray = distinct(&unsigned_zero(&from), &unsigned_zero(&back))?;
        match differs.has_true() {
            true => nullif(&made, &differs),
            false => Ok(made),
        }
    }
}

/// NULL in the place of some values.
pub(crate) fn without(
    column: &ArrayRef,
    wrong: impl Fn(usize) -> bool,
) -> Result<ArrayRef, ArrowError> {
    let wrong: BooleanArray = (0..column.len()).map(|row| Some(wrong(row))).collect();
    match wrong.has_true() {
        true => nullif(column, &wrong),
        false => Ok(Arc::clone(column)),
    }
}

/// Whether values are dates, times or moments, for which text is read as files are.
fn is_written(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Date32 | T::Date64 | T::Time32(_) | T::Time64(_) | T::Timestamp(..)
    )
}

/// Dates, times and moments of text.
fn read(text: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let text = cast_with_options(text, &DataType::LargeUtf8, &SAFE)?;
    let text = text.as_string::<i64>();
    let days = |text: Option<&str>| text.and_then(written::date);
    let ticks = |text: Option<&str>| match to {
        DataType::Timestamp(unit, zone) => written::moment(text?, *unit, zone.as_deref()),
        DataType::Time32(unit) | DataType::Time64(unit) => written::time(text?, *unit),
        _ => None,
    };
    let made: ArrayRef = match to {
        DataType::Date32 | DataType::Date64 => {
            let days: PrimitiveArray<Int32Type> = text.iter().map(days).collect();
            cast_with_options(&days, &DataType::Date32, &SAFE)?
        }
        DataType::Time32(_) => {
            let ticks: PrimitiveArray<Int64Type> = text.iter().map(ticks).collect();
            cast_with_options(&ticks, &DataType::Int32, &SAFE)?
        }
        _ => Arc::new(PrimitiveArray::<Int64Type>::from_iter(
            text.iter().map(ticks),
        )),
    };
    cast_with_options(&made, to, &SAFE)
}

/// Which numbers, or texts of numbers, are infinite.
fn endless(column: &ArrayRef) -> Box<dyn Fn(usize) -> bool + '_> {
    // Infinity has no digits.
    let digits = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    match column.data_type() {
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().values();
            Box::new(|row| values[row].is_infinite())
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            Box::new(|row| values[row].is_infinite())
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            Box::new(move |row| !digits(texts.value(row)))
        }
        DataType::LargeUtf8 => {
            let texts = column.as_string::<i64>();
            Box::new(move |row| !digits(texts.value(row)))
        }
        DataType::Utf8View => {
            let texts = column.as_string_view();
            Box::new(move |row| !digits(texts.value(row)))
        }
        _ => Box::new(|_| false),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Whether Arrow gives the same number or NULL, and never another: where there is no rounding,
/// nothing needs to be converted back.
fn same_or_null(from: &DataType, to: &DataType) -> bool {
    let places = |data_type: &DataType| match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        whole if whole.is_integer() => Some(0),
        _ => None,
    };
    match (places(from), places(to)) {
        (Some(before), Some(after)) => before <= after,
        _ => false,
    }
}

/// Another name for a type's zone that is known without the zones' history, where one is needed:
/// none at all if there is no such name.
fn fixed(data_type: &DataType, other: &DataType) -> Option<Option<DataType>> {
    let DataType::Timestamp(unit, Some(zone)) = data_type else {
        return Some(None);
    };
    // A moment is the same in every zone.
    let moments = matches!(other, DataType::Timestamp(_, Some(_)));
    let name: Arc<str> = match zone_offset(zone) {
        Some(_) if zone.starts_with(['+', '-']) => return Some(None),
        Some(_) => "+00:00".into(),
        None if moments => "+00:00".into(),
        None => return None,
    };
    Some(Some(DataType::Timestamp(*unit, Some(name))))
}

/// -0.0 as 0.0, which is the same number.
fn unsigned_zero(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => Arc::new(
            column
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| v + 0.0),
        ),
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| v + 0.0),
        ),
        _ => Arc::clone(column),
    }
}
