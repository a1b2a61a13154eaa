//! What an address means, and what is said about a bad one.

use super::*;

fn url(text: &str) -> AmqpUrl {
    BrokerUrl::parse(text).unwrap().amqp().unwrap().clone()
}

#[test]
fn parts() {
    // URL, user, password, hosts, virtual host
    let table = [
        ("amqp://rabbit", "guest", "guest", "rabbit:5672", "/"),
        ("amqp://rabbit/", "guest", "guest", "rabbit:5672", "/"),
        ("amqp://rabbit/%2f", "guest", "guest", "rabbit:5672", "/"),
        ("amqp://rabbit//", "guest", "guest", "rabbit:5672", "/"),
        ("amqp://rabbit:1/prod", "guest", "guest", "rabbit:1", "prod"),
        ("amqp://app@rabbit", "app", "", "rabbit:5672", "/"),
        ("amqp://app:s3@rabbit", "app", "s3", "rabbit:5672", "/"),
        ("amqp://a%40b:p%2F%3a%C3%BC@rabbit/a%2Fb", "a@b", "p/:ü", "rabbit:5672", "a/b"),
        ("amqp://app:p@ss@rabbit", "app", "p@ss", "rabbit:5672", "/"),
        ("amqp://a,b:7,[::1],[fe80::2]:9/", "guest", "guest", "a:5672 b:7 [::1]:5672 [fe80::2]:9", "/"),
        ("  amqp://rabbit \n", "guest", "guest", "rabbit:5672", "/"),
    ];
    for (text, user, password, hosts, vhost) in table {
        let url = url(text);
        let seen = url.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!((url.user(), url.password.as_str()), (user, password), "{text}");
        assert_eq!((seen.as_str(), url.vhost()), (hosts, vhost), "{text}");
    }
}

#[test]
fn options() {
    let url = url(
        "amqp://h/v?heartbeat=7&connection_timeout=1500&channel_max=9&frame_max=8192&exchange=my%20events",
    );
    assert_eq!(url.heartbeat, Some(7));
    assert_eq!(url.connection_timeout, Some(Duration::from_millis(1500)));
    assert_eq!((url.channel_max, url.frame_max), (Some(9), Some(8192)));
    assert_eq!(url.exchange.unwrap(), "my events");
}

#[test]
fn over_tls() {
    let plain = url("amqps://app:s3@rabbit/prod");
    assert_eq!(plain.to_string(), "amqps://app:***@rabbit:5671/prod");
    assert_eq!((plain.tls, plain.external), (Some(TlsOptions::default()), false));
    let all = url(
        "amqps://rabbit:5672?cacertfile=/a%20b&certfile=c&keyfile=k&server_name_indication=n&auth_mechanism=EXTERNAL",
    );
    assert_eq!(all.to_string(), "amqps://rabbit:5672");
    assert!(all.external);
    let expected = TlsOptions {
        ca_file: Some("/a b".into()),
        cert_file: Some("c".into()),
        key_file: Some("k".into()),
        server_name: Some("n".to_owned()),
        unverified: false,
    };
    assert_eq!(all.tls, Some(expected.clone()));
    assert!(url("amqps://h?verify=verify_none").tls.unwrap().unverified);
    // What the URL says wins over what the environment says; a certificate keeps its key.
    let of_url = TlsOptions { cert_file: Some("mine".into()), ..TlsOptions::default() };
    let both = of_url.or(&expected);
    assert_eq!((both.cert_file, both.key_file), (Some("mine".into()), None));
    assert_eq!(both.ca_file, expected.ca_file);
}

#[test]
fn from_a_file() {
    let folder = std::env::temp_dir().join(format!("bus-url-{}", std::process::id()));
    std::fs::write(&folder, "amqp://app:S3CR3T@rabbit\n").unwrap();
    let read = BrokerUrl::from_file(&folder);
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(read.unwrap().amqp().unwrap().file.as_deref(), Some(folder.as_path()));
    let error = BrokerUrl::from_file(&folder).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Config, "{error}");
}

#[test]
fn implied_virtual_host() {
    assert!(url("amqp://h").vhost_is_implied && url("amqp://h/").vhost_is_implied);
    assert!(!url("amqp://h/%2f").vhost_is_implied);
}

#[test]
fn embedded() {
    for text in ["embedded", "embedded:", "embedded://"] {
        assert!(BrokerUrl::parse(text).unwrap().is_embedded(), "{text}");
    }
    assert_eq!(BrokerUrl::embedded().to_string(), "embedded:");
}

