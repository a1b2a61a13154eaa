//! The expansion `options` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn bill(settle: Settle) {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(bill);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = bill(__bus::extract::<Settle>(&delivery)?);
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["wiki.#"], call)
            .taking(|arguments| {
                arguments.take::<Settle>();
            })
            .identified_by(|| __bus::type_id_of(&bill))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .with_options(__bus::HandlerOptions {
                timeout: __bus::Some(
                    __bus::Timeout::After(__bus::Duration::from_secs(30)),
                ),
                retry: __bus::Some(__bus::RetryOptions {
                    max: __bus::Some(5),
                    initial: __bus::Some(__bus::Duration::from_millis(500)),
                    factor: __bus::Some(2.0),
                    max_delay: __bus::Some(__bus::Duration::from_secs(3600)),
                    jitter: __bus::Some(0.25),
                    give_up_after: __bus::Some(__bus::Duration::from_secs(7200)),
                }),
                on_error: __bus::Some(__bus::OnError::DeadLetter),
                error_hook: __bus::Some(hooks::report),
                ack: __bus::Some(__bus::AckMode::Manual),
                concurrency: __bus::Some(8),
                prefetch: __bus::Some(16),
                queue: __bus::Some("billing"),
                name: __bus::Some("bill"),
                group: __bus::Some("money"),
                priority: __bus::Some(-1),
                when: __bus::Some(is_paid),
                ordered_by: __bus::Some("customer.id"),
                breaker: __bus::Some(__bus::BreakerPolicy {
                    failures: 3,
                    window: __bus::Duration::from_secs(60),
                    pause: __bus::Duration::from_secs(30),
                    ..__bus::BreakerPolicy::DEFAULT
                }),
                rate_limit: __bus::Some(__bus::RateLimit {
                    count: 100,
                    per: __bus::Duration::from_secs(1),
                }),
                queue_type: __bus::Some(__bus::QueueType::Classic),
                max_length: __bus::Some(10000),
                overflow: __bus::Some(__bus::WhenFull::RejectNew),
                ttl: __bus::Some(__bus::Duration::from_secs(300)),
                max_priority: __bus::Some(10),
                single_active: __bus::Some(true),
                exclusive: __bus::Some(false),
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
