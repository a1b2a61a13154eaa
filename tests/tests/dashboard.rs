//! The dashboard: pages, what may be done with them and by whom, and how they look in a browser.

#![allow(
    clippy::disallowed_methods,
    clippy::panic_in_result_fn,
    clippy::unwrap_used,
    reason = "these handlers do what users do, and clippy does not see that they are in tests"
)]

#[path = "dashboard/access.rs"]
mod access;
#[path = "dashboard/acting.rs"]
mod acting;
#[cfg(unix)]
#[path = "dashboard/browser.rs"]
mod browser;
#[path = "dashboard/looking.rs"]
mod looking;
#[path = "dashboard/rig.rs"]
mod rig;

/// Runs each test on both brokers.
macro_rules! on_both {
    ($($module:ident :: $test:ident),+ $(,)?) => {
        mod embedded {
            use bus_tests::arena::Arena;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(Arena::embedded()).await;
                }
            )+
        }

        #[cfg(unix)]
        mod rabbitmq {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(arena) = bus_tests::arena::rabbitmq().await {
                        crate::$module::$test(arena).await;
                    }
                }
            )+
        }
    };
}

on_both! {
    looking::every_page_is_there_for_people_and_for_programs,
    looking::a_failure_is_found_and_explained,
    looking::whatever_a_message_says_stays_text,
    looking::the_live_stream_tells_what_passes,
    acting::a_dead_letter_is_changed_and_replayed,
    acting::a_replay_stops_when_those_that_go_first_fail,
    acting::a_paused_queue_keeps_its_messages,
    acting::nothing_is_deleted_by_a_slip,
    acting::what_is_published_by_hand_is_handled,
    acting::what_is_missing_is_declared,
    acting::o7_workers_are_quieted_and_resumed,
}