#[test]
fn refusals() {
    // URL, beginning of the message, part of the help
    let table = [
        ("", "the broker URL is empty", "amqp://localhost"),
        (
            "localhost:5672",
            "broker URL \"localhost:5672\" has no scheme",
            "did you mean `amqp://localhost:5672`?",
        ),
        ("//rabbit", "broker URL \"//rabbit\" has no scheme", "did you mean `amqp://rabbit`?"),
        (
            "redis://h",
            "broker URL \"redis://h\" has the unsupported scheme `redis`",
            "only `amqp://`, `amqps://` and `embedded:`",
        ),
        ("amqps://", "the broker URL has no host", "amqp://localhost"),
        ("amqps://h:", "the broker URL has the port ``", "RabbitMQ's is 5671"),
        (
            "amqp://h?cacertfile=a",
            "the broker URL has the option `cacertfile`, which is for TLS",
            "`amqps://`",
        ),
        (
            "amqps://h?cacertfle=a",
            "the broker URL has the unknown option `cacertfle`",
            "did you mean `cacertfile`?",
        ),
        ("amqps://h?verify=no", "the broker URL sets `verify` to `no`", "verify_peer or verify_none"),
        ("amqps://h?cacertfile=", "the broker URL sets `cacertfile` to ``", "/etc/ssl/rabbit-ca.pem"),
        (
            "amqps://h?server_name_indication=disable",
            "the broker URL sets `server_name_indication` to `disable`",
            "the name that the server's certificate is for",
        ),
        ("amqps://h?auth_mechanism=x", "the broker URL sets `auth_mechanism` to `x`", "plain or external"),
        ("amqps://a:b@h?auth_mechanism=external", "the broker URL has a user, and", "leave out the user"),
        ("amqps://h?keyfile=a", "the broker URL has a `keyfile` and no `certfile`", "`?certfile=`"),
        ("amqps://h?verify=verify_none&cacertfile=a", "the broker URL says `verify_none`, and", "leave out"),
        ("embedded:/var", "broker URL \"embedded:/var\" has something after", "write `embedded:` alone"),
        ("amqp://", "the broker URL has no host", "amqp://localhost"),
        ("amqp://a,,b", "the broker URL has no host", "amqp://localhost"),
        ("amqp://h:abc", "the broker URL has the port `abc` after the host `h`", "from 1 to 65535"),
        ("amqp://h:", "the broker URL has the port ``", "from 1 to 65535"),
        ("amqp://h:0", "the broker URL has the port `0`", "from 1 to 65535"),
        ("amqp://h:65536", "the broker URL has the port `65536`", "from 1 to 65535"),
        ("amqp://::1", "the broker URL has the host `:`, which has a colon", "in brackets"),
        ("amqp://h/a/b", "the broker URL has the virtual host `a/b`", "`/a%2Fb`"),
        ("amqp://h/%2", "the virtual host in the broker URL has a `%`", "`%25`"),
        ("amqp://h/%zz", "the virtual host in the broker URL has a `%`", "`%25`"),
        ("amqp://h/%ff", "the virtual host in the broker URL is not UTF-8", "UTF-8"),
        (
            "amqp://h?hartbeat=1",
            "the broker URL has the unknown option `hartbeat`",
            "did you mean `heartbeat`?",
        ),
        (
            "amqp://h?color=1",
            "the broker URL has the unknown option `color`",
            "the options are channel_max, ",
        ),
        ("amqp://h?heartbeat=-1", "the broker URL sets `heartbeat` to `-1`", "seconds"),
        ("amqp://h?frame_max=100", "the broker URL sets `frame_max` to `100`", "at least 4096"),
        ("amqp://h?exchange=", "the broker URL sets `exchange` to ``", "the name of an exchange"),
    ];
    refused(&table);
}

#[test]
fn hosts_that_are_none() {
    refused(&[
        (
            "amqp://rabbit%2Fprod",
            "the broker URL has the host `rabbit/prod`, which is none",
            "a name such as",
        ),
        ("amqp://[rabbit]:5672", "the broker URL has the host `rabbit`, which is none", "in brackets"),
        ("amqp://[::1]5673", "the broker URL has `5673` after the host `[::1]`", "`[::1]:5672`"),
    ]);
}

fn refused(table: &[(&str, &str, &str)]) {
    for (text, message, help) in table {
        let error = BrokerUrl::parse(text).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Url, "{text}");
        assert!(error.to_string().starts_with(message), "{text}: {error}");
        assert!(error.help().unwrap().contains(help), "{text}: {:?}", error.help());
    }
}

#[test]
fn no_password_is_shown() {
    let good = BrokerUrl::parse("amqp://app:S3CR3T%2Fxyz@rabbit/prod").unwrap();
    assert_eq!(format!("{good} {good:?}"), "amqp://app:***@rabbit:5672/prod amqp://app:***@rabbit:5672/prod");
    assert!(!format!("{:?}", good.amqp()).contains("S3CR3T"));
    let bad = [
        "app:S3CR3T@rabbit:5672",
        "redis://app:S3CR3T@h",
        "amqps://app:S3CR3T@h?verify=x",
        "amqp://app:S3CR3T%zz@h",
        "amqp://app:S3CR3T/x@h",
        "amqp://app:S3CR3T?x@h",
        "amqp://app:S3CR3T@h:abc",
        "embedded://app:S3CR3T@h",
    ];
    for text in bad {
        let error = BrokerUrl::parse(text).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.help());
        assert!(!shown.contains("S3CR3T"), "{text}: {shown}");
    }
}
