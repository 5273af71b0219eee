//! Many tables at once: those whose names fit a pattern.

use hygge_core::fits_pattern;
use serde_json::{Value, json};

use crate::name::TableName;

/// Patterns of names, and of names to leave out. `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard {
    tables: Vec<TableName>,
    except: Vec<TableName>,
}

impl Wildcard {
    /// Reads patterns like `dbo.*`; or says which of them is none.
    pub(crate) fn of(tables: &[String], except: &[String]) -> Result<Self, String> {
        let parse = |text: &String| TableName::parse(text);
        Ok(Self {
            tables: tables.iter().map(parse).collect::<Result<_, _>>()?,
            // What is left out is left out of every schema, unless it names one.
            except: except
                .iter()
                .map(|text| match text.contains('.') {
                    true => parse(text),
                    false => parse(&format!("*.{text}")),
                })
                .collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn takes(&self, table: &TableName) -> bool {
        let fits = |pattern: &TableName| {
            fits_pattern(&pattern.schema, &table.schema)
                && fits_pattern(&pattern.table, &table.table)
        };
        self.tables.iter().any(fits) && !self.except.iter().any(fits)
    }

    /// The entity that a table is, and the settings of its home. It is called as the table, with
    /// its schema in front when tables of several schemas could be found.
    pub(crate) fn entity(&self, table: &TableName) -> (String, Value) {
        let schema = self.tables.first().map(|pattern| pattern.schema.as_str());
        let same = |pattern: &TableName| Some(pattern.schema.as_str()) == schema;
        let one = schema.is_some_and(|schema| !schema.contains(['*', '?']));
        let name = match one && self.tables.iter().all(same) {
            true => table.table.clone(),
            false => format!("{}.{}", table.schema, table.table),
        };
        // The setting that found it is taken back.
        let settings = json!({"table": table.quoted(), "tables": null, "exclude_tables": null});
        (name, settings)
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let names: Vec<String> = self.tables.iter().map(ToString::to_string).collect();
        format!("tables {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(tables: &[&str], except: &[&str], name: &str) -> bool {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let wildcard = Wildcard::of(&owned(tables), &owned(except)).unwrap();
        wildcard.takes(&TableName::parse(name).unwrap())
    }

    #[test]
    fn names_fit_patterns() {
        assert!(taken(&["dbo.*"], &[], "dbo.Orders"));
        assert!(taken(&["DBO.ord*s"], &[], "dbo.Orders"));
        assert!(!taken(&["dbo.*"], &[], "sales.orders"));
        assert!(taken(&["*.*"], &[], "sales.orders"));
        assert!(taken(&["dbo.?at"], &[], "dbo.cat"));
        assert!(!taken(&["dbo.?at"], &[], "dbo.chat"));
        assert!(taken(&["dbo.*_a*_b"], &[], "dbo.x_aa_a_b"));
        assert!(!taken(&["dbo.*_a*_b"], &[], "dbo.x_aa_a_bc"));
        assert!(taken(&["*"], &[], "dbo.a"));
        assert!(!taken(&["*.*"], &["audit_*"], "sales.audit_log"));
        assert!(taken(&["*.*"], &["dbo.audit_*"], "sales.audit_log"));
        assert!(taken(&["[my schema].*"], &[], "[my schema].[a.b]"));
    }

    #[test]
    fn entities_are_called_as_their_tables() {
        let name = |tables: &[&str]| {
            let tables: Vec<String> = tables.iter().map(|t| (*t).to_owned()).collect();
            let table = TableName::parse("dbo.orders").unwrap();
            Wildcard::of(&tables, &[]).unwrap().entity(&table).0
        };
        assert_eq!(name(&["dbo.*"]), "orders");
        assert_eq!(name(&["dbo.o*", "dbo.p*"]), "orders");
        assert_eq!(name(&["dbo.*", "sales.*"]), "dbo.orders");
        assert_eq!(name(&["*.*"]), "dbo.orders");
    }
}
