//! How TLS is spoken to a broker, as addresses and settings say it.

use std::path::PathBuf;

/// How TLS is spoken to a broker: files of certificates, and what is checked. Without any of it, the server's certificate has to
/// be from an authority that the operating system trusts, and for the host in the URL.
///
/// The files are PEM. They are read again before each new connection, so that certificates can be renewed under a running program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The authorities to trust in place of those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, with those between it and its authority.
    pub cert_file: Option<PathBuf>,
    /// The key of our own certificate; `None` when it is in the same file.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate has to be for, in place of the host in the URL.
    pub server_name: Option<String>,
    /// Take any certificate. Whoever is on the way can then read and change everything, passwords included.
    pub unverified: bool,
}

impl TlsOptions {
    /// These options, and where they say nothing, those.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        // A key belongs to its certificate: the pair comes from one place.
        let (cert_file, key_file) = match self.cert_file {
            Some(cert) => (Some(cert), self.key_file),
            None => (others.cert_file.clone(), self.key_file.or_else(|| others.key_file.clone())),
        };
        Self {
            ca_file: self.ca_file.or_else(|| others.ca_file.clone()),
            cert_file,
            key_file,
            server_name: self.server_name.or_else(|| others.server_name.clone()),
            unverified: self.unverified,
        }
    }
}
