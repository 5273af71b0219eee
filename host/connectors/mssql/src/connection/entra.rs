//! Tokens of Entra ID, for whoever logs in without a password.
//!
//! Who may have one is for Microsoft's own crate to find out. hygge brings it a way to speak HTTP
//! and keeps each token until shortly before it expires, so that a run of hours asks a few times
//! and not once a session.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use azure_core::credentials::{AccessToken, Secret, SecretBytes, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions,
    ClientCertificateCredential, ClientCertificateCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use hygge_core::{Fault, Result, code};
use tokio::sync::Mutex;

use super::http::Http;
use crate::fault::CONNECTING;

/// A token that expires sooner isn't used for another session.
const MARGIN: Duration = Duration::from_secs(300);

/// How long all of asking may take, other tries included.
const LIMIT: Duration = Duration::from_secs(90);

/// A way to be given tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// As the machine that hygge runs on.
    ManagedIdentity,
    /// As an application, by a secret or certificate of its own.
    ServicePrincipal,
    /// As whoever logged in to the Azure CLI.
    AzureCli,
    /// As a pod, by the token in a file that Kubernetes writes.
    WorkloadIdentity,
    /// As the first of these that is given one.
    Default,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [
        Self::ManagedIdentity,
        Self::ServicePrincipal,
        Self::AzureCli,
        Self::WorkloadIdentity,
        Self::Default,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ManagedIdentity => "managed_identity",
            Self::ServicePrincipal => "service_principal",
            Self::AzureCli => "azure_cli",
            Self::WorkloadIdentity => "workload_identity",
            Self::Default => "default",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::ManagedIdentity => {
                "look whether the machine has an identity, and give `client_id` if it has several"
            }
            Self::ServicePrincipal => {
                "look at `tenant_id`, `client_id` and the secret or certificate of the connection"
            }
            Self::AzureCli => "log in with `az login`",
            Self::WorkloadIdentity => {
                "look at AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID and AZURE_CLIENT_ID, which \
                 Kubernetes sets"
            }
            Self::Default => "choose a way to log in by `auth`, to see what is wrong with it",
        }
    }
}

/// Who asks for tokens, and how.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Principal {
    pub(crate) way: Way,
    pub(crate) tenant: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) secret: Option<String>,
    /// A file of PKCS #12.
    pub(crate) certificate: Option<PathBuf>,
    /// That of the file.
    pub(crate) password: Option<String>,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.way.name())
    }
}

type Credential = Arc<dyn TokenCredential>;

impl Principal {
    /// What it can ask, in that order.
    fn sources(self, http: &Arc<Http>) -> Vec<(Way, azure_core::Result<Credential>)> {
        if self.way != Way::Default {
            let credential = self.credential(options(http, RetryOptions::default()));
            return vec![(self.way, credential)];
        }
        let from = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let application = Self {
            way: Way::ServicePrincipal,
            tenant: self.tenant.clone().or_else(|| from("AZURE_TENANT_ID")),
            client: self.client.clone().or_else(|| from("AZURE_CLIENT_ID")),
            secret: from("AZURE_CLIENT_SECRET"),
            certificate: from("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from),
            password: from("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        };
        let of = |way| Self {
            way,
            ..self.clone()
        };
        let mut all = Vec::new();
        if application.secret.is_some() || application.certificate.is_some() {
            all.push(application);
        }
        if from("AZURE_FEDERATED_TOKEN_FILE").is_some() {
            all.push(of(Way::WorkloadIdentity));
        }
        all.extend([of(Way::ManagedIdentity), of(Way::AzureCli)]);
        // There are others to ask before the same is asked again.
        all.into_iter()
            .map(|each| {
                (
                    each.way,
                    each.credential(options(http, RetryOptions::none())),
                )
            })
            .collect()
    }

    fn credential(&self, client_options: ClientOptions) -> azure_core::Result<Credential> {
        let needed = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(match self.way {
            Way::ManagedIdentity => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: self.client.clone().map(UserAssignedId::ClientId),
                    client_options,
                }))?
            }
            Way::ServicePrincipal => match &self.certificate {
                Some(file) => ClientCertificateCredential::new(
                    needed(&self.tenant),
                    needed(&self.client),
                    SecretBytes::new(read(file)?),
                    Some(ClientCertificateCredentialOptions {
                        client_options,
                        password: self.password.clone().map(Secret::new),
                    }),
                )?,
                None => ClientSecretCredential::new(
                    &needed(&self.tenant),
                    needed(&self.client),
                    Secret::new(needed(&self.secret)),
                    Some(ClientSecretCredentialOptions { client_options }),
                )?,
            },
            Way::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                tenant_id: self.tenant.clone(),
                ..AzureCliCredentialOptions::default()
            }))?,
            Way::WorkloadIdentity => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: self.client.clone(),
                    tenant_id: self.tenant.clone(),
                    token_file_path: None,
                }))?
            }
            // Made of the others.
            Way::Default => return Err(ErrorKind::Credential.into_error()),
        })
    }
}

fn read(file: &Path) -> azure_core::Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        let what = format!("can't read {}", file.display());
        azure_core::Error::with_error(ErrorKind::Credential, error, what)
    })
}

