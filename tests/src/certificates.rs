//! Certificates for tests: an authority of our own, and what it signs.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};

/// An authority that nobody trusts unless it is told to.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// From long ago until long from now.
    Now,
    /// It has ended.
    Past,
    /// It has not begun.
    Future,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When the machine has no randomness.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = params(name, &[], Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("it can sign"))
    }

    /// Its own certificate, which others may trust.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server of these names.
    ///
    /// # Panics
    /// For names that are none.
    #[must_use]
    pub fn server(&self, names: &[&str], validity: Validity) -> Issued {
        self.sign(params("server", names, validity), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client who is called so.
    #[must_use]
    pub fn client(&self, name: &str) -> Issued {
        self.sign(params(name, &[], Validity::Now), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Issued {
        params.extended_key_usages = vec![usage];
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("it can sign");
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A certificate for a server of these names that nobody has signed but itself.
///
/// # Panics
/// For names that are none.
#[must_use]
pub fn self_signed(names: &[&str]) -> Issued {
    let mut params = params("self", names, Validity::Now);
    params.is_ca = IsCa::ExplicitNoCa;
    let key = key();
    let certificate = params.self_signed(&key).expect("it can sign");
    Issued { certificate: certificate.pem(), key: key.serialize_pem() }
}

impl Issued {
    /// Writes `<name>.pem` and `<name>.key` into a folder, and returns the two paths.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn write(&self, folder: &Path, name: &str) -> [PathBuf; 2] {
        let paths = ["pem", "key"].map(|extension| folder.join(format!("{name}.{extension}")));
        std::fs::write(&paths[0], &self.certificate).expect("a file");
        std::fs::write(&paths[1], &self.key).expect("a file");
        paths
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("randomness")
}

fn params(name: &str, names: &[&str], validity: Validity) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    let (from, to) = match validity {
        Validity::Now => (2020, 2120),
        Validity::Past => (2020, 2021),
        Validity::Future => (2119, 2120),
    };
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    params
}
