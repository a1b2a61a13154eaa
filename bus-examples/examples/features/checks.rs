//! What the whole program is checked for, in a test.

use bus_runtime::prelude::*;

#[react("page.saved", retry = "none")]
async fn index(bus: Publisher) -> Result<(), BoxError> {
    bus.react("page.indexed", &()).await?;
    Ok(())
}

bus_runtime::publishes! {
    index => react: "page.indexed";
}

#[cfg(test)]
#[test]
fn a_key_that_nobody_binds_is_found() {
    let findings = crate::app().check().expect("the handlers fit together");
    let unbound = findings.iter().find(|finding| finding.code == "BUS0303").expect("it is found");
    assert_eq!(unbound.message, "no handler of this program receives \"page.indexed\" on `react`");
}
