//! From which watermark a run reads, worked out before and after the schema is known.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use hygge_core::{
    Action, Bounds, Fault, Result, SplitPlan, Strategy, Watermark, WatermarkType, code,
    columns_instead, quoted, type_name,
};
use hygge_project::{Incremental, Lookback};
use hygge_state::EntityState;

use crate::newest::Highest;
use crate::rowhash::hashed_as;
use crate::widened::{Widened, lossless};
use crate::window::{Before, Follow, Taken, WINDOW_ROWS, WindowState, unpack};

/// How far back a timestamp is read again by default: rows written by a transaction that was
/// open at the last run appear with times before its end.
const DEFAULT_TIMESTAMP_LOOKBACK: u64 = 5 * 60;

/// Where an incremental run goes on.
#[derive(Debug, Clone)]
pub(crate) struct Low {
    /// The watermark of the last commit.
    pub(crate) watermark: Watermark,
    /// The last commit's window, when it kept one.
    window: Option<WindowState>,
    /// Whose it is, as a person writes it in a command.
    named: String,
}

impl Low {
    /// What the state says, if this entity goes on from it; `None` when it takes everything.
    pub(crate) fn of(
        incremental: &Incremental,
        state: Option<&EntityState>,
    ) -> Result<Option<Self>> {
        let (Some(column), Some(state)) = (&incremental.column, state) else {
            return Ok(None);
        };
        let Some(watermark) = &state.watermark else {
            return Ok(None);
        };
        if watermark.column != *column {
            return Err(Fault::new(
                code::CONFIG,
                format!(
                    "the last run followed column {:?}, the configuration says {column:?}",
                    watermark.column
                ),
            )
            .with("column", column)
            .advise("run it once with `--full` to begin anew with the other column"));
        }
        let window = state
            .window
            .clone()
            .map(serde_json::from_value)
            .transpose()
            .map_err(|e| Fault::new(code::STATE, format!("the state's window is damaged: {e}")))?;
        let low = Self {
            watermark: watermark.clone(),
            window,
            named: quoted(&format!("{}.{}", state.flow, state.entity)),
        };
        if low.covered()? > watermark.ordinal()? {
            return Err(low.put_back());
        }
        Ok(Some(low))
    }

    /// The rows to read. Append never reads below what the last window covers: rows below it
    /// can't be told from those already taken.
    pub(crate) fn bounds(&self, incremental: &Incremental) -> Result<Bounds> {
        let kind = self.watermark.kind;
        let back = lookback(incremental, kind)?;
        let mut low = self.watermark.ordinal()?.saturating_sub(back);
        if incremental.strategy == Strategy::Append {
            low = low.max(self.covered()?);
        }
        Ok(Bounds {
            column: self.watermark.column.clone(),
            kind,
            low,
        })
    }

    /// The least watermark at which rows taken earlier are known.
    fn covered(&self) -> Result<i128> {
        match &self.window {
            Some(window) => window
                .from
                .parse()
                .map_err(|_| Fault::new(code::STATE, "the state's window is damaged")),
            None => self.watermark.ordinal(),
        }
    }

    /// The fault for a watermark below rows that are remembered as taken: no run leaves one. Going
    /// on would take some of them twice, and leave out others.
    fn put_back(&self) -> Fault {
        let Watermark { column, value, .. } = &self.watermark;
        Fault::new(
            code::STATE,
            format!(
                "the state's watermark {column} = {value} is below rows that the last run took: it \
                 was changed by hand"
            ),
        )
        .with("column", column)
        .advise(format!(
            "put it back, or say `hygge state set {} --watermark {value}`, and all rows from \
             there on are taken again",
            self.named
        ))
    }

    /// A lookback that was made longer takes effect as the watermark moves on: rows before the
    /// last window can't be told from those already taken.
    pub(crate) fn warning(&self, incremental: &Incremental) -> Result<Option<String>> {
        // Without a window the watermark was set by hand; there was no lookback to grow from.
        if incremental.strategy != Strategy::Append || self.window.is_none() {
            return Ok(None);
        }
        let kind = self.watermark.kind;
        let wanted = self
            .watermark
            .ordinal()?
            .saturating_sub(lookback(incremental, kind)?);
        let covered = self.covered()?;
        Ok((wanted < covered).then(|| {
            format!(
                "the lookback grew: this run reads from {}, later ones reach back further as new \
                 rows come",
                kind.show(covered)
            )
        }))
    }
}

