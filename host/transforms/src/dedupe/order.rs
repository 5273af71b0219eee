//! `order_by`: which columns put rows in order, and which way.

use std::collections::BTreeMap;

use arrow_schema::SortOptions;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A column that rows are put in order by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct By {
    pub(super) column: String,
    pub(super) way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    /// The least first, NULL before all.
    Asc,
    /// The greatest first, NULL after all.
    Desc,
}

/// A column by its name, or with the way that it orders: `{updated_at: desc}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Written {
    Name(String),
    Way(#[schemars(extend("minProperties" = 1, "maxProperties" = 1))] BTreeMap<String, Way>),
}

/// One, or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Order {
    One(Written),
    Many(Vec<Written>),
}

impl By {
    /// As it is said: `version`, `updated_at desc`.
    pub(super) fn shown(&self) -> String {
        match self.way {
            Way::Asc => self.column.clone(),
            Way::Desc => format!("{} desc", self.column),
        }
    }

    pub(super) fn options(&self) -> SortOptions {
        match self.way {
            Way::Asc => SortOptions::new(false, true),
            Way::Desc => SortOptions::new(true, false),
        }
    }

    /// Reads a field that is a list within the program.
    pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Self>, D::Error> {
        let written = match Order::deserialize(from)? {
            Order::One(one) => vec![one],
            Order::Many(many) => many,
        };
        let each = written.into_iter().map(|written| match written {
            Written::Name(column) => Ok(Self {
                column,
                way: Way::Asc,
            }),
            Written::Way(ways) => {
                let mut ways = ways.into_iter();
                match (ways.next(), ways.next()) {
                    (Some((column, way)), None) => Ok(Self { column, way }),
                    // A map has no order.
                    _ => Err(D::Error::custom(
                        "each column of order_by stands by itself: `[{a: desc}, {b: asc}]`",
                    )),
                }
            }
        });
        each.collect()
    }
}
