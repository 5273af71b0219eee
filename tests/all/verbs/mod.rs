//! Every verb, as a person meets it: exit code, stdout and stderr together.

mod completions;
mod debug;
mod dry_run;
mod generate;
mod init;
mod list;
mod peek;
mod runs;
mod schema;
mod start;
mod state;

use crate::harness::{Orders, Project};

/// A project with one flow of one entity, `sales.orders`, of 20 rows.
fn orders(store: &str) -> Project {
    let project = Project::new();
    project.flow(
        "sales",
        &format!(
            "entities: [orders]\n\
             home: {{type: parquet, path: data/orders, \
             incremental: {{column: updated_at, strategy: append, key: id}}}}\n\
             store: {{type: parquet, path: lake/orders{store}}}\n"
        ),
    );
    project.orders("data/orders/a.parquet", &Orders::new(0..20));
    project
}
