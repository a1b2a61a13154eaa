//! Documents about a program: valid, complete, and compared with files.

use serde_json::Value;

use crate::Desk;

/// The official schema; where it comes from stands beside it.
const ASYNCAPI: &str = include_str!("../../asyncapi/3.0.0.json");

fn problems(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).expect("the schema is one");
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn asyncapi_is_valid_and_says_everything() {
    let schema: Value = serde_json::from_str(ASYNCAPI).unwrap();
    let document: Value = serde_json::from_str(&Desk::new().ok(&["docs", "asyncapi"])).unwrap();
    assert_eq!(problems(&schema, &document), Vec::<String>::new(), "{document:#}");
    // The schema is one that refuses.
    let mut wrong = document.clone();
    wrong["operations"]["desk.pack.messages"]["action"] = "listen".into();
    assert!(!problems(&schema, &wrong).is_empty());

    assert_eq!(document["info"]["title"], "desk");
    assert_eq!(document["info"]["version"], "1.2.3");
    let pack = &document["operations"]["desk.pack.messages"];
    assert_eq!((&pack["action"], &pack["summary"]), (&"receive".into(), &"Packs what was ordered.".into()));
    assert_eq!(
        document["operations"]["desk.sum.messages"]["reply"]["address"]["location"],
        "$message.header#/replyTo"
    );
    assert_eq!(document["operations"]["desk.pack.sends.audit.page.packed"]["action"], "send");
    let page = &document["channels"]["react.page.page.saved"];
    assert_eq!((&page["address"], page["parameters"].is_object()), (&"page.{page}.saved".into(), true));
    every_reference_leads_somewhere(&document, &document);

    // A type with a schema of its own, and one without: what serde reads.
    let messages = &document["components"]["messages"];
    let placed = &messages["order.placed"]["payload"]["$ref"];
    let placed = &document["components"]["schemas"][placed.as_str().unwrap().rsplit('/').next().unwrap()];
    assert_eq!(placed["description"], "An order came in.");
    assert_eq!(placed["properties"]["lines"]["items"]["$ref"], "#/components/schemas/Line");
    assert_eq!(messages["sum"]["payload"]["properties"]["left"]["type"], "integer");
}

fn every_reference_leads_somewhere(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(to) = fields.get("$ref") {
                let pointer = to.as_str().unwrap().trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
            }
            fields.values().for_each(|part| every_reference_leads_somewhere(document, part));
        }
        Value::Array(items) => items.iter().for_each(|part| every_reference_leads_somewhere(document, part)),
        _ => {}
    }
}

#[test]
fn messages_are_as_the_schema_says() {
    let schema: Value = serde_json::from_str(&Desk::new().ok(&["docs", "schema"])).unwrap();
    let order = serde_json::json!({ "order.placed": { "id": 1, "note": null, "lines": [{ "article": "a", "count": 2 }] } });
    assert_eq!(problems(&schema, &order), Vec::<String>::new());
    assert_eq!(
        problems(&schema, &serde_json::json!({ "sum": { "left": 1, "right": 2 } })),
        Vec::<String>::new()
    );
    for wrong in
        [serde_json::json!({ "order.placed": { "id": "1" } }), serde_json::json!({ "sum": { "left": 1 } })]
    {
        assert!(!problems(&schema, &wrong).is_empty(), "{wrong}");
    }
}

#[test]
fn a_file_is_written_and_compared() {
    let desk = Desk::new();
    let told = desk.run(&["docs", "asyncapi", "--write", "api.yaml"]);
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (0, "", "wrote api.yaml\n"));
    let written = std::fs::read_to_string(desk.folder().join("api.yaml")).unwrap();
    assert!(written.starts_with("asyncapi: \"3.0.0\"\nchannels:\n"), "{written}");
    assert_eq!(desk.ok(&["docs", "asyncapi", "--check", "api.yaml"]), "");
    let desk = desk.file("api.yaml", &written.replace("desk::pack", "desk::unpack"));
    let told = desk.run(&["docs", "asyncapi", "--check", "api.yaml"]);
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.starts_with("api.yaml is not what the code says, from line "), "{}", told.err);
    assert_eq!(desk.run(&["docs", "dot", "--check", "missing.dot"]).code, 78);
}

#[test]
fn diagrams_show_the_way_of_a_message() {
    let desk = Desk::new();
    let mermaid = desk.ok(&["docs", "mermaid"]);
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    assert!(mermaid.contains("|\"page.#123;page#125;.saved\"|"), "{mermaid}");
    let dot = desk.ok(&["docs", "dot"]);
    assert!(dot.starts_with("digraph \"desk\" {\n") && dot.ends_with("}\n"), "{dot}");
    for name in ["desk::pack", "pages.dead", "order.placed"] {
        assert!(dot.contains(name) && mermaid.contains(name), "{name}: {dot}");
    }
    let page = desk.ok(&["docs", "markdown"]);
    assert!(
        page.contains("### desk::pack\n\nPacks what was ordered.\n\nAn order without lines is refused.\n"),
        "{page}"
    );
}
