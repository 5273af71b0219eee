//! json and vector: texts that must be what they say.

use std::fmt::Write;

use super::convert::failed;
use super::{SqlType, Value};
use crate::fault::{Result, SqlError};

fn text(value: &Value, from: &SqlType, to: &SqlType) -> Result<String> {
    match value {
        Value::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        _ => Err(failed(value, from, to)),
    }
}

/// The text stays as it is, while SQL Server keeps what it means and writes that anew.
pub(super) fn json(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    let text = text(value, from, to)?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(Value::Text(text.into_bytes())),
        Err(_) => Err(SqlError::new(
            13_609,
            "JSON text is not properly formatted.".to_owned(),
        )),
    }
}

/// A JSON array of numbers, as many as the type says, and each written with eight digits.
pub(super) fn vector(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value> {
    let text = text(value, from, to)?;
    let numbers: Vec<f32> = serde_json::from_str(&text).map_err(|_| failed(value, from, to))?;
    if numbers.len() != to.dimensions() {
        return Err(SqlError::new(
            42_204,
            format!(
                "The vector dimensions {} and {} do not match.",
                to.dimensions(),
                numbers.len()
            ),
        ));
    }
    let mut shown = String::from("[");
    for number in numbers {
        if shown.len() > 1 {
            shown.push(',');
        }
        let digits = format!("{number:.7e}");
        let (digits, power) = digits.split_once('e').unwrap_or((&digits, "0"));
        let power: i32 = power.parse().map_err(|_| failed(value, from, to))?;
        let sign = if power < 0 { '-' } else { '+' };
        let power = power.unsigned_abs();
        write!(shown, "{digits}e{sign}{power:03}").map_err(SqlError::broken)?;
    }
    shown.push(']');
    Ok(Value::Text(shown.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Kind;
    use crate::types::convert::{How, convert};

    fn made(of: &str, to: SqlType) -> Result<String> {
        let from = SqlType::nvarchar(100);
        let value = Value::Text(of.as_bytes().to_vec());
        convert(value, &from, &to, 0, How::Assign).map(|value| value.lossy())
    }

    #[test]
    fn texts_must_be_what_they_say() {
        let json = SqlType::plain(Kind::Json);
        assert_eq!(
            made("{\"a\": [1, null]}", json).unwrap(),
            "{\"a\": [1, null]}"
        );
        assert_eq!(made("{a: 1}", json).unwrap_err().number, 13_609);
        let vector = SqlType::vector(2);
        assert_eq!(vector.declared(), "vector(2)");
        assert_eq!(
            made("[0.1, -200]", vector).unwrap(),
            "[1.0000000e-001,-2.0000000e+002]"
        );
        assert_eq!(made("[1]", vector).unwrap_err().number, 42_204);
        assert!(made("[1, \"a\"]", vector).is_err());
    }
}
