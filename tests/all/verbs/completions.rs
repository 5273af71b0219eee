use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::Project;

#[test]
fn every_shell_gets_a_script_that_asks_hygge() {
    let project = Project::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project
            .hygge(&format!("completions {shell}"))
            .succeed()
            .stdout;
        assert!(script.contains("HYGGE_COMPLETE"), "{shell}: {script}");
    }
    let unknown = project.hygge("completions tcsh").run();
    insta::assert_snapshot!(unknown.shown());
}

#[test]
fn bash_completes_verbs_options_and_what_a_project_calls_its_own() {
    let project = Project::new();
    project.flow(
        "sales",
        "home: data/{entity}.csv\nstore: out/{entity}.csv\nentities: [orders, lines]\n",
    );
    project.flow("stock", "home: data/stock.csv\nstore: out/stock.csv\n");
    // What a shell would take apart is left to whoever types it.
    let unsafe_names = "home: data/{entity}.csv\nstore: out/{entity}.csv\n\
                        entities: [\"zz;touch PWNED #\", plain]\n";
    project.flow("zz", unsafe_names);
    project.flow("my flow", "home: data/my.csv\nstore: out/my.csv\n");
    let bin = project.path("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_hygge-failpoints"), bin.join("hygge")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let script = r#"
        source <(hygge completions bash)
        ask() {
            COMP_WORDS=(hygge "$@") COMP_CWORD=$# COMP_TYPE=9
            _clap_complete_hygge hygge "${@: -1}" "${@: -2:1}"
            echo "$*: ${COMPREPLY[*]}"
        }
        ask com
        ask start --d
        ask start --flow s
        ask start --flow m
        ask start --entity sales.orders,s
        ask state show sales.
        ask state show zz
        ask schema ""
        cd / && ask peek sales.
        ask --project "$OLDPWD" peek sales.
    "#;
    let bash = Command::new("bash")
        .args(["-c", script])
        .current_dir(project.root())
        .env("PATH", format!("{}:{path}", bin.display()))
        .output()
        .unwrap();
    let said = String::from_utf8(bash.stdout).unwrap();
    let root = project.root().to_str().unwrap();
    insta::assert_snapshot!(said.replace(root, "[project]"));
}
