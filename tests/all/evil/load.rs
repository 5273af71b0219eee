//! Files that are no plugins, or that pretend to be another.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use hygge_plugins::{inspect, seal};
use serde_json::json;

use super::{EVIL, Part, Scene, home, hygge};
use crate::harness::Chance;

/// Runs a project with one more file, and gives what the program says of it.
fn beside(name: &str, bytes: &[u8]) -> String {
    let scene = Scene::new();
    scene.project.write(&format!("plugins/{name}.wasm"), bytes);
    // The others work, the first plugin too.
    scene.flow(Part::Home, &home(json!({})));
    scene.forget();
    let outcome = hygge(&scene.project, "start").succeed();
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let mut lines = said
        .lines()
        .filter(|line| line.contains(&format!("{name}.wasm")));
    lines.next().unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// What is said of it, without what only says how.
fn why(line: &str) -> String {
    let from = line.find("plugins/").unwrap();
    line[from..].split('"').next().unwrap().to_owned()
}

#[test]
fn a_component_of_100_mb_is_not_even_read() {
    let mut large = EVIL.clone();
    // A custom section of zeros, so that it is valid but for its size.
    let size = 100 << 20;
    large.push(0);
    let mut length = size + 2_u32;
    while length > 0x7f {
        large.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    large.extend([u8::try_from(length).unwrap(), 1, b'x']);
    large.resize(large.len() + size as usize, 0);
    let began = Instant::now();
    assert_eq!(inspect(&large).unwrap_err(), "it is larger than 64 MiB");
    assert!(began.elapsed() < Duration::from_secs(1));
    insta::assert_snapshot!(why(&beside("large", &large)));
}

#[test]
fn a_version_from_the_future_is_told() {
    let future = String::from("@0.1.0").into_bytes();
    let mut bytes = EVIL.clone();
    let prefix = b"hygge:plugin/";
    let places: Vec<usize> = (0..bytes.len() - 40)
        .filter(|at| bytes[*at..].starts_with(prefix))
        .collect();
    for at in places {
        let end = at + 40;
        if let Some(version) = bytes[at..end]
            .windows(future.len())
            .position(|each| each == future)
        {
            bytes[at + version + 3] = b'7';
        }
    }
    insta::assert_snapshot!(why(&beside("future", &bytes)));
}

/// Names of types that hygge has itself.
#[test]
fn the_name_of_a_built_in_type_can_not_be_taken() {
    let described = String::from_utf8_lossy(super::describe()).replace("\"evil\"", "\"parquet\"");
    let thief = seal(&EVIL, described.as_bytes()).unwrap();
    insta::assert_snapshot!(why(&beside("thief", &thief)));
}

/// Changes a valid component in a few places: looking at it and sealing it end soon, in an
/// answer, and what was sealed can be looked at. The fuzz target of loading.
#[test]
fn damage_is_found_and_never_panics() {
    let mut chance = Chance::new(
        Chance::seed("damage_is_found_and_never_panics"),
        "component",
    );
    let below =
        |chance: &mut Chance, end: usize| usize::try_from(chance.below(end as u64)).unwrap();
    let mut refused = 0;
    for round in 0..400 {
        let mut bytes = EVIL.clone();
        for _ in 0..=chance.below(4) {
            // Headers stand at the beginning, names at the end: both are hit more often.
            let length = bytes.len();
            let at = match chance.below(3) {
                0 => below(&mut chance, length.min(2_000)),
                1 => length - 1 - below(&mut chance, length.min(4_000)),
                _ => below(&mut chance, length),
            };
            match chance.below(5) {
                0 => bytes[at] ^= 1 << chance.below(8),
                1 => bytes[at] = [0, 0x7f, 0x80, 0xff][below(&mut chance, 4)],
                2 => bytes.truncate(at.max(1)),
                3 => {
                    let end = (at + below(&mut chance, 64)).min(length);
                    bytes.drain(at..end);
                }
                _ => {
                    let end = (at + below(&mut chance, 64)).min(length);
                    let copy = bytes[at..end].to_vec();
                    let to = below(&mut chance, length);
                    bytes.splice(to..to, copy);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        let began = Instant::now();
        let looked = catch_unwind(|| {
            let found = inspect(&bytes);
            let sealed = seal(&bytes, super::describe());
            if let Ok(sealed) = sealed {
                drop(inspect(&sealed));
            }
            found.is_err()
        });
        refused += u32::from(looked.unwrap_or_else(|_| panic!("round {round} panics")));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "round {round} took {took:?}");
    }
    assert!(refused > 50, "the damage does nothing: {refused}");
}
