//! Logging in to SQL Server as Entra ID knows one: the program asks for a token and shows it to the
//! server.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use hygge_tds_server::{Encryption, Options, PASSWORD, Server as Database, USER};

use crate::harness::{Answer, Asked, Authority, Command, Project, Server};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";

/// A server that takes the token `ey.good`, and a project whose flow reads from it.
struct Scene {
    _database: Database,
    project: Project,
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// As the service of a machine's identity answers.
fn machine(lasts: i64) -> String {
    format!(
        "{{\"access_token\":\"ey.good\",\"expires_on\":\"{}\",\"resource\":\"r\",\"token_type\":\"Bearer\"}}",
        now() + lasts
    )
}

/// As Entra ID answers.
fn entra() -> String {
    "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"ey.good\"}"
        .to_owned()
}

impl Scene {
    fn new(how: &str) -> Self {
        let database = Database::start(Options {
            tokens: vec!["ey.good".to_owned()],
            ..Options::default()
        })
        .unwrap();
        database
            .run("CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.t (id) VALUES (1), (2)")
            .unwrap();
        let project = Project::new();
        project.write(
            "hygge.yml",
            format!(
                "name: test\nconnections:\n  db:\n    type: mssql\n    server: '127.0.0.1,{}'\n    \
                 database: test\n    trust_server_certificate: true\n{how}",
                database.address().port()
            ),
        );
        project.flow(
            "copy",
            "home: {connection: db, table: dbo.t}\nstore: lake\n",
        );
        Self {
            _database: database,
            project,
        }
    }

    fn start(&self) -> Command {
        let mut command = self.project.hygge("start");
        // What the machine that tests run on says of itself is of no interest.
        for name in [
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
            "AZURE_CLIENT_CERTIFICATE_PATH",
            "AZURE_FEDERATED_TOKEN_FILE",
        ] {
            command = command.env(name, "");
        }
        command
    }

