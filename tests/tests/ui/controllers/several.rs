//! Several mistakes, in several methods.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.page*")]
    async fn on_wiki(&self, _page: &str) {}

    #[audit("wiki.{page}.save", timout = 30)]
    async fn save(&self, _page: String) {}
}

fn main() {
    // The methods are there.
    let _ = (Wiki::on_wiki, Wiki::save);
}
