//! The list of all behaviours, which makes a test of each.

/// Makes a test of everything that a [transport](crate::transport::Transport) has to do, in a module of this name.
///
/// The second argument is a future that connects: it is made anew for each test, and gives a [`Bench`](crate::conformance::Bench) on a
/// broker, or an `Option` of one: a test without a broker passes. It runs on a runtime of one thread that each test has for itself,
/// so a transport whose clock is tokio's can `tokio::time::pause()` there, and the tests need no time.
///
/// A broker that cannot do something says so, with the reason:
///
/// ```
/// # use std::sync::Arc;
/// # use bus_runtime::EmbeddedBroker;
/// # use bus_runtime::conformance::Bench;
/// # async fn connect() -> Option<Bench> {
/// #     Some(Bench::new(Arc::new(EmbeddedBroker::new()), "t."))
/// # }
/// bus_runtime::transport_conformance!(mine, connect(), except {
///     limits::priority: "every message waits for those before it",
///     routing::exchange_to_exchange: "an exchange has queues only",
/// });
/// # fn main() {}
/// ```
///
/// Such a behaviour is tried all the same, and its test fails when it holds: a list of exceptions that are none helps nobody.
#[macro_export]
macro_rules! transport_conformance {
    ($name:ident, $connect:expr $(, except { $($area:ident::$behaviour:ident: $why:literal),* $(,)? })? $(,)?) => {
        $crate::transport_conformance! {
            @tests $name, $connect, [$($($area::$behaviour: $why,)*)?];
            routing: t1_topic_matrix, t4_every_pattern, t4_random_patterns, t2_two_bindings_one_delivery,
                t3_wildcards_in_routing_keys, direct_and_fanout, default_exchange, exchange_to_exchange, unbind,
                more_routing_keys, more_keys_are_dead_too;
            publishing: confirms_of_many, missing_exchange, bodies, keys, headers, properties, refused_before_sending,
                unroutable;
            consuming: prefetch, prefetch_zero, round_robin, busy_consumer_is_passed_over, order,
                single_active_consumer, get_beside_single_active, cancel, close_returns_messages,
                drop_returns_messages, close_flushes_settlements, settle_after_close, consume_missing_queue,
                queue_deleted_under_consumer, lookout, auto_delete, exclusive, consumer_count;
            requeue: requeue_to_classic, requeue_to_quorum, requeue_to_limited_quorum,
                what_is_left_behind_comes_first, redelivered, delivery_count, delivery_count_after_close,
                requeue_to_other_consumer;
            browsing: looking_keeps_the_order, looking_at_many, looking_ends, taking_some, dropped_on_the_way,
                two_at_once, nothing_to_see;
            dead_letters: rejected, dead_letter_routing_key, deaths_are_counted, automatic_cycle, nowhere_to_go,
                l5_max_length_drops_head, delivery_limit, at_least_once, delay_queue, story_survives_republishing;
            expiry: shorter_time_counts, expiry_at_the_head, expiry_at_once, unsettled_do_not_expire, idle_queue;
            limits: l5_reject_publish, reject_publish_quorum, one_of_two_is_full, unsettled_do_not_count,
                requeue_to_full_queue, max_length_bytes, priority, no_priority;
            declaring: declare_twice, queue_mismatch, exchange_mismatch, refused_options, bind_missing, reserved_names,
                default_exchange_is_fixed, inspect, purge, get, refused_get, delete, describe;
            comparing: compare_queue, compare_exclusive, compare_queue_of_other_type, compare_missing,
                a_probe_makes_no_queue, compare_exchange, delete_idle_queue, delete_unused_exchange;
        }
    };
    (
        @tests $name:ident, $connect:expr, [$($except_area:ident::$except:ident: $why:literal,)*];
        $($area:ident: $($behaviour:ident),+;)+
    ) => {
        mod $name {
            #[allow(unused_imports, reason = "what connects may name what stands beside the macro, or not")]
            use super::*;

            // A name that what connects does not use.
            async fn __connect() -> ::core::option::Option<$crate::conformance::Bench> {
                ::core::convert::Into::into(($connect).await)
            }

            const __EXCEPTIONS: &[(&str, &str)] =
                &[$((concat!(stringify!($except_area), "::", stringify!($except)), $why)),*];

            // An exception that is no behaviour does not compile.
            #[allow(unused_imports, reason = "they are named, not called")]
            const _: () = {
                $(use $crate::conformance::$except_area::$except as _;)*
            };

            $(mod $area {
                $(#[::core::prelude::v1::test]
                fn $behaviour() {
                    $crate::conformance::judge(
                        concat!(stringify!($area), "::", stringify!($behaviour)),
                        super::__EXCEPTIONS,
                        super::__connect,
                        $crate::conformance::$area::$behaviour,
                    );
                })+
            })+
        }
    };
}
