//! The protocol's layers, from bytes on a socket to messages and tokens. Section numbers are those
//! of [MS-TDS].

pub(crate) mod bulk;
#[cfg(test)]
mod examples;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod packet;
pub(crate) mod prelogin;
pub(crate) mod reader;
pub(crate) mod request;
pub(crate) mod token;
