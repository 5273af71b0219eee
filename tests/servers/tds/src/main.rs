//! The server by hand.
fn main() {
    let port = std::env::args()
        .nth(1)
        .and_then(|p| p.parse().ok())
        .unwrap_or(14330);
    let server = hygge_tds_server::Server::start(hygge_tds_server::Options {
        port,
        ..Default::default()
    })
    .expect("starts");
    println!("{}", server.address());
    loop {
        std::thread::park();
    }
}
