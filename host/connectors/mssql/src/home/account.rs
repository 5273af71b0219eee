//! Which account of changes a version is of: one that began anew numbers on from where the one before
//! it was, and knows nothing of what changed in between.

use serde::{Deserialize, Serialize};

use crate::name::TableName;

/// An account that is kept of a table's changes. Not every login sees all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    /// The number of the table itself: another one may have its name by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<i64>,
    /// The version at which it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<i64>,
    /// The number of the table that it is kept in: switched off and on again before anything was
    /// counted, it begins at the same version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kept_in: Option<i64>,
}

impl Account {
    /// What happened since an earlier one, if it isn't the same.
    pub(super) fn since(&self, before: &Self, table: &TableName) -> Option<String> {
        let other = |before: Option<i64>, now: Option<i64>| matches!((before, now), (Some(before), Some(now)) if before != now);
        if other(before.object, self.object) {
            return Some(format!("{table} is another table than in the last run"));
        }
        let anew = other(before.begun, self.begun) || other(before.kept_in, self.kept_in);
        anew.then(|| format!("changes of {table} weren't tracked all the time since the last run"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_began_anew_is_another_one() {
        let table = TableName::parse("dbo.t").unwrap();
        let account = |object, begun, kept_in| Account {
            object,
            begun,
            kept_in,
        };
        let before = account(Some(1), Some(5), Some(9));
        let since = |now: Account| now.since(&before, &table);
        assert_eq!(
            since(account(Some(2), Some(5), Some(9))).unwrap(),
            "dbo.t is another table than in the last run"
        );
        let anew = "changes of dbo.t weren't tracked all the time since the last run";
        for now in [
            account(Some(1), Some(6), Some(9)),
            account(Some(1), Some(5), Some(8)),
            account(None, None, Some(8)),
        ] {
            assert_eq!(since(now).unwrap(), anew);
        }
        // What isn't seen says nothing.
        for now in [
            before,
            account(Some(1), None, None),
            account(None, None, None),
        ] {
            assert_eq!(since(now), None);
        }
    }
}
