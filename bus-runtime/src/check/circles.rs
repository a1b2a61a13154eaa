//! Handlers that call each other in a circle, as far as `publishes!` tells.

use std::collections::{BTreeSet, VecDeque};

use super::routes::{Route, routes};
use super::{Finding, Program};
use crate::topology::HandlerEntry;

/// A way from one handler to another.
struct Step {
    to: usize,
    route: Route,
}

pub(super) fn check(program: Program<'_>) -> Vec<Finding> {
    let handlers: Vec<&HandlerEntry> = program.plan.handlers.iter().map(|entry| &**entry).collect();
    let steps: Vec<Vec<Step>> = handlers.iter().map(|entry| steps(program, &handlers, entry)).collect();
    let mut known = BTreeSet::new();
    let mut findings = Vec::new();
    for start in 0..handlers.len() {
        let Some(circle) = shortest(&steps, start) else { continue };
        let members: BTreeSet<usize> = circle.iter().map(|(from, _)| *from).collect();
        if known.insert(members) {
            findings.push(finding(&handlers, &circle));
        }
    }
    findings
}

fn steps(program: Program<'_>, handlers: &[&HandlerEntry], entry: &HandlerEntry) -> Vec<Step> {
    let own = program.published.iter().filter(|one| one.by.is_some_and(|by| by() == (entry.identity)()));
    let routes = own.flat_map(|one| routes(program, one));
    routes
        .flat_map(|route| {
            let reached = handlers.iter().enumerate().filter(|(_, entry)| route.reaches(entry));
            let reached: Vec<usize> = reached.map(|(to, _)| to).collect();
            reached.into_iter().map(move |to| Step { to, route: route.clone() })
        })
        .collect()
}

/// The shortest way from a handler back to itself: each handler on it, with what it publishes.
fn shortest(steps: &[Vec<Step>], start: usize) -> Option<Vec<(usize, &Route)>> {
    let mut came_from: Vec<Option<(usize, &Route)>> = vec![None; steps.len()];
    let mut waiting = VecDeque::from([start]);
    while let Some(from) = waiting.pop_front() {
        for Step { to, route } in &steps[from] {
            if came_from[*to].is_some() {
                continue;
            }
            came_from[*to] = Some((from, route));
            waiting.push_back(*to);
        }
        if came_from[start].is_some() {
            break;
        }
    }
    let mut circle = vec![came_from[start]?];
    while let Some((from, _)) = circle.last().filter(|(from, _)| *from != start) {
        circle.push(came_from[*from]?);
    }
    circle.reverse();
    Some(circle)
}

fn finding(handlers: &[&HandlerEntry], circle: &[(usize, &Route)]) -> Finding {
    let says = |(at, route): &(usize, &Route)| format!("{} publishes \"{}\"", handlers[*at].name, route.text);
    let text = match circle {
        [(at, route)] => {
            let keys: Vec<_> = handlers[*at].keys.iter().map(|key| key.text.as_str()).collect();
            format!(
                "possible loop: {} publishes \"{}\", which it receives itself ({})",
                handlers[*at].name,
                route.text,
                keys.join(", ")
            )
        }
        several => {
            let steps: Vec<_> = several.iter().map(says).collect();
            format!("possible loop: {}, and so on", steps.join(", "))
        }
    };
    let help = "publish under a key that is not received, or choose among the messages with `when`";
    circle.iter().fold(Finding::warning("BUS0305", text, help), |finding, (at, _)| {
        finding.at(handlers[*at].place, handlers[*at].name.clone())
    })
}
