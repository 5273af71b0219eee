//! `hygge plugin`, as a person meets it: exit code, stdout and stderr together.

use hygge_plugins::Digest;

use crate::harness::{self, Outcome, Project};

/// A component as it once was built, so its digest stands in snapshots: a home and a transform.
fn guest() -> Vec<u8> {
    std::fs::read(harness::fixture("../guests/golden/0.1.0/c-guest.wasm")).unwrap()
}

/// A project with the guest in plugins/.
fn project() -> Project {
    let project = Project::new();
    project.write("plugins/c-guest.wasm", guest());
    project
}

/// The program, with what it compiles kept for the other tests here.
fn hygge(project: &Project, arguments: &str) -> harness::Command {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    project.hygge(arguments).env("XDG_CACHE_HOME", cache)
}

/// The guest with another description in its section.
fn described(change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let bytes = guest();
    let said = hygge_plugins::inspect(&bytes).unwrap().sealed.unwrap();
    let mut description: serde_json::Value = serde_json::from_slice(&said).unwrap();
    change(&mut description);
    hygge_plugins::seal(&bytes, description.to_string().as_bytes()).unwrap()
}

/// The guest's next version, which wants more, and says so both in its section and when asked.
fn upgraded() -> Vec<u8> {
    let mut bytes = guest();
    for (old, new) in [
        (r#""version": "0.1.0""#, r#""version": "0.2.0""#),
        (
            r#""summary": "Invented temperatures, and a transform that writes a column in capitals","#,
            r#""summary": "Temperatures", "grants": {"http": ["https://api.example.com"]},"#,
        ),
    ] {
        // As long as before, so that nothing else in the file moves.
        let new = format!("{new:<length$}", length = old.len());
        let found = |w: &[u8]| w == old.as_bytes();
        let places: Vec<_> = (0..bytes.len() - old.len())
            .filter(|at| found(&bytes[*at..][..old.len()]))
            .collect();
        assert_eq!(places.len(), 2, "{old}");
        for at in places {
            bytes[at..][..new.len()].copy_from_slice(new.as_bytes());
        }
    }
    bytes
}

/// The guest as a toolchain that can't write the section leaves it.
fn unsealed() -> Vec<u8> {
    let mut bytes = guest();
    let section = b"hygge:describe";
    let at = bytes.windows(section.len()).position(|w| w == section);
    bytes[at.unwrap()..][..section.len()].copy_from_slice(b"other-describe");
    bytes
}

fn shown(outcome: &Outcome) -> String {
    outcome.shown()
}

#[test]
fn lists_what_is_there_and_why_it_isn_t_used() {
    let project = project();
    project.write("plugins/broken.wasm", "not wasm at all");
    project.write(
        "plugins/greedy.wasm",
        described(|d| {
            d["name"] = "greedy".into();
            d["grants"] = serde_json::json!({"http": ["https://api.example.com"],
                "secrets": {"TOKEN": "api.example.com"}});
        }),
    );
    insta::assert_snapshot!(shown(&hygge(&project, "plugin list").succeed()));
    insta::assert_snapshot!(
        "in_json",
        shown(&hygge(&project, "plugin list --output json").succeed())
    );
    let empty = hygge(&Project::new(), "plugin list").succeed();
    insta::assert_snapshot!("none", shown(&empty));
}

#[test]
fn inspects_without_running() {
    let project = project();
    insta::assert_snapshot!(shown(&hygge(&project, "plugin inspect c-guest").succeed()));
    let json = hygge(
        &project,
        "plugin inspect plugins/c-guest.wasm --output json",
    );
    let json: serde_json::Value = serde_json::from_str(&json.succeed().stdout).unwrap();
    assert_eq!(json["digest"], Digest::of(&guest()).as_str());
    assert_eq!(json["is"], serde_json::json!(["home", "transform"]));
    assert_eq!(json["trusted"], false);

    let elsewhere = Project::bare();
    elsewhere.write("some.wasm", unsealed());
    elsewhere.write("bad.wasm", b"\0asm\x01\0\0\0");
    insta::assert_snapshot!(
        "not_sealed",
        shown(&hygge(&elsewhere, "plugin inspect some.wasm").succeed())
    );
    insta::assert_snapshot!(
        "no_plugin",
        shown(&hygge(&elsewhere, "plugin inspect bad.wasm").run())
    );
    insta::assert_snapshot!(
        "no_file",
        shown(&hygge(&elsewhere, "plugin inspect crm").run())
    );
}

#[test]
fn what_is_gone_can_be_forgotten_and_nothing_else_is_written_over() {
    let project = project();
    hygge(&project, "plugin trust c-guest").succeed();
    std::fs::remove_file(project.path("plugins/c-guest.wasm")).unwrap();
    let removed = hygge(&project, "plugin remove c-guest").succeed();
    assert!(
        removed.stdout.contains("hygge.lock has forgotten it"),
        "{removed}"
    );
    let again = hygge(&project, "plugin remove c-guest").run();
    assert_eq!(again.code, Some(2), "{again}");

    project.write("one.wasm", guest());
    project.write("notes.txt", "mine");
    let refused = hygge(&project, "plugin seal one.wasm --out notes.txt").run();
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        refused
            .stderr
            .contains("notes.txt is there, and is no plugin"),
        "{refused}"
    );
    assert_eq!(
        std::fs::read_to_string(project.path("notes.txt")).unwrap(),
        "mine"
    );
    let named = hygge(&project, "plugin add one.wasm --name crm.wasm").run();
    assert_eq!(named.code, Some(2), "{named}");
}

