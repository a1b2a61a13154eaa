//! A message as a test in Rust, to find out at home what happened elsewhere.

/// A test that publishes this, and says what should have happened.
pub(crate) fn test_of(app: &str, exchange: &str, key: &str, body: Option<&[u8]>, handler: &str) -> String {
    let body = match body.map(std::str::from_utf8) {
        Some(Ok(text)) if !text.contains("\"##") => format!("br##\"{text}\"##"),
        Some(_) => "&[/* its bytes */]".to_owned(),
        None => "b\"..\"".to_owned(),
    };
    let function = handler.rsplit("::").next().unwrap_or(handler);
    let krate = app.replace('-', "_");
    format!(
        "use bus_runtime::prelude::*;\nuse {krate} as _; // links its handlers\n\n#[bus_runtime::test]\nasync fn {function}_takes_it(bus: TestBus) {{\n    bus.publish_raw({exchange:?}, {key:?}, {body}).await;\n    bus.advance(Duration::from_secs(600)).await;\n    bus.dead_letters().none();\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_written_as_it_was() {
        let test = |body: &[u8]| test_of("my-shop", "react", "page.home", Some(body), "shop::on_page");
        assert!(
            test(b"{\"a\":1}")
                .contains("bus.publish_raw(\"react\", \"page.home\", br##\"{\"a\":1}\"##).await;")
        );
        assert!(
            test(b"{}").contains("use my_shop as _;") && test(b"{}").contains("async fn on_page_takes_it(")
        );
        assert!(test(&[0xff]).contains("&[/* its bytes */]"));
    }
}
