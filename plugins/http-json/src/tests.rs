use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hygge_sdk::arrow_array::RecordBatch;
use hygge_sdk::http::Response;
use hygge_sdk::{Bounds, Reader, Want, testing};
use serde_json::{Value, json};

use super::*;

const WANT: Want = Want {
    rows: 1_000,
    bytes: 1 << 20,
    wait: Duration::ZERO,
};

fn home(settings: Value) -> HttpJson {
    serde_json::from_value(settings).unwrap()
}

fn entity() -> Entity {
    Entity {
        flow: "f".to_owned(),
        name: "e".to_owned(),
    }
}

/// Serves five records in pages of two, in each of the ways, and remembers what was asked for.
fn serve() -> Rc<RefCell<Vec<String>>> {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    testing::serve(move |request| {
        log.borrow_mut().push(request.url.clone());
        let (way, parameters) = request
            .url
            .strip_prefix("https://api.example/")
            .unwrap()
            .split_once('?')
            .unwrap_or((request.url.rsplit('/').next().unwrap(), ""));
        let number = |name: &str| {
            parameters.split('&').find_map(|each| {
                each.strip_prefix(&format!("{name}="))?
                    .parse::<usize>()
                    .ok()
            })
        };
        let page = number("page")
            .map_or(0, |n| n - 1)
            .max(number("after").unwrap_or(0));
        let records: Vec<Value> = (page * 2..5)
            .take(2)
            .map(|n| json!({"n": n, "deep": {"s": format!("s{n}")}}))
            .collect();
        let last = page * 2 + 2 >= 5;
        let body = match (way, last) {
            ("cursor", false) => json!({"data": {"items": records}, "next": page + 1}),
            ("cursor", true) => json!({"data": {"items": records}, "next": null}),
            _ => json!(records),
        };
        let answer = Response::new(200, body.to_string());
        Ok(match (way, last) {
            ("link", false) => {
                answer.with("Link", &format!("</link?page={}>; rel=\"next\"", page + 2))
            }
            _ => answer,
        })
    });
    asked
}

fn ways() -> [Value; 3] {
    let columns = json!([{"name": "n", "type": "integer"}, {"name": "s", "type": "text", "pointer": "/deep/s"}]);
    [
        json!({"url": "https://api.example/link", "pages": {"by": "link"}, "columns": columns}),
        json!({"url": "https://api.example/number", "pages": {"by": "number", "parameter": "page"}, "columns": columns}),
        json!({"url": "https://api.example/cursor", "records": "/data/items",
            "pages": {"by": "cursor", "pointer": "/next", "parameter": "after"}, "columns": columns}),
    ]
}

/// All batches, each with the position after it.
fn read(home: &HttpJson, resume: Option<&str>, want: Want) -> Vec<(RecordBatch, String)> {
    let plan = home.splits(&entity(), &SplitRequest::default()).unwrap();
    let mut reader = home.open(&entity(), &plan.splits[0], resume).unwrap();
    assert_eq!(reader.schema(), plan.schema);
    let mut all = Vec::new();
    while let Some(step) = reader.next(want).unwrap() {
        all.push((step.batch.unwrap(), step.position.unwrap()));
    }
    all
}

/// The rows as text.
fn shown(batches: &[(RecordBatch, String)]) -> Vec<String> {
    let rows = batches
        .iter()
        .flat_map(|(batch, _)| (0..batch.num_rows()).map(move |at| batch.slice(at, 1)));
    rows.map(|row| format!("{:?}", row.columns())).collect()
}

#[test]
fn every_way_of_paging_reads_every_record_once() {
    serve();
    for way in ways() {
        let all = read(&home(way.clone()), None, WANT);
        let numbers: Vec<i64> = all
            .iter()
            .flat_map(|(batch, _)| {
                let column: &hygge_sdk::arrow_array::Int64Array =
                    batch.column(0).as_any().downcast_ref().unwrap();
                column.values().to_vec()
            })
            .collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4], "{way}");
    }
}

#[test]
fn resuming_anywhere_gives_the_rows_that_are_left() {
    serve();
    for way in ways() {
        let home = home(way);
        let one = Want { rows: 1, ..WANT };
        let whole = read(&home, None, one);
        for at in 0..whole.len() {
            let rest = read(&home, Some(&whole[at].1), one);
            assert_eq!(
                shown(&rest),
                shown(&whole[at + 1..]),
                "after {}",
                whole[at].1
            );
        }
    }
}

#[test]
fn columns_are_those_of_the_first_page() {
    let records = json!([
        {"id": 1, "price": 2, "name": null, "tags": ["a"], "mixed": 1},
        {"id": 2, "price": 2.5, "name": "x", "mixed": "y", "late": null},
    ]);
    testing::serve(move |_| Ok(Response::new(200, records.to_string())));
    let home = home(json!({"url": "https://api.example/x"}));
    let plan = home.splits(&entity(), &SplitRequest::default()).unwrap();
    let columns: Vec<String> = plan
        .schema
        .fields()
        .iter()
        .map(|f| format!("{} {}", f.name(), f.data_type()))
        .collect();
    // serde_json keeps the keys of an object sorted.
    assert_eq!(
        columns,
        [
            "id Int64",
            "mixed Utf8",
            "name Utf8",
            "price Float64",
            "tags Utf8",
            "late Utf8"
        ]
    );
    let (batch, _) = &read(&home, None, WANT)[0];
    assert_eq!(batch.num_rows(), 2);
}

