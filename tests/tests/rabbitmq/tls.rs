//! Connections over TLS: what works, and each refusal with its own words.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use bus_runtime::conformance::{Bench, Reader, eventually, text};
use bus_runtime::transport::Verdict;
use bus_runtime::transport::{ConnectionStatus, RabbitMq, RabbitMqOptions, Transport};
use bus_runtime::{BrokerUrl, Error, ErrorKind, TlsOptions};
use bus_tests::certificates::{Authority, Validity, self_signed};
use bus_tests::node::{RabbitNode, connect};

const PASSWORD: &str = "S3CR3T-xyz";

fn amqps(node: &RabbitNode, login: &str, options: &str) -> String {
    format!("amqps://{login}localhost:{}?{options}", node.tls_port())
}

fn trusting(path: &Path) -> String {
    format!("cacertfile={}", path.display())
}

/// Publishes until a message comes back: losses in between are what the test makes.
async fn round_trip(bench: &Bench, reader: &mut Reader, body: &str) {
    bench.send(&bench.queue_name("q"), body).await;
    loop {
        let Ok(incoming) = reader.item().await.expect("it is not the end") else { continue };
        assert_eq!(text(&incoming.envelope), body);
        return incoming.settler.settle(Verdict::Ack).expect("the channel is there");
    }
}

#[tokio::test]
async fn consuming_and_publishing_over_tls() {
    let authority = Authority::new("tests");
    let server = authority.server(&["localhost"], Validity::Now);
    let Some(mut node) = RabbitNode::start_with_tls(&authority.certificate(), &server).await else { return };
    let trusted = node.file("trusted.pem");
    let url = amqps(&node, "guest:guest@", &trusting(&trusted));
    let rabbitmq = connect(&url).await;
    let description = rabbitmq.describe();
    assert!(description.address.starts_with("amqps://guest:***@localhost:"), "{description:?}");
    assert!(description.server.starts_with("RabbitMQ 3."), "{description:?}");
    let bench = Bench::new(rabbitmq, "t.".to_owned());
    let queue = bench.quorum("q", |_| {}).await;
    let mut reader = bench.consume(&queue, 10).await;
    // More than one record of TLS, and more than one frame of AMQP.
    let large = "x".repeat(300_000);
    for body in ["first", &large] {
        round_trip(&bench, &mut reader, body).await;
    }
    let ciphers = node.ctl(&["list_connections", "ssl_protocol"]).await;
    assert_eq!(ciphers.matches("tlsv1").count(), 2, "both connections are encrypted: {ciphers}");

    external(&node, &authority).await;
    management(&node, &url).await;

    node.kill();
    eventually("the loss", async || bench.transport().status() == ConnectionStatus::Disconnected).await;
    node.boot().await;
    // The pauses between attempts have grown while the node was starting.
    let back = async {
        while bench.transport().status() != ConnectionStatus::Connected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), back).await.expect("the connections come back");
    round_trip(&bench, &mut reader, "after").await;
    let ciphers = node.ctl(&["list_connections", "ssl_protocol"]).await;
    assert_eq!(ciphers.matches("tlsv1").count(), 2, "coming back is no way to plain text: {ciphers}");
    reader.close().await;
    bench.clean_up().await;
}

/// Logging in as the client certificate.
async fn external(node: &RabbitNode, authority: &Authority) {
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = authority.client("tester").write(folder.path(), "client");
    let trusted = trusting(&node.file("trusted.pem"));
    let options =
        format!("{trusted}&certfile={}&keyfile={}&auth_mechanism=external", cert.display(), key.display());
    let url = BrokerUrl::parse(&amqps(node, "", &options)).expect("a URL");
    let error = RabbitMq::connect(&url).await.expect_err("there is no such user");
    assert_eq!(error.kind(), ErrorKind::AccessRefused, "{error}");
    assert!(error.help().expect("a way out").contains("rabbitmq_auth_mechanism_ssl"), "{error}");
    node.ctl(&["add_user", "tester", PASSWORD]).await;
    node.ctl(&["set_permissions", "tester", ".*", ".*", ".*"]).await;
    let rabbitmq = RabbitMq::connect(&url).await.expect("there is such a user");
    assert!(!rabbitmq.describe().address.contains('@'), "{:?}", rabbitmq.describe());
    let users = node.ctl(&["list_connections", "user", "auth_mechanism"]).await;
    assert!(users.contains("tester\tEXTERNAL"), "{users}");
    rabbitmq.close(Duration::from_secs(5)).await;
    // As the environment says it.
    let bare = BrokerUrl::parse(&amqps(node, "", "auth_mechanism=external")).expect("a URL");
    let error = RabbitMq::connect(&bare).await.expect_err("there is no certificate");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let tls = TlsOptions {
        ca_file: Some(node.file("trusted.pem")),
        cert_file: Some(cert),
        key_file: Some(key),
        ..TlsOptions::default()
    };
    let options = RabbitMqOptions { tls, ..RabbitMqOptions::default() };
    let rabbitmq = RabbitMq::connect_with(&bare, options).await.expect("there is one now");
    rabbitmq.close(Duration::from_secs(5)).await;
}

