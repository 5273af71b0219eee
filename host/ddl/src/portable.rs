//! Types of the databases that have no connector: what each declares for an Arrow type.

use arrow_schema::{DataType, Field, TimeUnit};
use hygge_core::type_name;

use crate::dialect::Dialect;
use crate::profile::Seen;

/// The type to declare, or why there is none.
pub(crate) fn column_type(
    dialect: Dialect,
    field: &Field,
    seen: Option<&Seen>,
) -> Result<String, String> {
    let found = match dialect {
        Dialect::Postgres => postgres(field.data_type(), seen),
        Dialect::DuckDb => duckdb(field.data_type()),
        Dialect::Sqlite => sqlite(field.data_type()).map(str::to_owned),
        Dialect::Mssql => None,
    };
    found.ok_or_else(|| {
        format!(
            "{:?} is {}, which no type of {dialect} holds",
            field.name(),
            type_name(field.data_type())
        )
    })
}

/// How many values an array of DuckDB may have.
const LONGEST_ARRAY: i32 = 100_000;

/// What `varchar(n)` of PostgreSQL may say.
const LONGEST_VARCHAR: u64 = 10_485_760;

/// Room for texts about twice as long as those seen; none for none.
fn roomy(longest: u64) -> u64 {
    const STEPS: [u64; 8] = [10, 20, 50, 100, 255, 500, 1_000, 2_000];
    let wanted = longest.saturating_mul(2);
    if wanted == 0 {
        return 0;
    }
    let step = STEPS.into_iter().find(|step| wanted <= *step);
    step.unwrap_or_else(|| wanted.next_multiple_of(1_000))
}

/// Digits behind the point of a second; finer ones than microseconds there are none.
fn digits(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond | TimeUnit::Nanosecond => 6,
    }
}

fn postgres(data_type: &DataType, seen: Option<&Seen>) -> Option<String> {
    Some(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 => "bigint".to_owned(),
        DataType::UInt64 => "numeric(20,0)".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("numeric({precision},{scale})"),
        // Of no letters nothing follows for those to come.
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match seen
            .map(|seen| roomy(seen.longest))
            .filter(|room| (1..=LONGEST_VARCHAR).contains(room))
        {
            Some(room) => format!("varchar({room})"),
            None => "text".to_owned(),
        },
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytea".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Date64 => "timestamp(3)".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time({})", digits(unit)),
        DataType::Timestamp(unit, None) => format!("timestamp({})", digits(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("timestamptz({})", digits(unit)),
        DataType::Duration(_) => "interval".to_owned(),
        DataType::Dictionary(_, values) => return postgres(values, seen),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            match item.data_type() {
                DataType::Struct(_) | DataType::Map(..) => "jsonb".to_owned(),
                inner => format!("{}[]", postgres(inner, None)?),
            }
        }
        DataType::Struct(_) | DataType::Map(..) => "jsonb".to_owned(),
        _ => return None,
    })
}

fn duckdb(data_type: &DataType) -> Option<String> {
    let plain = |name: &str| Some(name.to_owned());
    match data_type {
        DataType::Boolean => plain("BOOLEAN"),
        DataType::Int8 => plain("TINYINT"),
        DataType::Int16 => plain("SMALLINT"),
        DataType::Int32 => plain("INTEGER"),
        DataType::Int64 => plain("BIGINT"),
        DataType::UInt8 => plain("UTINYINT"),
        DataType::UInt16 => plain("USMALLINT"),
        DataType::UInt32 => plain("UINTEGER"),
        DataType::UInt64 => plain("UBIGINT"),
        DataType::Float16 | DataType::Float32 => plain("FLOAT"),
        DataType::Float64 => plain("DOUBLE"),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            let fits = *precision <= 38 && *scale >= 0;
            fits.then(|| format!("DECIMAL({precision},{scale})"))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => plain("VARCHAR"),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => plain("BLOB"),
        DataType::Date32 => plain("DATE"),
        DataType::Time32(_) | DataType::Time64(_) => plain("TIME"),
        DataType::Timestamp(_, Some(_)) => plain("TIMESTAMPTZ"),
        DataType::Timestamp(unit, None) => plain(match unit {
            TimeUnit::Second => "TIMESTAMP_S",
            TimeUnit::Millisecond => "TIMESTAMP_MS",
            TimeUnit::Microsecond => "TIMESTAMP",
            TimeUnit::Nanosecond => "TIMESTAMP_NS",
        }),
        DataType::Date64 => plain("TIMESTAMP_MS"),
        DataType::Duration(_) => plain("INTERVAL"),
        DataType::Dictionary(_, values) => duckdb(values),
        DataType::List(item) | DataType::LargeList(item) => {
            Some(format!("{}[]", duckdb(item.data_type())?))
        }
        DataType::FixedSizeList(item, length) => {
            let item = duckdb(item.data_type())?;
            // Of other lengths there are lists only.
            Some(match (1..=LONGEST_ARRAY).contains(length) {
                true => format!("{item}[{length}]"),
                false => format!("{item}[]"),
            })
        }
        DataType::Struct(fields) => {
            let field = |field: &std::sync::Arc<Field>| {
                let name = Dialect::DuckDb.quoted(field.name());
                Some(format!("{name} {}", duckdb(field.data_type())?))
            };
            let mut names: Vec<_> = fields
                .iter()
                .map(|field| Dialect::DuckDb.folded(field.name()))
                .collect();
            names.sort_unstable();
            let none = |name: &String| name.is_empty() || name.contains('\0');
            if names.is_empty()
                || names.iter().any(none)
                || names.windows(2).any(|pair| pair[0] == pair[1])
            {
                return None;
            }
            let fields: Option<Vec<_>> = fields.iter().map(field).collect();
            Some(format!("STRUCT({})", fields?.join(", ")))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return None;
            };
            let [key, value] = fields.iter().as_slice() else {
                return None;
            };
            let (key, value) = (duckdb(key.data_type())?, duckdb(value.data_type())?);
            Some(format!("MAP({key}, {value})"))
        }
        _ => None,
    }
}

/// SQLite keeps what it is given; the type says how values are compared.
fn sqlite(data_type: &DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => "INTEGER",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "REAL",
        // Beyond 64 bits SQLite has floats only, so exact numbers stay as they are written.
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..) => "TEXT",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "BLOB",
        DataType::Dictionary(_, values) => return sqlite(values),
        _ => return None,
    })
}
