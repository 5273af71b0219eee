//! Guests that mean harm, and what the host does: `tests/guests/evil` does what its settings
//! say. Whatever that is, the run ends within its limits with a fault that has the plugin's name,
//! the other entities of the run succeed, and what stood at the destination still stands.

mod conformance;
mod disk;
mod files;
mod host;
mod ipc;
mod load;
mod loops;
mod memory;
mod network;
mod text;

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::Schema;
use serde_json::{Value, json};

use crate::harness::{Content, Events, Orders, Outcome, Project};
use crate::plugins::hygge;

/// The component.
static EVIL: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(crate::plugins::build("evil", "wasm32-wasip2")).unwrap());

/// How long any of these runs may take, on a machine that is busy. What they do would take for
/// ever, or the 30 seconds of the default limit.
const PATIENCE: Duration = Duration::from_secs(15);

/// The part of a flow that the evil guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Home,
    Transform,
    Store,
}

/// What was done, and what the host did.
struct Seen {
    outcome: Outcome,
    fault: Option<Value>,
}

impl Seen {
    /// What people are told, in a line.
    fn told(&self) -> String {
        let Some(fault) = &self.fault else {
            return "nothing happened".to_owned();
        };
        let text = |key: &str| fault[key].as_str().unwrap().to_owned();
        format!("{}: {}", text("code"), text("message"))
    }

    /// Everything that the program said.
    fn said(&self) -> String {
        format!("{}{}", self.outcome.stdout, self.outcome.stderr)
    }
}

/// A project with the guest under low limits, a flow `bad` for it, whose destination holds
/// something already, and a flow `copy` that has nothing to do with it.
struct Scene {
    project: Project,
    before: Content,
}

impl Scene {
    fn new() -> Self {
        Self::granted("")
    }

    /// With these grants, as YAML of one line, for the file as it is.
    fn granted(grants: &str) -> Self {
        Self::of(&EVIL, grants)
    }

    /// With one more limit, as well.
    fn limited(limit: &str, grants: &str) -> Self {
        let scene = Self::granted(grants);
        let path = scene.project.path("hygge.yml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(
            path,
            config.replace("limits: {", &format!("limits: {{{limit}, ")),
        )
        .unwrap();
        scene
    }

    fn of(component: &[u8], grants: &str) -> Self {
        let project = Project::new();
        project.write("plugins/evil.wasm", component);
        grant(&project, grants);
        if !grants.is_empty() {
            trust(&project, "evil", component);
        }
        project.orders("data/orders.parquet", &Orders::new(0..10));
        project.write(
            "flows/copy/flow.yml",
            "home: {type: parquet, path: data}\nstore: {type: parquet, path: lake/copy}\n",
        );
        project.write(
            "flows/bad/flow.yml",
            "home: {type: parquet, path: data}\nstore: {type: parquet, path: lake/bad}\n",
        );
        hygge(&project, "start").succeed();
        let before = project.content("lake/bad");
        Self { project, before }
    }

    /// Runs it with the guest as one part of the flow.
    fn run(&self, part: Part, settings: &Value) -> Seen {
        self.flow(part, settings);
        self.start()
    }

    /// Forgets what a Home or a Store remembered.
    fn forget(&self) {
        std::fs::remove_dir_all(self.project.path(".hygge")).unwrap();
    }

    /// Writes the flow.
    fn flow(&self, part: Part, settings: &Value) {
        let mut settings = settings.clone();
        settings["type"] = json!("evil");
        let home = json!({"type": "parquet", "path": "data"});
        let store = json!({"type": "parquet", "path": "lake/bad"});
        let flow = match part {
            Part::Home => json!({"home": settings, "store": store}),
            Part::Transform => json!({"home": home, "transforms": [settings], "store": store}),
            Part::Store => json!({"home": home, "store": settings}),
        };
        // JSON is YAML, once it has no characters that can't be printed.
        let yaml = flow.to_string().chars().fold(String::new(), |mut yaml, c| {
            match c.is_ascii() {
                true => yaml.push(c),
                false => write!(yaml, "\\u{:04x}", u32::from(c)).unwrap(),
            }
            yaml
        });
        self.project.flow("bad", &yaml);
    }

