//! What the forge does, as its own tests say it: each begins with something that happens, and ends with what is to be seen.

use bus_runtime::{App, ErrorKind, prelude::*};

use crate::Forge;
use crate::mail::{Archive, Content, Letter, Outbox, Part, announce, deliver, notify, send};
use crate::scm::tests::commit;
use crate::scm::{Change, ChangeKind, Commit, CommitHash, Repository, annotate, record};
use crate::tracker::{CloseTicket, Comment, OpenTicket, TicketId, TicketLinked, Tickets};
use crate::tracker::{close, comment, link, open};
use crate::wiki::{Edit, Fate, PageChanged, Wiki};

fn forge() -> App {
    Forge::default().app()
}

fn added(path: &str) -> Vec<Change> {
    vec![Change { kind: ChangeKind::Added, path: path.to_owned(), from: None }]
}

/// A part of a mail that Ada has sent.
fn part(mount_point: &str, topic: &str, content_type: &str) -> Part {
    Part {
        mount_point: mount_point.to_owned(),
        topic: Some(topic.to_owned()),
        author: "Ada".to_owned(),
        content_type: content_type.to_owned(),
        content: Content::Text("hello".to_owned()),
        project_id: "bus".to_owned(),
        message_id: None,
        subject: "hello".to_owned(),
        number: 1,
        file_name: None,
    }
}

#[bus_runtime::test(app = forge)]
async fn every_application_hears_of_a_commit(bus: TestBus, repository: State<Repository>) {
    let commit = commit("explain retries", added("docs/retries.md"));
    bus.react("scm.commit", &commit).await;
    bus.settled().await;
    bus.handler(record).called_once();
    bus.handler(link).called_once();
    bus.handler(announce).called_once();
    bus.handler(Wiki::index).called_once();
    assert_eq!(repository.get(&commit.hash).map(|known| known.subject), Some("explain retries".to_owned()));
    bus.no_failures();
}

#[bus_runtime::test(app = forge)]
async fn a_commit_that_fixes_a_ticket_closes_it(bus: TestBus, tickets: State<Tickets>) {
    bus.react("scm.commit", &commit("fixes #7, see #8", vec![])).await;
    bus.settled().await;
    assert_eq!(bus.published::<CloseTicket>().one().ticket, TicketId(7));
    bus.published::<TicketLinked>().count(2);
    bus.handler(close).called_once();
    bus.handler(annotate).called(2);
    assert_eq!(tickets.totals(), (2, 1));
}

#[bus_runtime::test(app = forge)]
async fn who_watches_hears_of_the_commit_and_of_the_page(bus: TestBus, outbox: State<Outbox>) {
    bus.react("scm.commit", &commit("explain retries", added("docs/retries.md"))).await;
    bus.settled().await;
    bus.handler(notify).called_once();
    bus.handler(send).called(2);
    assert_eq!(outbox.sent(), 2);
    let change = bus.published_to("wiki.*.changed").one();
    assert_eq!(change.json::<PageChanged>().fate, Fate::Written);
}

#[bus_runtime::test(app = forge)]
async fn an_edit_is_saved_before_anybody_hears_of_it(bus: TestBus) {
    bus.audit("wiki.Home.save", &Edit { author: "Ada".into(), text: "welcome".into() }).await;
    bus.settled().await;
    bus.handler(Wiki::edit).called_once();
    assert_eq!(bus.published_to("wiki.Home.changed").one().json::<PageChanged>().author, "Ada");
    assert!(bus.published::<Letter>().one().subject.contains("Home was changed"));
}

#[bus_runtime::test(app = forge)]
async fn a_ticket_is_opened_with_a_summary_only(bus: TestBus, tickets: State<Tickets>) {
    let opened = bus.execute(OpenTicket { summary: "no retries".into() }).await;
    assert_eq!(opened.ok(), Some(TicketId(1)));
    let refused = bus.execute(OpenTicket { summary: " ".into() }).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::CommandFailed));
    bus.handler(open).called(2);
    assert_eq!(tickets.totals(), (1, 0));
}