/// The lookback in ordinals of the watermark's type.
pub(crate) fn lookback(incremental: &Incremental, kind: WatermarkType) -> Result<i128> {
    let impossible = |what: &str| {
        Fault::new(
            code::CONFIG,
            format!("a lookback of {what} doesn't fit a watermark of type {kind}"),
        )
        .advise("give a plain number, in the column's unit")
    };
    let value = match (incremental.lookback, kind) {
        (None, WatermarkType::Timestamp { per_second, .. }) => {
            i128::from(DEFAULT_TIMESTAMP_LOOKBACK) * i128::from(per_second)
        }
        (None, _) => 0,
        (Some(Lookback::Units(n)), WatermarkType::Integer | WatermarkType::Date) => n.into(),
        (
            Some(Lookback::Units(n) | Lookback::Seconds(n)),
            WatermarkType::Timestamp { per_second, .. },
        ) => i128::from(n) * i128::from(per_second),
        (Some(Lookback::Units(n)), WatermarkType::Decimal { scale }) => 10_i128
            .checked_pow(scale.into())
            .and_then(|unit| unit.checked_mul(n.into()))
            .ok_or_else(|| impossible("that size"))?,
        (Some(Lookback::Seconds(s)), WatermarkType::Date) => s.div_ceil(86_400).into(),
        (Some(Lookback::Seconds(_)), WatermarkType::Integer | WatermarkType::Decimal { .. }) => {
            return Err(impossible("a duration"));
        }
    };
    Ok(value)
}

/// What following the watermark needs once the schema is known, and the rows that the last
/// window held, in today's type.
pub(crate) fn follow(
    incremental: &Incremental,
    action: Action,
    low: Option<&Low>,
    window: Option<&[u8]>,
    schema: &Schema,
) -> Result<Option<(Arc<Follow>, Vec<Taken>)>> {
    let Some(column) = &incremental.column else {
        return Ok(None);
    };
    let field = schema.field_with_name(column).map_err(|_| {
        Fault::new(
            code::CONFIG,
            format!("the source has no column {column:?} to use as watermark"),
        )
        .with("column", column)
        .advise(columns_instead(column, schema))
    })?;
    // The key of a merge is followed through the transforms, see `traced`.
    let hashed = incremental.key.iter();
    for key in hashed.filter(|_| incremental.strategy == Strategy::Append) {
        if schema.field_with_name(key).is_err() {
            return Err(Fault::new(
                code::CONFIG,
                format!("the source has no column {key:?} to use in the key"),
            )
            .with("column", key)
            .advise(columns_instead(key, schema)));
        }
    }
    let kind = WatermarkType::of(column, field.data_type())?;
    let append = incremental.strategy == Strategy::Append;
    let columns = match (append, incremental.key.is_empty()) {
        (false, _) => Vec::new(),
        (true, true) => schema.fields().iter().map(|f| f.name().clone()).collect(),
        (true, false) => {
            let mut columns = incremental.key.clone();
            if !columns.contains(column) {
                columns.push(column.clone());
            }
            columns
        }
    };
    let mut rows = Vec::new();
    let mut before = None;
    if let (true, Action::Append, Some(low)) = (append, action, low) {
        let from = low.watermark.kind;
        let convert = |ordinal| {
            from.convert(ordinal, kind).ok_or_else(|| {
                Fault::new(
                    code::SCHEMA,
                    format!("the watermark column {column:?} was {from} and is now {kind}"),
                )
                .with("column", column)
                .advise("run it once with `--full`")
            })
        };
        rows = unpack(window.unwrap_or_default())?;
        for row in &mut rows {
            row.ordinal = convert(row.ordinal)?;
        }
        let hashed = low
            .window
            .as_ref()
            .map_or_else(|| columns.clone(), |w| w.columns.clone());
        if !incremental.key.is_empty() && hashed != columns {
            return Err(Fault::new(
                code::CONFIG,
                format!(
                    "the key changed since the last run, which used {}",
                    hashed.join(", ")
                ),
            )
            .advise("run it once with `--full` to begin anew with the other key"));
        }
        let widened = match &low.window {
            Some(window) => widened(window, schema)?,
            None => Widened::default(),
        };
        let high = convert(low.watermark.ordinal()?)?;
        if rows.iter().any(|row| row.ordinal > high) {
            return Err(low.put_back());
        }
        let others = hashed != columns || !widened.is_empty();
        before = Some(Arc::new(Before::new(hashed, high, &rows).widened(widened)));
        if others {
            // Hashes over other columns or types tell nothing any more; rows met are hashed anew.
            rows.clear();
        }
    }
    let lookback = lookback(incremental, kind)?;
    let types = columns
        .iter()
        .filter_map(|name| schema.field_with_name(name).ok())
        .map(|field| hashed_as(field.data_type()).to_string())
        .collect();
    let follow = Follow {
        column: column.clone(),
        kind,
        lookback,
        columns,
        types,
        before,
        highest: Highest::default(),
        most: WINDOW_ROWS,
    };
    Ok(Some((Arc::new(follow), rows)))
}

