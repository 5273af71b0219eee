//! Which columns of the rows go into which of the table, found out before the first row.

use arrow_schema::{DataType, Field, Schema};
use hygge_core::{Fault, OnSchemaChange, Result, code, type_name};

use super::encode;
use super::record::{BegunColumn, Widen};
use super::settings::Write;
use super::wider::{has_room, wider};
use crate::describe::{Column, Table, Written};
use crate::types::{Length, SqlType, Times};

/// The columns to write, or everything that stands in the way, listed together.
pub(super) fn matched(
    write: &Write,
    policy: OnSchemaChange,
    schema: &Schema,
    table: &Table,
    key: &[String],
) -> Result<Vec<BegunColumn>> {
    let mut wrong = Vec::new();
    let mut extra = false;
    // Of another type, and which of those `evolve` would widen.
    let (mut others, mut widens) = (0, Vec::new());
    let mut columns = Vec::new();
    for field in schema.fields() {
        let name = field.name();
        let Some(column) = find(&table.columns, name) else {
            match policy {
                OnSchemaChange::IgnoreExtra => {}
                policy if policy.adds() => match new(field) {
                    Ok(column) => columns.push(column),
                    Err(why) => wrong.push(why),
                },
                _ => {
                    extra = true;
                    wrong.push(format!("{name:?} isn't there"));
                }
            }
            continue;
        };
        if column.computed || column.sql_type.is_generated() {
            wrong.push(format!("{name:?} is made by the server"));
            continue;
        }
        if column.identity && !write.keep_identity {
            wrong.push(format!(
                "{name:?} is an identity column (`keep_identity: true` writes it)"
            ));
            continue;
        }
        let (mut widened, mut length) = (None, None);
        if policy == OnSchemaChange::Evolve
            && let Ok(new) = new(field)
        {
            let (own, comes, known) = (column.sql_type, new.sql_type.0, !new.measured);
            widened = wider(own, comes).filter(|_| known);
            let open = widened.is_none() && !(known && has_room(own, comes));
            let fits = || encode::fits(field.data_type(), own).is_ok();
            if open && !write.direct && !key.contains(name) && fits() {
                // Only the values tell. Rows are told apart by what is compared as it is.
                (widened, length) = longest(own).unzip();
            }
        }
        let sql_type = widened.unwrap_or(column.sql_type);
        if encode::fits(field.data_type(), sql_type).is_err() {
            others += 1;
            if policy != OnSchemaChange::Evolve && evolves(field, column) {
                widens.push(format!("{name:?}"));
            }
            let given = type_name(field.data_type());
            wrong.push(format!("{name:?}: {given} can't be written as {sql_type}"));
            continue;
        }
        let defaulted = !write.keep_nulls && column.has_default;
        if defaulted && column.default.is_none() {
            wrong.push(format!(
                "{name:?} has a default that this login can't see (`keep_nulls: false` needs it)"
            ));
            continue;
        }
        columns.push(BegunColumn {
            from: name.clone(),
            name: column.name.clone(),
            sql_type: Written(sql_type),
            collation: column.collation.clone(),
            nullable: column.nullable || defaulted,
            default: column.default.clone().filter(|_| defaulted),
            add: false,
            widen: widened.map(|_| Widen {
                nullable: column.nullable,
                length,
            }),
            measured: length.is_some(),
        });
    }
    for column in &table.columns {
        let filled = columns.iter().any(|c| c.name == column.name)
            || column.nullable
            || column.has_default
            || column.identity
            || column.computed
            || column.sql_type.is_generated();
        let named = schema
            .fields()
            .iter()
            .any(|field| same(field.name(), &column.name));
        if !filled && !named {
            wrong.push(format!(
                "{:?} is NOT NULL there and has no default, and no column fills it",
                column.name
            ));
        }
    }
    if columns.is_empty() && wrong.is_empty() {
        wrong.push("no column of the source is one of the table's".to_owned());
    }
    refuse(write, &wrong, &advice(extra, others, &widens))?;
    Ok(columns)
}

