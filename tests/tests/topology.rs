//! What an app has on a broker: declared, compared, pruned, recreated, exported.

#![allow(clippy::unwrap_used, reason = "clippy does not see that these scenarios are tests")]

#[path = "topology/checks.rs"]
mod checks;
#[cfg(unix)]
#[path = "topology/commands.rs"]
mod commands;
#[path = "topology/scenarios.rs"]
mod scenarios;
#[path = "topology/stages.rs"]
mod stages;
#[path = "topology/starting.rs"]
mod starting;

/// Runs each test on both brokers.
macro_rules! on_both {
    ($($module:ident :: $test:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(bus_tests::arena::Arena::embedded()).await;
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
    scenarios::o1_apply_is_idempotent,
    scenarios::shows_says_exactly_what_differs,
    scenarios::prune_deletes_what_is_ours_empty_and_unused,
    scenarios::a_binding_that_no_handler_wants_is_removed,
    scenarios::a_lock_ends_with_its_connection,
    scenarios::recreate_deletes_what_it_said,
    scenarios::bindings_of_others_outlive_a_recreated_queue,
    scenarios::what_another_app_needs_stays,
    scenarios::appliers_do_not_lose_each_others_marks,
    scenarios::two_marks_of_one_app_become_one,
    starting::never_names_everything_that_is_missing,
    starting::n6_other_arguments_are_named_with_their_place,
    starting::setup_runs_first_and_its_error_ends_the_start,
    starting::missing_leaves_the_rest_as_it_is,
    starting::a_worker_notes_what_it_declares,
}