/// The columns that became wider. Rows whose column changed its type in another way can't be
/// recognised by their hash: going on would take them twice.
fn widened(window: &WindowState, schema: &Schema) -> Result<Widened> {
    let mut widened = Widened::default();
    for (column, was) in window.columns.iter().zip(&window.types) {
        let Ok(field) = schema.field_with_name(column) else {
            return Err(Fault::new(
                code::SCHEMA,
                format!("column {column:?} is gone, so rows taken earlier can't be recognised"),
            )
            .with("column", column)
            .advise("run it once with `--full`, and `on_schema_change: warn`, to begin anew with what it is now"));
        };
        let is = hashed_as(field.data_type());
        if is.to_string() != *was {
            let parsed = was.parse::<DataType>().ok();
            if let Some(was) = parsed.as_ref().filter(|was| lossless(was, &is)) {
                widened.add(column, was.clone());
                continue;
            }
            let was = parsed.as_ref().map_or_else(|| was.clone(), type_name);
            return Err(Fault::new(
                code::SCHEMA,
                format!(
                    "column {column:?} was {was} and is now {}, so rows taken earlier can't be \
                     recognised",
                    type_name(&is)
                ),
            )
            .with("column", column)
            .advise("run it once with `--full`, and `on_schema_change: warn`, to begin anew with what it is now"));
        }
    }
    Ok(widened)
}

/// The columns that tell rows apart: those that are written, or the source's own.
pub(crate) fn key(incremental: &Incremental, plan: &SplitPlan) -> Result<Vec<String>> {
    let (written, own) = (&incremental.key, &plan.key);
    if written.is_empty() {
        return Ok(own.clone());
    }
    // One that the source doesn't have was renamed on the way.
    let other = |name: &String| !own.contains(name) && plan.schema.index_of(name).is_ok();
    if !own.is_empty() && (written.len() != own.len() || written.iter().any(other)) {
        return Err(Fault::new(
            code::CONFIG,
            format!(
                "changes are told by {}, and `key` says {}",
                own.join(", "),
                written.join(", ")
            ),
        )
        .advise("leave `key` out: it is followed through the transforms"));
    }
    Ok(written.clone())
}

/// A watermark beyond now usually means a wrong date in the source, and that rows written
/// from now on will be missed.
pub fn in_the_future(watermark: &Watermark, now: jiff::Timestamp) -> Option<String> {
    let ordinal = watermark.ordinal().ok()?;
    let seconds = match watermark.kind {
        WatermarkType::Date => ordinal.checked_mul(86_400)?,
        WatermarkType::Timestamp { per_second, .. } => ordinal.div_euclid(per_second.into()),
        _ => return None,
    };
    // A column without a zone may be up to 14 hours ahead of UTC.
    let ahead = seconds > i128::from(now.as_second()) + 14 * 3_600;
    ahead.then(|| {
        format!(
            "{} = {} lies in the future: rows with earlier values that appear from now on will be \
             missed",
            watermark.column, watermark.value
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(lookback: Option<Lookback>) -> Incremental {
        Incremental {
            strategy: Strategy::Append,
            column: Some("at".into()),
            key: Vec::new(),
            lookback,
        }
    }

    #[test]
    fn lookback_is_in_the_columns_unit() {
        let us = WatermarkType::Timestamp {
            per_second: 1_000_000,
            utc: true,
        };
        let ticks = |given, kind| lookback(&with(given), kind);
        assert_eq!(ticks(None, us).unwrap(), 300_000_000);
        assert_eq!(ticks(None, WatermarkType::Integer).unwrap(), 0);
        assert_eq!(ticks(Some(Lookback::Units(2)), us).unwrap(), 2_000_000);
        assert_eq!(
            ticks(Some(Lookback::Seconds(90_000)), WatermarkType::Date).unwrap(),
            2
        );
        let cents = WatermarkType::Decimal { scale: 2 };
        assert_eq!(ticks(Some(Lookback::Units(3)), cents).unwrap(), 300);
        assert!(ticks(Some(Lookback::Seconds(1)), WatermarkType::Integer).is_err());
    }

    #[test]
    fn a_column_of_another_type_is_refused_before_rows_are_taken_twice() {
        use arrow_schema::Field;
        let window = WindowState {
            from: "0".into(),
            columns: vec!["v".into()],
            types: vec!["Int64".into()],
            rows: 1,
        };
        let with_type = |data_type| Schema::new(vec![Field::new("v", data_type, true)]);
        assert!(widened(&window, &with_type(DataType::Int32)).is_ok());
        let fault = widened(&window, &with_type(DataType::Float64)).unwrap_err();
        assert_eq!(
            fault.message,
            "column \"v\" was int64 and is now float64, so rows taken earlier can't be recognised"
        );
    }

    #[test]
    fn tomorrow_is_the_future_and_today_is_not() {
        let now: jiff::Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
        let mark = |value: &str| Watermark {
            column: "day".into(),
            value: value.into(),
            kind: WatermarkType::Date,
        };
        assert!(in_the_future(&mark("2026-01-10"), now).is_none());
        assert!(in_the_future(&mark("2026-01-12"), now).is_some());
    }
}
