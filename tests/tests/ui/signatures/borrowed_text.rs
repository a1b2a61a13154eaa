//! A borrowed word.

use bus_runtime::prelude::*;

#[react("wiki.{page}")]
async fn on_wiki<'a>(page: &'a str) {
    let _ = page;
}

fn main() {}
