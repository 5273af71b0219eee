//! A guest that does what its settings say, wherever they say it: `at` names a call, `deed` what
//! is done there (see `deeds`). Apart from that one deed it is a guest like any other.
//!
//! It knows no Arrow: the bytes of schema and batches come from the settings, so a test can hand
//! the host any bytes at all. Raw control is wanted, so it stands on the bare bindings.

mod deeds;
mod home;
mod reach;
mod store;
mod transform;

use serde_json::Value;

wit_bindgen::generate!({
    path: "../../../wit/0.1.0",
    inline: "
        package hygge:evil;

        world every {
            include hygge:plugin/home-plugin@0.1.0;
            include hygge:plugin/store-plugin@0.1.0;
            include hygge:plugin/transform-plugin@0.1.0;
        }
    ",
    world: "hygge:evil/every",
    generate_all,
});

use exports::hygge::plugin::describe;
use hygge::plugin::types::Fault;

const DESCRIPTION: &str = include_str!("describe.json");

/// What can be read without running anything.
#[used]
#[unsafe(link_section = "hygge:describe")]
static SEAL: [u8; DESCRIPTION.len()] = {
    let mut bytes = [0; DESCRIPTION.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = DESCRIPTION.as_bytes()[at];
        at += 1;
    }
    bytes
};

/// There are no settings yet when an instance starts: a test that wants a start without an end
/// writes `on` over `no` in the binary.
#[used]
static START: [u8; 24] = *b"evil: spin in start = no";

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn start() {
        // Read as if it could change, or the compiler would know the answer.
        let last = unsafe { std::ptr::read_volatile(&raw const START[23]) };
        if last == b'n' {
            deeds::spin();
        }
    }
    start
};

struct Evil;

export!(Evil);

impl describe::Guest for Evil {
    fn describe() -> String {
        DESCRIPTION.to_owned()
    }
}

/// The settings.
#[derive(Clone)]
struct Config(Value);

impl Config {
    fn new(config: &str) -> Self {
        Self(serde_json::from_str(config).unwrap_or_default())
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        self.0[key].as_u64().unwrap_or(default)
    }

    /// Bytes that are written in hexadecimal, `hex` a single text.
    fn bytes(hex: &Value) -> Vec<u8> {
        let digits = hex.as_str().unwrap_or_default().as_bytes();
        let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
        digits
            .chunks(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect()
    }

    fn schema(&self) -> Vec<u8> {
        Self::bytes(&self.0["schema"])
    }

    fn batch(&self, n: usize) -> Option<Vec<u8>> {
        let batches = self.0["batches"].as_array()?;
        batches.get(n).map(Self::bytes)
    }

    /// Whether this is where the deed is to be done.
    fn here(&self, at: &str) -> bool {
        self.text("at") == at
    }

    /// Does the deed if it is to be done here.
    fn pass(&self, at: &str) -> Result<(), Fault> {
        match self.here(at) {
            true => deeds::deed(self),
            false => Ok(()),
        }
    }
}

fn fault(code: &str, message: impl ToString) -> Fault {
    Fault {
        code: code.to_owned(),
        message: message.to_string(),
        retryable: false,
        after_ms: None,
        attributes: Vec::new(),
    }
}
