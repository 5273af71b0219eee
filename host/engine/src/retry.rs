use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hygge_core::{Fault, Result};
use rand::RngExt as _;

use crate::StopSignal;

/// How long the first wait is, before jitter.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait, unless the fault itself asks for more.
const MOST: Duration = Duration::from_secs(30);

/// The wait before trying again after the `failed`-th failure (counted from 1): doubles each
/// time, and lies anywhere between half of that and all of it, so that splits which failed
/// together don't come back together.
pub(crate) fn backoff(failed: u32, fault: &Fault) -> Duration {
    let doubled = BASE.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
    let jittered = doubled
        .min(MOST)
        .mul_f64(rand::rng().random_range(0.5..=1.0));
    jittered.max(fault.retry_after.unwrap_or_default())
}

/// Hears of each failure after which there is another try, and of the wait before it.
type Told<'a> = dyn Fn(u32, &Fault, Duration) + Send + Sync + 'a;

/// How often something is tried again, whatever of it fails.
pub(crate) struct Retries<'a> {
    /// Ends a wait.
    signal: StopSignal,
    most: u32,
    failed: AtomicU32,
    told: Box<Told<'a>>,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(most: u32, told: impl Fn(u32, &Fault, Duration) + Send + Sync + 'a) -> Self {
        Self {
            signal: StopSignal::default(),
            most,
            failed: AtomicU32::new(0),
            told: Box::new(told),
        }
    }

    /// The same, but nobody who asks to stop is kept waiting for the next try.
    pub(crate) fn until(mut self, signal: StopSignal) -> Self {
        self.signal = signal;
        self
    }

    /// Calls `work` until it succeeds, fails for good, or failed too often in a way that may
    /// pass. `work` gets the number of the try, counted from 1.
    pub(crate) async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        mut work: impl FnMut(u32) -> F,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match work(tries).await {
                Err(fault) => self
                    .again(fault)
                    .await
                    .map_err(|fault| self.counted(fault))?,
                done => return done,
            }
            tries += 1;
        }
    }

    /// After a failure of the whole or of a part: waits until it is time to try again, or gives
    /// the fault back when there is no other try.
    pub(crate) async fn again(&self, fault: Fault) -> Result<()> {
        let more = |failed| (failed < self.most).then_some(failed + 1);
        let failed = match fault.retryable {
            true => (self.failed).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more),
            false => Err(0),
        };
        let Ok(before) = failed else {
            return Err(fault);
        };
        let wait = backoff(before + 1, &fault);
        (self.told)(before + 1, &fault, wait);
        let slept = async {
            tokio::time::sleep(wait).await;
            Ok(())
        };
        self.signal.or_stopped(slept).await
    }

    /// With how often it was tried, when that is more than it would have been without retries.
    fn counted(&self, fault: Fault) -> Fault {
        match fault.retryable && self.most > 0 {
            true => fault.with("tries", self.failed.load(Ordering::Relaxed) + 1),
            false => fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_again_only_what_may_pass() {
        let mut calls = 0;
        let retries = Retries::new(3, |_, _, _| {});
        let passes = retries.run(|_| {
            calls += 1;
            let well = calls == 3;
            async move { well.then_some(3).ok_or(Fault::internal("x").retryable()) }
        });
        assert_eq!(passes.await.unwrap(), 3);

        let mut calls = 0;
        let retries = Retries::new(3, |_, _, _| {});
        let fails = retries.run(|_| {
            calls += 1;
            async { Err::<(), _>(Fault::internal("x")) }
        });
        assert!(fails.await.is_err());
        assert_eq!(calls, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_so_many_retries() {
        let mut calls = 0;
        let retries = Retries::new(2, |_, _, _| {});
        let fails = retries.run(|_| {
            calls += 1;
            async { Err::<(), _>(Fault::internal("x").retryable()) }
        });
        assert_eq!(fails.await.unwrap_err().attribute("tries"), Some("3"));
        assert_eq!(calls, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_mended_in_the_middle_counts_as_well() {
        let (mut calls, heard) = (0, AtomicU32::new(0));
        let retries = Retries::new(3, |failed, _, _| heard.store(failed, Ordering::Relaxed));
        let fails = retries.run(|_| {
            calls += 1;
            async {
                let fault = || Fault::internal("x").retryable();
                retries.again(fault()).await?;
                Err::<(), _>(fault())
            }
        });
        assert_eq!(fails.await.unwrap_err().attribute("tries"), Some("4"));
        assert_eq!(heard.load(Ordering::Relaxed), 3);
        assert_eq!(calls, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_to_stop_waits_for_no_try() {
        let signal = StopSignal::default();
        let heard = AtomicU32::new(0);
        let retries = Retries::new(3, |failed, _, _| heard.store(failed, Ordering::Relaxed))
            .until(signal.clone());
        let mut fault = Fault::internal("x").retryable();
        fault.retry_after = Some(Duration::from_secs(3_600));
        let began = tokio::time::Instant::now();
        let waiting = retries.run(|_| {
            let fault = fault.clone();
            async { Err::<(), _>(fault) }
        });
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            signal.set();
        };
        let (ended, ()) = tokio::join!(waiting, stopping);
        assert_eq!(ended.unwrap_err().code, hygge_core::code::STOPPED);
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }

    #[test]
    fn waits_double_and_respect_the_fault() {
        let fault = Fault::internal("x");
        for failed in 1..20 {
            let wait = backoff(failed, &fault);
            let whole = BASE.saturating_mul(1 << (failed - 1).min(10)).min(MOST);
            assert!(wait <= whole && wait >= whole / 2, "{failed}: {wait:?}");
        }
        let mut asks = fault;
        asks.retry_after = Some(Duration::from_secs(90));
        assert_eq!(backoff(1, &asks), Duration::from_secs(90));
    }
}
