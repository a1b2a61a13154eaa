//! Instances that are found by a future which stays on its thread.

use std::rc::Rc;
use std::sync::Arc;

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

impl Instances for Wiki {
    async fn at(_ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
        let here = Rc::new(1);
        std::future::ready(()).await;
        drop(here);
        Ok(None)
    }

    async fn all(_ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
        Ok(Vec::new())
    }
}

fn main() {}
