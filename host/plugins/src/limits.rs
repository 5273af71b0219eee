//! How much a plugin may take.

use std::time::Duration;

use serde::Deserialize;
use wasmtime::ResourceLimiter;

/// What one plugin may take, from `plugins.<name>.limits` in hygge.yml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, in bytes. Default: 256 MiB.
    pub memory: usize,
    /// Time of one call, host time counted. Default: 30 seconds.
    pub call_timeout: Duration,
    /// Time of `finish` and `commit`. Default: 10 minutes, or `call_timeout` if that is more.
    pub commit_timeout: Duration,
    /// Bytes of one batch. Default: 32 MiB.
    pub batch: usize,
    /// HTTP requests a second; none: as many as it likes, four at once.
    pub rate: Option<u32>,
    /// Bytes of one HTTP response. Default: 256 MiB.
    pub response: usize,
    /// Bytes written below granted folders in one run. Default: 10 GiB.
    pub write: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            call_timeout: Duration::from_secs(30),
            commit_timeout: Duration::from_secs(600),
            batch: 32 << 20,
            rate: None,
            response: 256 << 20,
            write: 10 << 30,
        }
    }
}

/// The longest time that compiling one may take.
pub(crate) const COMPILE: Duration = Duration::from_secs(120);
/// The most memory that compiling one may take.
pub(crate) const COMPILE_MEMORY: u64 = 4 << 30;
/// The longest text of a message or log line.
pub(crate) const MESSAGE: usize = 10_000;
/// The longest opaque text: positions, specs, receipts.
pub(crate) const OPAQUE: usize = 64 << 10;
/// The longest schema.
pub(crate) const SCHEMA: usize = 1 << 20;
/// The longest catalog.
pub(crate) const CATALOG: usize = 16 << 20;
/// Most splits of an entity.
pub(crate) const SPLITS: usize = 10_000;
/// Most columns, nested ones counted.
pub(crate) const COLUMNS: usize = 4_096;
/// Deepest nesting of a column.
pub(crate) const DEPTH: usize = 16;
/// Most bytes of `settled.memory`.
pub(crate) const MEMORY: usize = 4 << 20;
/// Most resources that an instance may hold of the host.
pub(crate) const HANDLES: usize = 1_000;
/// `limits:` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsConfig {
    memory: Option<Written>,
    call_timeout: Option<Written>,
    batch: Option<Written>,
    rate: Option<u32>,
    response: Option<Written>,
    write: Option<Written>,
}

/// A number, or a number with a unit.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl Written {
    fn parts(&self) -> Option<(u64, String)> {
        match self {
            Self::Number(number) => Some((*number, String::new())),
            Self::Text(text) => {
                let digits = text
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(text.len());
                let (number, unit) = text.split_at(digits);
                Some((number.parse().ok()?, unit.trim().to_ascii_lowercase()))
            }
        }
    }

    fn bytes(&self) -> Option<u64> {
        let (number, unit) = self.parts()?;
        let factor: u64 = match unit.as_str() {
            "" | "b" => 1,
            "kib" | "k" => 1 << 10,
            "kb" => 1_000,
            "mib" | "m" => 1 << 20,
            "mb" => 1_000_000,
            "gib" | "g" => 1 << 30,
            "gb" => 1_000_000_000,
            _ => return None,
        };
        number.checked_mul(factor)
    }

    fn time(&self) -> Option<Duration> {
        let (number, unit) = self.parts()?;
        Some(match unit.as_str() {
            "ms" => Duration::from_millis(number),
            "" | "s" => Duration::from_secs(number),
            "m" | "min" => Duration::from_secs(number.checked_mul(60)?),
            _ => return None,
        })
    }
}

impl LimitsConfig {
    /// The limits, with defaults for what isn't written; or which value is none, and of what kind.
    pub(crate) fn read(&self) -> Result<Limits, (&'static str, &'static str)> {
        const SIZE: &str = "a size, as `256 MiB`";
        let size = |written: &Option<Written>, name, default: u64| match written {
            None => Ok(default),
            Some(written) => written.bytes().filter(|n| *n > 0).ok_or((name, SIZE)),
        };
        let fits = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let base = Limits::default();
        let call_timeout = match &self.call_timeout {
            None => base.call_timeout,
            Some(written) => written
                .time()
                .filter(|time| !time.is_zero())
                .ok_or(("call_timeout", "a time, as `30s`"))?,
        };
        Ok(Limits {
            // A component can't address more than this anyway.
            memory: fits(size(&self.memory, "memory", base.memory as u64)?.min(4 << 30)),
            call_timeout,
            commit_timeout: base.commit_timeout.max(call_timeout),
            batch: fits(size(&self.batch, "batch", base.batch as u64)?.min(1 << 30)),
            rate: match self.rate {
                Some(0) => return Err(("rate", "requests a second, 1 or more")),
                rate => rate,
            },
            response: fits(size(&self.response, "response", base.response as u64)?),
            write: size(&self.write, "write", base.write)?,
        })
    }
}

/// Counts the memory of all of an instance's memories together; wasmtime's own limits count each.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: usize,
    mark: usize,
    now: usize,
    /// The most it ever had.
    pub(crate) peak: usize,
    /// Whether it was refused some.
    pub(crate) refused: bool,
}

impl Meter {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: limit,
            now: 0,
            peak: 0,
            refused: false,
        }
    }

    /// What it has by now is what it needs; half of the rest may come, then it has grown.
    pub(crate) fn settled(&mut self) {
        self.mark = self.now + self.limit.saturating_sub(self.now) / 2;
    }

    /// Whether an instance that can be replaced should be.
    pub(crate) fn grown(&self) -> bool {
        self.now > self.mark
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if self.now.saturating_add(more) > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.now += more;
        self.peak = self.peak.max(self.now);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }

    fn instances(&self) -> usize {
        200
    }

    fn memories(&self) -> usize {
        20
    }

    fn tables(&self) -> usize {
        50
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Limits, (&'static str, &'static str)> {
        serde_json::from_value::<LimitsConfig>(json).unwrap().read()
    }

    #[test]
    fn limits_are_read_as_people_write_them() {
        let limits = read(serde_json::json!({
            "memory": "64 MiB", "call_timeout": "500ms", "batch": 1_000_000,
        }))
        .unwrap();
        assert_eq!(limits.memory, 64 << 20);
        assert_eq!(limits.call_timeout, Duration::from_millis(500));
        assert_eq!(limits.batch, 1_000_000);
        assert_eq!(limits.commit_timeout, Duration::from_secs(600));
        assert_eq!(read(serde_json::json!({})).unwrap(), Limits::default());
        assert_eq!(
            read(serde_json::json!({"memory": "much"})).unwrap_err().0,
            "memory"
        );
        assert_eq!(
            read(serde_json::json!({"call_timeout": "1 day"}))
                .unwrap_err()
                .0,
            "call_timeout"
        );
    }

    #[test]
    fn memories_are_counted_together() {
        let mut meter = Meter::new(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.refused);
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert_eq!(meter.peak, 100);
    }

    #[test]
    fn what_was_there_at_first_is_no_growth() {
        let mut meter = Meter::new(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        meter.settled();
        assert!(meter.memory_growing(60, 80, None).unwrap());
        assert!(!meter.grown());
        assert!(meter.memory_growing(80, 81, None).unwrap());
        assert!(meter.grown());
    }
}
