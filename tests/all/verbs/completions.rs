use crate::harness::Project;

#[test]
fn every_shell_gets_a_script_that_knows_the_verbs() {
    let project = Project::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project
            .hygge(&format!("completions {shell}"))
            .succeed()
            .stdout;
        for word in ["init", "start", "dry-run", "concurrency"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
    let unknown = project.hygge("completions tcsh").run();
    insta::assert_snapshot!(unknown.shown());
}
