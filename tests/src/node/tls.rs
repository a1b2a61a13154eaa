//! Nodes that speak TLS, with certificates that a test can exchange.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{RabbitNode, free_ports};
use crate::certificates::Issued;

/// Where a node speaks TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct TlsPorts {
    amqps: u16,
    management: u16,
}

impl RabbitNode {
    /// Starts a node that listens with TLS too, with the management API over https, and with logins by certificate. `None`
    /// where there is no RabbitMQ.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with_tls(trusted: &str, server: &Issued) -> Option<Self> {
        if !super::shared::may_start() {
            return None;
        }
        let mut node = Self::prepare();
        let [amqps, management] = free_ports();
        node.tls = Some(TlsPorts { amqps, management });
        let plugins = "[rabbitmq_management,rabbitmq_auth_mechanism_ssl].";
        std::fs::write(node.home.join("enabled_plugins"), plugins).expect("a file");
        std::fs::write(node.home.join("trusted.pem"), trusted).expect("a file");
        node.demand_client_certificate(false);
        let _ = server.write(&node.home, "server");
        node.boot().await;
        Some(node)
    }

    /// Whether clients without a certificate are refused, from the next start on.
    ///
    /// # Panics
    /// When the node was started without TLS.
    pub fn demand_client_certificate(&self, demanded: bool) {
        let TlsPorts { amqps, management } = self.tls.expect("it speaks TLS");
        let home = self.home.display();
        let mut text = format!(
            "listeners.ssl.1 = 127.0.0.1:{amqps}\n\
             auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name\n\
             ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = {demanded}\n\
             management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {management}\n"
        );
        for section in ["ssl_options", "management.ssl"] {
            for (option, file) in
                [("cacertfile", "trusted.pem"), ("certfile", "server.pem"), ("keyfile", "server.key")]
            {
                writeln!(text, "{section}.{option} = {home}/{file}").expect("a string takes it");
            }
        }
        std::fs::write(self.home.join("rabbitmq.conf"), text).expect("a file");
    }

    /// Lets the node show another certificate from the next connection on.
    pub async fn show_certificate(&self, server: &Issued) {
        let _ = server.write(&self.home, "server");
        self.ctl(&["eval", "ssl:clear_pem_cache()."]).await;
    }

    /// The port for TLS.
    ///
    /// # Panics
    /// When the node was started without TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls.expect("it speaks TLS").amqps
    }

    /// The address of the management API over https.
    ///
    /// # Panics
    /// When the node was started without TLS.
    #[must_use]
    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.tls.expect("it speaks TLS").management)
    }

    /// The file of the authority that the node's clients are to trust.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.home).join(name)
    }
}
