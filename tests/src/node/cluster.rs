//! Nodes that belong together.

use std::fmt::Write;

use super::{RabbitNode, free_ports};

impl RabbitNode {
    /// Starts so many nodes that form a cluster, each with the management API.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start_cluster<const N: usize>() -> [Self; N] {
        let mut nodes: [Self; N] = std::array::from_fn(|_| Self::prepare());
        if let [first, others @ ..] = nodes.as_mut_slice() {
            others.iter_mut().for_each(|other| other.join(first));
        }
        let settings = nodes.iter().enumerate().fold(String::new(), |mut settings, (number, node)| {
            writeln!(settings, "cluster_formation.classic_config.nodes.{} = {}", number + 1, node.name)
                .expect("a string takes it");
            settings
        });
        for node in &mut nodes {
            node.manage_at(&free_ports(), &settings);
        }
        // The first forms the cluster, and the others find it there.
        if let [first, others @ ..] = nodes.as_mut_slice() {
            first.boot().await;
            futures_util::future::join_all(others.iter_mut().map(Self::boot)).await;
        }
        nodes
    }

    /// Lets a node that is not running yet find this one: they have one name server and one secret.
    fn join(&mut self, first: &Self) {
        self.epmd_port = first.epmd_port;
        for node in [first, self] {
            let cookie = node.home.join(".erlang.cookie");
            std::fs::write(&cookie, "BUSTESTS").expect("a file");
            let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&cookie, owner_only).expect("our own file");
        }
    }
}
