use std::time::Duration;

use hygge_core::{Fault, Result};
use rand::RngExt as _;

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

/// Calls `work` until it succeeds, fails for good, or failed `retries` times in a way that may
/// pass. `failed` is told of each failure that will be retried, and the wait; `work` gets the
/// number of the try, counted from 1.
pub(crate) async fn retrying<T, F: Future<Output = Result<T>>>(
    retries: u32,
    mut failed: impl FnMut(u32, &Fault, Duration),
    mut work: impl FnMut(u32) -> F,
) -> Result<T> {
    let mut tries = 1;
    loop {
        match work(tries).await {
            Err(fault) if fault.retryable && tries <= retries => {
                let wait = backoff(tries, &fault);
                failed(tries, &fault, wait);
                tokio::time::sleep(wait).await;
                tries += 1;
            }
            Err(fault) if fault.retryable && retries > 0 => {
                return Err(fault.with("tries", tries));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_again_only_what_may_pass() {
        let mut calls = 0;
        let passes = retrying(
            3,
            |_, _, _| {},
            |_| {
                calls += 1;
                let well = calls == 3;
                async move { well.then_some(3).ok_or(Fault::internal("x").retryable()) }
            },
        );
        assert_eq!(passes.await.unwrap(), 3);

        let mut calls = 0;
        let fails = retrying(
            3,
            |_, _, _| {},
            |_| {
                calls += 1;
                async { Err::<(), _>(Fault::internal("x")) }
            },
        );
        assert!(fails.await.is_err());
        assert_eq!(calls, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_so_many_retries() {
        let mut calls = 0;
        let fails = retrying(
            2,
            |_, _, _| {},
            |_| {
                calls += 1;
                async { Err::<(), _>(Fault::internal("x").retryable()) }
            },
        );
        assert_eq!(fails.await.unwrap_err().attribute("tries"), Some("3"));
        assert_eq!(calls, 3);
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
