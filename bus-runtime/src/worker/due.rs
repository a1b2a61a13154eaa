//! Sends delayed messages on when they are due, for as long as the app runs.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::drain;
use super::phase::{self, Phase};
#[cfg(feature = "cli")]
use crate::error::Error;
use crate::hub::Hub;
use crate::seam;
use crate::transport::Consumer;

/// Forwards what comes out of `bus.due` until the app drains.
pub(crate) async fn run_due(
    hub: Arc<Hub>,
    mut consumer: Box<dyn Consumer>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut forwarding = JoinSet::new();
    loop {
        let item = tokio::select! {
            biased;
            () = phase::drains(&mut phase) => break,
            item = poll_fn(|cx| consumer.poll_next(cx)) => item,
        };
        match item {
            Some(Ok(incoming)) => {
                let mut told = phase.clone();
                let no_time = async move { phase::drains(&mut told).await };
                let forward = crate::due::forward(Arc::clone(&hub), incoming, no_time);
                seam::spawn_into(&mut forwarding, "due message", forward);
            }
            Some(Err(error)) => tracing::warn!(%error, "the queue of due messages was interrupted"),
            None => break,
        }
        while forwarding.try_join_next().is_some() {}
    }
    drain::cancel(&mut consumer, &mut phase, drain::Rest::Requeued).await;
    tokio::select! {
        biased;
        () = async { while forwarding.join_next().await.is_some() {} } => {}
        // What is not confirmed by then goes back to `bus.due`: it may be sent twice, and is not lost.
        () = phase::time_is_up(&mut phase) => forwarding.shutdown().await,
    }
    drain::close(consumer, &phase).await;
}

/// Forwards what is due now. For `run --once`.
#[cfg(feature = "cli")]
pub(crate) async fn run_due_once(hub: &Arc<Hub>) -> Result<usize, Error> {
    let queue = crate::names::QueueName::new(crate::topology::naming::due(&hub.settings.prefix))?;
    let mut taken = 0;
    while let Some(incoming) = hub.transport.get(&queue).await? {
        crate::due::forward(Arc::clone(hub), incoming, std::future::pending()).await;
        taken += 1;
    }
    Ok(taken)
}

/// The messages that `bus.due` may have outstanding: each is one publish.
pub(crate) const DUE_PREFETCH: u16 = 256;

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::EmbeddedBroker;
    use crate::envelope::Envelope;
    use crate::extract::StateMap;
    use crate::names::{ExchangeName, QueueName, RoutingKey};
    use crate::testing::Simulations;
    use crate::topology::{PlanSettings, Queue, QueueType, Topology};
    use crate::transport::{ConsumeOptions, Transport};

    /// The copy is in its queue, and its confirm on the way: who stops then must not put the message back.
    #[test]
    fn a_due_message_is_sent_on_once_when_the_app_stops() {
        Simulations::of(300).run(|_| async {
            let [due, target] = ["bus.due", "target"].map(|name| QueueName::new(name).unwrap());
            let broker = EmbeddedBroker::new();
            let queues = [&due, &target].map(|name| Queue::durable(name.clone(), QueueType::Quorum)).to_vec();
            broker.declare(&Topology { queues, ..Topology::default() }).await.unwrap();
            let settings = PlanSettings::default();
            let hub = Hub::new(Arc::new(broker.clone()), settings, StateMap::default(), "test");
            let options = ConsumeOptions { prefetch: DUE_PREFETCH, tag: "due".to_owned() };
            let consumer = broker.consume(&due, options).await.unwrap();
            let (tell, phase) = watch::channel(Phase::Running);
            let forwarding = seam::spawn("due", run_due(Arc::new(hub), consumer, phase));

            let to = RoutingKey::new("target").unwrap();
            let mut message = Envelope::new(ExchangeName::default_exchange(), to, "1");
            crate::due::address(&mut message);
            message.routing_key = RoutingKey::new("bus.due").unwrap();
            let _ = broker.publish(Arc::new(message)).await.unwrap();
            seam::sleep(Duration::from_millis(seam::random_below(80).into())).await;
            tell.send_replace(Phase::Draining(seam::now() + Duration::from_secs(10)));
            forwarding.await.unwrap();
            let mut held = 0;
            for queue in [&due, &target] {
                held += broker.inspect(queue).await.unwrap().unwrap().ready;
            }
            assert_eq!(held, 1);
        });
    }
}
