//! The names of what is counted as it happens. Dashboards and alerts of users stand on them.

pub(crate) const EVENTS_PUBLISHED: &str = "events_published_total";
pub(crate) const EVENTS_PROCESSED: &str = "events_processed_total";
pub(crate) const EVENTS_FAILED: &str = "events_failed_total";
pub(crate) const EVENT_DURATION: &str = "event_processing_duration_seconds";
pub(crate) const COMMANDS_SENT: &str = "commands_sent_total";
pub(crate) const COMMANDS_PROCESSED: &str = "commands_processed_total";
pub(crate) const COMMANDS_FAILED: &str = "commands_failed_total";
pub(crate) const COMMAND_DURATION: &str = "command_processing_duration_seconds";
pub(crate) const QUEUE_SIZE: &str = "queue_size";
pub(crate) const DEAD_LETTER_QUEUE_SIZE: &str = "dead_letter_queue_size";
pub(crate) const BREAKER_STATE: &str = "circuit_breaker_state";
pub(crate) const BACKPRESSURE: &str = "backpressure_active";
pub(crate) const CRITICAL_TIME: &str = "bus_message_critical_time_seconds";
pub(crate) const QUEUE_TIME: &str = "bus_message_queue_time_seconds";
pub(crate) const IN_FLIGHT: &str = "bus_handler_in_flight";
pub(crate) const CONCURRENCY: &str = "bus_handler_concurrency_limit";
pub(crate) const RETRIES: &str = "bus_retries_total";
pub(crate) const DEAD_LETTERED: &str = "bus_dead_lettered_total";
pub(crate) const DECODE_FAILURES: &str = "bus_decode_failures_total";
pub(crate) const UNROUTABLE: &str = "bus_unroutable_total";
pub(crate) const NACKED: &str = "bus_publish_nacked_total";
pub(crate) const REDELIVERED: &str = "bus_redelivered_total";
pub(crate) const CONNECTED: &str = "bus_broker_connected";
pub(crate) const BLOCKED: &str = "bus_broker_blocked";
pub(crate) const CONSUMER_ATTACHED: &str = "bus_consumer_attached";
pub(crate) const LAST_PROCESSED: &str = "bus_last_processed_timestamp_seconds";
pub(crate) const DRAINING: &str = "bus_draining";

/// The values of the label `delay` of [`RETRIES`].
pub(crate) const AT_ONCE: &str = "immediate";
/// See [`AT_ONCE`].
pub(crate) const LATER: &str = "delayed";

/// A name with the prefix that the settings ask for. What every program has keeps its name.
pub(crate) fn prefixed(prefix: &str, name: &str) -> String {
    if name.starts_with("process_") { name.to_owned() } else { format!("{prefix}{name}") }
}
