//! The texts that RabbitMQ 3.10.8 answers with, and what becomes of them.

use super::*;
use crate::broker_url::Host;

fn peer(user: &str) -> Peer {
    Peer {
        host: Host { name: "rabbit".to_owned(), port: 5672 },
        user: user.to_owned(),
        vhost: "prod".to_owned(),
        vhost_is_implied: false,
        external: false,
    }
}

fn declare() -> Request {
    Request::new("declare queue `q`", "configure")
}

#[test]
fn mismatches_name_argument_and_both_values() {
    // What RabbitMQ says after "PRECONDITION_FAILED - inequivalent arg ", and what we say
    let table = [
        (
            "'x-message-ttl' for queue 'q' in vhost '/': received '2000' but current is '1000'",
            "queue `q` exists with other arguments: x-message-ttl is 1000 on the broker and 2000 in the code",
        ),
        (
            "'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '1000' of type 'signedint'",
            "queue `q` exists with other arguments: x-message-ttl is 1000 on the broker and none in the code",
        ),
        (
            "'x-max-length' for queue 'q' in vhost '/': received the value '5' of type 'signedint' but current is none",
            "queue `q` exists with other arguments: x-max-length is none on the broker and 5 in the code",
        ),
        (
            "'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
            "queue `q` exists with other arguments: durable is true on the broker and false in the code",
        ),
        (
            "'type' for exchange 'x' in vhost '/': received 'direct' but current is 'topic'",
            "exchange `x` exists with other arguments: type is topic on the broker and direct in the code",
        ),
    ];
    for (text, expected) in table {
        let text = format!("PRECONDITION_FAILED - inequivalent arg {text}");
        let error = refused(406, &text, &declare(), &peer("app"));
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Mismatch, expected));
        assert!(error.help().is_some());
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn kinds() {
    use ErrorKind::*;
    let table = [
        (
            406,
            "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. This timeout value can be configured",
            AckTimeout,
            "longer than 1800 s",
        ),
        (406, "PRECONDITION_FAILED - unknown delivery tag 1", UnknownDelivery, "settled twice"),
        (
            406,
            "PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': routing_key_but_no_dlx_defined",
            QueueOption,
            "x-dead-letter-routing-key",
        ),
        (
            406,
            "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'q' in vhost '/'",
            QueueOption,
            "non-durable",
        ),
        (
            406,
            "PRECONDITION_FAILED - message size 135266304 is larger than configured max size 134217728",
            TooLarge,
            "135266304",
        ),
        (404, "NOT_FOUND - no queue 'q.exp' in vhost '/'", NotFound, "there is no queue `q.exp`"),
        (404, "NOT_FOUND - no exchange 'x' in vhost '/'", NotFound, "there is no exchange `x`"),
        (
            405,
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'.",
            ExclusiveQueue,
            "another connection owns",
        ),
        (
            403,
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.",
            AccessRefused,
            "rabbit:5672 refused user `app`",
        ),
        (
            403,
            "ACCESS_REFUSED - access to queue 'q' in vhost 'prod' refused for user 'app'",
            Permission,
            "user `app` lacks the configure permission",
        ),
        (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", ExclusiveQueue, "in exclusive use"),
        (
            403,
            "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'",
            InvalidName,
            "reserved prefix",
        ),
        (
            403,
            "ACCESS_REFUSED - operation not permitted on the default exchange",
            InvalidName,
            "default exchange",
        ),
        (530, "NOT_ALLOWED - vhost prod not found", Vhost, "vhost `prod` does not exist on rabbit:5672"),
        (
            530,
            "NOT_ALLOWED - access to vhost 'prod' refused for user 'app'",
            Vhost,
            "user `app` may not use vhost `prod`",
        ),
        (
            320,
            "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
            Disconnected,
            "broker forced connection closure",
        ),
        (541, "INTERNAL_ERROR", Broker, "answered 541"),
        (406, "something that a later version says", QueueOption, "something that a later version says"),
    ];
    for (code, text, kind, words) in table {
        let error = refused(code, text, &declare(), &peer("app"));
        assert_eq!(error.kind(), kind, "{text}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

#[test]
fn ways_out() {
    let help = |code, text: &str, user: &str| {
        refused(code, text, &declare(), &peer(user)).help().unwrap_or_default().to_owned()
    };
    let login = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.";
    assert!(help(403, login, "guest").contains("only log in from localhost"));
    assert!(help(403, login, "app").contains("check user and password"));
    let queue = "ACCESS_REFUSED - access to queue 'q' in vhost 'prod' refused for user 'app'";
    assert_eq!(help(403, queue, "app"), "rabbitmqctl set_permissions -p prod app \".*\" \".*\" \".*\"");
    let topic =
        "ACCESS_REFUSED - access to topic 'scm.a' in exchange 'react' in vhost 'prod' refused for user 'app'";
    assert!(help(403, topic, "app").starts_with("rabbitmqctl set_topic_permissions -p prod app"));
    assert!(
        help(530, "NOT_ALLOWED - vhost prod not found", "app")
            .starts_with("create it: rabbitmqctl add_vhost prod")
    );
}

#[test]
fn an_implied_vhost_is_said_to_be() {
    let peer = Peer { vhost: "/".to_owned(), vhost_is_implied: true, external: false, ..peer("app") };
    let error = refused(530, "NOT_ALLOWED - vhost / not found", &Request::new("connect", ""), &peer);
    assert!(error.to_string().contains("(the broker URL names none)"), "{error}");
}

#[test]
fn texts_without_their_code() {
    assert_eq!(words("NOT_FOUND - no queue 'a - b'"), "no queue 'a - b'");
    assert_eq!(words("no - code"), "no - code");
    assert_eq!(words("plain"), "plain");
}
