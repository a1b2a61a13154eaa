//! Who may use the admin port: `BUS_HTTP_TOKEN` and its like.

use std::fmt;

use super::Vars;
use crate::error::{Error, ErrorKind};

/// Who may use the admin port. Without any of these, whoever is on the same machine may do everything, and nobody else anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpAccess {
    /// Whoever shows it may look and act: `BUS_HTTP_TOKEN`.
    pub token: Option<Secret>,
    /// Whoever shows it may look: `BUS_HTTP_READ_TOKEN`.
    pub read_token: Option<Secret>,
    /// `user:password` of HTTP basic authentication, to look and to act: `BUS_HTTP_BASIC_AUTH`.
    pub basic_auth: Option<Secret>,
    /// A header in which a proxy on the same machine names the user that it has let in: `BUS_HTTP_TRUST_HEADER`.
    pub trust_header: Option<String>,
    /// Whether bodies and headers of messages are shown: `BUS_HTTP_SHOW_BODIES`. By itself in debug builds only.
    pub show_bodies: Option<bool>,
    /// Whether dead letters may be changed before they are replayed: `BUS_HTTP_ALLOW_EDIT`.
    pub allow_edit: bool,
}

impl HttpAccess {
    pub(super) fn of(vars: &Vars) -> Result<Self, Error> {
        let secret = |name: &str| vars.secret(name).map(|text| text.map(Secret));
        let basic_auth = secret("BUS_HTTP_BASIC_AUTH")?;
        if basic_auth.as_ref().is_some_and(|Secret(both)| !both.contains(':')) {
            return Err(vars.invalid("BUS_HTTP_BASIC_AUTH", "***", "has no colon", "write user:password"));
        }
        Ok(Self {
            token: secret("BUS_HTTP_TOKEN")?,
            read_token: secret("BUS_HTTP_READ_TOKEN")?,
            basic_auth,
            trust_header: vars.get("BUS_HTTP_TRUST_HEADER").map(str::to_ascii_lowercase),
            show_bodies: vars
                .get("BUS_HTTP_SHOW_BODIES")
                .map(|_| vars.flag("BUS_HTTP_SHOW_BODIES"))
                .transpose()?,
            allow_edit: vars.flag("BUS_HTTP_ALLOW_EDIT")?,
        })
    }

    /// What a client with these settings shows, as a line of an HTTP request; nothing where nobody has to.
    #[cfg(all(feature = "cli", feature = "admin"))]
    pub(crate) fn credentials(&self) -> String {
        match (&self.token, &self.basic_auth) {
            (Some(Secret(token)), _) => format!("Authorization: Bearer {token}\r\n"),
            (None, Some(Secret(both))) => {
                format!("Authorization: Basic {}\r\n", crate::base64::encode(both.as_bytes()))
            }
            (None, None) => String::new(),
        }
    }

    /// Whether nobody has to show anything.
    #[cfg(feature = "dashboard")]
    pub(crate) fn is_open(&self) -> bool {
        let Self { token, read_token, basic_auth, trust_header, show_bodies: _, allow_edit: _ } = self;
        token.is_none() && read_token.is_none() && basic_auth.is_none() && trust_header.is_none()
    }

    /// Whether bodies and headers are shown.
    #[cfg(feature = "dashboard")]
    pub(crate) fn shows_bodies(&self) -> bool {
        self.show_bodies.unwrap_or(cfg!(debug_assertions))
    }
}

/// A text that is not shown to anybody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is this text. The time that it takes does not tell how much of the text is right, only how long it is.
    #[cfg(feature = "dashboard")]
    pub(crate) fn is(&self, text: &str) -> bool {
        let (kept, shown) = (self.0.as_bytes(), text.as_bytes());
        let differences = kept.iter().zip(shown).fold(0, |all, (one, other)| all | (one ^ other));
        kept.len() == shown.len() && std::hint::black_box(differences) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Vars {
    /// The value of a variable, or what stands in the file that the same variable with `_FILE` names.
    fn secret(&self, name: &str) -> Result<Option<String>, Error> {
        let file = format!("{name}_FILE");
        match (self.get(name), self.get(&file)) {
            (Some(text), _) => Ok(Some(text.to_owned())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) => Err(Error::new(ErrorKind::Config, format!("{file}: {path} cannot be read"))
                    .with_source(error)),
            },
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vars::{Origin, Var};
    use super::*;

    fn of(vars: &[(&str, &str)]) -> Result<HttpAccess, Error> {
        let all = vars.iter().map(|(name, value)| {
            ((*name).to_owned(), Var { value: (*value).to_owned(), origin: Origin::Environment })
        });
        HttpAccess::of(&Vars(all.collect()))
    }

    #[test]
    fn secrets_come_from_variables_and_files_and_are_never_shown() {
        let file = std::env::temp_dir().join(format!("bus-secret-{}", std::process::id()));
        std::fs::write(&file, "quiet\n").unwrap();
        let access = of(&[
            ("BUS_HTTP_TOKEN_FILE", file.to_str().unwrap()),
            ("BUS_HTTP_READ_TOKEN", "loud"),
            ("BUS_HTTP_TRUST_HEADER", "X-Forwarded-User"),
        ]);
        std::fs::remove_file(&file).unwrap();
        let access = access.unwrap();
        assert_eq!(access.token, Some(Secret::new("quiet")));
        assert_eq!(access.trust_header.as_deref(), Some("x-forwarded-user"));
        let shown = format!("{access:?}");
        assert!(!shown.contains("quiet") && !shown.contains("loud"), "{shown}");
        assert!(of(&[("BUS_HTTP_TOKEN_FILE", "/nowhere")]).is_err());
        assert!(of(&[("BUS_HTTP_BASIC_AUTH", "ada")]).is_err());
    }
}
