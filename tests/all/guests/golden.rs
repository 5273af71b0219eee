//! Components as they were built against earlier versions of the contract: `tests/guests/golden`.
//! Whatever the host becomes, they run.

use super::c::{capitals, project, rows};
use super::hygge;
use crate::harness::walk;

/// Every golden guest is the C guest of its time; what it must do was never changed.
#[test]
fn every_component_ever_released_runs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/golden");
    let mut guests = Vec::new();
    walk(&folder, &mut |path, is_folder| {
        if !is_folder
            && path
                .extension()
                .is_some_and(|extension| extension == "wasm")
        {
            guests.push(path.to_owned());
        }
    });
    assert!(!guests.is_empty(), "there are golden guests");
    for guest in guests {
        let project = project(
            &std::fs::read(&guest).unwrap(),
            "entities:\n\
             - {name: plain}\n\
             - {name: capitals, transforms: [{type: c-guest, column: station}]}\n\
             home: {type: c-guest, rows: 2000}\n\
             store: {type: parquet, path: \"lake/{entity}\"}\n",
        );
        hygge(&project, "start").succeed();
        let shown = guest.display();
        assert_eq!(project.content("lake/plain"), rows(0..2000), "{shown}");
        assert_eq!(
            project.content("lake/capitals"),
            capitals(0..2000),
            "{shown}"
        );
    }
}
