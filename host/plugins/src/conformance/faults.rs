//! What a fault must look like, by `types.wit`.

use super::{Verdict, wrong};
use crate::contract::types::Fault;
use crate::fault::clean;
use crate::limits::MESSAGE;

/// Looks at every fault that the plugin returned.
pub(super) fn look(faults: &[Fault]) -> Verdict {
    for fault in faults {
        if let Some(what) = malformed(fault) {
            let code = clean(&fault.code, 64);
            let message = clean(&fault.message, 200);
            return wrong(format!("{what}: `{code}`: {message:?}"));
        }
    }
    match faults.len() {
        0 => Ok("none was returned".to_owned()),
        many => Ok(format!("{many} looked at")),
    }
}

fn malformed(fault: &Fault) -> Option<&'static str> {
    let message = &fault.message;
    let plain = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    if fault.code.is_empty() || fault.code.len() > 64 {
        return Some("its code has no text or more than 64 bytes");
    }
    if message.trim().is_empty() {
        return Some("it has no message");
    }
    if message.len() > MESSAGE {
        return Some("its message is longer than 10 KB");
    }
    if message.chars().any(char::is_control) {
        return Some("its message has control characters, or more than one line");
    }
    if message.ends_with('.') {
        return Some("its message ends with a dot");
    }
    if fault.attributes.len() > 64 || fault.attributes.iter().any(|each| each.value.len() > 1_024) {
        return Some("it has more than 64 attributes, or one larger than 1 KiB");
    }
    if fault.attributes.iter().any(|each| !plain(&each.name)) {
        return Some("the name of an attribute isn't made of lower-case words");
    }
    if fault.after_ms.is_some() && !fault.retryable {
        return Some("it says when to try again, and that it can't be tried again");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: &str, message: &str) -> Fault {
        Fault {
            code: code.to_owned(),
            message: message.to_owned(),
            retryable: false,
            after_ms: None,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_named() {
        assert!(look(&[fault("schema", "there is no column")]).is_ok());
        for bad in [
            fault("", "no code"),
            fault("schema", " "),
            fault("schema", "two\nlines"),
            fault("schema", "A sentence."),
            fault("schema", &"x".repeat(MESSAGE + 1)),
            Fault {
                after_ms: Some(1),
                ..fault("busy", "later")
            },
        ] {
            assert!(look(&[bad]).is_err());
        }
    }
}