    /// An Azure CLI that answers so.
    fn az(&self, script: &str) -> String {
        self.project
            .write("bin/az", format!("#!/bin/sh\n{script}\n"));
        let az = self.project.path("bin/az");
        std::fs::set_permissions(&az, PermissionsExt::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", self.project.path("bin").display())
    }
}

#[test]
fn as_the_machine_it_runs_on_with_a_token_for_the_whole_run() {
    let scene = Scene::new(&format!(
        "    auth: managed_identity\n    client_id: {CLIENT}\n"
    ));
    let service = Server::start(|_| Answer::ok(machine(3_600)));
    let start = |service: &Server| {
        scene
            .start()
            .env(
                "IDENTITY_ENDPOINT",
                format!("{}/msi/token", service.origin()),
            )
            .env("IDENTITY_HEADER", "a-header")
            .succeed()
    };
    start(&service);
    let asked = service.asked();
    let [only] = asked.as_slice() else {
        panic!("one token does for all sessions: {asked:?}")
    };
    assert_eq!(only.header("x-identity-header"), Some("a-header"));
    assert_eq!(only.parameter("client_id"), Some(CLIENT));
    let resource = only.parameter("resource").unwrap();
    assert!(resource.contains("database.windows.net"), "{resource}");
    // One that expires soon is good for the session at hand only.
    let service = Server::start(|_| Answer::ok(machine(60)));
    start(&service);
    assert!(service.asked().len() > 1, "it was used until it expired");
}

#[test]
fn a_machine_without_an_identity_is_told() {
    let scene = Scene::new("    auth: managed_identity\n");
    let service = Server::start(|_| {
        Answer::of(
            "400 Bad Request",
            "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}",
        )
    });
    let failed = scene
        .start()
        .env("IDENTITY_ENDPOINT", service.origin())
        .env("IDENTITY_HEADER", "a-header")
        .run();
    assert_eq!(failed.code, Some(1), "{failed}");
    let said = failed.shown();
    assert!(
        said.contains("Entra ID gives no token by `managed_identity`"),
        "{said}"
    );
    assert!(said.contains("identity has not been assigned"), "{said}");
    assert!(
        said.contains("look whether the machine has an identity"),
        "{said}"
    );
    assert!(!said.contains("troubleshoot"), "{said}");
}

#[test]
fn as_whoever_logged_in_to_the_azure_cli() {
    let scene = Scene::new(&format!("    auth: azure_cli\n    tenant_id: {TENANT}\n"));
    let asked = scene.project.path("asked");
    let path = scene.az(&format!(
        "echo \"$@\" >> {}\necho '{{\"accessToken\":\"ey.good\",\"expires_on\":{},\"tokenType\":\"Bearer\"}}'",
        asked.display(),
        now() + 3_600
    ));
    scene.start().env("PATH", &path).succeed();
    let asked = std::fs::read_to_string(asked).unwrap();
    assert_eq!(
        asked.trim(),
        format!(
            "account get-access-token -o json --scope https://database.windows.net/.default \
             --tenant {TENANT}"
        ),
        "once, for all sessions"
    );
    let path = scene.az("echo \"Please run 'az login' to setup account.\" >&2; exit 1");
    let failed = scene.start().env("PATH", path).run();
    assert_eq!(failed.code, Some(1), "{failed}");
    let said = failed.shown();
    assert!(
        said.contains("by `azure_cli`: Please run 'az login'"),
        "{said}"
    );
}

/// Somebody who answers as Entra ID does, over TLS, and the file with whom to trust.
fn authority(scene: &Scene) -> (Server, PathBuf) {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server("127.0.0.1"), |asked: &Asked| {
        match asked.target == format!("/{TENANT}/oauth2/v2.0/token") {
            true => Answer::ok(entra()),
            false => Answer::of("404 Not Found", ""),
        }
    });
    scene.project.write("authority.pem", authority.pem());
    (server, scene.project.path("authority.pem"))
}

#[test]
fn as_an_application_by_its_secret() {
    let scene = Scene::new(&format!(
        "    auth: service_principal\n    tenant_id: {TENANT}\n    client_id: {CLIENT}\n    \
         client_secret: '${{DW_SECRET}}'\n"
    ));
    let (server, trusted) = authority(&scene);
    let start = || {
        scene
            .start()
            .env("DW_SECRET", "hunter2")
            .env("AZURE_AUTHORITY_HOST", server.origin())
    };
    start().env("SSL_CERT_FILE", &trusted).succeed();
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let body = &asked[0].body;
    assert!(body.contains("client_secret=hunter2"), "{body}");
    assert!(body.contains("grant_type=client_credentials"), "{body}");
    // Somebody who can't show who they are gets no secret.
    let refused = start().run();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.shown().contains("can't be reached"), "{refused}");
    assert!(!refused.shown().contains("hunter2"), "{refused}");
    assert!(server.asked().is_empty());
}

/// A file of PKCS #12 with a key and its certificate.
fn certificate(password: &str) -> Vec<u8> {
    use openssl::asn1::Asn1Time;
    use openssl::{hash::MessageDigest, pkcs12::Pkcs12, pkey::PKey, rsa::Rsa, x509};
    let key = PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap();
    let mut name = x509::X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "hygge").unwrap();
    let name = name.build();
    let mut made = x509::X509::builder().unwrap();
    made.set_subject_name(&name).unwrap();
    made.set_issuer_name(&name).unwrap();
    made.set_pubkey(&key).unwrap();
    made.set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    made.set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    made.sign(&key, MessageDigest::sha256()).unwrap();
    let made = made.build();
    let mut file = Pkcs12::builder();
    let file = file.name("hygge").pkey(&key).cert(&made).build2(password);
    file.unwrap().to_der().unwrap()
}

#[test]
fn as_an_application_by_its_certificate() {
    let scene = Scene::new(&format!(
        "    auth: service_principal\n    tenant_id: {TENANT}\n    client_id: {CLIENT}\n    \
         client_certificate: own.pfx\n    client_certificate_password: '${{DW_SECRET}}'\n"
    ));
    scene.project.write("own.pfx", certificate("hunter2"));
    let (server, trusted) = authority(&scene);
    let start = |password: &str| {
        scene
            .start()
            .env("DW_SECRET", password)
            .env("SSL_CERT_FILE", &trusted)
            .env("AZURE_AUTHORITY_HOST", server.origin())
    };
    start("hunter2").succeed();
    let asked = server.asked();
    let body = &asked[0].body;
    let signed = body
        .split('&')
        .find_map(|each| each.strip_prefix("client_assertion="));
    assert_eq!(signed.unwrap().split('.').count(), 3, "{body}");
    let refused = start("hunter3").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let said = refused.shown();
    assert!(
        said.contains("Entra ID gives no token by `service_principal`"),
        "{said}"
    );
    assert!(!said.contains("hunter3"), "{said}");
    std::fs::remove_file(scene.project.path("own.pfx")).unwrap();
    let said = start("hunter2").run().shown();
    assert!(said.contains("own.pfx"), "{said}");
}