#[bus_runtime::test(app = forge)]
async fn a_comment_needs_a_ticket(bus: TestBus, tickets: State<Tickets>) {
    let said = Comment { author: "Ada".into(), text: "me too".into() };
    bus.audit("tracker.1.comment", &said).await;
    bus.settled().await;
    let letter = bus.dead_letters_of(comment).one();
    assert_eq!((letter.reason(), letter.error()), ("rejected", "there is no ticket #1"));
    tickets.open("no retries");
    bus.audit("tracker.1.comment", &said).await;
    bus.settled().await;
    assert_eq!(tickets.get(TicketId(1)).map(|ticket| ticket.comments), Some(vec![said]));
}

#[bus_runtime::test(app = forge)]
async fn a_mail_goes_to_the_application_that_it_is_for(bus: TestBus, archive: State<Archive>) {
    bus.audit("mail.part", &part("wiki", "Home", "text/plain")).await;
    bus.audit("mail.part", &part("mail", "list", "image/png")).await;
    bus.audit("mail.part", &part("moon", "base", "text/plain")).await;
    bus.settled().await;
    bus.handler(deliver).called(3);
    bus.handler(Wiki::edit).called_once();
    assert_eq!(archive.len(), 1);
    assert_eq!(bus.dead_letters().one().error(), "no application is mounted at `moon`");
}

#[bus_runtime::test(app = forge)]
async fn a_database_that_is_away_for_a_moment_costs_nothing(bus: TestBus, repository: State<Repository>) {
    bus.handler(record).fails_with("the database is away").times(3);
    bus.react("scm.commit", &commit("explain retries", vec![])).await;
    bus.advance(Duration::from_secs(5)).await;
    bus.handler(record).called(4);
    assert_eq!(repository.totals(), (1, 1));
    bus.no_failures();
}

#[bus_runtime::test(app = forge)]
async fn a_database_that_stays_away_costs_no_other_application_anything(bus: TestBus) {
    bus.handler(record).fails_with("the database is away");
    bus.react("scm.commit", &commit("fixes #7", vec![])).await;
    bus.advance(Duration::from_secs(60)).await;
    assert_eq!(bus.dead_letters().one().handler(), "bus_examples::scm::record");
    bus.handler(close).handled(1);
    bus.handler(announce).handled(1);
}

#[bus_runtime::test(app = forge)]
async fn no_letter_goes_out_twice(bus: TestBus, outbox: State<Outbox>) {
    // The worker is killed after a letter has gone out, and before it could say so.
    bus.crash_before_ack().of("mail.letter.send");
    bus.react("scm.commit", &commit("explain retries", vec![])).await;
    bus.settled().await;
    bus.handler(send).called(2);
    assert_eq!(outbox.sent(), 1);
}

#[bus_runtime::test(app = forge)]
async fn commits_that_come_twice_and_in_any_order_are_recorded_once(
    bus: TestBus,
    repository: State<Repository>,
    tickets: State<Tickets>,
) {
    bus.reorder(7);
    bus.duplicate_next().of("scm.commit").times(9);
    for number in 0..9 {
        let hash = hash_of(number);
        bus.react("scm.commit", &Commit { hash, ..commit("fixes #7", vec![]) }).await;
    }
    bus.drop_connection();
    bus.settled().await;
    assert_eq!(repository.totals(), (9, 1));
    assert_eq!(tickets.get(TicketId(7)).map(|ticket| (ticket.closed, ticket.commits.len())), Some((true, 9)));
    bus.no_failures();
}

fn hash_of(number: u32) -> CommitHash {
    CommitHash(format!("{number:040x}"))
}

#[bus_runtime::test(app = forge, on(embedded, rabbitmq))]
async fn the_forge_works_on_every_broker(bus: TestBus<RealTime>, tickets: State<Tickets>) {
    bus.react("scm.commit", &commit("fixes #7", added("docs/retries.md"))).await;
    bus.settled().await;
    assert_eq!(tickets.totals(), (1, 1));
    bus.handler(annotate).called_once();
    bus.no_failures();
}
