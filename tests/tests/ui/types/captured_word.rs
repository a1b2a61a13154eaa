//! A word as a type that does not parse.

use bus_runtime::prelude::*;

struct PageId;

#[react("wiki.{page}")]
async fn on_wiki(page: PageId) {
    let _ = page;
}

fn main() {}