    /// Runs it, and looks at everything that must be so whatever the guest did.
    fn start(&self) -> Seen {
        // What one Home or Store remembered is no business of the next case's.
        self.forget();
        let began = Instant::now();
        let outcome = hygge(&self.project, "start --output json").run();
        let took = began.elapsed();
        assert!(took < PATIENCE, "it took {took:?}\n{outcome}");
        let events = Events::of(&outcome);
        assert_eq!(events.finished("copy.copy")["outcome"], "pass", "{outcome}");
        assert_eq!(self.project.content("lake/copy").rows, 10, "{outcome}");
        let bad = events.finished("bad.bad");
        let failed = bad["outcome"] == "fail";
        assert_eq!(outcome.code, Some(i32::from(failed)), "{outcome}");
        if failed {
            assert_eq!(self.project.content("lake/bad"), self.before, "{outcome}");
        }
        let fault = failed.then(|| bad["fault"].clone());
        Seen { outcome, fault }
    }

    /// Each case's name and what people are told, one below the other. All of them fail, and
    /// every fault has the plugin's name on it.
    fn shown<'a>(&self, cases: impl IntoIterator<Item = (&'a str, Part, Value)>) -> String {
        let mut all = String::new();
        for (name, part, settings) in cases {
            let seen = self.run(part, &settings);
            let fault = seen
                .fault
                .as_ref()
                .unwrap_or_else(|| panic!("{name}: {}", seen.outcome));
            let named = fault["attributes"]
                .as_array()
                .unwrap()
                .contains(&json!(["plugin", "evil"]));
            assert!(named, "{name}: {fault}");
            writeln!(all, "{name}\n    {}", seen.told()).unwrap();
        }
        all
    }
}

/// Low limits, and these grants.
fn grant(project: &Project, grants: &str) {
    project.write(
        "hygge.yml",
        format!(
            "name: test\noptions: {{retries: 0}}\nplugins:\n  evil:\n    \
             limits: {{memory: 16 MiB, call_timeout: 2s, batch: 1 MiB}}\n    {grants}\n"
        ),
    );
}

/// Trusts a file.
fn trust(project: &Project, key: &str, component: &[u8]) {
    let digest = hygge_plugins::Digest::of(component);
    let locked = json!({"digest": digest.as_str(), "type": "evil", "version": "0.1.0"});
    project.write(
        "hygge.lock",
        json!({"version": 1, "plugins": {key: locked}}).to_string(),
    );
}

/// A batch as rows of an honest guest.
fn rows() -> RecordBatch {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
    let words = ["text", "four", "abcd"].into_iter().cycle().take(10);
    let words: ArrayRef = Arc::new(words.map(Some).collect::<StringArray>());
    RecordBatch::try_from_iter_with_nullable([("n", n, true), ("word", words, true)]).unwrap()
}

/// Arrow IPC, as the contract has it.
fn stream(schema: &Schema, batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, schema).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        write!(all, "{byte:02x}").unwrap();
        all
    })
}

/// Settings of an honest Home, with these added.
fn home(more: Value) -> Value {
    let batch = rows();
    let mut settings = json!({
        "schema": hex(&stream(&batch.schema(), &[])),
        "batches": [hex(&stream(&batch.schema(), &[batch]))],
    });
    add(&mut settings, more);
    settings
}

/// Settings of a Store whose receipts are right, with these added.
fn store(more: Value) -> Value {
    let mut settings = json!({"rows": 10});
    add(&mut settings, more);
    settings
}

fn add(settings: &mut Value, more: Value) {
    let Value::Object(more) = more else {
        panic!("{more}")
    };
    settings.as_object_mut().unwrap().extend(more);
}

/// What the guest says of itself.
fn describe() -> &'static [u8] {
    include_bytes!("../../guests/evil/src/describe.json")
}
