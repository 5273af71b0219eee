//! What a split of files says about itself: plain data that any process can read from.

use std::sync::Arc;

use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hygge_core::{Fault, Position, Result, Split, SplitId};
use serde::{Deserialize, Serialize};

use crate::config::Format;

/// Part of a file, or all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The file, relative to the project's root if it is below.
    pub path: String,
    /// Its bytes when it was listed.
    pub size: u64,
    /// Its last change when it was listed, in nanoseconds from 1970.
    pub modified: i64,
    /// Row groups from the first up to, not including, the second; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<[usize; 2]>,
    /// NDJSON: lines that begin at a byte from the first up to, not including, the second; all
    /// without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[u64; 2]>,
}

impl Part {
    /// The bytes of the file that it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.range
            .map_or(self.size, |[from, to]| to.saturating_sub(from))
    }
}

/// A split: parts, and the schema their rows are brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// The files' format.
    pub format: Format,
    /// The plan's schema, as an Arrow IPC message in base64.
    pub schema: String,
    /// Columns of the schema that stand only in the names of folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// In order.
    pub parts: Vec<Part>,
}

impl Spec {
    /// Reads what [`split`] wrote.
    pub(crate) fn read(split: &Split) -> Result<Self> {
        Self::deserialize(&split.spec)
            .map_err(|e| Fault::internal(format!("split {} can't be read back: {e}", split.id)))
    }
}

/// A part with what is known of its size, on the way to becoming a split.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub part: Part,
    pub rows: Option<u64>,
    pub bytes: u64,
}

/// Gathers pieces, in order, into even splits of about `size` bytes or less, at most `most` of
/// them.
pub(crate) fn splits(
    format: Format,
    (schema, partitions): (&Schema, &[String]),
    pieces: Vec<Piece>,
    size: u64,
    most: Option<usize>,
) -> Result<Vec<Split>> {
    let total: u64 = pieces.iter().map(|p| p.bytes).sum();
    let wanted = total.div_ceil(size.max(1)).max(1);
    let count = most.map_or(wanted, |most| wanted.min(most.max(1) as u64));
    // Splits of the same size end at the same time.
    let size = total.div_ceil(count).max(1);
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    let mut held = 0;
    for piece in pieces {
        let bytes = piece.bytes;
        let full = held + bytes / 2 >= size && most.is_none_or(|most| groups.len() < most);
        match groups.last_mut() {
            Some(last) if !full => {
                held += bytes;
                push(last, piece);
            }
            _ => {
                held = bytes;
                groups.push(vec![piece]);
            }
        }
    }
    let schema = encode_schema(schema);
    groups
        .into_iter()
        .enumerate()
        .map(|(n, pieces)| {
            let rows = pieces.iter().map(|p| p.rows).sum();
            let bytes = pieces.iter().map(|p| p.bytes).sum();
            let spec = Spec {
                format,
                schema: schema.clone(),
                partitions: partitions.to_vec(),
                parts: pieces.into_iter().map(|p| p.part).collect(),
            };
            let spec = serde_json::to_value(spec)
                .map_err(|e| Fault::internal(format!("a split can't be written down: {e}")))?;
            Ok(Split {
                id: SplitId::nth(n),
                spec,
                rows,
                bytes: Some(bytes),
            })
        })
        .collect()
}

/// Adds a piece to a split; what comes next in the same file joins what is before.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    if let Some(last) = pieces.last_mut()
        && last.part.path == piece.part.path
        && (joined(&mut last.part.groups, piece.part.groups)
            || joined(&mut last.part.range, piece.part.range))
    {
        last.bytes += piece.bytes;
        last.rows = last.rows.zip(piece.rows).map(|(a, b)| a + b);
        return;
    }
    pieces.push(piece);
}

/// Adds what comes right behind; false when there is something in between.
fn joined<T: PartialEq + Copy>(have: &mut Option<[T; 2]>, more: Option<[T; 2]>) -> bool {
    match (have, more) {
        (Some(have), Some(more)) if have[1] == more[0] => {
            have[1] = more[1];
            true
        }
        _ => false,
    }
}

