//! `volume`: as many rows as the last runs had, give or take.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use hygge_core::{
    About, BoundCheck, BuildContext, Context, Looking, Problem, Result, Verdict, count,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::kind::{Spec, problem};
use crate::row_count::{Nothing, brought};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Volume {
    /// How many of the last runs are looked at: those that committed and did the same (replace,
    /// append, merge). Before there is one, the check passes. Default: 7.
    #[serde(default = "seven")]
    #[schemars(range(min = 1, max = 1000))]
    runs: u16,
    /// The least part of their average that may come. Default: 0.5.
    #[serde(default = "half")]
    min_ratio: f64,
    /// The greatest multiple of their average that may come. Default: 2.
    #[serde(default = "twice")]
    max_ratio: f64,
}

fn seven() -> u16 {
    7
}

fn half() -> f64 {
    0.5
}

fn twice() -> f64 {
    2.0
}

impl Spec for Volume {
    const NAME: &'static str = "volume";
    const SUMMARY: &'static str = "a run brings about as many rows as the last ones did";
    const OF_ROWS: bool = false;

    fn problems(&self) -> Vec<Problem> {
        let (min, max) = (self.min_ratio, self.max_ratio);
        match min.is_finite() && max.is_finite() && min >= 0.0 && max >= min {
            true => Vec::new(),
            false => vec![problem(
                "",
                "`min_ratio` must lie between 0 and `max_ratio`",
            )],
        }
    }

    fn describe(&self) -> String {
        format!(
            "volume {} to {} times the last {}",
            self.min_ratio, self.max_ratio, self.runs
        )
    }

    fn bind(&self, _: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        Ok(Arc::new(self.clone()))
    }
}

/// A number of rows, for people.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that isn't negative"
)]
fn whole(rows: f64) -> String {
    count(rows.round() as u64)
}

impl BoundCheck for Volume {
    fn look(&self, _: &Context) -> Box<dyn Looking> {
        Box::new(Nothing)
    }

    fn looks(&self) -> bool {
        false
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio of counts")]
    fn judge(&self, _: &[Value], about: &About) -> Result<Verdict> {
        // After some quiet runs nothing could come any more.
        let earlier = about.earlier.iter().filter(|rows| **rows > 0);
        let earlier: Vec<u64> = earlier.take(usize::from(self.runs)).copied().collect();
        let runs = earlier.len();
        if runs == 0 {
            return Ok(Verdict::Passed);
        }
        let average = earlier.iter().map(|rows| *rows as f64).sum::<f64>() / runs as f64;
        let now = about.rows as f64;
        let (least, most) = (average * self.min_ratio, average * self.max_ratio);
        Ok(match now < least || now > most {
            false => Verdict::Passed,
            true => Verdict::Failed {
                why: format!(
                    "{}; {}, and {} to {} may come",
                    brought(about.rows),
                    match runs {
                        1 => format!("the last run had {}", whole(average)),
                        runs => format!("the last {runs} runs had {} on average", whole(average)),
                    },
                    whole(least),
                    whole(most),
                ),
                rows: None,
            },
        })
    }
}
