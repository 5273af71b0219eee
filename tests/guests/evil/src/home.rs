//! Gives the batches of its settings, in one split.

use std::cell::Cell;

use crate::exports::hygge::plugin::home;
use crate::hygge::plugin::types::{Entity, Fault, Finding};
use crate::{Config, Evil, deeds};

impl home::Guest for Evil {
    type Reader = Reader;

    fn check(config: String) -> Result<Vec<Finding>, Fault> {
        Config::new(&config).pass("check")?;
        Ok(Vec::new())
    }

    fn discover(config: String) -> Result<String, Fault> {
        Config::new(&config).pass("discover")?;
        Ok(r#"{"entities": []}"#.to_owned())
    }

    fn splits(config: String, _: Entity, _: home::SplitRequest) -> Result<home::SplitPlan, Fault> {
        let config = Config::new(&config);
        config.pass("splits")?;
        let split = |n: u64| home::Split {
            id: match n {
                0 if !config.text("split").is_empty() => config.text("split").to_owned(),
                n => format!("split-{n}"),
            },
            spec: "x".repeat(config.number("spec", 1) as usize),
            rows: Some(u64::MAX),
            bytes: Some(u64::MAX),
        };
        Ok(home::SplitPlan {
            schema: config.schema(),
            splits: (0..config.number("splits", 1)).map(split).collect(),
            fingerprint: "always".to_owned(),
            high: None,
            position: None,
            warnings: Vec::new(),
            attributes: Vec::new(),
        })
    }

    fn open(
        config: String,
        _: Entity,
        _: home::Split,
        _: Option<String>,
    ) -> Result<home::Reader, Fault> {
        let config = Config::new(&config);
        config.pass("open")?;
        let at = Cell::new(0);
        Ok(home::Reader::new(Reader { config, at }))
    }

    fn acknowledge(config: String, _: Entity, _: String) -> Result<(), Fault> {
        Config::new(&config).pass("acknowledge")
    }
}

pub(crate) struct Reader {
    config: Config,
    at: Cell<usize>,
}

impl home::GuestReader for Reader {
    fn schema(&self) -> Result<Vec<u8>, Fault> {
        self.config.pass("schema")?;
        Ok(match self.config.0["read_schema"].is_null() {
            true => self.config.schema(),
            false => Config::bytes(&self.config.0["read_schema"]),
        })
    }

    fn next(&self, _: u32, _: u64, _: u32) -> Result<Option<home::Step>, Fault> {
        let n = self.at.get();
        self.at.set(n + 1);
        if self.config.number("after", 0) == n as u64 {
            self.config.pass("next")?;
            if self.config.here("batch") {
                let batch = Some(deeds::list(self.config.number("size", 0)));
                return Ok(Some(home::Step {
                    batch,
                    position: None,
                }));
            }
        }
        let position = "x".repeat(self.config.number("position", 1) as usize);
        Ok(self.config.batch(n).map(|batch| home::Step {
            batch: Some(batch),
            position: Some(position),
        }))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.config.pass("drop"));
    }
}
