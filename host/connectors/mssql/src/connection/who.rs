//! As whom a session logs in.

use std::path::Path;

use hygge_core::{Problem, Secret};

use super::entra::{Principal, Way};
use super::settings::{ConnectionSettings, problem};
use super::text::Given;

/// As whom a session logs in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// A SQL login.
    Sql { user: String, password: String },
    /// Whomever Entra ID gave that token to.
    Token(String),
    /// Whomever Entra ID gives one to.
    Entra(Principal),
}

impl Who {
    /// Whether a token is sent, which whoever reads it could use.
    pub(crate) fn by_token(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Entra(_))
    }
}

const BY_TOKEN: &str = "\
say `access_token: ${DW_TOKEN}`, and fill that variable before a run, as with `az account \
get-access-token --resource https://database.windows.net --query accessToken -o tsv`";

const WAYS: &str = "\
hygge logs in to SQL Server with `user` and `password`, with an `access_token`, or as Entra ID knows \
it by `auth`";

/// As whom, or what is wrong or missing; a file is looked for from `root`.
pub(super) fn who(
    settings: &ConnectionSettings,
    given: &Given,
    root: &Path,
) -> Result<Who, Vec<Problem>> {
    let asked = settings.auth.as_deref().or(given.auth);
    let asked = asked.map(|auth| auth.trim().to_lowercase());
    let way = |name: &str| Way::ALL.into_iter().find(|way| way.name() == name);
    if let Some(way) = asked.as_deref().and_then(way) {
        return entra(way, settings, given, root).map(Who::Entra);
    }
    let token = settings.access_token.as_ref();
    let unfit = asked
        .as_deref()
        .and_then(|auth| unfit(auth, token.is_some()));
    if let Some(unfit) = unfit {
        // One answer is enough to a login that can't be had.
        return Err(vec![unfit]);
    }
    let mut problems: Vec<Problem> = Extra::of(settings)
        .into_iter()
        .filter(|extra| extra.there)
        .map(|extra| {
            let message = format!("`{}` belongs to a login that Entra ID knows", extra.name);
            let ways: Vec<&str> = extra.ways.iter().map(|way| way.name()).collect();
            let advice = format!("say how by `auth`: {}", ways.join(", "));
            problem(&format!("/{}", extra.name), message, Some(&advice))
        })
        .collect();
    let user = settings.user.clone().or_else(|| given.user.clone());
    let password = settings
        .password
        .as_ref()
        .map(|secret| secret.expose().to_owned());
    let password = password.or_else(|| given.password.clone());
    let found = match (token, user, password) {
        (None, Some(user), Some(password)) => Some(Who::Sql { user, password }),
        (Some(token), None, None) => Some(Who::Token(token.expose().trim().to_owned())),
        (Some(_), _, _) => {
            problems.push(problem(
                "/access_token",
                "the connection has an `access_token`, and a `user` or `password` as well",
                Some("leave one of the two ways to log in out"),
            ));
            None
        }
        (None, user, password) => {
            for (there, name) in [(user.is_some(), "user"), (password.is_some(), "password")] {
                if !there {
                    let message = format!("the connection names no `{name}`");
                    problems.push(problem("", message, Some(WAYS)));
                }
            }
            None
        }
    };
    match found {
        Some(who) if problems.is_empty() => Ok(who),
        _ => Err(problems),
    }
}

/// A setting of some ways to log in by Entra ID.
struct Extra {
    name: &'static str,
    there: bool,
    ways: &'static [Way],
}

impl Extra {
    fn of(settings: &ConnectionSettings) -> [Self; 5] {
        use Way::{AzureCli, Default, ManagedIdentity, ServicePrincipal, WorkloadIdentity};
        let extra = |name, there, ways| Self { name, there, ways };
        [
            extra(
                "tenant_id",
                settings.tenant_id.is_some(),
                &[ServicePrincipal, AzureCli, WorkloadIdentity, Default],
            ),
            extra(
                "client_id",
                settings.client_id.is_some(),
                &[ManagedIdentity, ServicePrincipal, WorkloadIdentity, Default],
            ),
            extra(
                "client_secret",
                settings.client_secret.is_some(),
                &[ServicePrincipal],
            ),
            extra(
                "client_certificate",
                settings.client_certificate.is_some(),
                &[ServicePrincipal],
            ),
            extra(
                "client_certificate_password",
                settings.client_certificate_password.is_some(),
                &[ServicePrincipal],
            ),
        ]
    }
}