/// Whether `evolve` gives the column a type that holds the field.
fn evolves(field: &Field, column: &Column) -> bool {
    let wide = new(field).ok();
    let wide = wide.and_then(|new| wider(column.sql_type, new.sql_type.0));
    wide.is_some_and(|wide| encode::fits(field.data_type(), wide).is_ok())
}

/// What helps, of what isn't done yet.
fn advice(extra: bool, others: usize, widens: &[String]) -> String {
    let mut ways = vec!["change the table".to_owned()];
    if extra {
        ways.push(
            "leave columns out (a transform `exclude`), or say `on_schema_change: additive` to have \
             them added, `ignore_extra` to have them left out"
                .to_owned(),
        );
    }
    if others > 0 {
        ways.push("give columns a type that fits (a transform `cast`)".to_owned());
    }
    if !widens.is_empty() {
        let those = match widens.len() == others {
            true => "those of the table".to_owned(),
            false => widens.join(", "),
        };
        ways.push(format!("`on_schema_change: evolve` widens {those}"));
    }
    ways.join("; ")
}

/// The columns of a table that is made.
pub(super) fn made(write: &Write, schema: &Schema) -> Result<Vec<BegunColumn>> {
    let mut wrong = Vec::new();
    let mut columns = Vec::new();
    for field in schema.fields() {
        match new(field) {
            Ok(column) => columns.push(BegunColumn {
                nullable: field.is_nullable(),
                ..column
            }),
            Err(why) => wrong.push(why),
        }
    }
    let ways = "leave such columns out (a transform `exclude`), or give them another type (`cast`)";
    refuse(write, &wrong, ways)?;
    Ok(columns)
}

fn refuse(write: &Write, wrong: &[String], ways: &str) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    let mut listed = wrong.join("; ");
    if wrong.len() > 1 {
        listed = format!("{} things: {listed}", wrong.len());
    }
    Err(Fault::new(
        code::SCHEMA,
        format!("the rows don't fit {}: {listed}", write.table),
    )
    .advise(ways))
}

/// A column that the table doesn't have yet, with the type it had where it came from.
fn new(field: &Field) -> Result<BegunColumn, String> {
    let name = field.name();
    let remembered = SqlType::remembered(field).map(|sql_type| match sql_type {
        // What the server makes there comes as plain values.
        SqlType::RowVersion => SqlType::Binary(8),
        other => other,
    });
    let remembered = remembered.filter(|sql_type| {
        encode::fits(field.data_type(), *sql_type).is_ok() && !outgrown(field, *sql_type)
    });
    let found = remembered.or_else(|| SqlType::for_arrow(field.data_type()));
    let Some(sql_type) = found else {
        return Err(format!(
            "{name:?} is {}, which no type of SQL Server holds",
            type_name(field.data_type())
        ));
    };
    if encode::fits(field.data_type(), sql_type).is_err() {
        let given = type_name(field.data_type());
        return Err(format!("{name:?}: {given} can't be written as {sql_type}"));
    }
    let measured = remembered.is_none()
        && matches!(
            sql_type,
            SqlType::NVarChar(Length::Max) | SqlType::VarBinary(Length::Max)
        );
    Ok(BegunColumn {
        from: name.clone(),
        name: name.clone(),
        sql_type: Written(sql_type),
        collation: None,
        nullable: true,
        default: None,
        add: true,
        widen: None,
        measured,
    })
}

/// Whether the field has room for larger numbers than the type that it remembers: the one it came from
/// was changed since.
fn outgrown(field: &Field, sql_type: SqlType) -> bool {
    let (then, now) = (sql_type.arrow(Times::default()), field.data_type());
    match (then, now) {
        (then, now) if then.is_integer() && now.is_integer() => {
            then.primitive_width() < now.primitive_width()
        }
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Decimal128(then, behind), now) => {
            let (DataType::Decimal32(digits, scale)
            | DataType::Decimal64(digits, scale)
            | DataType::Decimal128(digits, scale)) = now
            else {
                return false;
            };
            let before = |digits: u8, scale: i8| i16::from(digits) - i16::from(scale);
            behind < *scale || before(then, behind) < before(*digits, *scale)
        }
        _ => false,
    }
}

