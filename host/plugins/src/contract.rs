//! What is generated from wit/0.1.0, the version of the contract that this host serves.

mod v0_1 {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        inline: "
            package hygge:host;

            world every {
                include hygge:plugin/home-plugin@0.1.0;
                include hygge:plugin/store-plugin@0.1.0;
                include hygge:plugin/transform-plugin@0.1.0;
            }
        ",
        world: "hygge:host/every",
        imports: { default: trappable },
        exports: { default: async },
    });
}

pub(crate) use v0_1::exports::hygge::plugin::{describe, home, store, transform};
pub(crate) use v0_1::hygge::plugin::{control, log, secrets, state, types};
