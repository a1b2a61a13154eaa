//! A message as a test in Rust, to find out at home what happened elsewhere.

/// Bytes of a body that is no text, and that is written out in a test.
const BYTES_MAX: usize = 2048;

/// A test that hands the same message to the same handlers, and says what should have happened. The body is nothing when it may
/// not be shown, and the handler the path of a function.
pub(crate) fn test_of(exchange: &str, key: &str, body: Option<&[u8]>, handler: &str) -> String {
    let body = match body.map(|body| (std::str::from_utf8(body), body)) {
        Some((Ok(text), _)) => literal(text),
        Some((Err(_), bytes)) if bytes.len() <= BYTES_MAX => format!("vec!{bytes:?}"),
        Some((Err(_), _)) => "include_bytes!(\"body.bin\").to_vec()".to_owned(),
        None => "\"..\"".to_owned(),
    };
    let function = handler.rsplit("::").next().unwrap_or(handler);
    let krate = handler.split("::").next().unwrap_or(handler);
    format!(
        "use bus_runtime::prelude::*;\nuse {krate} as _; // links its handlers\n\n#[bus_runtime::test]\nasync fn {function}_takes_it(bus: TestBus) {{\n    bus.publish_raw({exchange:?}, {key:?}, {body}).await;\n    bus.advance(Duration::from_secs(600)).await;\n    bus.dead_letters().none();\n}}\n"
    )
}

/// A text as Rust writes it, with as few signs around it as it needs.
fn literal(text: &str) -> String {
    if !text.contains(['"', '\\', '\r']) && !text.chars().any(char::is_control) {
        return format!("\"{text}\"");
    }
    // A bare carriage return may not stand in a raw text.
    if text.contains('\r') {
        return format!("{text:?}");
    }
    let mut fence = String::new();
    while text.contains(&format!("\"{fence}")) {
        fence.push('#');
    }
    format!("r{fence}\"{text}\"{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_where_they_should() {
        assert_eq!(literal("plain"), r#""plain""#);
        assert_eq!(literal("{\"a\":1}"), "r#\"{\"a\":1}\"#");
        assert_eq!(literal("\"#"), "r##\"\"#\"##");
        assert_eq!(literal("a\r\nb"), "\"a\\r\\nb\"");
    }

    #[test]
    fn a_body_is_written_as_it_was() {
        let test = |body: &[u8]| test_of("react", "page.home", Some(body), "my_shop::on_page");
        let of_json = test(b"{\"a\":1}");
        assert!(
            of_json.contains("bus.publish_raw(\"react\", \"page.home\", r#\"{\"a\":1}\"#).await;"),
            "{of_json}"
        );
        assert!(of_json.contains("use my_shop as _;") && of_json.contains("async fn on_page_takes_it("));
        assert!(test(&[0xff, 0]).contains("vec![255, 0]"));
    }
}
