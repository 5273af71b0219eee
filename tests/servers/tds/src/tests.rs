//! The server as its own small client sees it: faults, sessions, locks, packets, attentions.

use std::thread;
use std::time::Duration;

use crate::trial::{Answer, Client, answer};
use crate::types::Value;
use crate::wire::{packet, token};
use crate::{Effect, Fault, Options, Server, SqlError, USER};

fn server() -> Server {
    let server = Server::start(Options::default()).unwrap();
    server.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, name nvarchar(20)); INSERT t VALUES (1, N'one')").unwrap();
    server
}

fn number(answer: &Answer) -> i64 {
    match answer.rows.as_slice() {
        [row] => match row.as_slice() {
            [Value::Int(number)] => *number,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

const COUNT: &str = "SELECT COUNT(*) FROM t WITH (NOLOCK)";

#[test]
fn a_wrong_password_is_told_and_ends_the_session() {
    let server = server();
    let (_, answer) = Client::login(&server, USER, "no", 4096).unwrap();
    assert_eq!(answer.errors, [18_456]);
    assert_eq!(server.sessions_opened(), 0);
}

#[test]
fn sessions_are_counted_and_end() {
    let server = server();
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(&server).unwrap()).collect();
    assert_eq!(
        (
            server.open_sessions(),
            server.most_sessions(),
            server.sessions_opened()
        ),
        (3, 3, 3)
    );
    clients.truncate(1);
    while server.open_sessions() > 1 {
        thread::park_timeout(Duration::from_millis(1));
    }
    assert_eq!(
        number(
            &clients[0]
                .run("SELECT COUNT(*) FROM sys.dm_exec_sessions")
                .unwrap()
        ),
        1
    );
    assert_eq!(server.most_sessions(), 3);
}

#[test]
fn a_connection_cut_before_a_commit_loses_it_and_one_cut_after_it_does_not() {
    let server = server();
    for (effect, rows) in [(Effect::DropBefore, 1), (Effect::DropAfter, 2)] {
        server.fault(Fault::at("commit", effect));
        let mut client = Client::connect(&server).unwrap();
        assert!(
            client
                .run("BEGIN TRAN; INSERT t VALUES (2, N'two'); COMMIT")
                .is_err()
        );
        assert_eq!(
            number(&Client::connect(&server).unwrap().run(COUNT).unwrap()),
            rows
        );
    }
    assert_eq!(server.faults_struck(), 2);
}

#[test]
fn an_error_on_demand_strikes_the_kth_statement_once_or_always() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    server.fault(
        Fault::at(
            "select 5",
            Effect::Error(SqlError::new(40_613, "not available")),
        )
        .nth(2),
    );
    let errors = |client: &mut Client| client.run("SELECT 5").unwrap().errors;
    assert_eq!(
        (
            errors(&mut client),
            errors(&mut client),
            errors(&mut client)
        ),
        (vec![], vec![40_613], vec![])
    );
    server.fault(Fault::at("", Effect::Error(SqlError::new(1205, "victim").class(13))).always());
    assert_eq!(client.run("BEGIN TRAN").unwrap().errors, [1205]);
    assert_eq!(client.run("SELECT 1").unwrap().errors, [1205]);
    server.clear_faults();
    assert_eq!(number(&client.run("SELECT @@TRANCOUNT").unwrap()), 0);
}

#[test]
fn a_deadlock_on_demand_rolls_back() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    server.fault(Fault::at(
        "insert t values (3",
        Effect::Error(SqlError::new(1205, "victim").class(13)),
    ));
    let answer = client
        .run("BEGIN TRAN; INSERT t VALUES (2, N'two'); INSERT t VALUES (3, N'three'); COMMIT")
        .unwrap();
    assert_eq!(answer.errors, [1205]);
    assert_eq!(number(&client.run(COUNT).unwrap()), 1);
}

#[test]
fn a_connection_is_cut_after_so_many_bytes() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    server.fault(Fault::at("hygge_rows", Effect::DropAfterBytes(10_000)));
    client.ask("SELECT * FROM hygge_rows(10000)").unwrap();
    assert!(client.receive().is_err());
}

#[test]
fn packets_are_as_large_as_agreed_and_messages_larger() {
    let server = server();
    for size in [512, 4096, 32_767] {
        let (mut client, login) = Client::login(&server, USER, crate::PASSWORD, size).unwrap();
        assert!(login.errors.is_empty() && login.environment.contains(&4));
        let text = format!("SELECT LEN(N'{}')", "x".repeat(3000));
        assert_eq!(number(&client.run(&text).unwrap()), 3000);
        client.ask("SELECT * FROM hygge_rows(2000)").unwrap();
        let (body, largest) = client.receive_sized().unwrap();
        assert_eq!(largest, usize::try_from(size).unwrap());
        assert_eq!(answer(&body).rows.len(), 2000);
    }
}

