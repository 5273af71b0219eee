//! What is said about a project that is wrong. The words are the product: read them.

use super::Project;

/// `wrong!(name, project, @"what is said")`
macro_rules! wrong {
    ($name:ident, $project:expr, @$said:literal) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!($project.wrong(), @$said);
        }
    };
}

mod keys;
mod modes;
mod names;
mod places;
mod text;

/// A project with one flow `f`, whose flow.yml is this.
fn flow(text: &str) -> Project {
    Project::of("").file("flows/f/flow.yml", text)
}
