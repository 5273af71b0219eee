//! A transform that gives every batch back as it came: what it costs is the boundary's cost.

wit_bindgen::generate!({
    path: "../../../wit/0.1.0",
    world: "hygge:plugin/transform-plugin",
    generate_all,
});

use exports::hygge::plugin::{describe, transform};
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

struct Pass;

export!(Pass);

impl describe::Guest for Pass {
    fn describe() -> String {
        DESCRIPTION.to_owned()
    }
}

impl transform::Guest for Pass {
    type Bound = Bound;

    fn bind(_: String, input: Vec<u8>) -> Result<transform::Bound, Fault> {
        Ok(transform::Bound::new(Bound(input)))
    }
}

struct Bound(Vec<u8>);

impl transform::GuestBound for Bound {
    fn schema(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.0.clone())
    }

    fn apply(&self, batch: Vec<u8>) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(vec![batch])
    }

    fn finish(&self) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(Vec::new())
    }
}
