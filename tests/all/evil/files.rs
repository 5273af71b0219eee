//! Ways out of the folders that were granted, and into the process.

use std::fs;

use serde_json::{Value, json};

use super::{Part, Scene, home};

fn reach(tries: &[&str]) -> Value {
    home(json!({"at": "open", "deed": "reach", "tries": tries}))
}

/// What became of each try, a line each.
fn lines(scene: &Scene, tries: &[&str]) -> String {
    let root = scene.project.root().to_str().unwrap();
    let told = scene.run(Part::Home, &reach(tries)).told();
    told.replace("; ", "\n").replace(root, "[ROOT]")
}

/// A secret beside the folders, and links to it inside of them.
fn scene() -> Scene {
    let scene = Scene::granted("read: [in]\n    write: [out]\n    env: [HOME, EVIL_LANGUAGE]");
    let project = &scene.project;
    project.write("secret.txt", "nobody may read this");
    project.write("in/public.txt", "anybody may");
    project.write("out/old.txt", "old");
    for folder in ["in", "out"] {
        std::os::unix::fs::symlink("../secret.txt", project.path(folder).join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", project.path(folder).join("absolute")).unwrap();
        std::os::unix::fs::symlink("..", project.path(folder).join("up")).unwrap();
    }
    scene
}

#[test]
fn nothing_is_there_without_a_grant() {
    let scene = Scene::new();
    scene.project.write("secret.txt", "nobody may read this");
    insta::assert_snapshot!(lines(
        &scene,
        &[
            "read secret.txt",
            "read ./secret.txt",
            "read /etc/hostname",
            "list .",
            "list /",
            "write evil.txt",
            "write /tmp/evil.txt",
            "env",
            "arguments",
        ]
    ));
    assert!(!scene.project.path("evil.txt").exists());
}

#[test]
fn no_path_leads_out_of_a_folder() {
    let scene = scene();
    let absolute = scene.project.path("secret.txt");
    let absolute = format!("read {}", absolute.display());
    let before = scene.project.tree();
    insta::assert_snapshot!(lines(
        &scene,
        &[
            "read in/public.txt",
            "read in/../secret.txt",
            "read in/./.././secret.txt",
            "read in//..//secret.txt",
            "read ../secret.txt",
            &absolute,
            "read /etc/hostname",
            "read in/link",
            "read in/absolute",
            "read in/up/secret.txt",
            "read out/up/secret.txt",
            "read out/link",
            "list in/..",
            "list in/up",
            "write in/new.txt",
            "write in/public.txt",
            "remove in/public.txt",
            "write out/../evil.txt",
            "write out/link",
            "write out/up/evil.txt",
            "write out/absolute",
            "link ../secret.txt out/mine",
            "link /etc/hostname out/mine",
            "read out/mine",
            // A file that may be read, under a name that may be written.
            "hardlink in/public.txt out/mine",
            "hardlink in/public.txt in/mine",
            "hardlink ../secret.txt out/mine",
            "hardlink out/up/secret.txt out/mine",
            "rename out/old.txt out/../old.txt",
            "rename out/old.txt in/old.txt",
            "rename in/public.txt out/public.txt",
            "rename out/link secret.txt",
            "remove out/../secret.txt",
            "write hygge.lock",
            "write plugins/evil.wasm",
        ]
    ));
    let read = |path: &str| fs::read_to_string(scene.project.path(path)).unwrap();
    assert_eq!(read("secret.txt"), "nobody may read this");
    assert_eq!(read("in/public.txt"), "anybody may");
    let kept = |tree: Vec<String>| -> Vec<String> {
        let own = |path: &String| !path.starts_with(".hygge") && !path.starts_with("lake");
        tree.into_iter().filter(own).collect()
    };
    assert_eq!(kept(scene.project.tree()), kept(before));
}

/// Only what was named and is set, whatever else the program's environment has.
#[test]
fn only_the_granted_part_of_the_environment_is_there() {
    insta::assert_snapshot!(lines(&scene(), &["env", "arguments"]));
}
