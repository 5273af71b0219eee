//! A project's YAML files become one validated [`Plan`], or a list of everything that is wrong.

mod plan;

pub use plan::{
    Endpoint, Incremental, Lookback, OnError, Options, Origin, Plan, PlannedEntity, PlannedFlow,
};
