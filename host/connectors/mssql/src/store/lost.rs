//! Commits that can't be finished any more: something that they need is gone.

use hygge_core::{CommitRecord, Fault, Result, code, quoted};

use super::MssqlStore;
use crate::connection::StatementSession;
use crate::describe::whole;
use crate::fault::Doing;
use crate::name::TableName;

impl MssqlStore {
    /// Makes sure of a table without which a commit neither comes about nor can be found done.
    pub(super) async fn is_there(
        &self,
        session: &mut StatementSession,
        record: &CommitRecord,
        table: &TableName,
    ) -> Result<()> {
        let what = format!("can't look up {table}");
        let sql = "SELECT OBJECT_ID(@P1)";
        let found = session
            .query(&what, Doing::Writing, sql, &[&table.quoted()])
            .await?;
        let row = found.first().and_then(|rows| rows.first());
        if row.is_some_and(|row| whole(row, 0).is_some()) {
            return Ok(());
        }
        let named = quoted(&record.entity.to_string());
        Err(Fault::new(
            code::COMMIT_LOST,
            format!(
                "{table} is gone from {}, or the login may not see it any more, and the commit of \
                 run {} needs it",
                self.connection.describe(),
                record.run
            ),
        )
        .advise(format!(
            "give the run up: `hygge start --full --entity {named}` replaces what stands by all that \
             the source holds now, `hygge state reset {named} --yes` forgets the commit, and how far \
             the entity came"
        )))
    }
}
