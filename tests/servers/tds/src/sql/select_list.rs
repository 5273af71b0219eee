//! What a query selects: its list, and the columns that names mean.

use sqlparser::ast::{Expr, SelectItem, SelectItemQualifiedWildcardKind};

use super::infer::Typed;
use super::query::{Compiler, Plain, Source};
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::store::table::same;
use crate::wire::token::Column;

impl Compiler<'_> {
    pub(super) fn column_of(&self, item: Item) -> Column {
        let found = item
            .typed
            .column
            .and_then(|(source, at)| self.scopes.last()?.sources.get(source)?.columns.get(at));
        let (identity, computed) =
            found.map_or((false, false), |column| (column.identity, column.computed));
        Column {
            name: item.name,
            ty: item.typed.ty,
            nullable: item.typed.nullable,
            identity,
            computed,
        }
    }

    /// The rows of one table, columns of it and no more?
    pub(super) fn plain(
        &self,
        items: &[Item],
        source: &str,
        filter: &str,
        ordering: &str,
        limit: &str,
    ) -> Option<Plain> {
        let [only] = self.scopes.last()?.sources.as_slice() else {
            return None;
        };
        let table = only.table.clone()?;
        let columns = items
            .iter()
            .map(|item| item.typed.column.map(|(_, at)| at))
            .collect::<Option<Vec<usize>>>()?;
        let rows = if filter.is_empty() && ordering.is_empty() && limit.is_empty() {
            None
        } else {
            Some(format!(
                "SELECT {}.rowid{source}{filter}{ordering}{limit}",
                only.sql
            ))
        };
        Some(Plain {
            table,
            columns,
            rows,
        })
    }

    /// A select list without a query, for OUTPUT.
    pub(crate) fn list(&mut self, projection: &[SelectItem]) -> Outcome<(String, Vec<Column>)> {
        let items = self.items(projection)?;
        let list: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(at, item)| format!("{} AS c{at}", item.typed.sql))
            .collect();
        Ok((
            list.join(", "),
            items.into_iter().map(|item| self.column_of(item)).collect(),
        ))
    }

    pub(super) fn order_key(&mut self, expr: &Expr, items: &[Item]) -> Outcome<String> {
        if let Expr::Identifier(ident) = expr
            && let Some(item) = items.iter().find(|item| same(&item.name, &ident.value))
        {
            return Ok(item.typed.ordered());
        }
        Ok(self.value(expr)?.ordered())
    }

    pub(super) fn items(&mut self, projection: &[SelectItem]) -> Outcome<Vec<Item>> {
        let mut items = Vec::new();
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let name = super::names::identifiers(expr)
                        .and_then(|parts| parts.last().map(|ident| ident.value.clone()))
                        .filter(|name| !name.starts_with('@'))
                        .unwrap_or_default();
                    items.push(Item {
                        typed: self.value(expr)?,
                        name,
                    });
                }
                SelectItem::ExprWithAlias { expr, alias } => items.push(Item {
                    typed: self.value(expr)?,
                    name: alias.value.clone(),
                }),
                SelectItem::Wildcard(_) => self.all_of(None, &mut items)?,
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    let alias = super::names::parts(name)?.name.to_lowercase();
                    self.all_of(Some(&alias), &mut items)?;
                }
                other => return Err(SqlError::unknown(other).into()),
            }
        }
        Ok(items)
    }

    pub(super) fn all_of(&self, alias: Option<&str>, items: &mut Vec<Item>) -> Outcome {
        let before = items.len();
        let scope = self.scopes.last().cloned().unwrap_or_default();
        for (number, source) in scope.sources.iter().enumerate() {
            if alias.is_none_or(|alias| source.alias == alias) {
                for (at, column) in source.columns.iter().enumerate() {
                    items.push(Item {
                        typed: reference(source, number, at),
                        name: column.name.clone(),
                    });
                }
            }
        }
        if items.len() == before {
            return Err(SqlError::new(107, format!("The column prefix '{}' does not match with a table name or alias name used in the query.", alias.unwrap_or("*"))).class(15).into());
        }
        Ok(())
    }

    /// A column by its name, with the names before it if there are any.
    pub(crate) fn column(&self, names: &[&str]) -> Outcome<Typed> {
        let invalid = || {
            SqlError::new(
                207,
                format!("Invalid column name '{}'.", names.last().unwrap_or(&"")),
            )
        };
        let (name, prefix) = names.split_last().ok_or_else(invalid)?;
        for scope in self.scopes.iter().rev() {
            let mut found = None;
            for (number, source) in scope.sources.iter().enumerate() {
                // dbo.t.c and t.c both mean the source that is called t.
                if prefix
                    .last()
                    .is_some_and(|prefix| !same(&source.alias, prefix))
                {
                    continue;
                }
                if let Some(at) = source
                    .columns
                    .iter()
                    .position(|column| same(&column.name, name))
                {
                    if found.is_some() {
                        return Err(
                            SqlError::new(209, format!("Ambiguous column name '{name}'.")).into(),
                        );
                    }
                    found = Some(reference(source, number, at));
                }
            }
            if let Some(mut found) = found {
                if !std::ptr::eq(scope, self.scopes.last().unwrap_or(scope)) {
                    found.column = None;
                }
                return Ok(found);
            }
        }
        if let Some(prefix) = prefix.last()
            && !self.scopes.iter().any(|scope| {
                scope
                    .sources
                    .iter()
                    .any(|source| same(&source.alias, prefix))
            })
        {
            return Err(SqlError::new(
                4104,
                format!(
                    "The multi-part identifier \"{}\" could not be bound.",
                    names.join(".")
                ),
            )
            .into());
        }
        Err(invalid().into())
    }
}

pub(crate) fn reference(source: &Source, number: usize, at: usize) -> Typed {
    let column = &source.columns[at];
    Typed {
        nullable: column.nullable,
        column: Some((number, at)),
        ..Typed::new(format!("{}.c{at}", source.sql), column.ty)
    }
}

/// One item of a select list.
pub(super) struct Item {
    pub(super) typed: Typed,
    pub(super) name: String,
}
