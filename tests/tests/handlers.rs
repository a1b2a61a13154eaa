//! Whole programs of handlers: from a published message to its settlement. Each runs on the embedded broker and on RabbitMQ.

#![allow(
    clippy::disallowed_methods,
    clippy::match_same_arms,
    clippy::panic_in_result_fn,
    clippy::unwrap_used,
    reason = "these handlers do what users do, and clippy does not see that they are in tests"
)]

#[path = "handlers/installed.rs"]
#[macro_use]
mod installed;

#[path = "handlers/backpressure.rs"]
mod backpressure;
#[path = "handlers/batch.rs"]
mod batch;
#[path = "handlers/command.rs"]
mod command;
#[path = "handlers/controllers.rs"]
mod controllers;
#[path = "handlers/dead_letters.rs"]
mod dead_letters;
#[path = "handlers/early.rs"]
mod early;
#[path = "handlers/errors.rs"]
mod errors;
#[path = "handlers/failures.rs"]
mod failures;
#[path = "handlers/foreign.rs"]
mod foreign;
#[path = "handlers/group.rs"]
mod group;
#[path = "handlers/health.rs"]
mod health;
#[path = "handlers/idempotency.rs"]
mod idempotency;
#[path = "handlers/input.rs"]
mod input;
#[path = "handlers/instances.rs"]
mod instances;
#[path = "handlers/layers.rs"]
mod layers;
#[path = "handlers/levels.rs"]
mod levels;
#[path = "handlers/metrics.rs"]
mod metrics;
#[path = "handlers/nested.rs"]
mod nested;
#[path = "handlers/ordering.rs"]
mod ordering;
#[path = "handlers/publish.rs"]
mod publish;
#[path = "handlers/renamed.rs"]
mod renamed;
#[path = "handlers/replays.rs"]
mod replays;
#[path = "handlers/resting.rs"]
mod resting;
#[path = "handlers/retry.rs"]
mod retry;
#[path = "handlers/session_ends.rs"]
mod session_ends;
#[path = "handlers/sessions.rs"]
mod sessions;
#[path = "handlers/settle.rs"]
mod settle;
#[path = "handlers/settling.rs"]
mod settling;
#[path = "handlers/shutdown.rs"]
mod shutdown;
#[path = "handlers/topology.rs"]
mod topology;
#[path = "handlers/watched.rs"]
mod watched;

/// Runs each test on both brokers.
macro_rules! on_both {
    ($($module:ident :: $test:ident),+ $(,)?) => {
        mod embedded {
            use bus_tests::arena::Arena;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test::run(Arena::embedded()).await;
                }
            )+
        }

        #[cfg(unix)]
        mod rabbitmq {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(arena) = bus_tests::arena::rabbitmq().await {
                        crate::$module::$test::run(arena).await;
                    }
                }
            )+
        }
    };
}

