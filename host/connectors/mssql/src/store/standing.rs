//! Whose rows stand in the table.

use hygge_core::{EntityId, Result, RunId, Standing};

use super::{MssqlStore, publish};
use crate::connection::StatementSession;
use crate::describe::{self, text};
use crate::fault::Doing;

impl MssqlStore {
    pub(super) async fn is_empty(&self, session: &mut StatementSession) -> Result<bool> {
        let sql = format!("SELECT TOP (1) 1 FROM {}", self.write.table.quoted());
        let what = format!("can't look into {}", self.write.table);
        let found = session.query(&what, Doing::Writing, &sql, &[]).await?;
        Ok(found.first().is_none_or(Vec::is_empty))
    }

    pub(super) async fn standing(
        &self,
        session: &mut StatementSession,
        entity: &EntityId,
        memory: Option<&[u8]>,
    ) -> Result<Standing> {
        if self.table(session).await?.is_none() || self.is_empty(session).await? {
            return Ok(Standing::Vacant);
        }
        if memory.is_some_and(|memory| memory == self.memory()) {
            return Ok(Standing::Ours);
        }
        if let Some(run) = self.marked(session, entity).await? {
            return Ok(Standing::Marked { run });
        }
        Ok(Standing::Foreign {
            example: self.write.table.to_string(),
            adopted: self.write.adopt,
        })
    }

    /// The last run of the entity that committed to the table, when `hygge_commits` knows one.
    async fn marked(
        &self,
        session: &mut StatementSession,
        entity: &EntityId,
    ) -> Result<Option<Option<RunId>>> {
        let table = &self.write.table;
        let commits = publish::commits(table);
        if describe::table(session, &commits, Doing::Writing)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let sql = format!(
            "SELECT MAX(run) FROM {} WHERE flow = @P1 AND entity = @P2 AND destination = @P3 \
             AND row_count >= 0",
            commits.quoted()
        );
        let what = format!("can't look who filled {table}");
        let shown = table.to_string();
        let parameters: [&dyn tiberius::ToSql; 3] = [&entity.flow, &entity.entity, &shown];
        let found = session
            .query(&what, Doing::Writing, &sql, &parameters)
            .await?;
        let run = found.first().and_then(|rows| rows.first());
        let run = run.and_then(|row| text(row, 0));
        Ok(run.map(|run| RunId::parse(&run)))
    }

    /// What is remembered once something was committed: where.
    pub(super) fn memory(&self) -> Vec<u8> {
        let at = format!("{} of {}", self.write.table, self.connection.describe());
        at.into_bytes()
    }
}
