//! A transform: the same rows whatever batches they come in.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use super::calls::{Called, Caller, Failed};
use super::{Sheet, Verdict, Why, rows, wrong};

/// Bytes of the huge batch: more than any reader gives, less than the default limit.
const HUGE: usize = 8 << 20;

pub(super) async fn look(sheet: &mut Sheet<'_>, caller: &Caller, input: &RecordBatch) {
    let schema = sheet.take(
        "binding twice gives the same schema",
        bind(caller, input).await,
    );
    let Some(schema) = schema else { return };
    let expected = sheet.take(
        "rows go through in one batch",
        whole(caller, input, &schema).await,
    );
    let Some(expected) = expected else { return };
    sheet.note(
        "the same rows in other batches give the same rows",
        pieces(caller, input, &schema, &expected).await,
    );
    sheet.note(
        "it takes an empty batch, and none",
        empty(caller, input).await,
    );
    sheet.note("it takes a huge batch", huge(caller, input).await);
    sheet.note(
        "every type is taken, or refused with a fault of code `schema`",
        every(caller, input).await,
    );
    sheet.note(
        "a column that is missing is a fault of code `schema`",
        missing(caller).await,
    );
    sheet.note("one that is asked to stop stops", stop(caller, input).await);
}

async fn bind(caller: &Caller, input: &RecordBatch) -> Result<(SchemaRef, String), Why> {
    let first = caller.bind(&input.schema()).await?;
    let second = caller.bind(&input.schema()).await?;
    match crate::columns::same(&first.schema, &second.schema) {
        Ok(()) => Ok((first.schema, String::new())),
        Err(why) => wrong(why),
    }
}

/// Everything that comes of these batches, in a fresh instance.
async fn run(
    caller: &Caller,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Called<Vec<RecordBatch>> {
    let mut bound = caller.bind(schema).await?;
    let mut out = Vec::new();
    for batch in batches {
        out.extend(bound.apply(batch).await?);
    }
    out.extend(bound.finish().await?);
    bound.drop().await?;
    Ok(out)
}

fn joined(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, Why> {
    rows::joined(schema, batches).map_err(Why::Failed)
}

async fn whole(
    caller: &Caller,
    input: &RecordBatch,
    schema: &SchemaRef,
) -> Result<(RecordBatch, String), Why> {
    let out = run(caller, &input.schema(), std::slice::from_ref(input)).await?;
    let out = joined(schema, &out)?;
    let note = format!("{} rows became {}", input.num_rows(), out.num_rows());
    Ok((out, note))
}

async fn pieces(
    caller: &Caller,
    input: &RecordBatch,
    schema: &SchemaRef,
    expected: &RecordBatch,
) -> Verdict {
    let small = input.num_rows().div_ceil(100).max(1);
    for rows in [small, 7 * small, input.num_rows().div_ceil(2)] {
        let out = run(caller, &input.schema(), &rows::pieces(input, rows)).await?;
        let out = joined(schema, &out)?;
        if out != *expected {
            return wrong(format!(
                "in batches of {rows} rows {} rows come out, in one batch {}, or they differ",
                out.num_rows(),
                expected.num_rows()
            ));
        }
    }
    Ok(String::new())
}

async fn empty(caller: &Caller, input: &RecordBatch) -> Verdict {
    for batches in [&[][..], &[input.slice(0, 0)]] {
        let out = run(caller, &input.schema(), batches).await?;
        let rows: usize = out.iter().map(RecordBatch::num_rows).sum();
        if rows > 0 {
            // A count or a sum may well say something about nothing.
            return Ok(format!("{rows} rows come of none"));
        }
    }
    Ok(String::new())
}

async fn huge(caller: &Caller, input: &RecordBatch) -> Verdict {
    let most = caller.plugin.grants.limits.batch / 2;
    let batch = rows::huge(input, HUGE.min(most));
    run(caller, &input.schema(), std::slice::from_ref(&batch)).await?;
    let bytes = batch.get_array_memory_size() >> 10;
    Ok(format!("{} rows, {bytes} KiB", batch.num_rows()))
}

/// Whether a fault is a way of saying that rows of this schema can't be taken.
fn refused(failed: &Failed) -> bool {
    failed.told && failed.fault.code == hygge_core::code::SCHEMA
}

async fn every(caller: &Caller, input: &RecordBatch) -> Verdict {
    let (mut taken, mut all) = (0, 0);
    for batch in rows::every(input) {
        all += 1;
        let kind = batch
            .column(batch.num_columns() - 1)
            .data_type()
            .to_string();
        match caller.bind(&batch.schema()).await {
            Ok(_) => {}
            Err(failed) if refused(&failed) => continue,
            Err(failed) => return wrong(format!("bound to a column of {kind}: {failed}")),
        }
        let half = batch.slice(batch.num_rows() / 2, batch.num_rows() / 2);
        match run(caller, &batch.schema(), &[batch.clone(), half]).await {
            Ok(_) => taken += 1,
            Err(failed) => {
                return wrong(format!(
                    "a column of {kind}, bound without a fault: {failed}"
                ));
            }
        }
    }
    Ok(format!("{taken} of {all} types are taken"))
}

async fn missing(caller: &Caller) -> Verdict {
    let none: SchemaRef = Arc::new(Schema::empty());
    match caller.bind(&none).await {
        Ok(_) => Ok("its settings name no column".to_owned()),
        Err(failed) if refused(&failed) => Ok(String::new()),
        Err(failed) => wrong(failed.to_string()),
    }
}

async fn stop(caller: &Caller, input: &RecordBatch) -> Verdict {
    let (caller, stop) = caller.apart();
    let mut bound = caller.bind(&input.schema()).await?;
    stop.set();
    match bound.apply(input).await {
        Ok(_) => Ok("it went on with a call that is short".to_owned()),
        Err(failed) if failed.told && failed.fault.code == "stopped" => Ok(String::new()),
        Err(failed) => wrong(format!("{failed}; expected is a fault of code `stopped`")),
    }
}
