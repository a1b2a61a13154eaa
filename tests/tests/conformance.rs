//! What every transport has to do alike, on each of them.

use std::sync::Arc;

use bus_runtime::EmbeddedBroker;
use bus_tests::conformance::{self, Bench};

/// One module of tests for each broker, with the same functions.
macro_rules! conformance {
    ($($area:ident: $($behaviour:ident),+;)+) => {
        mod embedded {
            $(mod $area {
                $(#[tokio::test]
                async fn $behaviour() {
                    let bench = crate::on_embedded();
                    super::super::conformance::$area::$behaviour(&bench).await;
                    bench.clean_up().await;
                })+
            })+
        }

        mod rabbitmq {
            $(mod $area {
                $(#[tokio::test]
                async fn $behaviour() {
                    if let Some(bench) = crate::on_rabbitmq().await {
                        super::super::conformance::$area::$behaviour(&bench).await;
                        bench.clean_up().await;
                    }
                })+
            })+
        }
    };
}

conformance! {
    routing: t1_topic_matrix, t4_every_pattern, t4_random_patterns, t2_two_bindings_one_delivery, t3_wildcards_in_routing_keys, direct_and_fanout,
        default_exchange, exchange_to_exchange, unbind, more_routing_keys, more_keys_are_dead_too;
    publishing: confirms_of_many, missing_exchange, bodies, keys, headers, properties, refused_before_sending, unroutable;
    consuming: prefetch, prefetch_zero, round_robin, busy_consumer_is_passed_over, order, single_active_consumer, get_beside_single_active, cancel,
        close_returns_messages, drop_returns_messages, close_flushes_settlements, settle_after_close, consume_missing_queue,
        queue_deleted_under_consumer, lookout, auto_delete, exclusive, consumer_count;
    requeue: requeue_to_classic, requeue_to_quorum, requeue_to_limited_quorum, what_is_left_behind_comes_first, redelivered, delivery_count, delivery_count_after_close,
        requeue_to_other_consumer;
    browsing: looking_keeps_the_order, looking_at_many, looking_ends, taking_some, dropped_on_the_way, nothing_to_see;
    dead_letters: rejected, dead_letter_routing_key, deaths_are_counted, automatic_cycle, nowhere_to_go,
        l5_max_length_drops_head, delivery_limit, at_least_once, delay_queue, story_survives_republishing;
    expiry: shorter_time_counts, expiry_at_the_head, expiry_at_once, unsettled_do_not_expire, idle_queue;
    limits: l5_reject_publish, reject_publish_quorum, one_of_two_is_full, unsettled_do_not_count, requeue_to_full_queue, max_length_bytes, priority,
        no_priority;
    declaring: declare_twice, queue_mismatch, exchange_mismatch, refused_options, bind_missing, reserved_names, default_exchange_is_fixed, inspect, purge,
        get, refused_get, delete, describe;
    comparing: compare_queue, compare_exclusive, compare_queue_of_other_type, compare_missing, a_probe_makes_no_queue, compare_exchange, delete_idle_queue,
        delete_unused_exchange;
}

fn on_embedded() -> Bench {
    Bench::new(Arc::new(EmbeddedBroker::new()), "t.".to_owned())
}

#[cfg(unix)]
async fn on_rabbitmq() -> Option<Bench> {
    let broker = bus_tests::node::shared().await?;
    Some(Bench::new(broker.connect().await, broker.prefix()))
}
