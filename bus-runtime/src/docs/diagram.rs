//! Diagrams of exchanges, queues and handlers: in Mermaid and in the language of Graphviz.

use std::collections::BTreeMap;

use super::Subject;

/// What a diagram consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Publisher,
    Exchange,
    Queue,
    Handler,
    DeadLetters,
}

/// Nodes by name and shape, and arrows between them with what goes along.
#[derive(Default)]
struct Graph {
    nodes: BTreeMap<(Shape, String), String>,
    arrows: Vec<(String, String, Vec<String>, Line)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Solid,
    /// What happens when something goes wrong.
    Dotted,
}

impl Graph {
    fn of(subject: Subject<'_>) -> Self {
        let mut graph = Self::default();
        for queue in &subject.plan.queues {
            let node = graph.node(Shape::Queue, &queue.name);
            let dead = graph.node(Shape::DeadLetters, &queue.dead);
            for entry in &queue.members {
                let exchange = graph.node(Shape::Exchange, &entry.exchange);
                let keys = entry.keys.iter().map(|key| key.text.clone()).collect();
                graph.arrow(&exchange, &node, keys, Line::Solid);
                let handler = graph.node(Shape::Handler, &entry.name);
                graph.arrow(&node, &handler, Vec::new(), Line::Solid);
            }
            graph.arrow(&node, &dead, Vec::new(), Line::Dotted);
        }
        for sent in subject.sent() {
            let by = match sent.by {
                Some(by) => graph.node(Shape::Handler, by),
                None => graph.node(Shape::Publisher, subject.name),
            };
            let exchange = graph.node(Shape::Exchange, &sent.exchange);
            graph.arrow(&by, &exchange, vec![sent.key.to_owned()], Line::Solid);
        }
        graph
    }

    /// The name of a node in the diagram.
    fn node(&mut self, shape: Shape, name: &str) -> String {
        let next = format!("n{}", self.nodes.len());
        self.nodes.entry((shape, name.to_owned())).or_insert(next).clone()
    }

    /// One arrow for all that goes from here to there.
    fn arrow(&mut self, from: &str, to: &str, keys: Vec<String>, line: Line) {
        match self.arrows.iter_mut().find(|(known, other, _, _)| known == from && other == to) {
            Some((_, _, known, _)) => {
                for key in keys {
                    if !known.contains(&key) {
                        known.push(key);
                    }
                }
            }
            None => self.arrows.push((from.to_owned(), to.to_owned(), keys, line)),
        }
    }
}

/// For Markdown: <https://mermaid.js.org/syntax/flowchart.html>.
pub(crate) fn mermaid(subject: Subject<'_>) -> String {
    let Graph { nodes, arrows } = Graph::of(subject);
    let mut text = "flowchart LR\n".to_owned();
    for ((shape, name), id) in &nodes {
        // Signs with a meaning are written as their codes.
        let name = escaped(name);
        text.push_str(&match shape {
            Shape::Publisher => format!("  {id}[/\"{name}\"/]\n"),
            Shape::Exchange => format!("  {id}{{{{\"{name}\"}}}}\n"),
            Shape::Queue => format!("  {id}[(\"{name}\")]\n"),
            Shape::Handler => format!("  {id}[\"{name}\"]\n"),
            Shape::DeadLetters => format!("  {id}[(\"{name}\")]:::dead\n"),
        });
    }
    for (from, to, keys, line) in &arrows {
        let arrow = if *line == Line::Dotted { "-.->" } else { "-->" };
        let label = match keys.is_empty() {
            true => String::new(),
            false => format!("|\"{}\"|", escaped(&keys.join(", "))),
        };
        text.push_str(&format!("  {from} {arrow}{label} {to}\n"));
    }
    text + "  classDef dead stroke-dasharray: 4 4\n"
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|one| match one {
            '"' | '#' | '{' | '}' | '<' | '>' | '*' => format!("#{};", u32::from(one)),
            one => one.to_string(),
        })
        .collect()
}

/// For Graphviz: `dot -Tsvg`.
pub(crate) fn dot(subject: Subject<'_>) -> String {
    let Graph { nodes, arrows } = Graph::of(subject);
    let mut text = format!(
        "digraph {} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=10];\n  edge [fontname=\"sans-serif\", fontsize=9];\n",
        quoted(subject.name)
    );
    for ((shape, name), id) in &nodes {
        let shape = match shape {
            Shape::Publisher => "shape=parallelogram",
            Shape::Exchange => "shape=hexagon",
            Shape::Queue => "shape=cylinder",
            Shape::Handler => "shape=box",
            Shape::DeadLetters => "shape=cylinder, style=dashed",
        };
        text.push_str(&format!("  {id} [label={}, {shape}];\n", quoted(name)));
    }
    for (from, to, keys, line) in &arrows {
        let style = if *line == Line::Dotted { ", style=dashed" } else { "" };
        text.push_str(&format!("  {from} -> {to} [label={}{style}];\n", quoted(&keys.join("\n"))));
    }
    text + "}\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_with_a_meaning_are_escaped() {
        assert_eq!(escaped("wiki.#"), "wiki.#35;");
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
