//! Gives every batch back as it came, or those of its settings.

use std::cell::Cell;

use crate::exports::hygge::plugin::transform;
use crate::hygge::plugin::types::Fault;
use crate::{Config, Evil, deeds};

impl transform::Guest for Evil {
    type Bound = Bound;

    fn bind(config: String, input: Vec<u8>) -> Result<transform::Bound, Fault> {
        let config = Config::new(&config);
        config.pass("bind")?;
        let schema = match config.text("schema").is_empty() {
            true => input,
            false => config.schema(),
        };
        let at = Cell::new(0);
        Ok(transform::Bound::new(Bound { config, schema, at }))
    }
}

pub(crate) struct Bound {
    config: Config,
    schema: Vec<u8>,
    at: Cell<usize>,
}

impl transform::GuestBound for Bound {
    fn schema(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.schema.clone())
    }

    fn apply(&self, batch: Vec<u8>) -> Result<Vec<Vec<u8>>, Fault> {
        self.config.pass("apply")?;
        if self.config.here("batch") {
            return Ok(vec![deeds::list(self.config.number("size", 0))]);
        }
        let n = self.at.replace(self.at.get() + 1);
        let times = self.config.number("times", 1) as usize;
        Ok(vec![self.config.batch(n).unwrap_or(batch); times])
    }

    fn finish(&self) -> Result<Vec<Vec<u8>>, Fault> {
        self.config.pass("finish")?;
        Ok(Vec::new())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        drop(self.config.pass("drop"));
    }
}
