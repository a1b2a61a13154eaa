//! What registrations mean together: names that stay, and what may not be said twice.

use super::*;
use crate::message::{Message, MessageKind, MessageType};

/// A handler of this name; nothing is ever called here.
fn react(name: &'static str) -> HandlerRegistration {
    let id = HandlerId { module: "app::wiki", name };
    HandlerRegistration::react(id, &["wiki.#"], |_| Box::pin(async { Ok(crate::outcome::ack()) })).located(
        "src/wiki.rs",
        name.len() as u32,
        1,
    )
}

fn queues(registrations: &[HandlerRegistration]) -> Vec<String> {
    let plan = plan(registrations, &PlanSettings::default()).unwrap();
    plan.queues.iter().map(|queue| queue.name.to_string()).collect()
}

fn on_queue(registration: HandlerRegistration, queue: &'static str) -> HandlerRegistration {
    registration.with_options(HandlerOptions { queue: Some(queue), ..HandlerOptions::default() })
}

#[test]
fn d7_the_name_of_a_queue_is_that_of_its_handler_and_nobody_elses_business() {
    let alone = queues(&[react("saved")]);
    assert_eq!(alone, ["app.wiki.saved.react"]);
    let among_others = queues(&[react("indexed"), react("saved"), react("a")]);
    assert_eq!(among_others, ["app.wiki.a.react", "app.wiki.indexed.react", "app.wiki.saved.react"]);
    let in_another_order = queues(&[react("a"), react("saved"), react("indexed")]);
    assert_eq!(among_others, in_another_order);
}

#[test]
fn d7_two_handlers_share_a_queue_on_purpose_only() {
    let shared = [on_queue(react("a"), "pages"), on_queue(react("bc"), "pages")];
    assert_eq!(queues(&shared), ["pages"]);
    let by_accident = [on_queue(react("a"), "app.wiki.saved.react"), react("saved")];
    let errors = plan(&by_accident, &PlanSettings::default()).unwrap_err();
    assert_eq!(errors[0].kind(), ErrorKind::DuplicateQueue);
    assert_eq!(errors[0].to_string(), "two handlers would consume the queue `app.wiki.saved.react`");
    let places: Vec<_> = errors[0].places().iter().map(|(place, label)| format!("{place} {label}")).collect();
    assert_eq!(places, ["src/wiki.rs:1:1 app::wiki::a", "src/wiki.rs:5:1 app::wiki::saved"]);
}

#[derive(serde::Serialize, serde::Deserialize)]
struct SendLetter;

impl Message for SendLetter {
    type Kind = crate::message::Task;
    const TOPIC: &'static str = "letter.send";
}

#[test]
fn d8_a_task_has_one_handler() {
    let handler = |name| {
        let id = HandlerId { module: "app::mail", name };
        HandlerRegistration::message::<SendLetter>(id, |_| Box::pin(async { Ok(crate::outcome::ack()) }))
            .located("src/mail.rs", 7, 1)
    };
    assert_eq!(MessageType::of::<SendLetter>().kind, MessageKind::Task);
    let errors = plan(&[handler("send"), handler("send_too")], &PlanSettings::default()).unwrap_err();
    assert_eq!((errors.len(), errors[0].kind()), (1, ErrorKind::DuplicateHandler));
    assert_eq!(errors[0].to_string(), "task `SendLetter` has two handlers; a task must have exactly one");
    let labels: Vec<_> = errors[0].places().iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["first handler, app::mail::send", "second handler, app::mail::send_too"]);
}
