//! Which columns of the rows go into which of the table, found out before the first row.

use arrow_schema::{Field, Schema};
use hygge_core::{Fault, OnSchemaChange, Result, code, type_name};

use super::encode;
use super::record::{BegunColumn, Widen};
use super::settings::Write;
use super::wider::{has_room, wider};
use crate::describe::{Column, Table, Written};
use crate::types::{Length, SqlType};

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
    let remembered =
        remembered.filter(|sql_type| encode::fits(field.data_type(), *sql_type).is_ok());
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

/// The type that a column is declared with in a table that hygge makes: the one that the field
/// remembers, or the one for its Arrow type. `longest` is that of its texts in units of UTF-16, or
/// of its bytes.
///
/// # Errors
/// Names the column when no type holds it.
pub fn declared(field: &Field, longest: Option<u64>) -> Result<String, String> {
    let column = new(field)?;
    let BegunColumn {
        sql_type: Written(sql_type),
        measured: of_unknown_length,
        ..
    } = column;
    Ok(match longest {
        Some(longest) if of_unknown_length => measured(sql_type, longest).to_string(),
        _ => sql_type.to_string(),
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
}
