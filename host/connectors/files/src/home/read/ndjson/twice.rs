//! Objects that have a key twice.
//!
//! JSON leaves open what such an object means, and readers take the first value, the last or
//! neither. Arrow's reader keeps one without a word, so every object is looked at before its
//! values are.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_json::reader::{ArrayDecoder, Tape, TapeElement};
use arrow_schema::{ArrowError, Fields};

/// What the error says after the key, also where types are inferred.
pub(super) const TWICE: &str = "stands twice in one object";

/// Looks at the keys of objects before another decoder reads their values.
pub(super) struct Distinct {
    inner: Box<dyn ArrayDecoder>,
    fields: Fields,
    by_name: HashMap<String, usize>,
    /// The number of the object each field was last seen in: cleared never, allocated once.
    seen_in: Vec<u64>,
    object: u64,
}

impl Distinct {
    pub(super) fn new(inner: Box<dyn ArrayDecoder>, fields: &Fields) -> Self {
        let by_name = fields.iter().enumerate();
        Self {
            inner,
            by_name: by_name.map(|(at, f)| (f.name().clone(), at)).collect(),
            seen_in: vec![0; fields.len()],
            fields: fields.clone(),
            object: 0,
        }
    }

    fn look(&mut self, tape: &Tape<'_>, object: u32) -> Result<(), ArrowError> {
        let TapeElement::StartObject(end) = tape.get(object) else {
            return Ok(());
        };
        self.object += 1;
        let mut at = object + 1;
        // Most objects have their keys in the order of the schema, and are never looked up.
        let mut likely = 0;
        while at < end {
            let TapeElement::String(key) = tape.get(at) else {
                return Err(tape.error(at, "a key"));
            };
            let key = tape.get_string(key);
            let field = match self.fields.get(likely) {
                Some(field) if field.name() == key => Some(likely),
                _ => self.by_name.get(key).copied(),
            };
            // A key that the schema lacks is the inner decoder's to refuse.
            if let Some(field) = field {
                if std::mem::replace(&mut self.seen_in[field], self.object) == self.object {
                    return Err(ArrowError::JsonError(format!("the key {key:?} {TWICE}")));
                }
                likely = field + 1;
            }
            at = tape.next(at + 1, "a value")?;
        }
        Ok(())
    }
}

impl ArrayDecoder for Distinct {
    fn decode(&mut self, tape: &Tape<'_>, pos: &[u32]) -> Result<ArrayRef, ArrowError> {
        for object in pos {
            self.look(tape, *object)?;
        }
        self.inner.decode(tape, pos)
    }
}
