//! Who may look, and who may act.

use axum::http::{HeaderMap, Method, header};

use super::super::health::names_this_machine;
use crate::base64;
use crate::config::HttpAccess;

/// The cookie that holds the token of somebody who has signed in with a browser.
pub(super) const COOKIE: &str = "bus_token";
/// Says that a request comes from a program and not from a page of the web: a browser asks before it sends it to another host.
const CLIENT: &str = "x-bus-client";

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Nothing.
    Nobody,
    /// Look at everything.
    Viewer,
    /// Change things, too.
    Operator,
}

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    pub(super) role: Role,
    /// As the audit log names them.
    pub(super) name: String,
    /// What was wrong with the credentials that were shown.
    pub(super) refused: Option<&'static str>,
}

impl Visitor {
    fn new(role: Role, name: impl Into<String>) -> Self {
        Self { role, name: name.into(), refused: None }
    }

    fn refused(why: &'static str) -> Self {
        Self { role: Role::Nobody, name: "somebody".to_owned(), refused: Some(why) }
    }
}

/// Finds out who asks. Without any credentials in the settings, whoever is on this machine may do everything.
pub(super) fn visitor(access: &HttpAccess, headers: &HeaderMap, is_from_here: FromHere) -> Visitor {
    if let Some(name) = &access.trust_header
        && let Some(user) = headers.get(name.as_str()).and_then(|value| value.to_str().ok())
    {
        // Anybody else could write the header themselves.
        return match is_from_here {
            FromHere::Yes => Visitor::new(Role::Operator, user),
            FromHere::No => Visitor::refused("the header of a proxy is believed from this machine only"),
        };
    }
    if let Some(credentials) = credentials(headers) {
        return known(access, &credentials).unwrap_or_else(|| Visitor::refused("the token is not right"));
    }
    if access.is_open() && is_from_here == FromHere::Yes && names_this_machine(headers) {
        return Visitor::new(Role::Operator, "this machine");
    }
    Visitor::new(Role::Nobody, "somebody")
}

/// Whether a client is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FromHere {
    Yes,
    No,
}

/// What a client shows to be let in.
#[derive(Debug)]
enum Credentials {
    Token(String),
    UserAndPassword(String),
}

fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if let Some(shown) = text(header::AUTHORIZATION) {
        if let Some(token) = shown.strip_prefix("Bearer ") {
            return Some(Credentials::Token(token.trim().to_owned()));
        }
        let decoded = base64::decode(shown.strip_prefix("Basic ")?.trim())?;
        return String::from_utf8(decoded).ok().map(Credentials::UserAndPassword);
    }
    let mut cookies = text(header::COOKIE)?.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let (_, token) = cookies.find(|(name, _)| *name == COOKIE)?;
    // It was encoded as a form is: see `gate.rs`.
    let token = super::fields::of_form(format!("t={token}").as_bytes()).remove("t");
    token.map(Credentials::Token)
}

fn known(access: &HttpAccess, shown: &Credentials) -> Option<Visitor> {
    let is = |secret: &Option<crate::config::Secret>, text: &str| {
        secret.as_ref().is_some_and(|secret| secret.is(text))
    };
    match shown {
        Credentials::Token(token) if is(&access.token, token) => {
            Some(Visitor::new(Role::Operator, "operator"))
        }
        Credentials::Token(token) if is(&access.read_token, token) => {
            Some(Visitor::new(Role::Viewer, "viewer"))
        }
        Credentials::UserAndPassword(both) if is(&access.basic_auth, both) => {
            let user = both.split(':').next().unwrap_or_default();
            Some(Visitor::new(Role::Operator, user))
        }
        Credentials::Token(_) | Credentials::UserAndPassword(_) => None,
    }
}

/// Why a request that changes something is not to be believed, if it is not: a page of the web may have made the browser send
/// it. Browsers say where a request comes from in `Sec-Fetch-Site`, which pages cannot write.
pub(super) fn is_forged(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    if method.is_safe() || headers.contains_key(CLIENT) || headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    match headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()) {
        Some("same-origin") => None,
        Some(_) => Some("it comes from a page of another site"),
        None => Some("it does not say where it comes from; programs send the header `X-Bus-Client`"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;
    use crate::config::Secret;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let all = all
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        all.collect()
    }

    fn closed() -> HttpAccess {
        HttpAccess {
            token: Some(Secret::new("write")),
            read_token: Some(Secret::new("read")),
            basic_auth: Some(Secret::new("ada:lovelace")),
            ..HttpAccess::default()
        }
    }

    #[test]
    fn whoever_is_on_this_machine_may_do_everything_until_there_is_a_token() {
        let open = HttpAccess::default();
        type Shown = &'static [(&'static str, &'static str)];
        let table: [(Shown, FromHere, Role); 4] = [
            (&[("host", "localhost:9464")], FromHere::Yes, Role::Operator),
            (&[("host", "127.0.0.1:9464")], FromHere::Yes, Role::Operator),
            // A name that somebody else points at this machine, to read it with a browser.
            (&[("host", "evil.example")], FromHere::Yes, Role::Nobody),
            (&[("host", "10.0.0.1:9464")], FromHere::No, Role::Nobody),
        ];
        for (all, from, role) in table {
            assert_eq!(visitor(&open, &headers(all), from).role, role, "{all:?} {from:?}");
            assert_eq!(visitor(&closed(), &headers(all), from).role, Role::Nobody, "{all:?} {from:?}");
        }
    }

    #[test]
    fn tokens_and_passwords() {
        let table = [
            ("authorization", "Bearer write", Role::Operator),
            ("authorization", "Bearer read", Role::Viewer),
            ("authorization", "Bearer wrong", Role::Nobody),
            ("authorization", "Bearer ", Role::Nobody),
            ("authorization", "Basic YWRhOmxvdmVsYWNl", Role::Operator),
            ("authorization", "Basic YWRhOndyb25n", Role::Nobody),
            ("authorization", "Basic ?", Role::Nobody),
            ("cookie", "a=b; bus_token=write", Role::Operator),
            ("cookie", "bus_token=", Role::Nobody),
        ];
        for (name, value, role) in table {
            assert_eq!(visitor(&closed(), &headers(&[(name, value)]), FromHere::No).role, role, "{value}");
        }
    }

    #[test]
    fn the_header_of_a_proxy_is_believed_from_this_machine_only() {
        let access =
            HttpAccess { trust_header: Some("x-forwarded-user".to_owned()), ..HttpAccess::default() };
        let shown = headers(&[("x-forwarded-user", "grace"), ("host", "bus.example")]);
        assert_eq!(visitor(&access, &shown, FromHere::Yes), Visitor::new(Role::Operator, "grace"));
        assert_eq!(visitor(&access, &shown, FromHere::No).role, Role::Nobody);
        let without = headers(&[("host", "localhost")]);
        assert_eq!(visitor(&access, &without, FromHere::Yes).role, Role::Nobody);
    }

    #[test]
    fn what_a_page_of_another_site_sends_changes_nothing() {
        let table: [(&[(&'static str, &str)], bool); 5] = [
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[], true),
            (&[("x-bus-client", "1")], false),
        ];
        for (all, forged) in table {
            assert_eq!(is_forged(&Method::POST, &headers(all)).is_some(), forged, "{all:?}");
            assert_eq!(is_forged(&Method::GET, &headers(all)), None);
        }
    }
}
