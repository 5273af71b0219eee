//! Runs scripts in one transaction.

use hygge_core::failpoint::hit;
use hygge_core::{Applied, Applying, BatchFault, Fault, Result, Stays};

use crate::batch::Batch;
use crate::file::Script;
use crate::plan::{Step, What};

/// Runs what is to be run, and makes it last together with the record of it; `began` is told of each
/// script that is run. On an error nothing is left of any.
pub async fn run(
    mut database: Box<dyn Applying>,
    steps: &[Step<'_>],
    began: &mut (dyn FnMut(&Script) + Send),
) -> Result<()> {
    hit("apply.begun")?;
    let mut changes = false;
    for step in steps {
        let script = step.script;
        let mut renamed_from = None;
        let batches = match &step.what {
            What::Unchanged(_) => continue,
            What::Renamed(last) => {
                renamed_from = Some(last.file.clone());
                0
            }
            What::Apply | What::Again(_) => {
                began(script);
                database.file().await?;
                for batch in &script.batches {
                    for _ in 0..batch.times {
                        hit("apply.batch")?;
                        let ran = database.batch(&batch.sql).await;
                        ran.map_err(|wrong| placed(wrong, batch, script))?;
                        hit("apply.ran")?;
                    }
                }
                script.runs()
            }
        };
        changes = true;
        let applied = Applied {
            file: script.name.clone(),
            checksum: script.checksum.clone(),
            batches,
            renamed_from,
            at: String::new(),
        };
        let recorded = database.record(&applied).await;
        recorded.map_err(|fault| fault.with("file", &script.name))?;
        hit("apply.recorded")?;
    }
    if changes {
        hit("apply.committing")?;
        database.commit().await?;
        hit("apply.committed")?;
    }
    Ok(())
}

/// Says where in the file it went wrong, and what is left.
fn placed(wrong: BatchFault, batch: &Batch, script: &Script) -> Fault {
    let BatchFault {
        mut fault,
        line,
        stays,
    } = wrong;
    let lines = batch.sql.lines().count();
    // A procedure counts its own lines, and some errors have none.
    let line = match line.filter(|line| (1..=lines).contains(line)) {
        Some(line) => (batch.line + line - 1).max(batch.first),
        None => batch.first,
    };
    fault.message = format!("{}:{line}: {}", script.shown, fault.message);
    let left = match stays {
        Stays::Nothing => "nothing was applied",
        Stays::Maybe => {
            "if it committed anything itself, that stays, without a record: look at the database before \
             you apply again"
        }
        Stays::Committed => {
            "what it committed stays, without a record: look at the database before you apply again"
        }
    };
    fault.advice = Some(match fault.advice.take() {
        Some(advice) => format!("{advice}; {left}"),
        None if stays != Stays::Nothing => left.to_owned(),
        None => format!("mend it, and apply again: {left}"),
    });
    fault.with("file", &script.name).with("line", line)
}