#[test]
fn an_attention_ends_a_result_and_nothing_else() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    client
        .run("BEGIN TRAN; INSERT t VALUES (2, N'two')")
        .unwrap();
    client.ask("SELECT * FROM hygge_rows(300000)").unwrap();
    client.send(packet::ATTENTION, 0, &[]).unwrap();
    let mut last = Answer::default();
    // The answer may have ended before the attention came; then its acknowledgement is a message.
    while !last
        .done
        .iter()
        .any(|(status, _)| status & token::ATTENTION != 0)
    {
        last = answer(&client.receive().unwrap());
    }
    assert_eq!(number(&client.run("SELECT @@TRANCOUNT").unwrap()), 1);
    // A wait for a lock ends as well.
    let mut other = Client::connect(&server).unwrap();
    other.ask("SELECT COUNT(*) FROM t").unwrap();
    other.send(packet::ATTENTION, 0, &[]).unwrap();
    assert_eq!(
        answer(&other.receive().unwrap()).done.last().unwrap().0 & token::ATTENTION,
        token::ATTENTION
    );
}

#[test]
fn a_reader_waits_for_a_writer_or_is_told() {
    let server = server();
    let (mut writer, mut reader) = (
        Client::connect(&server).unwrap(),
        Client::connect(&server).unwrap(),
    );
    writer.run("BEGIN TRAN; UPDATE t SET name = N'x'").unwrap();
    assert_eq!(
        reader
            .run("SET LOCK_TIMEOUT 0; SELECT * FROM t")
            .unwrap()
            .errors,
        [1222]
    );
    assert_eq!(number(&reader.run(COUNT).unwrap()), 1);
    let waiting = thread::spawn(move || {
        reader
            .run("SET LOCK_TIMEOUT -1; SELECT name FROM t")
            .unwrap()
    });
    writer.run("COMMIT").unwrap();
    assert_eq!(waiting.join().unwrap().rows, [[Value::text("x")]]);
}

#[test]
fn readers_of_a_committed_snapshot_wait_for_nobody() {
    let server = server();
    server
        .run("ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON")
        .unwrap();
    let (mut writer, mut reader) = (
        Client::connect(&server).unwrap(),
        Client::connect(&server).unwrap(),
    );
    writer.run("BEGIN TRAN; UPDATE t SET name = N'x'").unwrap();
    assert_eq!(
        reader.run("SELECT name FROM t").unwrap().rows,
        [[Value::text("one")]]
    );
    writer.run("COMMIT").unwrap();
    assert_eq!(
        reader.run("SELECT name FROM t").unwrap().rows,
        [[Value::text("x")]]
    );
}

#[test]
fn who_waits_in_a_circle_is_the_victim() {
    let server = server();
    server.run("CREATE TABLE u (id int)").unwrap();
    let (mut one, mut two) = (
        Client::connect(&server).unwrap(),
        Client::connect(&server).unwrap(),
    );
    one.run("BEGIN TRAN; UPDATE t SET name = N'1'").unwrap();
    two.run("BEGIN TRAN; DELETE FROM u").unwrap();
    one.ask("DELETE FROM u").unwrap();
    let second = two.run("UPDATE t SET name = N'2'").unwrap();
    let first = answer(&one.receive().unwrap());
    assert_eq!([first.errors, second.errors].concat(), [1205]);
}

#[test]
fn a_session_that_goes_away_gives_everything_back() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    client
        .run("BEGIN TRAN; DELETE FROM t; EXEC sp_getapplock 'a', 'Exclusive', 'Session'")
        .unwrap();
    drop(client);
    let mut other = Client::connect(&server).unwrap();
    assert_eq!(number(&other.run("SELECT COUNT(*) FROM t").unwrap()), 1);
    let text =
        "DECLARE @r int; EXEC @r = sp_getapplock 'a', 'Exclusive', 'Session', 5000; SELECT @r";
    assert!(number(&other.run(text).unwrap()) >= 0);
}

#[test]
fn a_reset_forgets_the_session_and_its_transaction() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    client
        .run("SET LOCK_TIMEOUT 5; CREATE TABLE #x (i int); BEGIN TRAN; DELETE FROM t")
        .unwrap();
    client
        .send(
            packet::BATCH,
            packet::RESET,
            &crate::trial::batch("SELECT @@LOCK_TIMEOUT + COUNT(*) + @@TRANCOUNT FROM t"),
        )
        .unwrap();
    assert_eq!(number(&answer(&client.receive().unwrap())), 0);
    assert_eq!(client.run("SELECT * FROM #x").unwrap().errors, [208]);
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    let swap =
        "BEGIN TRAN; TRUNCATE TABLE t; INSERT t VALUES (7, N'seven'); ROLLBACK; SELECT id FROM t";
    assert_eq!(number(&client.run(swap).unwrap()), 1);
    let failed = "SET XACT_ABORT ON; BEGIN TRAN; DELETE FROM t; INSERT t VALUES (1, NULL), (1, NULL); COMMIT";
    let answer = client.run(failed).unwrap();
    assert_eq!(answer.errors, [2627]);
    assert_eq!(number(&client.run("SELECT id FROM t").unwrap()), 1);
}

