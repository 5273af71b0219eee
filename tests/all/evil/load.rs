//! Files that are no plugins, or that pretend to be another.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use hygge_plugins::{inspect, seal};
use serde_json::{Map, Value, json};

use super::{EVIL, Part, Scene, home, hygge, store};
use crate::harness::{Chance, Events};

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
    length(size + 2, &mut large);
    large.extend([1, b'x']);
    large.resize(large.len() + size, 0);
    let began = Instant::now();
    assert_eq!(inspect(&large).unwrap_err(), "it is larger than 64 MiB");
    assert!(began.elapsed() < super::PATIENCE);
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

/// The schema of settings is followed before anything of the plugin runs, in the process that
/// moves rows: without bounds a few lines of it would keep that busy for ever, or end it.
#[test]
fn a_schema_of_settings_that_never_ends_is_refused() {
    let next = |n: usize| json!({"$ref": format!("#/$defs/{}", n + 1)});
    let chain = |last: usize, link: fn(Value) -> Value| {
        let all = (0..last).map(|n| (n.to_string(), link(next(n))));
        let mut all: Map<String, Value> = all.collect();
        all.insert(last.to_string(), json!({"type": "object"}));
        json!({"$ref": "#/$defs/0", "$defs": all})
    };
    let pattern = |n: usize| (format!("p{n}"), json!({"pattern": "^\\pL{1,200}$"}));
    let patterns: Map<String, Value> = (0..200).map(pattern).collect();
    let mut told = String::new();
    for (name, schema) in [
        ("round", json!({"anyOf": [{"$ref": "#"}]})),
        ("deep", chain(6_000, |next| next)),
        ("doubled", chain(30, |next| json!({"anyOf": [next, next]}))),
        ("patterns", json!({"properties": patterns})),
        ("elsewhere", json!({"$ref": "file:///etc/passwd"})),
    ] {
        let mut said: Value = serde_json::from_slice(super::describe()).unwrap();
        said["name"] = name.into();
        said["transform"]["config"] = schema;
        let component = seal(&EVIL, said.to_string().as_bytes()).unwrap();
        told += &format!("{}\n", why(&beside(name, &component)));
    }
    insta::assert_snapshot!(told);
}

/// Patterns may go back and forth, for so long and no longer; then a flow is refused.
#[test]
fn a_pattern_that_takes_for_ever_does_not() {
    let mut said: Value = serde_json::from_slice(super::describe()).unwrap();
    said["transform"]["config"] = json!({"properties": {"text": {"pattern": "^(a|a)*\\1b$"}}});
    let scene = Scene::of(&seal(&EVIL, said.to_string().as_bytes()).unwrap(), "");
    scene.flow(Part::Transform, &json!({"text": "a".repeat(60)}));
    let began = Instant::now();
    let outcome = hygge(&scene.project, "start").run();
    assert!(began.elapsed() < super::PATIENCE, "{outcome}");
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("flows/bad/flow.yml:1"), "{outcome}");
}

/// What people look at, and what it is held to, is what stands in the file.
#[test]
fn a_plugin_that_says_something_else_than_its_file_is_not_used() {
    let described = String::from_utf8_lossy(super::describe()).replace("0.1.0", "1.0.0");
    let scene = Scene::of(&seal(&EVIL, described.as_bytes()).unwrap(), "");
    // Nothing of it runs for this.
    let listed = hygge(&scene.project, "plugin list").succeed();
    assert!(listed.stdout.contains("1.0.0"), "{listed}");
    insta::assert_snapshot!(scene.shown([
        ("as a home", Part::Home, home(json!({}))),
        ("as a transform", Part::Transform, json!({})),
        ("as a store", Part::Store, store(json!({}))),
    ]));
}

/// A length as WebAssembly writes it.
fn length(mut of: usize, into: &mut Vec<u8>) {
    let low = |of: usize| u8::try_from(of & 0x7f).unwrap();
    while of > 0x7f {
        into.push(low(of) | 0x80);
        of >>= 7;
    }
    into.push(low(of));
}

/// Valid, and with a function so long that compiling it takes its time.
fn slow() -> Vec<u8> {
    fn section(id: u8, content: &[u8], into: &mut Vec<u8>) {
        into.push(id);
        length(content.len(), into);
        into.extend(content);
    }
    let mut body = vec![1, 1, 0x7f];
    for n in (0..0x40).cycle().take(700_000) {
        // The local becomes itself times n plus itself.
        body.extend([0x20, 0, 0x41, n, 0x6c, 0x20, 0]);
        body.extend([0x6a, 0x21, 0]);
    }
    body.push(0x0b);
    let mut code = vec![1];
    length(body.len(), &mut code);
    code.extend(body);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(1, &[1, 0x60, 0, 0], &mut module);
    section(3, &[1, 0], &mut module);
    section(10, &code, &mut module);
    let mut component = EVIL.clone();
    section(1, &module, &mut component);
    component
}

/// Processes that compile and whose parent is gone.
fn orphans() -> Vec<String> {
    let of = |process: &std::path::Path| -> Option<String> {
        let command = std::fs::read_to_string(process.join("cmdline")).ok()?;
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let orphan = status.lines().any(|line| line == "PPid:\t1");
        (orphan && command.contains("__compile-plugin")).then_some(command)
    };
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| of(&entry.unwrap().path())).collect()
}

#[test]
fn compiling_ends_when_its_time_is_up() {
    let scene = Scene::new();
    let component = slow();
    scene.project.write("plugins/evil.wasm", &component);
    scene.flow(Part::Home, &home(json!({})));
    scene.forget();
    let began = Instant::now();
    let run = hygge(&scene.project, "start --output json");
    let outcome = run.env("HYGGE_STAND_IN_COMPILE_MS", "300").run();
    assert!(began.elapsed() < super::PATIENCE, "{outcome}");
    let events = Events::of(&outcome);
    assert_eq!(events.finished("copy.copy")["outcome"], "pass", "{outcome}");
    let told = events.fault("bad.bad");
    assert_eq!(told, "evil takes longer than 300ms to compile", "{outcome}");
    crate::harness::eventually("the end of the compiler", || {
        orphans().is_empty().then_some(())
    });
}

/// The compiler goes with whoever asked it.
#[test]
fn compiling_ends_with_the_program() {
    let scene = Scene::new();
    scene.project.write("plugins/evil.wasm", slow());
    scene.flow(Part::Home, &home(json!({})));
    scene.forget();
    let mut running = hygge(&scene.project, "start --output json").spawn();
    let parent = format!("PPid:\t{}", running.pid());
    crate::harness::eventually("the compiler", || {
        let mut all = std::fs::read_dir("/proc").unwrap().flatten();
        all.find(|entry| {
            let status = std::fs::read_to_string(entry.path().join("status"));
            status.is_ok_and(|status| status.lines().any(|line| line == parent))
        })
    });
    running.signal(rustix::process::Signal::KILL);
    assert!(running.wait().was_killed());
    crate::harness::eventually("the end of the compiler", || {
        orphans().is_empty().then_some(())
    });
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
