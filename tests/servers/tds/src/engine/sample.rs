//! `hygge_rows(n)`: rows for measuring clients, ten columns of the usual types.

use std::sync::{Arc, Mutex};

use crate::control::locked;
use crate::fault::SqlError;
use crate::sql::names;
use crate::store::rows::Rows;
use crate::store::table::{Column, Table};
use crate::types::{Decimal, Value, clock, value};

const COLUMNS: [(&str, &str, bool); 10] = [
    ("id", "bigint", false),
    ("small", "int", true),
    ("amount", "decimal(18,4)", true),
    ("ratio", "float", true),
    ("flag", "bit", true),
    ("day", "date", true),
    ("moment", "datetime2(6)", true),
    ("name", "nvarchar(40)", true),
    ("code", "varchar(20)", true),
    ("guid", "uniqueidentifier", true),
];

/// The last that was asked for: a measurement asks for the same many times.
static LAST: Mutex<Option<(i64, Arc<Table>)>> = Mutex::new(None);

pub(super) fn rows(count: i64) -> Result<Arc<Table>, SqlError> {
    let mut last = locked(&LAST);
    if let Some((made, table)) = last.as_ref()
        && *made == count
    {
        return Ok(Arc::clone(table));
    }
    let mut columns = Vec::new();
    for (id, (name, ty, nullable)) in (1..).zip(COLUMNS) {
        columns.push(Column {
            id,
            name: name.to_owned(),
            ty: names::parse_type(ty)?,
            nullable,
            identity: None,
            default: None,
            computed: None,
            persisted: false,
        });
    }
    let mut table = Table::new(-1, "dbo", "hygge_rows", columns);
    let mut made = Rows::default();
    let mut bytes = Vec::new();
    let first_day = clock::day_of(2020, 1, 1).unwrap_or_default();
    for id in 0..count {
        bytes.clear();
        // The same for the same row, and not in any order.
        let mixed = id.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let part = |shift: u32, below: i64| {
            i64::try_from(mixed >> shift & 0xFFFF_FFFF).unwrap_or_default() % below
        };
        let mut guid = [0; 16];
        guid[..8].copy_from_slice(&mixed.to_le_bytes());
        guid[8..].copy_from_slice(&id.to_le_bytes());
        #[expect(clippy::cast_precision_loss, reason = "any float will do")]
        let ratio = mixed as f64 / 1e6;
        let values = [
            Value::Int(id),
            if id % 20 == 7 {
                Value::Null
            } else {
                Value::Int(part(3, 1_000_000))
            },
            Value::Decimal(Decimal::new(i128::from(part(7, 4_000_000_000)), 4)),
            Value::Float(ratio),
            Value::bit(mixed & 1 == 1),
            Value::Date(first_day + part(11, 2000)),
            Value::Moment(
                (first_day + part(13, 2000)) * clock::DAY + part(17, 86_400_000) * 10_000 + 10,
            ),
            Value::text(format!("name {} of row {id}", part(5, 1000))),
            if id % 20 == 3 {
                Value::Null
            } else {
                Value::text(format!("C{:07}", part(2, 10_000_000)))
            },
            Value::Guid(guid),
        ];
        for (column, value) in table.columns.iter().zip(&values) {
            value::put(&mut bytes, &column.ty, value)?;
        }
        made.push(&bytes);
    }
    table.rows = made;
    let table = Arc::new(table);
    *last = Some((count, Arc::clone(&table)));
    Ok(table)
}
