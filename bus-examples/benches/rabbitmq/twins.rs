//! What Bus is measured against: the client library used by hand, in every form that loses nothing.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::Semaphore;

use super::common::pages::{PageSaved, Tally, since_the_beginning};
use super::{CONCURRENCY, PREFETCH, Place, WINDOW};

/// Acknowledgements under way at once.
const ACKS: usize = 64;
/// Messages that one acknowledgement is for.
const AT_ONCE: u64 = 50;

/// How a twin acknowledges.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Series,
    InFlight,
    TaskEach,
    PolledOnce,
    Cumulative,
}

pub(crate) const FORMS: [(&str, Form); 5] = [
    ("lapin, acks in series", Form::Series),
    ("lapin, 64 acks in flight", Form::InFlight),
    ("lapin, task per message", Form::TaskEach),
    ("lapin, ack polled once", Form::PolledOnce),
    ("lapin, one ack for 50", Form::Cumulative),
];

async fn open(place: &Place) -> (Connection, Channel) {
    let connection =
        Connection::connect(&place.url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

async fn deliveries(place: &Place, channel: &Channel) -> lapin::Consumer {
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("a prefetch");
    channel
        .basic_consume(
            place.queue.as_str().into(),
            "twin".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("consuming")
}

/// Handles so many messages.
pub(crate) async fn consume(place: &Place, form: Form, tally: &Arc<Tally>, messages: u64) {
    tally.expect(messages);
    let (connection, channel) = open(place).await;
    let mut deliveries = deliveries(place, &channel).await;
    let handle = |body: &[u8]| tally.add(&serde_json::from_slice::<PageSaved>(body).expect("decoded"));
    let mut acks = FuturesUnordered::new();
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    for number in 1..=messages {
        let delivery = deliveries.next().await.expect("goes on").expect("delivered");
        let single = BasicAckOptions { multiple: false };
        match form {
            Form::TaskEach => {
                let slot = Arc::clone(&slots).acquire_owned().await.expect("open");
                let tally = Arc::clone(tally);
                tokio::spawn(async move {
                    tally.add(&serde_json::from_slice::<PageSaved>(&delivery.data).expect("decoded"));
                    delivery.ack(single).await.expect("acknowledged");
                    drop(slot);
                });
            }
            Form::Series => {
                handle(&delivery.data);
                delivery.ack(single).await.expect("acknowledged");
            }
            Form::InFlight => {
                handle(&delivery.data);
                acks.push(async move { delivery.ack(single).await });
                if acks.len() >= ACKS {
                    acks.next().await;
                }
            }
            Form::PolledOnce => {
                handle(&delivery.data);
                let ack = pin!(channel.basic_ack(delivery.delivery_tag, single));
                let _ = ack.poll(&mut Context::from_waker(Waker::noop()));
            }
            Form::Cumulative => {
                handle(&delivery.data);
                if number % AT_ONCE == 0 || number == messages {
                    let multiple = BasicAckOptions { multiple: true };
                    channel.basic_ack(delivery.delivery_tag, multiple).await.expect("acknowledged");
                }
            }
        }
    }
    while acks.next().await.is_some() {}
    let _all_ended = slots.acquire_many(CONCURRENCY as u32).await.expect("open");
    connection.close(200, "done".into()).await.expect("closed");
}

fn properties(number: u64) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_type("bench.page.saved".into())
        .with_message_id(format!("bench-{number}").into())
}

async fn send(channel: &Channel, place: &Place, saved: &PageSaved, number: u64) {
    let body = serde_json::to_vec(saved).expect("encoded");
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let exchange = place.exchange.as_str().into();
    let publishing =
        channel.basic_publish(exchange, "bench.page.saved".into(), options, &body, properties(number));
    let confirmed = publishing.await.expect("written").await.expect("confirmed");
    assert!(matches!(confirmed, Confirmation::Ack(None)), "{confirmed:?}");
}

/// Publishes so many, confirmed, mandatory and persistent.
pub(crate) async fn publish(place: &Place, messages: u64) {
    let (connection, channel) = open(place).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let mut under_way = FuturesUnordered::new();
    for number in 0..messages {
        let channel = &channel;
        under_way.push(async move { send(channel, place, &PageSaved::new(number), number).await });
        if under_way.len() >= WINDOW {
            under_way.next().await;
        }
    }
    while under_way.next().await.is_some() {}
    connection.close(200, "done".into()).await.expect("closed");
}

/// Publishes at a steady pace and receives, on a connection for each.
pub(crate) async fn echo(place: &Place, tally: &Arc<Tally>, messages: u64) {
    tally.time();
    tally.expect(messages);
    let (publishing, out) = open(place).await;
    out.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let (receiving, into) = open(place).await;
    let mut deliveries = deliveries(place, &into).await;
    let counted = Arc::clone(tally);
    let received = tokio::spawn(async move {
        for _ in 0..messages {
            let delivery = deliveries.next().await.expect("goes on").expect("delivered");
            counted.add(&serde_json::from_slice::<PageSaved>(&delivery.data).expect("decoded"));
            let ack = pin!(into.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: false }));
            let _ = ack.poll(&mut Context::from_waker(Waker::noop()));
        }
    });
    let mut ticks = tokio::time::interval(super::PACE);
    for number in 0..messages {
        ticks.tick().await;
        let sent = u64::try_from(since_the_beginning().as_nanos()).expect("not so late");
        send(&out, place, &PageSaved::new(sent), number).await;
    }
    received.await.expect("received to the end");
    for connection in [publishing, receiving] {
        connection.close(200, "done".into()).await.expect("closed");
    }
}
