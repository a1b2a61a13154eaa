//! Something that has to be opened before the first message: `App::setup`.

use bus_runtime::App;
use bus_runtime::prelude::*;

struct Database {
    address: String,
}

pub(crate) fn add_to(app: App) -> App {
    app.setup(async |app| {
        tokio::task::yield_now().await; // opens connections, migrates
        Ok::<_, BoxError>(app.state(Database { address: "db.example.org".to_owned() }))
    })
}

#[react("row.#", retry = "none")]
async fn on_row(database: State<Database>) -> Result<(), String> {
    if database.address.is_empty() { Err("no database".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn the_state_is_there(bus: TestBus) {
    bus.react("row.added", &()).await;
    bus.settled().await;
    bus.dead_letters().none();
}