#[test]
fn implicit_transactions_begin_and_do_not_end_by_themselves() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    let number = |answer: Answer| number(&answer);
    let level = "SET IMPLICIT_TRANSACTIONS ON; SELECT @@TRANCOUNT";
    assert_eq!(number(client.run(level).unwrap()), 0);
    client.run("INSERT t VALUES (2, N'two')").unwrap();
    assert_eq!(number(client.run("SELECT @@TRANCOUNT").unwrap()), 1);
    let back = "ROLLBACK; CREATE TABLE u (id int); SELECT @@TRANCOUNT";
    assert_eq!(number(client.run(back).unwrap()), 1);
    assert_eq!(
        number(client.run("ROLLBACK; SELECT @@TRANCOUNT").unwrap()),
        0
    );
    assert_eq!(client.run("SELECT * FROM u").unwrap().errors, [208]);
    let two = "ROLLBACK; BEGIN TRAN; SELECT @@TRANCOUNT";
    assert_eq!(number(client.run(two).unwrap()), 2);
    client
        .run("ROLLBACK; SET IMPLICIT_TRANSACTIONS OFF")
        .unwrap();
    assert_eq!(number(client.run(COUNT).unwrap()), 1);
}

#[test]
fn what_is_not_known_is_an_error() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    for text in [
        "CREATE VIEW v AS SELECT 1 a",
        "FROB",
        "SELECT * FROM t FOR XML AUTO",
        "SELECT * FROM t PIVOT (x)",
        "SET FROBNICATE ON",
        "GRANT SELECT ON t TO x",
        "SELECT nosuch(1)",
        "EXEC sp_nosuch",
    ] {
        assert!(!client.run(text).unwrap().errors.is_empty(), "{text}");
    }
}

#[test]
fn what_a_query_within_another_can_t_be_is_an_error() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    for (inner, errors) in [
        ("SELECT 1 AS a, 2 AS A", vec![8156]),
        ("SELECT 1 AS a, 2", vec![8155]),
        ("SELECT id FROM t ORDER BY id", vec![1033]),
        ("SELECT id INTO made FROM t", vec![156]),
        ("SELECT id FROM t OPTION (MAXDOP 1)", vec![102]),
        ("SELECT TOP 1 id FROM t ORDER BY id", vec![]),
        ("SELECT id FROM t ORDER BY id OFFSET 0 ROWS", vec![]),
    ] {
        for text in [
            format!("SELECT * FROM ({inner}) AS q OPTION (MAXDOP 1)"),
            format!("WITH q AS ({inner}) SELECT * FROM q"),
        ] {
            assert_eq!(client.run(&text).unwrap().errors, errors, "{text}");
        }
    }
    let column_names = "WITH q (a, b) AS (SELECT 1, 2) SELECT * FROM q";
    assert!(client.run(column_names).unwrap().errors.is_empty());
    assert_eq!(client.run("SELECT * FROM made").unwrap().errors, [208]);
}

#[test]
fn the_log_has_statements_one_by_one() {
    let server = server();
    let mut client = Client::connect(&server).unwrap();
    client.run("SELECT 1; IF 1 = 1 SELECT 2").unwrap();
    let texts: Vec<String> = server.log().into_iter().map(|logged| logged.text).collect();
    assert_eq!(texts, ["SELECT 1", "SELECT 2"]);
}

#[test]
fn under_snapshot_a_change_of_what_changed_since_is_refused() {
    let server = server();
    let (mut one, mut two) = (
        Client::connect(&server).unwrap(),
        Client::connect(&server).unwrap(),
    );
    one.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT * FROM t")
        .unwrap();
    two.run("UPDATE t SET name = N'two'").unwrap();
    assert_eq!(
        one.run("SELECT name FROM t").unwrap().rows,
        [[Value::text("one")]]
    );
    let update = one.run("UPDATE t SET name = N'lost'").unwrap();
    assert_eq!(update.errors, [3960]);
    assert_eq!(number(&one.run("SELECT @@TRANCOUNT").unwrap()), 0);
    assert_eq!(
        two.run("SELECT name FROM t").unwrap().rows,
        [[Value::text("two")]]
    );
}

#[test]
fn defaults_stand_where_they_are_asked_for() {
    let server = server();
    server
        .run("CREATE TABLE d (a int NOT NULL DEFAULT 7, b int NULL, c uniqueidentifier ROWGUIDCOL DEFAULT NEWID())")
        .unwrap();
    let mut client = Client::connect(&server).unwrap();
    client
        .run("INSERT d (a, b) VALUES (DEFAULT, 1), (2, DEFAULT)")
        .unwrap();
    let answer = client
        .run("SELECT a, b, IIF(c IS NULL, 0, 1) FROM d ORDER BY a")
        .unwrap();
    let one = |a: i64, b: Value| vec![Value::Int(a), b, Value::Int(1)];
    assert_eq!(answer.rows, [one(2, Value::Null), one(7, Value::Int(1))]);
}
