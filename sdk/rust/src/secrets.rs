//! Secrets that the operator granted by name.

use crate::{Result, Secret, imports};

/// A text that stands for the secret. In a header of an HTTP request to the one host that the
/// secret is for, the host puts the secret in its place; anywhere else it means nothing.
pub fn placeholder(name: &str) -> Result<String> {
    imports::placeholder(name)
}

/// The secret itself, when it was granted with `reveal: true`.
pub fn reveal(name: &str) -> Result<Secret> {
    imports::reveal(name).map(Secret::new)
}
