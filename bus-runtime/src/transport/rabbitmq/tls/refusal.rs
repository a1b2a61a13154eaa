//! Why a TLS handshake failed, in words: cause and way out.

use std::fmt;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError, OtherError};

use super::verifier::SelfSigned;
use crate::broker_url::Host;
use crate::error::{Error, ErrorKind};

/// How many of a certificate's names an error shows.
const NAMES_MAX: usize = 5;

const TRUST: &str = "say which authority to trust: `?cacertfile=/path/ca.pem` in the broker URL, or BUS_TLS_CA; a \
                     server whose authority has intermediates has to send those along";

/// The server ended the connection instead of shaking hands.
#[derive(Debug)]
pub(super) struct Ended;

impl Ended {
    pub(super) fn is(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server ended the TLS handshake")
    }
}

impl std::error::Error for Ended {}

/// What a stream's error says about TLS; `None` when it is about something else.
pub(in crate::transport::rabbitmq) fn in_words(error: &io::Error, host: &Host) -> Option<Error> {
    let cause = error.get_ref()?;
    let (why, help) = match (cause.downcast_ref::<TlsError>(), cause.is::<Ended>()) {
        (Some(error), _) => explain(error, host),
        (None, true) => (
            "the server ended it".to_owned(),
            "is this its TLS port? 5671 speaks TLS, 5672 does not; or it wants a client certificate: `?certfile=..&keyfile=..`".to_owned(),
        ),
        (None, false) => return None,
    };
    let failed = format!("the TLS handshake with {host} failed: {why}");
    Some(Error::new(ErrorKind::Tls, failed).with_help(help))
}

fn explain(error: &TlsError, host: &Host) -> (String, String) {
    match error {
        TlsError::InvalidCertificate(error) => certificate(error, host),
        TlsError::InvalidMessage(_) | TlsError::InappropriateMessage { .. } => (
            "the server does not speak TLS there".to_owned(),
            "RabbitMQ's port for TLS is 5671, 5672 is plain text; Bus never falls back to plain text"
                .to_owned(),
        ),
        TlsError::AlertReceived(alert) => refused(*alert),
        TlsError::PeerIncompatible(why) => (
            format!("the server speaks no TLS that is safe ({why:?})"),
            "Bus speaks TLS 1.2 and 1.3: allow them in rabbitmq.conf (ssl_options.versions)".to_owned(),
        ),
        other => (other.to_string(), format!("see what the server says: openssl s_client -connect {host}")),
    }
}

/// What is wrong with the server's certificate.
fn certificate(error: &CertificateError, host: &Host) -> (String, String) {
    let dates = || {
        format!(
            "renew it on the broker, or set the clock here right: openssl s_client -connect {host} | openssl x509 -noout -dates"
        )
    };
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = span(time.as_secs(), not_after.as_secs());
            (format!("the server's certificate expired {ago} ago"), dates())
        }
        CertificateError::Expired => ("the server's certificate has expired".to_owned(), dates()),
        CertificateError::NotValidYetContext { time, not_before } => {
            let left = span(not_before.as_secs(), time.as_secs());
            (format!("the server's certificate is not valid before {left} from now"), dates())
        }
        CertificateError::NotValidYet => ("the server's certificate is not valid yet".to_owned(), dates()),
        CertificateError::NotValidForNameContext { expected, presented } => (
            format!(
                "the server's certificate is for {}, and not for `{}`",
                names(presented),
                expected.to_str()
            ),
            "connect by a name that the certificate has, or say which it is: `?server_name_indication=NAME`"
                .to_owned(),
        ),
        CertificateError::UnknownIssuer => (
            "the server's certificate is from an authority that is not trusted here".to_owned(),
            TRUST.to_owned(),
        ),
        CertificateError::Other(OtherError(other)) if other.is::<SelfSigned>() => (
            "the server's certificate is self-signed, and not trusted here".to_owned(),
            "if it is yours, trust it: `?cacertfile=` with that certificate in the broker URL, or BUS_TLS_CA"
                .to_owned(),
        ),
        CertificateError::Other(OtherError(other))
            if other.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            (
                "the server's certificate is one of an authority (CA:TRUE), and not of a server".to_owned(),
                "make one for the server: openssl req -x509 -addext basicConstraints=critical,CA:FALSE .."
                    .to_owned(),
            )
        }
        other => (
            format!("the server's certificate cannot be used ({other})"),
            format!("look at it: openssl s_client -connect {host} | openssl x509 -noout -text"),
        ),
    }
}

/// What the server says about us.
fn refused(alert: AlertDescription) -> (String, String) {
    let client = "the certificate has to be from an authority that the server trusts (ssl_options.cacertfile), and has to be valid";
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure => (
            "the server wants a client certificate".to_owned(),
            "say which: `?certfile=..&keyfile=..` in the broker URL, or BUS_TLS_CERT and BUS_TLS_KEY"
                .to_owned(),
        ),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => {
            (format!("the server refuses our certificate ({alert:?})"), client.to_owned())
        }
        AlertDescription::ProtocolVersion => (
            "the server speaks neither TLS 1.2 nor 1.3".to_owned(),
            "allow them in rabbitmq.conf (ssl_options.versions)".to_owned(),
        ),
        other => (format!("the server ended it ({other:?})"), "see the log of the broker".to_owned()),
    }
}

/// The names of a certificate. They come from outside: quoted, and few.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no host name at all (it has no subjectAltName)".to_owned();
    }
    // `DnsName("rabbit")`, `IpAddress(127.0.0.1)`
    let plain = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        format!("`{}`", inner.trim_matches('"').escape_debug())
    };
    let shown: Vec<_> = presented.iter().take(NAMES_MAX).map(plain).collect();
    match presented.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The time between two points, in the largest unit that is not zero.
fn span(later: u64, earlier: u64) -> String {
    let seconds = later.saturating_sub(earlier);
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!("1 {name}"),
        many => format!("{many} {name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_unit() {
        for (seconds, words) in
            [(0, "0 seconds"), (59, "59 seconds"), (60, "1 minute"), (7_300, "2 hours"), (259_300, "3 days")]
        {
            assert_eq!(span(1_000_000 + seconds, 1_000_000), words);
        }
    }

    /// Names come from a certificate that nobody has checked.
    #[test]
    fn names_are_quoted_and_few() {
        let name = |name: &str| format!("DnsName({name:?})");
        assert_eq!(names(&[name("rabbit"), name("a\nb\u{1b}")]), r"`rabbit`, `a\\nb\\u{1b}`");
        let many: Vec<_> = (0..7).map(|number| name(&number.to_string())).collect();
        assert!(names(&many).ends_with("`4` and 2 more"));
    }
}
