//! The checksum that a record carries in its text.
//!
//! Most damage doesn't break the format: a line of YAML that is gone, a digit that flipped, a key
//! that isn't known any more. Without a checksum such a record reads well and says something else,
//! in the worst case that there is no watermark.

use xxhash_rust::xxh3::xxh3_64;

/// What stands in the place of the checksum when a person changed the file.
const BY_HAND: &str = "by hand";

const YAML: &str = "checksum: ";
const JSON: &str = ",\"xxh3\":\"";
const JSON_END: &str = "\"}";

fn sum(content: &[u8]) -> String {
    format!("{:016x}", xxh3_64(content))
}

/// Adds the last line to YAML, over all that is above it.
pub(crate) fn yaml(mut text: String) -> String {
    // In quotes: digits around an `e` are a number to YAML.
    let line = format!("{YAML}\"{}\"\n", sum(text.as_bytes()));
    text.push_str(&line);
    text
}

/// Why the last line doesn't vouch for the others.
pub(crate) fn check_yaml(text: &str) -> Result<(), String> {
    let whole = text.trim_end();
    let start = whole.rfind('\n').map_or(0, |n| n + 1);
    match whole[start..].strip_prefix(YAML).map(str::trim) {
        Some(BY_HAND) => Ok(()),
        Some(found) if found.trim_matches('"') == sum(&text.as_bytes()[..start]) => Ok(()),
        Some(_) => Err("it isn't what was written: the checksum in its last line differs".into()),
        None => Err("its end is missing: the last line is no checksum".into()),
    }
}

/// What a person does who changed the YAML and meant it.
pub(crate) fn vouch() -> String {
    format!("if you changed it and mean it, say `{YAML}{BY_HAND}` in its last line")
}

/// Adds the last key to a JSON object.
pub(crate) fn json(mut object: Vec<u8>) -> Vec<u8> {
    let sum = sum(&object);
    object.pop();
    object.extend_from_slice(format!("{JSON}{sum}{JSON_END}").as_bytes());
    object
}

/// The object without its last key, which fits it.
pub(crate) fn open_json(sealed: &[u8]) -> Option<Vec<u8>> {
    let inside = sealed.strip_suffix(JSON_END.as_bytes())?;
    let (rest, found) = inside.split_at_checked(inside.len().checked_sub(16)?)?;
    let mut object = rest.strip_suffix(JSON.as_bytes())?.to_vec();
    object.push(b'}');
    (found == sum(&object).as_bytes()).then_some(object)
}

/// What is said of JSON that reads well but doesn't fit its checksum.
pub(crate) const NOT_AS_WRITTEN: &str = "it isn't what was written: its checksum doesn't fit";