/// A file that was trusted and is another now is refused, with the difference, until it is
/// trusted again.
#[test]
fn an_upgrade_that_wants_more_is_refused_until_trusted() {
    let project = project();
    project.write(
        "hygge.yml",
        "name: test\nplugins: {c-guest: {env: [LANG]}}\n",
    );
    project.flow(
        "count",
        "home: {type: c-guest, rows: 10}\nstore: {type: parquet, path: lake}\n",
    );
    let never = hygge(&project, "start").run();
    assert!(never.stderr.contains("never trusted"), "{never}");
    insta::assert_snapshot!(shown(&hygge(&project, "plugin trust c-guest").succeed()));
    hygge(&project, "start").succeed();

    project.write("plugins/c-guest.wasm", upgraded());
    let refused = hygge(&project, "start").run();
    assert_ne!(refused.code, Some(0), "{refused}");
    insta::assert_snapshot!("refused", shown(&hygge(&project, "plugin list").succeed()));
    insta::assert_snapshot!(
        "again",
        shown(&hygge(&project, "plugin trust c-guest").succeed())
    );
    // It is trusted, and still hasn't what it wants.
    let wants = hygge(&project, "start").run();
    assert!(
        wants.stderr.contains("wants more than it is granted"),
        "{wants}"
    );
    let yaml = "name: test\nplugins: {c-guest: {http: [\"https://api.example.com\"]}}\n";
    project.write("hygge.yml", yaml);
    hygge(&project, "start").succeed();
    insta::assert_snapshot!("unknown", shown(&hygge(&project, "plugin trust crm").run()));
}

#[test]
fn seals_what_can_t_seal_itself() {
    let project = Project::new();
    project.write("raw.wasm", unsealed());
    project.write("plugins/c-guest.wasm", unsealed());
    project.flow(
        "count",
        "home: {type: c-guest, rows: 10}\nstore: {type: parquet, path: lake}\n",
    );
    let refused = hygge(&project, "start").run();
    assert!(refused.stderr.contains("not sealed"), "{refused}");
    insta::assert_snapshot!(shown(
        &hygge(&project, "plugin seal plugins/c-guest.wasm").succeed()
    ));
    hygge(&project, "start").succeed();
    assert_eq!(project.content("lake").rows, 10);
    let again = hygge(&project, "plugin seal plugins/c-guest.wasm").succeed();
    assert!(again.stdout.contains("was sealed already"), "{again}");
    hygge(&project, "plugin seal raw.wasm --out other.wasm").succeed();
    let (other, sealed) = (
        project.path("other.wasm"),
        project.path("plugins/c-guest.wasm"),
    );
    assert_eq!(
        std::fs::read(other).unwrap(),
        std::fs::read(sealed).unwrap()
    );
}