#[test]
fn the_watermark_becomes_a_parameter() {
    let asked = serve();
    let mut settings = ways()[0].clone();
    settings["since"] = json!("updated_since");
    let home = home(settings);
    let request = SplitRequest {
        bounds: Some(Bounds {
            column: "n".to_owned(),
            low: "2013-01-01T00:00:00Z".to_owned(),
            kind: "integer".to_owned(),
        }),
        watermark: Some("n".to_owned()),
        ..SplitRequest::default()
    };
    let plan = home.splits(&entity(), &request).unwrap();
    home.open(&entity(), &plan.splits[0], None)
        .unwrap()
        .next(WANT)
        .unwrap();
    assert_eq!(
        asked.borrow()[0],
        "https://api.example/link?updated_since=2013-01-01T00%3A00%3A00Z"
    );
}

#[test]
fn times_are_read_to_the_microsecond() {
    testing::serve(|_| {
        Ok(Response::new(
            200,
            r#"[{"at": "2013-01-01T05:00:00.123456+01:00", "on": "2013-01-02"}, {}]"#,
        ))
    });
    let columns = json!([{"name": "at", "type": "timestamp"}, {"name": "on", "type": "date"}]);
    let (batch, _) = &read(
        &home(json!({"url": "https://api.example/x", "columns": columns})),
        None,
        WANT,
    )[0];
    let at: &hygge_sdk::arrow_array::TimestampMicrosecondArray =
        batch.column(0).as_any().downcast_ref().unwrap();
    assert_eq!(
        at.iter().collect::<Vec<_>>(),
        [Some(1_357_012_800_123_456), None]
    );
    let on: &hygge_sdk::arrow_array::Date32Array = batch.column(1).as_any().downcast_ref().unwrap();
    assert_eq!(on.iter().collect::<Vec<_>>(), [Some(15_707), None]);
}

#[test]
fn what_does_not_fit_says_where_it_stands() {
    testing::serve(|_| {
        Ok(Response::new(
            200,
            r#"{"items": [{"n": 1}, {"n": "two"}], "self": "x"}"#,
        ))
    });
    let columns = json!([{"name": "n", "type": "integer"}]);
    let fault = |settings: Value| {
        let home = home(settings);
        let plan = home.splits(&entity(), &SplitRequest::default()).unwrap();
        home.open(&entity(), &plan.splits[0], None)
            .unwrap()
            .next(WANT)
            .unwrap_err()
    };
    let url = "https://api.example/x?after=x";
    let wrong = fault(json!({"url": url, "records": "/items", "columns": columns}));
    assert_eq!(
        wrong.message,
        "record 2 of a page: \"n\" is \"two\", which is no integer"
    );
    let wrong = fault(json!({"url": url, "records": "/self", "columns": columns}));
    assert_eq!(
        wrong.message,
        "what stands at \"/self\" in the page is not a list"
    );
    let wrong = fault(json!({"url": url, "records": "/none", "columns": columns}));
    assert_eq!(wrong.message, "there is nothing at \"/none\" in the page");
}

#[test]
fn a_page_that_is_its_own_next_does_not_go_round_for_ever() {
    testing::serve(|_| Ok(Response::new(200, "[{\"n\": 1}]").with("link", "</x>; rel=next")));
    let home = home(json!({"url": "https://api.example/x", "pages": {"by": "link"}}));
    let plan = home.splits(&entity(), &SplitRequest::default()).unwrap();
    let fault = home
        .open(&entity(), &plan.splits[0], None)
        .unwrap()
        .next(WANT)
        .unwrap_err();
    assert_eq!(fault.message, "a page says that it is its own next page");
}

#[test]
fn the_secret_is_sent_as_a_placeholder_and_a_busy_server_is_asked_again_later() {
    testing::grant_secret("TOKEN", "hunter2");
    testing::serve(|request| {
        assert!(
            request
                .headers
                .iter()
                .any(|(_, value)| value == "Bearer <secret TOKEN>")
        );
        Ok(Response::new(429, "").with("retry-after", "3"))
    });
    let home = home(json!({"url": "https://api.example/x", "bearer": "TOKEN"}));
    let fault = home
        .splits(&entity(), &SplitRequest::default())
        .unwrap_err();
    assert_eq!(
        (fault.retryable, fault.after),
        (true, Some(Duration::from_secs(3)))
    );
}

#[test]
fn it_stops_between_pages_when_asked() {
    serve();
    let home = home(ways()[0].clone());
    let plan = home.splits(&entity(), &SplitRequest::default()).unwrap();
    let mut reader = home.open(&entity(), &plan.splits[0], None).unwrap();
    reader.next(WANT).unwrap();
    testing::stop(true);
    assert_eq!(reader.next(WANT).unwrap_err().code, "stopped");
}

#[test]
fn a_check_asks_for_the_first_page() {
    let asked = serve();
    let home = home(json!({
        "url": "https://api.example/number",
        "pages": {"by": "number", "parameter": "page"},
    }));
    assert!(home.check().unwrap().iter().all(|finding| finding.ok));
    assert_eq!(*asked.borrow(), ["https://api.example/number?page=1"]);
}
