//! MERGE: three queries (matched, not matched by target, not matched by source), then one change.

use std::collections::HashSet;

use sqlparser::ast::{
    Merge, MergeAction, MergeClause, MergeClauseKind, MergeInsertKind, MergeUpdateKind, TableFactor,
};

use super::Engine;
use super::dml::{Found, keys_touched};
use super::write::Given;
use crate::fault::SqlError;
use crate::reply::{Outcome, Reply};
use crate::sql::names;
use crate::sql::query::{Compiler, Scope};
use crate::store::locks::Mode;
use crate::store::rows::{RowId, Rows};
use crate::types::{Kind, SqlType, Value};
use crate::wire::token;

/// What a clause does to a row of the target.
enum Change {
    Set(Vec<(usize, Value, SqlType)>),
    Delete,
}

impl Engine {
    pub(super) fn merge(&mut self, reply: &mut Reply, merge: &Merge) -> Outcome {
        if merge.output.is_some() {
            return Err(SqlError::unknown("MERGE ... OUTPUT").into());
        }
        let TableFactor::Table { name, alias, .. } = &merge.table else {
            return Err(SqlError::unknown(&merge.table).into());
        };
        let parts = names::parts(name)?;
        let alias = alias.as_ref().map(|alias| alias.name.value.as_str());
        let Found { name, table } = self.target(&parts, Mode::Exclusive)?;

        let mut changes: Vec<(RowId, Change)> = Vec::new();
        let mut given: Vec<Vec<Given>> = Vec::new();
        for kind in [
            MergeClauseKind::Matched,
            MergeClauseKind::NotMatchedBySource,
        ] {
            let clauses: Vec<&MergeClause> = merge
                .clauses
                .iter()
                .filter(|clause| clause.clause_kind == kind)
                .collect();
            if clauses.is_empty() {
                continue;
            }
            let mut compiler = Compiler::new(self);
            compiler.scopes.push(Scope::default());
            let own = compiler.add_table(&parts, alias)?;
            let rowid = format!("{}.rowid", compiler.scopes[0].sources[0].sql);
            let from = if kind == MergeClauseKind::Matched {
                let source = compiler.factor(&merge.source)?;
                format!("{own} JOIN {source} ON {}", compiler.condition(&merge.on)?)
            } else {
                compiler.scopes.push(Scope::default());
                let source = compiler.factor(&merge.source)?;
                let condition = compiler.condition(&merge.on)?;
                compiler.scopes.pop();
                format!("{own} WHERE NOT EXISTS (SELECT 1 FROM {source} WHERE {condition})")
            };
            let (mut list, mut types) = (
                vec![rowid, which(&mut compiler, &clauses)?],
                vec![SqlType::plain(Kind::BigInt), SqlType::plain(Kind::Int)],
            );
            let mut sets: Vec<Option<Vec<(usize, usize)>>> = Vec::new();
            for clause in &clauses {
                match &clause.action {
                    MergeAction::Delete { .. } => sets.push(None),
                    MergeAction::Update(update) => {
                        let MergeUpdateKind::Set(assignments) = &update.kind else {
                            return Err(SqlError::unknown("UPDATE SET *").into());
                        };
                        let mut set = Vec::new();
                        for assignment in assignments {
                            let sqlparser::ast::AssignmentTarget::ColumnName(column) =
                                &assignment.target
                            else {
                                return Err(SqlError::unknown(assignment).into());
                            };
                            let at = Self::settable(&table, &names::parts(column)?.name)?;
                            let typed = compiler.value(&assignment.value)?;
                            set.push((at, list.len()));
                            list.push(typed.sql);
                            types.push(typed.ty);
                        }
                        sets.push(Some(set));
                    }
                    _ => return Err(SqlError::unknown("INSERT in WHEN MATCHED").into()),
                }
            }
            let binds = std::mem::take(&mut compiler.binds);
            for row in self.sqlite.values(
                &format!("SELECT {} FROM {from}", list.join(", ")),
                &binds,
                &types,
            )? {
                let (Some(Value::Int(id)), Some(Value::Int(clause))) = (row.first(), row.get(1))
                else {
                    continue;
                };
                let Some(set) = usize::try_from(*clause)
                    .ok()
                    .and_then(|clause| sets.get(clause))
                else {
                    continue;
                };
                let change = match set {
                    None => Change::Delete,
                    Some(set) => Change::Set(
                        set.iter()
                            .map(|(at, from)| (*at, row[*from].clone(), types[*from]))
                            .collect(),
                    ),
                };
                changes.push((RowId(*id), change));
            }
        }
        let mut seen = HashSet::new();
        if changes.iter().any(|(id, _)| !seen.insert(*id)) {
            return Err(SqlError::new(8672, "The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a target row matches more than one source row.").into());
        }

        let clauses: Vec<&MergeClause> = merge
            .clauses
            .iter()
            .filter(|clause| {
                matches!(
                    clause.clause_kind,
                    MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget
                )
            })
            .collect();
        if !clauses.is_empty() {
            let mut compiler = Compiler::new(self);
            compiler.scopes.push(Scope::default());
            let source = compiler.factor(&merge.source)?;
            compiler.scopes.push(Scope::default());
            let own = compiler.add_table(&parts, alias)?;
            let condition = compiler.condition(&merge.on)?;
            compiler.scopes.pop();
            let (mut list, mut types) = (
                vec![which(&mut compiler, &clauses)?],
                vec![SqlType::plain(Kind::Int)],
            );
            let mut inserts = Vec::new();
            for clause in &clauses {
                let MergeAction::Insert(insert) = &clause.action else {
                    return Err(SqlError::unknown(
                        "UPDATE or DELETE in WHEN NOT MATCHED BY TARGET",
                    )
                    .into());
                };
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(SqlError::unknown("INSERT without VALUES in MERGE").into());
                };
                let [row] = values.rows.as_slice() else {
                    return Err(SqlError::unknown("INSERT of several rows in MERGE").into());
                };
                let columns: Vec<String> = insert
                    .columns
                    .iter()
                    .map(|column| Ok(names::parts(column)?.name))
                    .collect::<Result<_, SqlError>>()?;
                let mut filled = Vec::new();
                for expr in &row.content {
                    let typed = compiler.value(expr)?;
                    filled.push(list.len());
                    list.push(typed.sql);
                    types.push(typed.ty);
                }
                inserts.push((columns, filled));
            }
            let binds = std::mem::take(&mut compiler.binds);
            let mut places = Vec::new();
            for (columns, filled) in &inserts {
                let chosen = self.insert_columns(&table, &name, columns)?;
                if chosen.len() != filled.len() {
                    return Err(SqlError::new(109, "There are more columns in the INSERT statement than values specified in the VALUES clause.").class(15).into());
                }
                places.push(chosen);
            }
            let sql = format!(
                "SELECT {} FROM {source} WHERE NOT EXISTS (SELECT 1 FROM {own} WHERE {condition})",
                list.join(", ")
            );
            for mut row in self.sqlite.values(&sql, &binds, &types)? {
                let Some(Value::Int(clause)) = row.first() else {
                    continue;
                };
                let Some(clause) = usize::try_from(*clause)
                    .ok()
                    .filter(|clause| *clause < inserts.len())
                else {
                    continue;
                };
                let mut new: Vec<Given> = table.columns.iter().map(|_| Given::Nothing).collect();
                for (at, from) in places[clause].iter().zip(&inserts[clause].1) {
                    new[*at] = Given::Value(
                        std::mem::replace(&mut row[*from], Value::Null),
                        types[*from],
                    );
                }
                given.push(new);
            }
        }