#[test]
fn adds_and_removes() {
    let project = Project::new();
    project.write("raw.wasm", unsealed());
    project.write(
        "more.wasm",
        described(|d| {
            d["grants"] = serde_json::json!({"env": ["LANG"]});
            d["version"] = "0.2.0".into();
        }),
    );
    insta::assert_snapshot!(shown(
        &hygge(&project, "plugin add raw.wasm --name c-guest").succeed()
    ));
    assert!(project.path("plugins/c-guest.wasm").is_file());
    insta::assert_snapshot!(
        "there",
        shown(&hygge(&project, "plugin add more.wasm --name c-guest").run())
    );
    insta::assert_snapshot!(
        "taken",
        shown(&hygge(&project, "plugin add more.wasm").run())
    );
    assert!(!project.path("plugins/more.wasm").exists());
    insta::assert_snapshot!(
        "replaced",
        shown(&hygge(&project, "plugin add more.wasm --name c-guest --replace").succeed())
    );
    insta::assert_snapshot!(
        "address",
        shown(&hygge(&project, "plugin add http://example.com/crm.wasm").run())
    );
    project.write("parquet.wasm", described(|d| d["name"] = "parquet".into()));
    let built_in = hygge(&project, "plugin add parquet.wasm").run();
    assert!(
        built_in.stderr.contains("and so is hygge itself"),
        "{built_in}"
    );

    hygge(&project, "plugin trust c-guest").succeed();
    insta::assert_snapshot!(
        "removed",
        shown(&hygge(&project, "plugin remove c-guest").succeed())
    );
    assert!(!project.path("plugins/c-guest.wasm").exists());
    let lock = std::fs::read_to_string(project.path("hygge.lock")).unwrap();
    assert!(!lock.contains("c-guest"), "{lock}");
}

/// Editors know the types that plugins bring.
#[test]
fn the_schema_knows_the_types_of_plugins() {
    let project = project();
    let schema = hygge(&project, "schema flow").succeed().stdout;
    assert!(schema.contains("\"c-guest\""), "{schema}");
    let without = hygge(&Project::new(), "schema flow").succeed().stdout;
    assert!(!without.contains("\"c-guest\""));
}

#[test]
fn grants_for_a_file_that_isn_t_there_are_told() {
    let project = project();
    project.write(
        "hygge.yml",
        "name: test\nplugins: {c-gest: {env: [LANG]}}\n",
    );
    project.flow(
        "count",
        "home: {type: c-guest, rows: 10}\nstore: {type: parquet, path: lake}\n",
    );
    let said = "`plugins.c-gest` of hygge.yml: there is no plugins/c-gest.wasm; did you mean \
                `c-guest`?";
    for verb in ["plugin list", "start"] {
        let outcome = hygge(&project, verb).succeed();
        assert_eq!(outcome.stderr.matches(said).count(), 1, "{outcome}");
    }
}

/// Sent to one host and bound to another it would be missing there, so nothing begins.
#[test]
fn a_secret_bound_to_another_host_is_refused_before_a_run() {
    let project = project();
    let wanting = described(|said| {
        said["grants"] = serde_json::json!({"secrets": {"TOKEN": "api.example.com"}});
    });
    project.write("plugins/c-guest.wasm", wanting);
    project.flow(
        "count",
        "home: {type: c-guest, rows: 10}\nstore: {type: parquet, path: lake}\n",
    );
    let secrets = |host: &str| {
        let yaml = format!("name: test\nplugins: {{c-guest: {{secrets: {{TOKEN: {host}}}}}}}\n");
        project.write("hygge.yml", yaml);
    };
    let with = |verb: &str| hygge(&project, verb).env("TOKEN", "s3cret").run();
    secrets("example.com");
    insta::assert_snapshot!("elsewhere", shown(&with("plugin trust c-guest")));
    let refused = with("start");
    assert_eq!(refused.code, Some(2), "{refused}");
    let why = "c-guest wants the secret TOKEN for api.example.com, and hygge.yml binds it to \
               example.com";
    assert!(refused.stderr.contains(why), "{refused}");
    assert!(!project.path("lake").exists());
    secrets("api.example.com");
    let fits = with("plugin trust c-guest");
    assert!(!fits.stdout.contains("wants"), "{fits}");
}

