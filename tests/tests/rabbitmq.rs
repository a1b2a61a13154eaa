//! What is special to RabbitMQ: connections that are lost, refused and blocked, confirms in batches, and TLS.

#![cfg(unix)]

#[path = "rabbitmq/blocked.rs"]
mod blocked;
#[path = "rabbitmq/channels.rs"]
mod channels;
#[path = "rabbitmq/commands.rs"]
mod commands;
#[path = "rabbitmq/confirms.rs"]
mod confirms;
#[path = "rabbitmq/doctor.rs"]
mod doctor;
#[path = "rabbitmq/health.rs"]
mod health;
#[path = "rabbitmq/lost.rs"]
mod lost;
#[path = "rabbitmq/refused.rs"]
mod refused;
#[path = "rabbitmq/secrets.rs"]
mod secrets;
#[path = "rabbitmq/sessions.rs"]
mod sessions;
#[path = "rabbitmq/tls.rs"]
mod tls;
#[path = "rabbitmq/walks.rs"]
mod walks;

use std::sync::Arc;

use bus_runtime::conformance::Bench;
use bus_runtime::transport::{RabbitMq, Transport};
use bus_tests::node::{RabbitNode, connect};

/// A corner of a node of its own.
async fn bench(node: &RabbitNode) -> Bench {
    let rabbitmq: Arc<RabbitMq> = connect(&node.url()).await;
    Bench::new(rabbitmq as Arc<dyn Transport>, "t.".to_owned())
}
