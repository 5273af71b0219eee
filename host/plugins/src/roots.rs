//! Whose certificates are believed: the public roots', and what the operator names beside them.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use hygge_core::Result;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::fault::{self, clean};

/// The variable that names a file of further roots, as it is for many programs.
pub(crate) const FILE: &str = "SSL_CERT_FILE";

static TLS: OnceLock<Result<Arc<ClientConfig>>> = OnceLock::new();

/// How https is spoken; made once a process.
pub(crate) fn tls() -> Result<Arc<ClientConfig>> {
    TLS.get_or_init(|| {
        let file = std::env::var_os(FILE).filter(|file| !file.is_empty());
        make(file.as_deref().map(Path::new)).map_err(fault::load)
    })
    .clone()
}

fn make(more: Option<&Path>) -> std::result::Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.into(),
    };
    if let Some(file) = more {
        let named = || format!("{FILE} names {}", clean(&file.display().to_string(), 500));
        let found = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
            .map_err(|error| format!("{}, which can't be read: {error}", named()))?;
        // Bundles hold old ones too that nobody can use.
        let (usable, _) = roots.add_parsable_certificates(found);
        if usable == 0 {
            return Err(format!("{}, which holds no certificate", named()));
        }
    }
    // Named, since another crate of the program may bring a second one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    match config {
        Ok(config) => Ok(Arc::new(
            config.with_root_certificates(roots).with_no_client_auth(),
        )),
        Err(error) => unreachable!("ring knows every version of TLS that rustls does: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_roots_that_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(make(None).is_ok());
        assert!(make(Some(&file)).unwrap_err().contains("can't be read"));
        std::fs::write(&file, "not one\n").unwrap();
        let none = make(Some(&file)).unwrap_err();
        assert!(none.ends_with("which holds no certificate"), "{none}");
    }
}
