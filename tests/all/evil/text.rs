//! Words that do harm: too many of them, or such as move a terminal's cursor.

use serde_json::{Value, json};

use super::{Part, Scene, Seen, home};

/// A terminal would obey these, or show words in an order that they don't have.
const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}31mred\u{8}\u{8}\u{202e}der\u{2066}\r\n\
                       home.success: all is well\u{0}";

fn next(deed: &str, more: &Value) -> Value {
    let mut settings = home(json!({"at": "next", "deed": deed}));
    super::add(&mut settings, more.clone());
    settings
}

fn clean(seen: &Seen) {
    // JSON writes control characters as text, so that is looked at as well.
    let said = seen.said();
    for bad in [
        "\u{1b}", "\u{7}", "\u{8}", "\u{9b}", "\u{202e}", "\u{2066}", "\u{0}", "\\u001b",
        "\\u0007", "\\u0000", "\\b",
    ] {
        assert!(!said.contains(bad), "{bad:?} in {said}");
    }
}

#[test]
fn escapes_reach_no_terminal() {
    let mut shown = String::new();
    for deed in ["fault", "log", "print", "panic"] {
        let scene = Scene::new();
        let settings = next(deed, &json!({"text": ESCAPES}));
        // As a program reads it, and as a person does.
        let seen = scene.run(Part::Home, &settings);
        clean(&seen);
        shown += &format!("{deed}\n    {}\n", seen.told());
        let outcome = super::hygge(&scene.project, "start").run();
        clean(&Seen {
            outcome,
            fault: None,
        });
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn texts_are_cut() {
    for deed in ["fault", "panic", "log", "print"] {
        let scene = Scene::new();
        let settings = next(deed, &json!({"text": "long ", "size": 200_000}));
        let seen = scene.run(Part::Home, &settings);
        let said = seen.said();
        assert!(said.len() < 200_000, "{deed} said {} bytes", said.len());
        if deed == "fault" || deed == "panic" {
            let fault = seen.fault.unwrap();
            let message = fault["message"].as_str().unwrap();
            assert!(message.starts_with("evil"), "{message:.100}");
            assert!(
                message.len() < 10_100,
                "{deed} said {} bytes",
                message.len()
            );
            assert!(fault["code"].as_str().unwrap().len() <= 70);
            assert!(fault["attributes"].as_array().unwrap().len() <= 70);
        }
    }
}

/// 200 MiB, of which 1 MiB a run is shown, and one line says that there was more.
#[test]
fn a_flood_of_lines_is_dammed() {
    let scene = Scene::new();
    let settings = next(
        "log",
        &json!({"text": "0123456789", "size": 100, "times": 20_000}),
    );
    let seen = scene.run(Part::Home, &settings);
    let said = seen.said();
    assert!(said.len() < 3 << 20, "{} bytes", said.len());
    let dropped = said
        .matches("evil: said more than 1 MiB; the rest is dropped")
        .count();
    assert!((1..=2).contains(&dropped), "{dropped}");
}

/// Short lines fill no log soon, and a screen at once.
#[test]
fn a_flood_of_short_lines_comes_at_a_steady_pace() {
    let scene = Scene::new();
    let settings = next("log", &json!({"text": "x", "size": 1, "times": 20_000}));
    let seen = scene.run(Part::Home, &settings);
    let said = seen.said();
    let told = said
        .matches("evil: says more than 100 lines a second")
        .count();
    assert!((1..=2).contains(&told), "{told}");
    let lines = said.matches("evil: x").count();
    assert!((1_000..4_000).contains(&lines), "{lines}");
}

#[test]
fn texts_that_are_none_are_refused() {
    insta::assert_snapshot!(Scene::new().shown([(
        "not UTF-8",
        Part::Home,
        next("invalid text", &json!({}))
    )]));
}
