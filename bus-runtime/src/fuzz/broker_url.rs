//! Addresses: what is shown never holds the password, and is the same address again.

use crate::broker_url::{AmqpUrl, BrokerUrl};

/// A password of so many characters does not stand in other parts of an address by chance.
const SECRET_CHARS: usize = 6;

/// An address.
pub(super) fn broker_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match BrokerUrl::parse(text) {
        Ok(url) => {
            shows_no_secret(&url, text);
            // Who logs in by a certificate has no name to show.
            if url.amqp().is_some_and(|url| url.external) {
                return;
            }
            let shown = url.to_string();
            let again =
                BrokerUrl::parse(&shown).unwrap_or_else(|error| panic!("{text:?} as {shown:?}: {error}"));
            assert_eq!(again.to_string(), shown, "{text:?}");
            match (url.amqp(), again.amqp()) {
                (Some(url), Some(again)) => compare(url, again, text),
                (None, None) => {}
                _ => panic!("{text:?} as {shown:?}"),
            }
        }
        Err(error) => {
            let told = format!("{error} {error:?} {}", error.help().unwrap_or_default());
            if let Some(secret) = secret(text) {
                assert!(!told.contains(secret), "{text:?}: {told}");
            }
        }
    }
}

fn compare(url: &AmqpUrl, again: &AmqpUrl, text: &str) {
    let parts =
        |url: &AmqpUrl| (url.hosts().to_vec(), url.vhost().to_owned(), url.user().to_owned(), url.is_tls());
    assert_eq!(parts(url), parts(again), "{text:?}");
    assert!(!url.hosts().is_empty(), "{text:?}");
}

fn shows_no_secret(url: &BrokerUrl, text: &str) {
    let shown = format!("{url} {url:?}");
    let Some(url) = url.amqp() else { return };
    let secret = url.password.as_str();
    let elsewhere = [url.user(), url.vhost()].iter().any(|part| part.contains(secret))
        || url.hosts().iter().any(|host| host.name.contains(secret));
    if secret.chars().count() >= SECRET_CHARS && !elsewhere {
        assert!(!shown.contains(secret), "{text:?} as {shown:?}");
    }
}

/// What stands where a password does, in a text that may be no address.
fn secret(text: &str) -> Option<&str> {
    let (before, _) = text.split_once("://")?.1.split_once('@')?;
    let (_, secret) = before.split_once(':')?;
    let plain = secret.len() >= SECRET_CHARS && secret.chars().all(|c| c.is_ascii_alphanumeric());
    (plain && text.matches(secret).count() == 1).then_some(secret)
}
