//! LIKE: `%`, `_`, `[a-z]`, `[^a-z]` and an escape.

use crate::types::collation::Comparison;

pub(crate) fn matches(
    text: &str,
    pattern: &str,
    escape: Option<char>,
    comparison: Comparison,
) -> bool {
    let fold = |text: &str| -> Vec<char> {
        if comparison == Comparison::IgnoreCase {
            text.chars().flat_map(char::to_lowercase).collect()
        } else {
            text.chars().collect()
        }
    };
    let escape = escape.and_then(|char| fold(&char.to_string()).first().copied());
    fits(&fold(text), &parse(&fold(pattern), escape))
}

enum Piece {
    Any,
    One,
    Char(char),
    Set(Vec<(char, char)>, bool),
}

fn parse(pattern: &[char], escape: Option<char>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        let char = pattern[at];
        at += 1;
        if Some(char) == escape && at < pattern.len() {
            pieces.push(Piece::Char(pattern[at]));
            at += 1;
            continue;
        }
        pieces.push(match char {
            '%' => Piece::Any,
            '_' => Piece::One,
            '[' => match pattern[at..].iter().skip(1).position(|char| *char == ']') {
                Some(end) => {
                    let inside = &pattern[at..=at + end];
                    at += end + 2;
                    let (negated, inside) = inside
                        .strip_prefix(&['^'])
                        .map_or((false, inside), |rest| (true, rest));
                    let mut ranges = Vec::new();
                    let mut place = 0;
                    while place < inside.len() {
                        if place + 2 < inside.len() && inside[place + 1] == '-' {
                            ranges.push((inside[place], inside[place + 2]));
                            place += 3;
                        } else {
                            ranges.push((inside[place], inside[place]));
                            place += 1;
                        }
                    }
                    Piece::Set(ranges, negated)
                }
                None => Piece::Char('['),
            },
            other => Piece::Char(other),
        });
    }
    pieces
}

/// Goes back to the last `%` where something doesn't fit.
fn fits(text: &[char], pieces: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < text.len() {
        let fits = match pieces.get(piece) {
            Some(Piece::Any) => {
                back = Some((piece, at));
                piece += 1;
                continue;
            }
            Some(Piece::One) => true,
            Some(Piece::Char(char)) => *char == text[at],
            Some(Piece::Set(ranges, negated)) => {
                ranges
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&text[at]))
                    != *negated
            }
            None => false,
        };
        if fits {
            at += 1;
            piece += 1;
        } else if let Some((any, from)) = back {
            back = Some((any, from + 1));
            piece = any + 1;
            at = from + 1;
        } else {
            return false;
        }
    }
    pieces[piece..]
        .iter()
        .all(|piece| matches!(piece, Piece::Any))
}
