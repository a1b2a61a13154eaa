//! The way in: who may see a page, who may do something, and what everybody else reads.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::access::{self, COOKIE, FromHere, Role, Visitor, is_forged};
use super::fields::Fields;
use super::problem::Problem;
use super::{Desk, page, parts};
use crate::admin::serve;

/// Lets through whoever may see or do what they ask for.
pub(super) async fn let_in(
    desk: State<Arc<Desk>>,
    from: Extension<serve::FromHere>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = if from.0.0 { FromHere::Yes } else { FromHere::No };
    let visitor = access::visitor(&desk.access, request.headers(), from);
    let wants_page = wants_page(&request);
    let path = request.uri().path().to_owned();
    let is_login = path == "/login";
    let response = if let Some(why) = is_forged(request.method(), request.headers()) {
        Problem::forbidden(format!("This request is refused: {why}.")).into_response()
    } else if visitor.role == Role::Nobody && !is_login {
        return match wants_page {
            true if request.method() == Method::GET => outside(&desk, &visitor, from),
            _ => Problem::nobody().with_help(way_in(&desk, from)).into_response(),
        };
    } else if visitor.role < Role::Operator && !request.method().is_safe() && !is_login && path != "/logout" {
        Problem::forbidden("You may look, and not change anything.")
            .with_help("Sign in with the token of an operator (BUS_HTTP_TOKEN).")
            .into_response()
    } else {
        request.extensions_mut().insert(visitor.clone());
        next.run(request).await
    };
    match response.extensions().get::<Arc<Problem>>().cloned() {
        Some(problem) if wants_page => {
            let title = problem.status.canonical_reason().unwrap_or("Problem");
            let content = html! {
                (parts::title(title, html! {}))
                div class="note-box bad" {
                    p { (problem.title) }
                    @if let Some(help) = &problem.help { p.soft { (help) } }
                }
                p { a href="/" { "Back to the overview" } }
            };
            (problem.status, page::frame(&desk, &visitor, "", title, &content)).into_response()
        }
        _ => response,
    }
}

fn wants_page(request: &Request) -> bool {
    let path = request.extensions().get::<OriginalUri>().map_or(request.uri(), |uri| &uri.0).path();
    let accepts =
        request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !path.starts_with("/api/") && accepts.contains("text/html")
}

/// What somebody reads who may not come in, and how they may.
fn outside(desk: &Desk, visitor: &Visitor, from: FromHere) -> Response {
    let content = html! {
        div.login {
            div.card {
                header { h1 { "Bus" } }
                div.in {
                    @if let Some(why) = visitor.refused { p.bad { "Refused: " (why) "." } }
                    @if desk.access.is_open() {
                        p { (way_in(desk, from)) }
                    } @else {
                        p.soft { "This dashboard asks for a token." }
                        form method="post" action="/login" {
                            label { "Token" input type="password" name="token" autocomplete="current-password" autofocus required; }
                            p { button.primary type="submit" { "Sign in" } }
                        }
                    }
                }
            }
        }
    };
    let status = if desk.access.is_open() { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
    let mut response = (status, page::bare("Sign in", &content)).into_response();
    if desk.access.basic_auth.is_some() {
        let challenge = HeaderValue::from_static("Basic realm=\"Bus\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn way_in(desk: &Desk, from: FromHere) -> String {
    match (desk.access.is_open(), from) {
        (true, FromHere::Yes) => "Without a token this dashboard is for this machine alone, at localhost or 127.0.0.1. To reach it by another name, set BUS_HTTP_TOKEN and sign in.".to_owned(),
        (true, FromHere::No) => "Without a token this dashboard is for the machine that it runs on. Set BUS_HTTP_TOKEN (to look and to act), BUS_HTTP_READ_TOKEN (to look) or BUS_HTTP_BASIC_AUTH=user:password there, and start the program again.".to_owned(),
        (false, _) => "Send the token as `Authorization: Bearer ..`, or sign in at /login.".to_owned(),
    }
}

/// The form for a token.
pub(super) async fn page(desk: State<Arc<Desk>>, visitor: Extension<Visitor>) -> Response {
    if visitor.role > Role::Nobody {
        return Redirect::to("/").into_response();
    }
    outside(&desk, &visitor, FromHere::No)
}

/// Takes a token, and lets the browser keep it.
pub(super) async fn sign_in(desk: State<Arc<Desk>>, fields: Fields) -> Result<Response, Problem> {
    let token = fields.need("token")?;
    let mut shown = axum::http::HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Problem::nobody())?;
    shown.insert(header::AUTHORIZATION, bearer);
    let visitor = access::visitor(&desk.access, &shown, FromHere::No);
    if visitor.role == Role::Nobody {
        desk.log.note("somebody", "sign in", "", "refused");
        return Ok(outside(&desk, &visitor, FromHere::No));
    }
    desk.log.note(&visitor.name, "sign in", "", "ok");
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    keep(&format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"))
}

/// Lets the browser forget the token.
pub(super) async fn sign_out() -> Result<Response, Problem> {
    keep(&format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"))
}

fn keep(cookie: &str) -> Result<Response, Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|_| Problem::nobody())?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

/// There is no such page.
pub(super) async fn nothing_here(uri: OriginalUri) -> Problem {
    Problem::not_found(format!("There is nothing at {}.", uri.path()))
}

/// A form with one button, for whoever may act; for others a button that says why it does nothing.
pub(super) fn button(may_act: bool, action: &str, label: &str, question: Option<&str>) -> Markup {
    let why =
        (!may_act).then_some("You may look, and not change anything: sign in with the token of an operator.");
    html! {
        form.inline method="post" action=(action) data-confirm=[question] {
            button type="submit" disabled[!may_act] title=[why] { (label) }
        }
    }
}
