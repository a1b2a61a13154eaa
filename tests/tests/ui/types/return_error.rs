//! An error that is none.

use bus_runtime::prelude::*;

struct MyErr;

#[react("wiki.#")]
async fn on_wiki() -> Result<(), MyErr> {
    Ok(())
}

fn main() {}
