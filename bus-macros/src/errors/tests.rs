//! What is wrong with a test.

texts! {
    subject(found) => "unexpected argument `{found}`\n\n\
        help: to choose the handlers of the app: handlers(\"wiki::*\")\n\
        note: options are app, handlers, on, crate";
    not_async(name) => "a test of a bus is an `async fn`\n\n\
        help: async fn {name}(bus: TestBus) {{ .. }}\n\
        note: a test that needs no bus is a `#[test]`";
    method() => "a test is a function, and takes no `self`";
    generic() => "a test can't be generic: nobody says for which type to run it";
    borrowed(owned) => "a test owns its arguments\n\n\
        help: take `{owned}`, which is cheap to clone";
    not_globs(example) => "`handlers(..)` takes globs in quotes, which the names of handlers match\n\n\
        help: {example}";
    not_brokers(example) => "`on(..)` takes the names of brokers, without quotes\n\n\
        help: {example}";
    no_broker(found) => "`{found}` is no broker that a test runs on\n\n\
        help: on(embedded, rabbitmq)";
    broker_twice(broker) => "`{broker}` is listed twice\n\n\
        help: drop one of the two";
}
