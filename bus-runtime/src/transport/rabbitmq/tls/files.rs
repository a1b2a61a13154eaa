//! Certificates and keys in PEM files.

use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Error, ErrorKind};

/// The certificates in a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unreadable(path, "has no certificate in it")
            .with_help("a PEM file has lines such as -----BEGIN CERTIFICATE-----")),
        Err(error) => {
            Err(unreadable(path, "has a certificate in it that is no PEM").with_source(error.to_string()))
        }
    }
}

/// The key in a file. No error shows anything of it.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let has = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
        match has(b"ENCRYPTED") {
            true => unreadable(path, "has an encrypted key in it, and Bus asks for no passphrase").with_help(
                "decrypt it into a file that only this program can read: openssl pkey -in KEY -out PLAIN",
            ),
            false => unreadable(path, "has no private key in it")
                .with_help("a PEM file has lines such as -----BEGIN PRIVATE KEY-----"),
        }
    })
}

/// The authorities that the operating system trusts, or those that SSL_CERT_FILE and SSL_CERT_DIR name.
pub(super) fn of_the_system() -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        return Ok(found.certs);
    }
    let error = Error::new(ErrorKind::Config, "this machine knows no certificate authority to trust").with_help(
        "install them (on Debian: apt install ca-certificates), or say which to trust: `?cacertfile=`, or BUS_TLS_CA",
    );
    Err(match found.errors.into_iter().next() {
        Some(cause) => error.with_source(cause.to_string()),
        None => error,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        unreadable(path, "cannot be read")
            .with_help("look at the options `cacertfile`, `certfile` and `keyfile` of the broker URL, or BUS_TLS_CA, BUS_TLS_CERT and BUS_TLS_KEY")
            .with_source(error)
    })
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_files_say_why() {
        let folder = std::env::temp_dir().join(format!("bus-pem-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let empty = file("empty", "");
        let broken = file("broken", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
        let locked = file(
            "locked",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nS3CR\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let table = [
            (certificates(&folder.join("none")).map(drop), "cannot be read"),
            (certificates(&empty).map(drop), "has no certificate in it"),
            (certificates(&broken).map(drop), "that is no PEM"),
            (key(&empty).map(drop), "has no private key in it"),
            (key(&locked).map(drop), "has an encrypted key in it"),
        ];
        std::fs::remove_dir_all(&folder).unwrap();
        for (result, words) in table {
            let error = result.unwrap_err();
            assert!(error.to_string().ends_with(words) || error.to_string().contains(words), "{error}");
            assert!(!format!("{error:?}").contains("S3CR"), "{error:?}");
        }
    }
}