#[test]
fn as_a_pod_by_the_token_it_was_given() {
    let scene = Scene::new("    auth: workload_identity\n");
    let (server, trusted) = authority(&scene);
    scene.project.write("pod.token", "ey.of.the.pod");
    scene
        .start()
        .env("SSL_CERT_FILE", &trusted)
        .env("AZURE_AUTHORITY_HOST", server.origin())
        .env("AZURE_TENANT_ID", TENANT)
        .env("AZURE_CLIENT_ID", CLIENT)
        .env(
            "AZURE_FEDERATED_TOKEN_FILE",
            scene.project.path("pod.token"),
        )
        .succeed();
    let asked = server.asked();
    assert!(
        asked[0].body.contains("client_assertion=ey.of.the.pod"),
        "{asked:?}"
    );
}

#[test]
fn as_the_first_that_is_given_a_token() {
    let scene = Scene::new("    auth: default\n");
    let service = Server::start(|_| Answer::of("400 Bad Request", "{}"));
    let start = |path: &str| {
        scene
            .start()
            .env("PATH", path)
            .env("IDENTITY_ENDPOINT", service.origin())
            .env("IDENTITY_HEADER", "a-header")
    };
    let path = scene.az(&format!(
        "echo '{{\"accessToken\":\"ey.good\",\"expires_on\":{},\"tokenType\":\"Bearer\"}}'",
        now() + 3_600
    ));
    start(&path).succeed();
    assert_eq!(service.asked().len(), 1);
    // When nobody gives one, all are told.
    let path = scene.az("echo nobody >&2; exit 1");
    let failed = start(&path).run();
    let said = failed.shown();
    assert!(said.contains("by `default`: managed_identity: "), "{said}");
    assert!(said.contains("azure_cli: nobody"), "{said}");
}

/// TLS before anything else is said: the certificate is looked at whatever is asked for.
#[test]
fn strictly_encrypted() {
    let database = Database::start(Options {
        encryption: Encryption::Strict,
        ..Options::default()
    })
    .unwrap();
    database
        .run("CREATE TABLE dbo.t (id int NOT NULL); INSERT INTO dbo.t (id) VALUES (1), (2)")
        .unwrap();
    let project = Project::new();
    let configured = |more: &str| {
        format!(
            "name: test\nconnections:\n  db:\n    type: mssql\n    server: '127.0.0.1,{}'\n    \
             database: test\n    user: {USER}\n    password: {PASSWORD}\n    encrypt: strict\n{more}",
            database.address().port()
        )
    };
    project.write("hygge.yml", configured(""));
    project.write("server.pem", database.certificate());
    project.flow(
        "copy",
        "home: {connection: db, table: dbo.t}\nstore: lake\n",
    );
    let trusted = project.path("server.pem");
    let debug = project
        .hygge("debug")
        .env("SSL_CERT_FILE", &trusted)
        .succeed();
    assert!(
        debug.shown().contains("all is encrypted by TLS 1.3"),
        "{debug}"
    );
    project
        .hygge("start")
        .env("SSL_CERT_FILE", &trusted)
        .succeed();
    assert_eq!(project.content("lake").rows, 2);
    let unknown = project.hygge("start").run();
    assert_eq!(unknown.code, Some(1), "{unknown}");
    assert!(unknown.shown().contains("certificate"), "{unknown}");
    project.write(
        "hygge.yml",
        configured("    trust_server_certificate: true\n"),
    );
    let unseen = project.hygge("start").run();
    assert_eq!(unseen.code, Some(2), "{unseen}");
    assert!(
        unseen.shown().contains("`encrypt: strict` always looks"),
        "{unseen}"
    );
}