        let count = changes.len() + given.len();
        let (mut set_rows, mut made, mut touched) = (Vec::new(), Rows::default(), Vec::new());
        let mut all: Vec<(RowId, Option<Vec<u8>>)> = Vec::new();
        for (id, change) in changes {
            match change {
                Change::Delete => all.push((id, None)),
                Change::Set(set) => {
                    let old = table
                        .rows
                        .get(id)
                        .ok_or_else(|| SqlError::broken("a row is gone within a statement"))?;
                    made.push(&self.changed_row(&table, old, &set)?);
                    touched.extend(set.iter().map(|(at, ..)| *at));
                    set_rows.push(id);
                }
            }
        }
        let made = self.computed(&table, made)?;
        all.extend(
            set_rows
                .into_iter()
                .zip(made.iter())
                .map(|(id, row)| (id, Some(row.to_vec()))),
        );
        let rows = self.new_rows(
            &table,
            given,
            self.settings.identity_insert.as_ref() == Some(&name),
        )?;
        // Keys are looked at once everything is in: a row may take the key of one that goes.
        self.change_rows(
            &name,
            &table,
            all,
            rows.len() == 0 && keys_touched(&table, &touched),
        )?;
        let changed = self
            .lookup(&name)
            .ok_or_else(|| SqlError::broken("a table is gone within a statement"))?;
        self.add_rows(&name, &changed, rows, true)?;
        self.tell(reply, token::CMD_MERGE, count, |_, _| Ok(()))
    }
}

/// The number of the first clause whose condition is met, or -1.
fn which(compiler: &mut Compiler<'_>, clauses: &[&MergeClause]) -> Outcome<String> {
    let mut sql = "CASE".to_owned();
    for (number, clause) in clauses.iter().enumerate() {
        let condition = match &clause.predicate {
            Some(predicate) => compiler.condition(predicate)?,
            None => "1".to_owned(),
        };
        sql += &format!(" WHEN {condition} THEN {number}");
    }
    Ok(sql + " ELSE -1 END")
}
