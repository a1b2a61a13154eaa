//! The nodes of the suite: one that all tests share, each in a virtual host of its own, and one that a test may harm.

use bus_tests::node::{RabbitNode, is_installed};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The node that nobody harms. `None` when there is no RabbitMQ to start, and that is allowed.
pub(crate) async fn shared() -> Option<&'static RabbitNode> {
    static NODE: OnceCell<Option<RabbitNode>> = OnceCell::const_new();
    NODE.get_or_init(started).await.as_ref()
}

/// The node that may be killed, for one test at a time. It is up, and has to be up again afterwards.
pub(crate) async fn victim() -> Option<MutexGuard<'static, RabbitNode>> {
    static NODE: OnceCell<Option<Mutex<RabbitNode>>> = OnceCell::const_new();
    let node = NODE.get_or_init(async || started().await.map(Mutex::new)).await.as_ref()?;
    let mut node = node.lock().await;
    // A test that failed may have left it as it was.
    node.boot().await;
    Some(node)
}

/// Whether the tests that take minutes run too.
pub(crate) fn long() -> bool {
    std::env::var("BUS_TEST_LONG").is_ok_and(|value| value == "1")
}

async fn started() -> Option<RabbitNode> {
    if !is_installed() {
        return RabbitNode::try_start().await;
    }
    Some(RabbitNode::start_with_management().await)
}