/// The type that a column is declared with in a table that hygge makes: the one that the field
/// remembers, or the one for its Arrow type. `longest` is that of its texts in units of UTF-16, or
/// of its bytes.
///
/// # Errors
/// Names the column when no type holds it.
pub fn declared(field: &Field, longest: Option<u64>) -> Result<String, String> {
    let BegunColumn {
        sql_type: Written(sql_type),
        measured: of_unknown_length,
        ..
    } = new(field)?;
    let Some(seen) = longest else {
        return Ok(sql_type.to_string());
    };
    // What was seen is longer than what it remembers of where it came from.
    let short = self::longest(sql_type).filter(|(_, length)| seen > u64::from(*length));
    Ok(match short {
        Some((open, _)) => measured(open, seen).to_string(),
        None if of_unknown_length => measured(sql_type, seen).to_string(),
        None => sql_type.to_string(),
    })
}

/// The type that holds texts or bytes of any length, and the length that a column has now. One of a
/// fixed length gets a varying one, lest what stands there be filled up.
fn longest(sql_type: SqlType) -> Option<(SqlType, u16)> {
    use SqlType as S;
    Some(match sql_type {
        S::Char(length) | S::VarChar(Length::Of(length)) => (S::VarChar(Length::Max), length),
        S::NChar(length) | S::NVarChar(Length::Of(length)) => (S::NVarChar(Length::Max), length),
        S::Binary(length) | S::VarBinary(Length::Of(length)) => (S::VarBinary(Length::Max), length),
        _ => return None,
    })
}

/// The type a measured column is declared with: room for values about twice as long. Where there was
/// none to measure, for those that most columns have.
pub(super) fn measured(sql_type: SqlType, longest: u64) -> SqlType {
    const STEPS: [u16; 8] = [10, 20, 50, 100, 255, 500, 1_000, 2_000];
    let wanted = match longest {
        0 => 255,
        longest => longest.saturating_mul(2).max(10),
    };
    let most = match sql_type {
        SqlType::NVarChar(_) => 4_000,
        _ => 8_000,
    };
    let step = STEPS.into_iter().chain([4_000, 8_000]);
    let length = step
        .filter(|step| *step <= most)
        .find(|step| wanted <= u64::from(*step))
        .map_or(Length::Max, Length::Of);
    match sql_type {
        SqlType::VarChar(_) => SqlType::VarChar(length),
        SqlType::NVarChar(_) => SqlType::NVarChar(length),
        SqlType::VarBinary(_) => SqlType::VarBinary(length),
        other => other,
    }
}

/// Columns are found by their exact name, else without regard to case when only one fits.
fn find<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    if let Some(exact) = columns.iter().find(|column| column.name == name) {
        return Some(exact);
    }
    let mut alike = columns.iter().filter(|column| same(&column.name, name));
    let first = alike.next()?;
    alike.next().is_none().then_some(first)
}

