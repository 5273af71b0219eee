//! Starts the server by hand, or as a process of its own so that its CPU time can be told apart.

use std::io::Write as _;
use std::process::ExitCode;

use hygge_tds_server::{Encryption, Options, PASSWORD, Server, USER};

const USAGE: &str = "\
A SQL Server for tests: it speaks TDS, runs T-SQL as far as it knows it, keeps everything in memory,
and is no database. Never give it anything that you want to keep.

hygge-tds-server [--port P] [--init FILE.sql] [--encrypt off|optional|required|strict]
                 [--database NAME] [--token TOKEN] [--read-committed-snapshot] [--no-log]

  --init FILE    run a script first; batches are parted by lines that say GO
  --token TOKEN  take this access token as a login, besides the password

hygge-tds-server --port 14330 --init shop.sql --encrypt optional
";

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn run() -> Result<(), String> {
    let mut options = Options {
        port: 1433,
        ..Options::default()
    };
    let (mut scripts, mut logging) = (Vec::new(), true);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} wants a value"))
        };
        match argument.as_str() {
            "--port" => options.port = value()?.parse().map_err(|_| "--port wants a number")?,
            "--init" => scripts.push(value()?),
            "--encrypt" => {
                options.encryption = match value()?.as_str() {
                    "off" => Encryption::Off,
                    "optional" => Encryption::Optional,
                    "required" => Encryption::Required,
                    "strict" => Encryption::Strict,
                    other => {
                        return Err(format!(
                            "--encrypt is off, optional, required or strict, not {other}"
                        ));
                    }
                }
            }
            "--database" => options.databases = vec![value()?],
            "--token" => options.tokens.push(value()?),
            "--read-committed-snapshot" => options.read_committed_snapshot = true,
            "--no-log" => logging = false,
            "--help" | "-h" => return say(USAGE).map_err(|error| error.to_string()),
            other => return Err(format!("{other} is no option\n\n{USAGE}")),
        }
    }
    let database = options.databases[0].clone();
    let server = Server::start(options).map_err(|error| format!("can't listen: {error}"))?;
    server.keep_log(logging);
    for script in scripts {
        let text =
            std::fs::read_to_string(&script).map_err(|error| format!("{script}: {error}"))?;
        let batches = text.split('\n').collect::<Vec<_>>();
        for batch in batches.split(|line| line.trim().eq_ignore_ascii_case("go")) {
            server
                .run(&batch.join("\n"))
                .map_err(|error| format!("{script}: {error}"))?;
        }
    }
    say(&format!(
        "A test tool, not a database: everything is in memory and gone when this stops.\n\
         listening on {}, login {USER}, password {PASSWORD}, database {database}\n{}",
        server.address(),
        server.certificate(),
    ))
    .map_err(|error| error.to_string())?;
    loop {
        std::thread::park();
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}