fn entra(
    way: Way,
    settings: &ConnectionSettings,
    given: &Given,
    root: &Path,
) -> Result<Principal, Vec<Problem>> {
    let mut problems = Vec::new();
    for (there, name) in [
        (settings.user.is_some(), "user"),
        (settings.password.is_some(), "password"),
        (settings.access_token.is_some(), "access_token"),
    ] {
        if there {
            let message = format!("`auth: {}` takes no `{name}`", way.name());
            let advice = format!("leave `{name}` or `auth` out");
            problems.push(problem(&format!("/{name}"), message, Some(&advice)));
        }
    }
    for extra in Extra::of(settings) {
        if extra.there && !extra.ways.contains(&way) {
            let message = format!("`auth: {}` takes no `{}`", way.name(), extra.name);
            let advice = format!("leave `{}` out", extra.name);
            problems.push(problem(&format!("/{}", extra.name), message, Some(&advice)));
        }
    }
    let exposed = |secret: &Option<Secret>| secret.as_ref().map(|own| own.expose().to_owned());
    // A connection string says an application's id and secret as user and password.
    let client = settings.client_id.clone().or_else(|| given.user.clone());
    let secret = exposed(&settings.client_secret).or_else(|| given.password.clone());
    let principal = Principal {
        way,
        tenant: settings.tenant_id.clone(),
        client,
        secret,
        certificate: settings
            .client_certificate
            .as_ref()
            .map(|file| root.join(file)),
        password: exposed(&settings.client_certificate_password),
    };
    if way == Way::ServicePrincipal {
        problems.extend(lacking(&principal));
    }
    match problems.is_empty() {
        true => Ok(principal),
        false => Err(problems),
    }
}

/// What an application lacks to be one.
fn lacking(principal: &Principal) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (there, name) in [
        (principal.tenant.is_some(), "tenant_id"),
        (principal.client.is_some(), "client_id"),
    ] {
        if !there {
            let message = format!("`auth: service_principal` needs a `{name}`");
            let advice = "its page in Entra ID shows it";
            problems.push(problem("/auth", message, Some(advice)));
        }
    }
    let (secret, certificate) = (principal.secret.is_some(), principal.certificate.is_some());
    if secret == certificate {
        problems.push(problem(
            "/auth",
            "`auth: service_principal` needs either a `client_secret` or a `client_certificate`",
            Some("say `client_secret: ${DW_SECRET}`, or name a file of PKCS #12"),
        ));
    }
    if principal.password.is_some() && !certificate {
        problems.push(problem(
            "/client_certificate_password",
            "`client_certificate_password` is that of a `client_certificate`",
            Some("leave it out"),
        ));
    }
    problems
}

/// What is wrong with a way to log in that was asked for by name.
fn unfit(auth: &str, token: bool) -> Option<Problem> {
    let (message, advice) = match auth {
        "sql" if !token => return None,
        "access_token" if token => return None,
        "sql" => (
            "`auth: sql` is by `user` and `password`, and there is an `access_token`".to_owned(),
            "leave one of the two out".to_owned(),
        ),
        "access_token" => (
            "`auth: access_token` needs an `access_token`".to_owned(),
            BY_TOKEN.to_owned(),
        ),
        "windows" | "ntlm" | "integrated" => (
            format!(
                "`auth: {auth}` isn't there: the driver that reads and loads rows logs in to Windows \
                 only through the system's Kerberos libraries, which hygge is built without"
            ),
            "log in with `user` and `password` of a SQL login, or as Entra ID knows you".to_owned(),
        ),
        _ => {
            let ways: Vec<&str> = Way::ALL.iter().map(|way| way.name()).collect();
            (
                format!("`auth: {auth}` is no way to log in"),
                format!("choose from sql, access_token, {}", ways.join(", ")),
            )
        }
    };
    Some(problem("/auth", message, Some(&advice)))
}