fn options(http: &Arc<Http>, retry: RetryOptions) -> ClientOptions {
    let http: Arc<dyn azure_core::http::HttpClient> = Arc::clone(http) as _;
    ClientOptions {
        transport: Some(Transport::new(http)),
        retry,
        ..ClientOptions::default()
    }
}

/// The tokens of one connection.
pub(super) struct Tokens {
    /// Where they are for.
    at: String,
    scope: &'static str,
    way: Way,
    sources: Vec<(Way, azure_core::Result<Credential>)>,
    /// Which of the sources gave one.
    found: OnceLock<usize>,
    held: Mutex<Option<AccessToken>>,
}

impl Tokens {
    pub(super) async fn new(at: String, host: &str, principal: Principal) -> Result<Self> {
        let way = principal.way;
        // Certificates are read, and perhaps deciphered.
        let made = tokio::task::spawn_blocking(move || {
            let http = Arc::new(Http::new()?);
            Ok(principal.sources(&http))
        });
        let made = made
            .await
            .map_err(|error| Fault::internal(error.to_string()))?;
        let sources = made
            .map_err(|why: String| Fault::new(code::CONFIG, format!("{CONNECTING} {at}: {why}")))?;
        Ok(Self {
            scope: scope(host),
            at,
            way,
            sources,
            found: OnceLock::new(),
            held: Mutex::default(),
        })
    }

    /// A token that is good for a while yet.
    pub(super) async fn get(&self) -> Result<String> {
        let mut held = self.held.lock().await;
        if let Some(token) = &*held
            && token.expires_on > OffsetDateTime::now_utc() + MARGIN
        {
            return Ok(token.token.secret().to_owned());
        }
        let asked = tokio::time::timeout(LIMIT, self.ask()).await;
        let token = asked.map_err(|_| {
            let why = format!("no answer within {}s", LIMIT.as_secs());
            self.refused(&why).retryable()
        })??;
        let text = token.token.secret().to_owned();
        *held = Some(token);
        Ok(text)
    }

    async fn ask(&self) -> Result<AccessToken> {
        let (mut whys, mut passes) = (Vec::new(), false);
        for (n, (way, source)) in self.sources.iter().enumerate() {
            if self.found.get().is_some_and(|found| *found != n) {
                continue;
            }
            let why = match source {
                Ok(source) => match source.get_token(&[self.scope], None).await {
                    Ok(token) => {
                        self.found.get_or_init(|| n);
                        return Ok(token);
                    }
                    Err(error) => {
                        passes |= is_passing(&error);
                        told(&error)
                    }
                },
                Err(error) => told(error),
            };
            whys.push(match self.way {
                Way::Default => format!("{}: {why}", way.name()),
                _ => why,
            });
        }
        let fault = self.refused(&whys.join("; "));
        Err(match passes && self.way != Way::Default {
            true => fault.retryable(),
            false => fault,
        })
    }

    fn refused(&self, why: &str) -> Fault {
        let (at, way) = (&self.at, self.way.name());
        let message = format!("{CONNECTING} {at}: Entra ID gives no token by `{way}`: {why}");
        Fault::new(code::SOURCE_IO, message).advise(self.way.advice())
    }
}

/// What a token is to be good for: the cloud that the server is in.
fn scope(host: &str) -> &'static str {
    let host = host.to_lowercase();
    if host.ends_with(".chinacloudapi.cn") {
        "https://database.chinacloudapi.cn/.default"
    } else if host.ends_with(".usgovcloudapi.net") {
        "https://database.usgovcloudapi.net/.default"
    } else {
        "https://database.windows.net/.default"
    }
}

/// An error in one line, without what its crate says around it.
fn told(error: &azure_core::Error) -> String {
    let mut error: &(dyn std::error::Error + 'static) = error;
    let mut whole = error.to_string();
    // Whether it is tried again is said around what went wrong.
    while whole.contains("retried")
        && let Some(within) = error.source()
    {
        (error, whole) = (within, within.to_string());
    }
    let text = whole.split("To troubleshoot").next().unwrap_or_default();
    let around = "Credential authentication failed.";
    let text = text.split_once(around).map_or(text, |(_, why)| why);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

/// Whether asking again may help: nobody answered, or somebody was busy.
fn is_passing(error: &azure_core::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<azure_core::Error>() {
            match error.kind() {
                ErrorKind::Connection | ErrorKind::Io => return true,
                ErrorKind::HttpResponse { status, .. } => {
                    let status = u16::from(*status);
                    return status == 429 || status >= 500;
                }
                _ => {}
            }
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_the_cloud_that_the_server_is_in() {
        let public = "https://database.windows.net/.default";
        assert_eq!(scope("dw.database.windows.net"), public);
        assert_eq!(scope("10.0.0.7"), public);
        assert_eq!(
            scope("DW.database.ChinaCloudAPI.cn"),
            "https://database.chinacloudapi.cn/.default"
        );
        assert_eq!(
            scope("dw.database.usgovcloudapi.net"),
            "https://database.usgovcloudapi.net/.default"
        );
    }
}
