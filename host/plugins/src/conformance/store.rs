//! A Store: two phases, each of which can be done again.

mod destination;

use arrow_array::RecordBatch;

use super::calls::{Called, Caller, Failed, Run};
use super::{Sheet, Verdict, Why, home, rows, unseen, wrong};
use hygge_component::Part;

use crate::contract::store::{Receipt, Settled};
use crate::fault::clean;
use destination::Destination;

/// Bytes of the huge batch.
const HUGE: usize = 8 << 20;
/// The advice of checks that need to see files.
const BLIND: &str = "it writes into no folder that was granted here, so what stands at the \
                     destination can't be seen";

/// A Store, what it is given, and where it writes.
struct Stage<'a> {
    caller: &'a Caller,
    part: &'a Part,
    input: &'a RecordBatch,
    at: Destination,
}

/// A run that was committed.
struct Done {
    run: Run,
    receipts: Vec<Receipt>,
    settled: Settled,
}

pub(super) async fn look(
    sheet: &mut Sheet<'_>,
    caller: &Caller,
    part: &Part,
    input: &RecordBatch,
    scratch: &std::path::Path,
) {
    let stage = Stage {
        caller,
        part,
        input,
        at: Destination::new(&caller.plugin.grants.write, scratch),
    };
    sheet.note("its check finds nothing wrong", stage.check().await);
    sheet.note("it finds nothing where nothing is", stage.vacant().await);
    let committed = stage.committed().await;
    let committed = sheet.take("what was staged is committed", committed);
    let Some(done) = committed else { return };
    sheet.note(
        "committing twice, in fresh instances, is committing once",
        stage.twice(&done).await,
    );
    sheet.note("it knows what it wrote", stage.ours(&done).await);
    sheet.note(
        "cleaning up leaves what was committed",
        stage.kept(&done).await,
    );
    sheet.note(
        "cleaning up removes what a dead run staged, finished or not",
        stage.abandoned(&done).await,
    );
    sheet.note("a run can be given up, twice", stage.aborted(&done).await);
    sheet.note(
        "only the attempt that a receipt names is committed",
        stage.attempts().await,
    );
    sheet.note(
        "beginning again keeps what is staged",
        stage.resumed().await,
    );
    sheet.note("a run without rows can be committed", stage.nothing().await);
    for action in ["replace", "append", "upsert"] {
        let law = match action {
            "replace" => "`replace` takes the place of earlier rows",
            "append" => "`append` leaves earlier rows",
            _ => "`upsert` by a key leaves each row once",
        };
        sheet.note(law, stage.again(action).await);
    }
    sheet.note("it takes a huge batch", stage.huge().await);
    sheet.note(
        "every type is taken, or refused with a fault of code `schema`",
        stage.every().await,
    );
    sheet.note("a writer that is asked to stop stops", stage.stop().await);
}

