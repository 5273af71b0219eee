//! What a database would refuse of a statement that looks well: said in comments, since it is for
//! whoever knows the values to shorten a column or name another key.

use crate::dialect::Dialect;
use crate::table::Form;

/// Whether no key has columns of that type.
pub(crate) fn no_key(declared: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Mssql => {
            const NONE: [&str; 8] = [
                "text",
                "ntext",
                "image",
                "xml",
                "json",
                "vector",
                "geometry",
                "geography",
            ];
            NONE.contains(&word(declared))
        }
        Dialect::DuckDb => {
            declared.ends_with(']') || ["STRUCT", "MAP", "INTERVAL"].contains(&word(declared))
        }
        Dialect::Postgres | Dialect::Sqlite => false,
    }
}

/// Whether no columnstore index of SQL Server has columns of that type.
pub(crate) fn no_columnstore(declared: &str) -> bool {
    const NONE: [&str; 8] = [
        "text",
        "ntext",
        "image",
        "xml",
        "sql_variant",
        "hierarchyid",
        "geometry",
        "geography",
    ];
    NONE.contains(&word(declared))
}

/// What a key of columns of those types may come to, where that is more than it may be.
pub(crate) fn of_key(declared: &[&str], dialect: Dialect, form: Form) -> Option<String> {
    const COLUMNS: usize = 32;
    let limited = matches!(dialect, Dialect::Mssql | Dialect::Postgres);
    if limited && declared.len() > COLUMNS {
        return Some(format!(
            "{} columns, and a key has at most {COLUMNS}",
            declared.len()
        ));
    }
    if dialect != Dialect::Mssql {
        return None;
    }
    let most = match form {
        Form::Rowstore => 900,
        Form::Heap | Form::Columnstore => 1_700,
    };
    let bytes: u64 = declared.iter().map(|each| bytes(each)).sum();
    (bytes > most)
        .then(|| format!("up to {bytes} bytes, and a key has at most {most}: shorten its columns"))
}

/// A type without what stands in brackets.
fn word(declared: &str) -> &str {
    declared.split_once('(').map_or(declared, |(word, _)| word)
}

/// The most that a value of a type of SQL Server takes in a key. Of `(max)` its column tells.
fn bytes(declared: &str) -> u64 {
    let inside = declared.split_once('(').map_or("", |(_, inside)| inside);
    let first = inside.trim_end_matches(')').split(',').next();
    let number: Option<u64> = first.and_then(|first| first.trim().parse().ok());
    let length = number.unwrap_or(0);
    // Of a second.
    let digits = match number.unwrap_or(7) {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    match word(declared) {
        "nvarchar" | "nchar" => 2 * length,
        "varchar" | "char" | "varbinary" | "binary" => length,
        "uniqueidentifier" => 16,
        "decimal" | "numeric" => match number.unwrap_or(18) {
            0..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        },
        "datetimeoffset" => 8 + digits,
        "datetime2" => 6 + digits,
        "int" | "real" | "smalldatetime" | "smallmoney" => 4,
        "smallint" => 2,
        "tinyint" | "bit" => 1,
        "date" => 3,
        "time" => 3 + digits,
        // Whatever it holds, it is no less than nothing.
        "sql_variant" | "hierarchyid" => 0,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_told() {
        let mssql = |declared: &[&str], form| of_key(declared, Dialect::Mssql, form);
        assert_eq!(mssql(&["nvarchar(450)"], Form::Rowstore), None);
        insta::assert_snapshot!(mssql(&["nvarchar(450)", "int"], Form::Rowstore).unwrap(), @"up to 904 bytes, and a key has at most 900: shorten its columns");
        assert_eq!(mssql(&["nvarchar(450)", "int"], Form::Heap), None);
        insta::assert_snapshot!(mssql(&["varchar(1701)"], Form::Columnstore).unwrap(), @"up to 1701 bytes, and a key has at most 1700: shorten its columns");
        assert_eq!(
            of_key(&["varchar(5000)"], Dialect::Postgres, Form::Rowstore),
            None
        );
        insta::assert_snapshot!(of_key(&["integer"; 33], Dialect::Postgres, Form::Rowstore).unwrap(), @"33 columns, and a key has at most 32");
        assert_eq!(
            of_key(&["INTEGER"; 33], Dialect::DuckDb, Form::Rowstore),
            None
        );
    }

    #[test]
    fn numbers_and_times_take_what_their_digits_do() {
        for (declared, taken) in [
            ("decimal(9,2)", 5),
            ("decimal(19, 4)", 9),
            ("numeric(28,0)", 13),
            ("decimal(38,9)", 17),
            ("time(0)", 3),
            ("time", 5),
            ("datetime2(3)", 7),
            ("datetime2(7)", 8),
            ("datetimeoffset(2)", 8),
            ("datetimeoffset", 10),
            ("nvarchar(444)", 888),
            ("nvarchar(max)", 0),
        ] {
            assert_eq!(bytes(declared), taken, "{declared}");
        }
    }

    #[test]
    fn types_that_no_index_has_are_known() {
        assert!(no_key("xml", Dialect::Mssql) && no_key("vector(3)", Dialect::Mssql));
        assert!(!no_key("nvarchar(30)", Dialect::Mssql));
        assert!(
            no_key("INTEGER[]", Dialect::DuckDb)
                && no_key("STRUCT(\"a\" INTEGER)", Dialect::DuckDb)
        );
        assert!(!no_key("jsonb", Dialect::Postgres));
        assert!(no_columnstore("image") && !no_columnstore("nvarchar(max)"));
    }
}
