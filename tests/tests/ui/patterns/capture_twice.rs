//! One name for two words.

use bus_runtime::prelude::*;

#[react("wiki.{page}.{page}")]
async fn on_wiki(page: u64) {
    let _ = page;
}

fn main() {}