/// Whether the database may take both for one name.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::{ArrowPrimitiveType, Float16Type};
    use arrow_array::{
        ArrayRef, Decimal32Array, Decimal64Array, Decimal128Array, Float16Array, Float32Array,
        RecordBatch,
    };

    use super::*;

    #[test]
    fn measured_columns_leave_room() {
        let text = SqlType::NVarChar(Length::Max);
        assert_eq!(measured(text, 0), SqlType::NVarChar(Length::Of(255)));
        assert_eq!(measured(text, 1), SqlType::NVarChar(Length::Of(10)));
        assert_eq!(measured(text, 40), SqlType::NVarChar(Length::Of(100)));
        assert_eq!(measured(text, 2_001), SqlType::NVarChar(Length::Max));
        let bytes = SqlType::VarBinary(Length::Max);
        assert_eq!(
            measured(bytes, 4_000),
            SqlType::VarBinary(Length::Of(8_000))
        );
        let narrow = SqlType::VarChar(Length::Max);
        assert_eq!(measured(narrow, 2_001), SqlType::VarChar(Length::Of(8_000)));
    }

    #[test]
    fn a_type_that_was_outgrown_is_forgotten() {
        let remembering = |data_type: DataType, sql_type: &str| {
            let known = (crate::TYPE_KEY.to_owned(), sql_type.to_owned());
            Field::new("c", data_type, true).with_metadata([known])
        };
        for (field, longest, wanted) in [
            (remembering(DataType::Int32, "int"), None, "int"),
            (remembering(DataType::Int64, "int"), None, "bigint"),
            (remembering(DataType::UInt8, "tinyint"), None, "tinyint"),
            (remembering(DataType::Float64, "real"), None, "float"),
            (
                remembering(DataType::Decimal128(38, 2), "decimal(9,2)"),
                None,
                "decimal(38,2)",
            ),
            (
                remembering(DataType::Decimal128(19, 4), "money"),
                None,
                "money",
            ),
            (
                remembering(DataType::Utf8, "nvarchar(3)"),
                Some(3),
                "nvarchar(3)",
            ),
            (
                remembering(DataType::Utf8, "nvarchar(3)"),
                Some(8),
                "nvarchar(20)",
            ),
            (
                remembering(DataType::Utf8, "varchar(3)"),
                Some(3_000),
                "varchar(8000)",
            ),
            (
                remembering(DataType::Binary, "binary(3)"),
                Some(4),
                "varbinary(10)",
            ),
            // No such type is there.
            (
                remembering(DataType::Utf8, "nvarchar(5000)"),
                None,
                "nvarchar(max)",
            ),
        ] {
            assert_eq!(declared(&field, longest).as_deref(), Ok(wanted), "{field}");
        }
    }

    #[test]
    fn narrow_numbers_are_written_as_the_wide_ones_are() {
        type F16 = <Float16Type as ArrowPrimitiveType>::Native;
        let dynamic = |array: ArrayRef| array;
        let decimals = [Some(-12_345), None, Some(7)];
        let floats = [Some(1.5_f32), None, Some(-0.25)];
        let halves = floats.map(|float| float.map(F16::from_f32));
        let wide = Decimal128Array::from(decimals.map(|n| n.map(i128::from)).to_vec());
        let wide = dynamic(Arc::new(wide.with_precision_and_scale(5, 2).unwrap()));
        let narrow = Decimal32Array::from(decimals.to_vec());
        let narrow = dynamic(Arc::new(narrow.with_precision_and_scale(5, 2).unwrap()));
        let middle = Decimal64Array::from(decimals.map(|n| n.map(i64::from)).to_vec());
        let middle = dynamic(Arc::new(middle.with_precision_and_scale(5, 2).unwrap()));
        let whole = dynamic(Arc::new(Float32Array::from(floats.to_vec())));
        let half = dynamic(Arc::new(Float16Array::from(halves.to_vec())));
        for (wide, narrowed) in [(&wide, narrow), (&wide, middle), (&whole, half)] {
            let narrow = narrowed.data_type();
            let field = Field::new("c", narrow.clone(), true);
            let Written(sql_type) = new(&field).unwrap().sql_type;
            let written = |array: &ArrayRef| {
                let staged = encode::Staged {
                    name: "c".into(),
                    sql_type,
                    collation: None,
                    nullable: true,
                    on_overflow: crate::overflow::OnOverflow::Error,
                    key: false,
                    measured: false,
                };
                let batch = RecordBatch::try_from_iter([("c", Arc::clone(array))]).unwrap();
                let (mut bytes, mut tally) = (Vec::new(), [encode::Tally::default()]);
                encode::rows(
                    &batch,
                    &[staged],
                    &[sql_type],
                    false,
                    0,
                    &mut bytes,
                    &mut tally,
                )
                .unwrap();
                bytes
            };
            assert_eq!(written(&narrowed), written(wide), "{narrow}");
        }
    }
}
