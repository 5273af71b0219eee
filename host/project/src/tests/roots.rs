//! Where a project is found, and what is said when it isn't.

use crate::root;

#[test]
fn any_folder_in_it_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("data/landing");
    std::fs::create_dir_all(&inside).unwrap();
    let file = folder.path().join("hygge.yml");
    std::fs::write(&file, "").unwrap();
    for start in [folder.path(), &inside, &file] {
        assert_eq!(root(start).unwrap(), folder.path(), "{}", start.display());
    }
}

#[test]
fn what_is_no_project_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "").unwrap();
    let said = |path: &std::path::Path| {
        let problem = root(path).unwrap_err();
        assert!(problem.advice.is_some(), "{problem}");
        let folder = folder.path().to_str().unwrap();
        problem.message.replace(folder, "[FOLDER]")
    };
    let nowhere = folder.path().join("nowhere");
    assert_eq!(said(&nowhere), "[FOLDER]/nowhere doesn't exist");
    assert_eq!(
        said(&file),
        "[FOLDER]/notes.txt is a file, and a project is a folder"
    );
    assert_eq!(
        said(folder.path()),
        "there is no hygge.yml in [FOLDER] or any folder above it"
    );
}
