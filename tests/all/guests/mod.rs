//! Plugins that aren't written in Rust: they keep the contract honest.

mod codecs;