/// The management API over https, with the same authority.
async fn management(node: &RabbitNode, url: &str) {
    let url = BrokerUrl::parse(url).expect("a URL");
    let options = RabbitMqOptions { management_url: Some(node.https_url()), ..RabbitMqOptions::default() };
    let rabbitmq = RabbitMq::connect_with(&url, options).await.expect("a connection");
    let survey = rabbitmq.survey().await.expect("it answers");
    assert!(survey.server.starts_with("RabbitMQ 3."), "{survey:?}");
    rabbitmq.close(Duration::from_secs(5)).await;
}

/// Connects in vain.
async fn refused(url: &str, words: &[&str]) {
    let error = RabbitMq::connect(&BrokerUrl::parse(url).expect("a URL")).await.expect_err("it is refused");
    assert_eq!((error.kind(), error.kind().code()), (ErrorKind::Tls, "BUS0105"), "{error}");
    assert_eq!(error.kind().exit_code(), 69);
    let shown = format!("{error}\n{}", error.help().expect("it says what to do"));
    for word in words {
        assert!(shown.contains(word), "{shown:?} should say {word:?}");
    }
    assert!(!everything(&error).contains(PASSWORD), "{error:?}");
}

fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn refusals_over_tls() {
    let authority = Authority::new("tests");
    let good = authority.server(&["localhost"], Validity::Now);
    let Some(mut node) = RabbitNode::start_with_tls(&authority.certificate(), &good).await else { return };
    let login = format!("app:{PASSWORD}@");
    let trusted = trusting(&node.file("trusted.pem"));
    let url = amqps(&node, &login, &trusted);
    let host = format!("localhost:{}", node.tls_port());

    // The server is what it says; the authorities of the system know nothing of it.
    refused(&amqps(&node, &login, ""), &[&host, "an authority that is not trusted here", "BUS_TLS_CA"]).await;
    let ours = url.replace("localhost", "127.0.0.1");
    refused(&ours, &["is for `localhost`, and not for `127.0.0.1`", "server_name_indication"]).await;
    let named = format!("{ours}&server_name_indication=localhost").replace(&login, "guest:guest@");
    connect(&named).await.close(Duration::from_secs(5)).await;

    // Ports that speak something else.
    let plain = format!("amqps://{login}localhost:{}?{trusted}", node.port());
    refused(&plain, &["does not speak TLS there", "5671", "never falls back"]).await;
    let encrypted = format!("amqp://{login}localhost:{}", node.tls_port());
    refused(&encrypted, &["speaks TLS, and the broker URL asks for plain text", &format!("amqps://{host}")])
        .await;

    // Other certificates.
    node.show_certificate(&authority.server(&["localhost"], Validity::Past)).await;
    refused(&url, &["the server's certificate expired", "days ago", "renew it"]).await;
    node.show_certificate(&authority.server(&["localhost"], Validity::Future)).await;
    refused(&url, &["is not valid before", "clock"]).await;
    node.show_certificate(&authority.server(&[], Validity::Now)).await;
    refused(&url, &["is for no host name at all (it has no subjectAltName)"]).await;
    let own = self_signed(&["localhost"]);
    node.show_certificate(&own).await;
    refused(&url, &["is self-signed, and not trusted here", "`?cacertfile=`"]).await;
    let [own, _] = own.write(&node.file(""), "own");
    connect(&amqps(&node, "guest:guest@", &trusting(&own))).await.close(Duration::from_secs(5)).await;
    connect(&amqps(&node, "guest:guest@", "verify=verify_none")).await.close(Duration::from_secs(5)).await;

    // A server that wants to know who we are.
    node.show_certificate(&good).await;
    node.stop().await;
    node.demand_client_certificate(true);
    node.boot().await;
    // With TLS 1.3 the server's reason may be lost with the connection.
    refused(&url, &["client certificate", "BUS_TLS_CERT"]).await;
    let [cert, key] = Authority::new("others").client("tester").write(&node.file(""), "stranger");
    let stranger = format!("{url}&certfile={}&keyfile={}", cert.display(), key.display());
    refused(&stranger, &["certificate"]).await;
    let [cert, _] = authority.client("tester").write(&node.file(""), "client");
    let mixed = format!("{url}&certfile={}&keyfile={}", cert.display(), key.display());
    let mixed = BrokerUrl::parse(&mixed).expect("a URL");
    let error = RabbitMq::connect(&mixed).await.expect_err("certificate and key are not a pair");
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Config, 78), "{error}");
}