on_both! {
    topology::d1_stacked_attributes_are_one_queue,
    topology::d2_audit_and_react_are_two_queues,
    topology::fanout_gives_each_worker_a_copy,
    topology::t3_wildcards_in_a_routing_key_are_literal,
    foreign::a_queue_is_bound_to_an_exchange_of_others,
    foreign::a_missing_exchange_is_declared_unless_that_is_refused,
    foreign::a_queue_of_others_is_consumed_as_it_is,
    foreign::what_no_copy_can_be_made_of_is_not_lost_from_a_queue_of_others,
    foreign::nothing_of_others_is_claimed_recreated_or_pruned,
    foreign::what_handlers_say_of_one_exchange_must_agree,
    renamed::the_former_queue_is_drained_into_the_new_one,
    renamed::workers_of_both_names_lose_nothing,
    renamed::a_retry_of_the_former_name_keeps_its_attempt,
    renamed::dead_letters_go_along_and_nothing_can_be_forged,
    renamed::diff_explains_it_and_prune_removes_it,
    renamed::a_former_name_is_one_that_nobody_has,
    settle::k2_every_outcome_is_one_settlement,
    settle::k5_timeouts_free_their_slots,
    settle::k6_a_panic_is_an_error,
    settle::ack_on_receive_is_at_most_once,
    settle::a_filtered_message_is_acknowledged,
    settle::q1_no_more_than_the_concurrency,
    settle::concurrency_one_keeps_the_order,
    retry::r1_a_poison_message_is_called_max_plus_one_times,
    retry::r4_siblings_are_not_called_again,
    retry::r6_a_retry_waits_on_the_broker_alone,
    retry::r5_a_retried_copy_keeps_what_it_was,
    retry::retry_later_takes_the_ladder,
    retry::forged_attempts_do_not_count,
    retry::plain_functions_are_handlers,
    input::r8_what_cannot_be_decoded_is_dead_at_once,
    input::captured_words_are_typed,
    input::arguments_of_all_kinds,
    input::headers_too_large_are_dead_as_they_are,
    publish::k4_a_failing_handler_publishes_nothing,
    publish::k4_a_handler_publishes_before_its_ack,
    publish::c5_publishes_inherit_the_context,
    publish::p1_unroutable_tasks_are_errors,
    publish::p5_messages_say_what_they_are,
    publish::after_delays_on_the_broker,
    publish::a_publisher_ends_with_its_handler,
    command::the_reply_comes_back,
    command::an_error_comes_back,
    command::nobody_is_an_error,
    command::what_cannot_be_handled_is_answered,
    command::a_command_that_timed_out_does_not_run_later,
    command::a_command_may_ask_for_another_attempt,
    command::late_replies_are_dropped_and_counted,
    watched::a_retried_command_that_timed_out_does_not_run_later,
    watched::whoever_listens_hears_of_commands,
    watched::nobody_is_told_of_commands_when_nobody_listens,
    nested::l2_nested_commands_do_not_deadlock,
    nested::a_command_inherits_and_goes_out_at_once,
    command::every_end_is_answered,
    command::r9_no_such_handler_is_not_retried,
    errors::each_variant_decides,
    resting::l6_a_breaker_opens_and_closes,
    resting::l6_a_shared_queue_rests_as_a_whole,
    resting::an_error_pauses_its_handler,
    resting::a_rate_limit_delays_and_never_drops,
    layers::l8_filters,
    layers::l8_layers_are_called_in_their_order,
    layers::ready_made_layers,
    layers::layers_of_tower,
    layers::a_rate_limit_of_tower_delays,
    early::k3_after_ack_the_handler_goes_on,
    early::an_early_ack_is_one_at_once,
    early::manual_is_said_or_it_has_failed,
    early::a_shared_message_goes_with_its_last_call,
    settle::k2_whatever_happens_it_is_settled_once,
    errors::errors_in_errors_decide,
    group::every_member_that_matches_is_called,
    group::l1_priorities_are_strict,
    group::only_the_failed_member_is_retried,
    controllers::c1_an_audit_method_is_called_for_its_instance,
    controllers::c2_a_react_method_is_called_for_every_instance,
    controllers::c3_without_a_project,
    controllers::c4_context_does_not_leak,
    controllers::c5_methods_publish_with_the_context,
    instances::only_the_failed_instances_are_retried,
    instances::without_keys_the_whole_message_is_retried,
    instances::an_instance_that_went_away_leaves_a_dead_letter,
    instances::not_finding_is_a_failed_attempt,
    controllers::messages_have_methods,
    controllers::a_singleton_is_called_for_every_project,
    controllers::two_controllers_of_one_type_have_their_own_queues,
    instances::instances_of_a_shared_queue,
    instances::a_forged_instance_does_not_count,
    instances::instances_are_called_side_by_side,
    controllers::every_mistake_is_a_start_up_error,
    dead_letters::r10_a_dead_letter_tells_everything,
    dead_letters::r10_what_the_broker_moved_is_shown_and_replayed,
    dead_letters::r11_looking_shows_different_letters_and_changes_nothing,
    replays::r11_a_replay_calls_the_handler_as_new,
    replays::r11_a_replay_is_for_the_member_that_failed,
    replays::canaries_go_first,
    replays::a_replay_that_cannot_go_on_loses_nothing,
    replays::export_and_import_bring_everything_back,
    dead_letters::r12_a_full_dead_letter_queue_loses_nothing,
    dead_letters::r12_a_full_dead_letter_queue_never_blocks_the_worker,
    ordering::ordered_by_a_field_keeps_each_key_in_order,
    ordering::one_at_a_time_keeps_the_order_of_the_queue_whatever_the_keys,
    ordering::ordered_by_a_header_or_a_word,
    ordering::a_retry_leaves_its_place,
    ordering::what_waits_for_its_turn_goes_back,
    ordering::single_active_is_one_worker_at_a_time,
    batch::batches_are_filled_or_wait,
    batch::each_message_of_a_batch_has_its_outcome,
    batch::a_failed_batch_is_tried_again_one_by_one,
    batch::a_batch_publishes_when_it_is_done,
    batch::shutdown_handles_a_partial_batch,
    batch::an_interrupted_batch_goes_back,
    health::ready_then_draining,
    health::a_worker_that_ended_is_dead,
    metrics::o5_every_metric_is_there_before_the_first_message,
    metrics::o5_publishes_and_calls_are_counted,
    metrics::o5_failures_are_counted_by_their_reason,
    levels::o5_levels_rise_and_fall,
    levels::o5_open_sessions_are_counted,
    levels::o5_a_breaker_is_shown,
    metrics::o5_what_came_back_and_what_was_interrupted,
    levels::a_token_opens_the_metrics,
    levels::a_prefix_and_a_sample,
    failures::l4_error_handlers_that_fail_do_not_recurse,
    settling::l2_publish_and_wait_sees_the_whole_cascade,
    settling::l2_a_handler_cannot_wait_for_what_it_publishes,
    settling::what_others_handle_is_not_waited_for,
    settling::l3_a_scheduled_message_delays_no_other,
    backpressure::l5_drop_oldest_keeps_the_newest_in_order,
    backpressure::l5_reject_new_is_an_error_for_the_publisher,
    backpressure::l5_block_waits_for_room,
    backpressure::l5_block_gives_up_at_the_publish_timeout,
    backpressure::l5_adaptive_slows_and_recovers,
    backpressure::l5_high_and_low_water_once_per_crossing,
    settle::q1_no_more_than_the_concurrency_after_early_acks,
    idempotency::a_key_is_handled_once_by_each_handler,
    idempotency::a_failed_attempt_releases_the_key,
    idempotency::an_interrupted_handler_releases_the_key,
    shutdown::s1_what_has_begun_ends,
    shutdown::s2_what_takes_too_long_goes_back,
    shutdown::s3_what_has_not_begun_goes_back_unharmed,
    shutdown::s2_a_bus_that_is_dropped_lets_handlers_end,
    publish::l3_what_is_due_later_holds_up_nobody,
    settle::l4_a_hook_that_fails_calls_nobody,
    sessions::l7_a_session_hears_of_its_own_messages,
    sessions::l1_session_handlers_come_after_those_of_the_bus,
    sessions::the_session_answers_its_commands,
    sessions::sessions_of_one_id_are_one,
    sessions::a_failing_handler_of_a_session_is_called_once,
    sessions::publish_and_wait_waits_for_sessions,
    session_ends::l7_the_end_comes_after_what_was_published,
    session_ends::l7_handlers_go_with_their_owner,
    session_ends::l2_a_session_ends_from_inside,
    session_ends::a_session_inside_a_handler,
    session_ends::shutdown_ends_sessions,
    session_ends::ids_of_sessions,
}