/// A schema as text.
pub(crate) fn encode_schema(schema: &Schema) -> String {
    let message = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut DictionaryTracker::new(true),
        &IpcWriteOptions::default(),
    );
    BASE64.encode(message.ipc_message)
}

/// Reads what [`encode_schema`] wrote.
pub(crate) fn decode_schema(text: &str) -> Result<SchemaRef> {
    let broken = |why: String| Fault::internal(format!("a schema can't be read back: {why}"));
    let bytes = BASE64.decode(text).map_err(|e| broken(e.to_string()))?;
    let message = arrow_ipc::root_as_message(&bytes).map_err(|e| broken(e.to_string()))?;
    let schema = message
        .header_as_schema()
        .ok_or_else(|| broken("it is another message".into()))?;
    arrow_ipc::convert::try_fb_to_schema(schema)
        .map(Arc::new)
        .map_err(|e| broken(e.to_string()))
}

/// How far a reader of a split came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The part, counted from 0 within the split.
    pub part: usize,
    /// Parquet: the row group, counted from 0 within the file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub group: usize,
    /// Rows of the part (Parquet: of the row group) that are done.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub rows: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero_u64(n: &u64) -> bool {
    *n == 0
}

impl Place {
    /// The start, or what [`Place::position`] wrote.
    pub(crate) fn read(position: &Position) -> Result<Self> {
        if position.is_start() {
            return Ok(Self::default());
        }
        Self::deserialize(&position.0)
            .map_err(|e| Fault::internal(format!("a position can't be read back: {e}")))
    }

    /// As the engine stores it.
    pub(crate) fn position(self) -> Position {
        Position(serde_json::json!({
            "part": self.part,
            "group": self.group,
            "rows": self.rows,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(bytes: &[u64]) -> Vec<Piece> {
        bytes
            .iter()
            .enumerate()
            .map(|(n, bytes)| Piece {
                part: Part {
                    path: "a.parquet".into(),
                    size: 0,
                    modified: 0,
                    groups: Some([n, n + 1]),
                    range: None,
                },
                rows: Some(1),
                bytes: *bytes,
            })
            .collect()
    }

    fn cut(bytes: &[u64], size: u64, most: Option<usize>) -> Vec<(u64, [usize; 2])> {
        let schema = (&Schema::empty(), &[][..]);
        splits(Format::Parquet, schema, pieces(bytes), size, most)
            .unwrap()
            .iter()
            .map(|split| {
                let spec = Spec::read(split).unwrap();
                assert_eq!(spec.parts.len(), 1);
                (split.bytes.unwrap(), spec.parts[0].groups.unwrap())
            })
            .collect()
    }

    #[test]
    fn a_file_is_cut_evenly() {
        assert_eq!(
            cut(&[100; 6], 256, None),
            [(200, [0, 2]), (200, [2, 4]), (200, [4, 6])]
        );
        assert_eq!(cut(&[100; 6], 256, Some(1)), [(600, [0, 6])]);
        assert_eq!(cut(&[1000, 1], 10, None), [(1000, [0, 1]), (1, [1, 2])]);
        assert_eq!(cut(&[0, 0], 10, None), [(0, [0, 2])]);
    }

    proptest! {
        #[test]
        fn every_piece_is_in_one_split_in_order(
            bytes in prop::collection::vec(0..1_000_u64, 1..40),
            size in 1..3_000_u64,
            most in prop::option::of(1..5_usize),
        ) {
            let cut = cut(&bytes, size, most);
            let mut next = 0;
            for (_, [from, to]) in &cut {
                prop_assert_eq!(*from, next);
                next = *to;
            }
            prop_assert_eq!(next, bytes.len());
            prop_assert!(most.is_none_or(|most| cut.len() <= most));
        }
    }
}
