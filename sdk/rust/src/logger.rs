use crate::imports;

/// Sends what the `log` macros say to the log of the run.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => "error",
            log::Level::Warn => "warn",
            log::Level::Info => "info",
            log::Level::Debug => "debug",
            log::Level::Trace => "trace",
        };
        imports::write(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Before anything of the plugin runs: once an instance.
pub(crate) fn begin() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // Only fails when the plugin has set a logger of its own, which then is what it wants.
        if log::set_logger(&Logger).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
        #[cfg(target_family = "wasm")]
        std::panic::set_hook(Box::new(|panic| {
            // The trap that follows says nothing; this line says why it happened.
            imports::write("error", &panic.to_string());
        }));
    });
}