impl Stage<'_> {
    /// What becomes of earlier rows when it doesn't matter.
    fn action(&self) -> &'static str {
        ["replace", "append"]
            .into_iter()
            .find(|action| self.part.able(action))
            .unwrap_or("upsert")
    }

    /// How many writers may be open side by side.
    fn splits(&self) -> usize {
        if self.part.able("single") { 1 } else { 2 }
    }

    /// Begins a run.
    async fn begin(
        &self,
        action: &str,
        schema: &RecordBatch,
        memory: Option<Vec<u8>>,
    ) -> Called<Run> {
        let key = match action {
            "upsert" => vec![self.input.schema().field(0).name().clone()],
            _ => Vec::new(),
        };
        let mut run = Run {
            id: self.at.run(),
            action: action.to_owned(),
            key,
            schema: schema.schema(),
            memory,
            begun: String::new(),
        };
        run.begun = self.caller.begin(&run).await?;
        Ok(run)
    }

    /// Stages batches as one attempt at a split.
    async fn staged(
        &self,
        run: &Run,
        split: &str,
        attempt: u32,
        batches: &[RecordBatch],
    ) -> Result<Receipt, Why> {
        let receipt = self.stage(run, split, attempt, batches).await?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if receipt.split != split || receipt.attempt != attempt {
            return wrong(
                "the receipt names another split or attempt than the writer was opened for",
            );
        }
        if receipt.rows != rows as u64 {
            let claimed = receipt.rows;
            return wrong(format!(
                "the receipt says {claimed} rows, {rows} were written"
            ));
        }
        if receipt.data.len() > 64 << 10 {
            return wrong("the receipt is larger than 64 KiB");
        }
        Ok(receipt)
    }

    async fn stage(
        &self,
        run: &Run,
        split: &str,
        attempt: u32,
        batches: &[RecordBatch],
    ) -> Called<Receipt> {
        let mut writer = self.caller.writer(run, split, attempt).await?;
        for (seq, batch) in batches.iter().enumerate() {
            writer.write(seq as u64, batch).await?;
        }
        let receipt = writer.close().await?;
        writer.drop().await?;
        Ok(receipt)
    }

    /// A whole run: the rows in as many splits as may be, committed, cleaned up.
    async fn settle(&self, action: &str, memory: Option<Vec<u8>>) -> Result<Done, Why> {
        let run = self.begin(action, self.input, memory).await?;
        let mut receipts = Vec::new();
        let size = self.input.num_rows().div_ceil(self.splits()).max(1);
        for (n, part) in rows::pieces(self.input, size).iter().enumerate() {
            if part.num_rows() == 0 {
                continue;
            }
            let batches = rows::pieces(part, part.num_rows().div_ceil(3).max(1));
            let receipt = self.staged(&run, &format!("s{n}"), 1, &batches).await?;
            receipts.push(receipt);
        }
        let settled = self.caller.commit(&run, &receipts).await?;
        self.caller.cleanup(&[&run]).await?;
        Ok(Done {
            run,
            receipts,
            settled,
        })
    }

    async fn check(&self) -> Verdict {
        home::findings(&self.caller.store_check().await?)
    }

    async fn vacant(&self) -> Verdict {
        self.at.empty()?;
        let standing = self.caller.standing(None).await?;
        match standing.what.as_str() {
            "vacant" => Ok(String::new()),
            other => wrong(format!("it says `{}`", clean(other, 64))),
        }
    }

    async fn committed(&self) -> Result<(Done, String), Why> {
        self.at.empty()?;
        let done = self.settle(self.action(), None).await?;
        if self.at.seen() && self.at.tree()?.is_empty() {
            return wrong("the commit succeeded, and nothing stands at the destination");
        }
        let note = format!("at {}", clean(&done.settled.location, 200));
        Ok((done, note))
    }

    async fn twice(&self, done: &Done) -> Verdict {
        let before = self.at.tree()?;
        for _ in 0..2 {
            let again = self.caller.commit(&done.run, &done.receipts).await?;
            let (a, b) = (&again, &done.settled);
            if (&a.location, a.parts, &a.memory) != (&b.location, b.parts, &b.memory) {
                return wrong("the second commit gives another result than the first");
            }
            if let Some(what) = before.difference(&self.at.tree()?) {
                return wrong(format!("after the second commit {what}"));
            }
            self.caller.cleanup(&[&done.run]).await?;
        }
        match self.at.seen() {
            true => Ok(String::new()),
            false => unseen(format!("it gave the same result; {BLIND}")),
        }
    }

    async fn ours(&self, done: &Done) -> Verdict {
        let standing = self.caller.standing(done.settled.memory.clone()).await?;
        match standing.what.as_str() {
            "ours" => Ok(String::new()),
            other => wrong(format!("given its memory, it says `{}`", clean(other, 64))),
        }
    }

    async fn kept(&self, done: &Done) -> Verdict {
        let before = self.at.tree()?;
        let mut unknown = done.run.clone();
        unknown.id = self.at.run();
        self.caller.cleanup(&[&done.run, &unknown]).await?;
        self.caller.cleanup(&[&done.run]).await?;
        self.same(&before)
    }

    async fn abandoned(&self, done: &Done) -> Verdict {
        let before = self.at.tree()?;
        let memory = done.settled.memory.clone();
        let run = self.begin(self.action(), self.input, memory).await?;
        let mut writer = self.caller.writer(&run, "s0", 1).await?;
        writer.write(0, self.input).await?;
        drop(writer);
        // With a receipt that nobody knows of.
        self.staged(&run, "s0", 2, std::slice::from_ref(self.input))
            .await?;
        self.caller.cleanup(&[&run]).await?;
        self.caller.cleanup(&[&run]).await?;
        self.same(&before)
    }

    async fn aborted(&self, done: &Done) -> Verdict {
        let before = self.at.tree()?;
        let memory = done.settled.memory.clone();
        let run = self.begin(self.action(), self.input, memory).await?;
        let batches = std::slice::from_ref(self.input);
        let receipt = self.staged(&run, "s0", 1, batches).await?;
        let receipts = std::slice::from_ref(&receipt);
        self.caller.abort(&run, receipts).await?;
        self.caller.abort(&run, receipts).await?;
        self.caller.cleanup(&[&run]).await?;
        self.same(&before)
    }

    /// Whether the destination is what it was.
    fn same(&self, before: &super::tree::Tree) -> Verdict {
        if !self.at.seen() {
            return unseen(BLIND);
        }
        match before.difference(&self.at.tree()?) {
            None => Ok(String::new()),
            Some(what) => wrong(format!("afterwards {what}")),
        }
    }

    /// Bytes at the destination after one plain run into an empty one.
    async fn plain(&self) -> Result<u64, Why> {
        self.at.empty()?;
        self.settle(self.action(), None).await?;
        let bytes = self.at.tree()?.bytes();
        self.at.empty()?;
        Ok(bytes)
    }

    async fn attempts(&self) -> Verdict {
        if !self.at.seen() {
            return unseen(BLIND);
        }
        let plain = self.plain().await?;
        let run = self.begin(self.action(), self.input, None).await?;
        let batches = std::slice::from_ref(self.input);
        self.staged(&run, "s0", 1, batches).await?;
        let second = self.staged(&run, "s0", 2, batches).await?;
        self.caller.commit(&run, &[second]).await?;
        self.caller.cleanup(&[&run]).await?;
        let bytes = self.at.tree()?.bytes();
        match bytes > plain + plain / 2 {
            true => wrong(format!(
                "two attempts at a split, one of them committed, leave {bytes} bytes; one leaves \
                 {plain}"
            )),
            false => Ok(String::new()),
        }
    }

    async fn resumed(&self) -> Verdict {
        let plain = self.plain().await?;
        let mut run = self.begin(self.action(), self.input, None).await?;
        let batches = std::slice::from_ref(self.input);
        let receipt = self.staged(&run, "s0", 1, batches).await?;
        run.begun = self.caller.begin(&run).await?;
        self.caller.commit(&run, &[receipt]).await?;
        self.caller.cleanup(&[&run]).await?;
        if !self.at.seen() {
            return unseen(BLIND);
        }
        let bytes = self.at.tree()?.bytes();
        match bytes < plain / 2 {
            true => wrong(format!("{bytes} bytes are left of {plain}")),
            false => Ok(String::new()),
        }
    }

    async fn nothing(&self) -> Verdict {
        self.at.empty()?;
        let run = self.begin(self.action(), self.input, None).await?;
        let memory = self.caller.commit(&run, &[]).await?.memory;
        self.caller.cleanup(&[&run]).await?;
        let run = self.begin(self.action(), self.input, memory).await?;
        let none = [self.input.slice(0, 0), self.input.slice(0, 0)];
        let receipt = self.staged(&run, "s0", 1, &none).await?;
        self.caller.commit(&run, &[receipt]).await?;
        self.caller.cleanup(&[&run]).await?;
        Ok(String::new())
    }

    async fn again(&self, action: &str) -> Verdict {
        if !self.part.able(action) {
            return unseen("it doesn't say that it can");
        }
        self.at.empty()?;
        let first = self.settle(action, None).await?;
        let once = self.at.tree()?.bytes();
        self.settle(action, first.settled.memory).await?;
        if !self.at.seen() {
            return unseen(BLIND);
        }
        let twice = self.at.tree()?.bytes();
        let doubled = twice > once + once / 2;
        match (action, doubled) {
            ("append", true) | ("replace" | "upsert", false) => Ok(String::new()),
            _ => wrong(format!(
                "{once} bytes after a run, {twice} after another with the same rows"
            )),
        }
    }

    async fn huge(&self) -> Verdict {
        self.at.empty()?;
        let most = self.caller.plugin.grants.limits.batch / 2;
        let batch = rows::huge(self.input, HUGE.min(most));
        let run = self.begin(self.action(), &batch, None).await?;
        let batches = std::slice::from_ref(&batch);
        let receipt = self.staged(&run, "s0", 1, batches).await?;
        self.caller.abort(&run, &[receipt]).await?;
        self.caller.cleanup(&[&run]).await?;
        let bytes = batch.get_array_memory_size() >> 10;
        Ok(format!("{} rows, {bytes} KiB", batch.num_rows()))
    }

    async fn every(&self) -> Verdict {
        let (mut taken, mut all) = (0, 0);
        for batch in rows::every(self.input) {
            all += 1;
            self.at.empty()?;
            let column = batch.column(batch.num_columns() - 1);
            let kind = column.data_type().to_string();
            let failed = |failed: Failed| match refused(&failed) {
                true => Ok(()),
                false => wrong(format!("a column of {kind}: {failed}")),
            };
            let run = match self.begin(self.action(), &batch, None).await {
                Ok(run) => run,
                Err(why) => {
                    failed(why)?;
                    continue;
                }
            };
            let batches = std::slice::from_ref(&batch);
            match self.stage(&run, "s0", 1, batches).await {
                Ok(receipt) => {
                    if let Err(why) = self.caller.commit(&run, &[receipt]).await {
                        return wrong(format!("a column of {kind}, staged: {why}"));
                    }
                    taken += 1;
                }
                Err(why) => failed(why)?,
            }
            self.caller.cleanup(&[&run]).await?;
        }
        Ok(format!("{taken} of {all} types are taken"))
    }

    async fn stop(&self) -> Verdict {
        self.at.empty()?;
        let run = self.begin(self.action(), self.input, None).await?;
        let (caller, stop) = self.caller.apart();
        let mut writer = caller.writer(&run, "s0", 1).await?;
        stop.set();
        let written = writer.write(0, self.input).await;
        drop(writer);
        self.caller.cleanup(&[&run]).await?;
        match written {
            Ok(()) => Ok("it went on with a call that is short".to_owned()),
            Err(failed) if failed.told && failed.fault.code == "stopped" => Ok(String::new()),
            Err(failed) => wrong(format!("{failed}; expected is a fault of code `stopped`")),
        }
    }
}

/// Whether a fault is a way of saying that rows of this schema can't be written.
fn refused(failed: &Failed) -> bool {
    use hygge_core::code::SCHEMA;
    failed.told && [SCHEMA, "destination.unsupported"].contains(&failed.fault.code.as_ref())
}
