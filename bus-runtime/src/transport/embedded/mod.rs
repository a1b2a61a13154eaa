//! stub
use super::*;
/// stub
#[derive(Clone, Debug, Default)]
pub struct EmbeddedBroker {}
/// stub
#[derive(Debug)]
#[allow(missing_docs)]
pub struct QueueSnapshot {
    pub name: QueueName,
    pub ready: u64,
}
impl EmbeddedBroker {
    /// stub
    pub fn new() -> Self {
        Self {}
    }
    /// stub
    pub fn next_due(&self) -> Option<tokio::time::Instant> { None }
    /// stub
    pub fn peek(&self, _: &QueueName) -> Vec<Arc<Envelope>> { vec![] }
    /// stub
    pub async fn settled(&self) {}
    /// stub
    pub fn queues(&self) -> Vec<QueueSnapshot> {
        vec![]
    }
}
impl Transport for EmbeddedBroker {
    fn describe(&self) -> TransportDescription {
        unreachable!()
    }
    fn declare<'a>(&'a self, _: &'a Topology) -> BoxFuture<'a, Result<(), Error>> {
        unreachable!()
    }
    fn inspect<'a>(&'a self, _: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueState>, Error>> {
        unreachable!()
    }
    fn publish(&self, _: Arc<Envelope>) -> BoxFuture<'static, Result<Confirmation, Error>> {
        unreachable!()
    }
    fn consume<'a>(
        &'a self,
        _: &'a QueueName,
        _: ConsumeOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Consumer>, Error>> {
        unreachable!()
    }
    fn get<'a>(&'a self, _: &'a QueueName) -> BoxFuture<'a, Result<Option<Incoming>, Error>> {
        unreachable!()
    }
    fn purge<'a>(&'a self, _: &'a QueueName) -> BoxFuture<'a, Result<u64, Error>> {
        unreachable!()
    }
    fn delete_queue<'a>(&'a self, _: &'a QueueName) -> BoxFuture<'a, Result<(), Error>> {
        unreachable!()
    }
    fn delete_exchange<'a>(&'a self, _: &'a ExchangeName) -> BoxFuture<'a, Result<(), Error>> {
        unreachable!()
    }
    fn unbind<'a>(&'a self, _: &'a Binding) -> BoxFuture<'a, Result<(), Error>> {
        unreachable!()
    }
    fn status(&self) -> ConnectionStatus {
        unreachable!()
    }
    fn close(&self, _: Duration) -> BoxFuture<'_, ()> {
        unreachable!()
    }
}
