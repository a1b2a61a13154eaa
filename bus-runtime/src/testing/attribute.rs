//! What `#[bus_runtime::test]` does: a runtime, a bus, the test, and order afterwards.

#[cfg(feature = "rabbitmq")]
use std::panic::{AssertUnwindSafe, resume_unwind};

#[cfg(feature = "rabbitmq")]
use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};

use super::time::Clock;
use super::{RealTime, TestBus, TestOutput, Time};
use crate::app::App;
use crate::config::Config;

/// What the attribute says.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What makes the app.
    pub app: fn() -> App,
    /// Which of its handlers run; all when there are none here.
    pub handlers: &'static [&'static str],
}

impl Settings {
    fn app(&self) -> App {
        let mut app = (self.app)();
        // A test does not depend on the environment that it runs in.
        app.config.get_or_insert_with(Config::default);
        match self.handlers {
            [] => app,
            handlers => app.handlers(handlers.iter().copied()),
        }
    }
}

fn runtime(clock: Clock) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(clock == Clock::Paused);
    match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("the system has no resources for a runtime: {error}"),
    }
}

/// Runs a test that takes no bus.
pub(crate) fn without_bus<F>(test: impl FnOnce() -> F)
where
    F: Future<Output: TestOutput>,
{
    let failure = runtime(Clock::Paused).block_on(async { test().await.into_failure() });
    if let Some(error) = failure {
        panic!("the test has failed: {error}");
    }
}

/// Runs a test on an embedded broker.
pub(crate) fn on_embedded<T: Time, F>(settings: Settings, test: impl FnOnce(TestBus<T>) -> F)
where
    F: Future<Output: TestOutput>,
{
    runtime(T::CLOCK).block_on(async {
        let bus = TestBus::<T>::on_embedded(settings.app()).await;
        judge(&bus, test(bus.clone()).await);
    });
}

/// Runs a test on RabbitMQ, in a corner of its own; says so when there is none.
#[cfg(feature = "rabbitmq")]
pub(crate) fn on_rabbitmq<F>(settings: Settings, test: impl FnOnce(TestBus<RealTime>) -> F)
where
    F: Future<Output: TestOutput>,
{
    let Some(url) = super::rabbitmq::url() else { return };
    runtime(Clock::Running).block_on(async {
        let bus = TestBus::on_rabbitmq(settings.app(), url).await;
        let tested = AssertUnwindSafe(async { judge(&bus, test(bus.clone()).await) }).catch_unwind().await;
        let removed = bus.remove_everything().await;
        if let Err(panic) = tested {
            resume_unwind(panic);
        }
        super::expect("clean up", removed);
    });
}

/// A test on RabbitMQ is a mistake where Bus is built without it.
#[cfg(not(feature = "rabbitmq"))]
pub(crate) fn on_rabbitmq<F>(_settings: Settings, _test: impl FnOnce(TestBus<RealTime>) -> F)
where
    F: Future<Output: TestOutput>,
{
    panic!("a test runs on(rabbitmq), and bus-runtime is built without its feature `rabbitmq`");
}

fn judge<T: Time>(bus: &TestBus<T>, output: impl TestOutput) {
    if let Some(error) = output.into_failure() {
        panic!("the test has failed: {error}\n{}", bus.core.story());
    }
}
