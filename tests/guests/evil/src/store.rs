//! Keeps batches as they came, a file a split, in the folder of its settings; without a folder
//! it keeps nothing. How many rows its receipts claim is in the settings.

use std::cell::RefCell;
use std::fs;

use crate::exports::hygge::plugin::store;
use crate::hygge::plugin::types::{Entity, Fault, Finding};
use crate::{Config, Evil, fault};

impl store::Guest for Evil {
    type Writer = Writer;

    fn check(config: String) -> Result<Vec<Finding>, Fault> {
        Config::new(&config).pass("check")?;
        Ok(Vec::new())
    }

    fn inspect(
        config: String,
        _: Entity,
        memory: Option<Vec<u8>>,
    ) -> Result<store::Standing, Fault> {
        Config::new(&config).pass("inspect")?;
        Ok(store::Standing {
            what: if memory.is_some() { "ours" } else { "vacant" }.to_owned(),
            run: None,
            example: None,
        })
    }

    fn begin(config: String, _: store::Target) -> Result<String, Fault> {
        let config = Config::new(&config);
        config.pass("begin")?;
        Ok("x".repeat(config.number("begun", 1) as usize))
    }

    fn open_writer(
        config: String,
        target: store::Target,
        _: String,
        split: String,
        attempt: u32,
    ) -> Result<store::Writer, Fault> {
        let config = Config::new(&config);
        config.pass("open-writer")?;
        Ok(store::Writer::new(Writer {
            staged: format!(
                "{}/.{}-{split}-{attempt}",
                config.text("folder"),
                target.run
            ),
            split,
            attempt,
            bytes: RefCell::default(),
            config,
        }))
    }

    fn commit(
        config: String,
        known: store::CommitRecord,
        receipts: Vec<store::Receipt>,
    ) -> Result<store::Settled, Fault> {
        let config = Config::new(&config);
        let folder = config.text("folder");
        if !folder.is_empty() {
            let io = |error| fault("destination.io", error);
            for receipt in &receipts {
                let to = format!("{folder}/{}-{}.rows", known.run, receipt.split);
                match fs::rename(&receipt.data, &to) {
                    Err(_) if fs::exists(&to).map_err(io)? => {}
                    done => done.map_err(io)?,
                }
            }
            // Done for good; what follows happens only the first time.
            let mark = format!("{folder}/{}.committed", known.run);
            if !fs::exists(&mark).map_err(io)? {
                fs::write(&mark, "").map_err(io)?;
                config.pass("commit")?;
            }
        }
        Ok(store::Settled {
            location: folder.to_owned(),
            parts: receipts.len() as u64,
            memory: Some(vec![b'x'; config.number("memory", 1) as usize]),
        })
    }

    fn abort(config: String, _: store::CommitRecord, _: Vec<store::Receipt>) -> Result<(), Fault> {
        Config::new(&config).pass("abort")
    }

    fn cleanup(config: String, _: Entity, _: Vec<String>) -> Result<(), Fault> {
        Config::new(&config).pass("cleanup")
    }
}

pub(crate) struct Writer {
    config: Config,
    staged: String,
    split: String,
    attempt: u32,
    bytes: RefCell<Vec<u8>>,
}

impl store::GuestWriter for Writer {
    fn write(&self, _: u64, batch: Vec<u8>) -> Result<(), Fault> {
        self.config.pass("write")?;
        self.bytes.borrow_mut().extend(batch);
        Ok(())
    }

    fn finish(&self) -> Result<store::Receipt, Fault> {
        self.config.pass("finish")?;
        if !self.config.text("folder").is_empty() {
            fs::write(&self.staged, &*self.bytes.borrow())
                .map_err(|error| fault("destination.io", error))?;
        }
        let other = self.config.text("split");
        Ok(store::Receipt {
            split: if other.is_empty() { &self.split } else { other }.to_owned(),
            attempt: self.config.number("attempt", self.attempt.into()) as u32,
            rows: self.config.number("rows", 0),
            bytes: u64::MAX,
            data: match self.config.number("data", 0) as usize {
                0 => self.staged.clone(),
                size => "x".repeat(size),
            },
            attributes: Vec::new(),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.config.pass("drop"));
    }
}
