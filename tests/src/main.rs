//! `hygge`, with failpoints: what the whole-program tests run.

fn main() -> std::process::ExitCode {
    hygge::main()
}
