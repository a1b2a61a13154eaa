//! A program whose only handler fails until it is mended: `MENDED=1`.

use std::process::ExitCode;

use bus_runtime::Config;
use bus_runtime::prelude::*;

#[react("letter.#", queue = "letters", retry = "none")]
async fn read(key: RoutingKey) -> Result<(), String> {
    match std::env::var_os("MENDED") {
        Some(_) => Ok(()),
        None => Err(format!("can't read \"{key}\"")),
    }
}

fn main() -> ExitCode {
    // Tests share a broker.
    let prefix = std::env::var_os("LETTERS_PREFIX").unwrap_or_default();
    match Config::from_env() {
        Ok(mut config) => {
            config.plan.prefix = prefix.to_string_lossy().into_owned();
            bus_runtime::app().name("letters").config(config).run()
        }
        Err(_) => ExitCode::FAILURE,
    }
}