/// Trust gives a type for good, so it isn't given twice, whether the other is used or only kept.
#[test]
fn a_type_that_is_taken_is_not_trusted() {
    let project = project();
    hygge(&project, "plugin trust c-guest").succeed();
    project.write("plugins/other.wasm", guest());
    let lock = std::fs::read(project.path("hygge.lock")).unwrap();
    let used = hygge(&project, "plugin trust other").run();
    assert_eq!(used.code, Some(1), "{used}");
    let said = "plugins/other.wasm can't be trusted: it is a home of type `c-guest`, and so is \
                plugins/c-guest.wasm";
    assert!(used.stderr.contains(said), "{used}");

    std::fs::remove_file(project.path("plugins/c-guest.wasm")).unwrap();
    project.write("third.wasm", guest());
    let kept = "it is of type `c-guest`, which hygge.lock keeps for plugins/c-guest.wasm";
    for verb in ["plugin trust other", "plugin add third.wasm"] {
        let outcome = hygge(&project, verb).run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.stderr.contains(kept), "{outcome}");
    }
    assert_eq!(std::fs::read(project.path("hygge.lock")).unwrap(), lock);
    assert!(!project.path("plugins/third.wasm").exists());
    hygge(&project, "plugin remove c-guest").succeed();
    hygge(&project, "plugin trust other").succeed();
}

#[test]
fn a_digest_is_known_by_its_digits() {
    let project = Project::new();
    project.write("one.wasm", guest());
    let digest = Digest::of(&guest());
    let digits = digest.as_str().trim_start_matches("blake3:");
    let wrong = hygge(&project, "plugin add one.wasm --digest 0123").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    assert!(!project.path("plugins").exists());
    hygge(&project, &format!("plugin add one.wasm --digest {digits}")).succeed();
}

#[test]
fn inspecting_says_why_a_file_is_not_used() {
    let project = project();
    let fine = hygge(&project, "plugin inspect c-guest").succeed();
    assert!(!fine.stdout.contains("not used"), "{fine}");
    project.write("plugins/other.wasm", guest());
    let clash = hygge(&project, "plugin inspect c-guest").succeed();
    let said = "not used  plugins/c-guest.wasm isn't used: it is a home of type `c-guest`, and so is \
                plugins/other.wasm";
    assert!(clash.stdout.contains(said), "{clash}");
}

#[test]
fn a_broken_project_is_told_as_elsewhere() {
    let project = project();
    project.write("hygge.yml", "name: test\nplugins: {c-guest\n");
    let said = |verb: &str| hygge(&project, verb).run();
    let list = said("list");
    assert_eq!(list.code, Some(2), "{list}");
    for verb in [
        "plugin list",
        "plugin trust c-guest",
        "plugin remove c-guest",
    ] {
        let outcome = said(verb);
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert!(outcome.stderr.contains("hygge.yml:3"), "{outcome}");
    }
    assert!(project.path("plugins/c-guest.wasm").exists());
}

/// A file that begins well and ends in rubbish is told before anything is made of it.
#[test]
fn what_is_no_webassembly_throughout_is_not_added() {
    let project = Project::new();
    let mut bytes = guest();
    // Within the code of a function: what stands around it can still be read.
    let at = bytes.len() / 2;
    bytes[at..at + 64].fill(0xff);
    project.write("bad.wasm", bytes);
    let outcome = hygge(&project, "plugin add bad.wasm").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("it is damaged"), "{outcome}");
    assert!(!project.path("plugins").exists());
}

/// Someone who waits is told what for; who has it compiled already doesn't wait.
#[test]
fn compiling_for_long_is_told_once() {
    let project = project();
    project.flow(
        "count",
        "home: {type: c-guest, rows: 10}\nstore: {type: parquet, path: lake}\n",
    );
    let with = |arguments: &str| {
        let command = project.hygge(arguments);
        let command = command.env("XDG_CACHE_HOME", project.path("cache"));
        command.env("HYGGE_STAND_IN_COMPILE_LONG_MS", "0").succeed()
    };
    let told = |outcome: &Outcome| {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        said.matches("c-guest is being compiled, once on this machine")
            .count()
    };
    let event = r#""event":"waiting""#;
    for (arguments, in_json) in [
        ("start", false),
        ("start --output json", true),
        ("plugin run c-guest --as home --config rows=1", false),
    ] {
        let first = with(arguments);
        assert_eq!(told(&first), 1, "{first}");
        assert_eq!(first.stdout.contains(event), in_json, "{first}");
        let second = with(arguments);
        assert_eq!(told(&second), 0, "{second}");
        std::fs::remove_dir_all(project.path("cache")).unwrap();
    }
    // Once also where it isn't kept, though it is looked at twice: what it says of itself is asked
    // with nothing granted.
    std::fs::create_dir_all(project.path("cache/hygge/plugins")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.path("cache/hygge/plugins"), open).unwrap();
    let unkept = with("start");
    assert_eq!(told(&unkept), 1, "{unkept}");
}
