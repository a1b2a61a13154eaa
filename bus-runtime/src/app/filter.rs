//! Which of the handlers run: `--handlers wiki::*,billing::send`, `--groups wiki` and `--exclude`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Config, closest};
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::topology::{
    Destination, HandlerEntry, Plan, QueueEntry,
    glob::{glob_matches, matches},
};

/// The plan with the chosen handlers only. Queues and bindings of the others stay declared: they are not gone, somebody else
/// runs them.
pub(super) fn filtered(mut plan: Plan, config: &Config) -> Result<Plan, Error> {
    for (option, globs) in [("--handlers", &config.handlers), ("--exclude", &config.exclude)] {
        for glob in globs {
            if !plan.handlers.iter().any(|entry| matches(glob, &entry.name)) {
                return Err(unknown(option, glob, &plan));
            }
        }
    }
    for group in &config.groups {
        if !plan.handlers.iter().any(|entry| glob_matches(group, &entry.group)) {
            return Err(unknown_group(group, &plan));
        }
    }
    let chosen = |entry: &HandlerEntry| {
        let any_of = |globs: &[String], matches: &dyn Fn(&str) -> bool| {
            globs.is_empty() || globs.iter().any(|glob| matches(glob))
        };
        any_of(&config.handlers, &|glob| matches(glob, &entry.name))
            && any_of(&config.groups, &|glob| glob_matches(glob, &entry.group))
            && !config.exclude.iter().any(|glob| matches(glob, &entry.name))
    };
    plan.handlers.retain(|entry| chosen(entry));
    plan.queues = plan.queues.iter().filter_map(|queue| with_members(queue, chosen)).collect();
    // Only who consumes a queue of others needs it to be there.
    let names: Vec<_> = plan.queues.iter().map(|queue| queue.name.clone()).collect();
    plan.foreign.queues.retain(|queue| names.contains(queue));
    plan.renamed.retain(|renamed| names.contains(&renamed.to));
    // A queue of this process alone that nobody consumes would only fill.
    let consumed = |name: &QueueName| plan.queues.iter().any(|queue| queue.name == *name);
    let idle: Vec<_> =
        plan.topology.queues.iter().filter(|queue| queue.exclusive && !consumed(&queue.name)).collect();
    let idle: Vec<_> = idle.into_iter().map(|queue| queue.name.clone()).collect();
    plan.topology.queues.retain(|queue| !idle.contains(&queue.name));
    plan.topology.bindings.retain(|binding| match &binding.destination {
        Destination::Queue(queue) => !idle.contains(queue),
        Destination::Exchange(_) => true,
    });
    Ok(plan)
}

/// The queue with the chosen handlers; `None` when none is left. A shared queue needs all of its handlers: a worker with some
/// of them would send messages of the others to the dead letters, so it takes all or none.
fn with_members(queue: &Arc<QueueEntry>, chosen: impl Fn(&HandlerEntry) -> bool) -> Option<Arc<QueueEntry>> {
    queue.members.iter().any(|member| chosen(member)).then(|| Arc::clone(queue))
}

fn unknown_group(group: &str, plan: &Plan) -> Error {
    let groups: BTreeSet<&str> = plan.handlers.iter().map(|entry| entry.group.as_str()).collect();
    let suggestion = closest(group, groups.iter().copied())
        .map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let message = format!("--groups \"{group}\" matches none of {} groups{suggestion}", groups.len());
    let all: Vec<_> = groups.into_iter().collect();
    Error::new(ErrorKind::UnknownHandler, message).with_help(format!("there are {}", all.join(", ")))
}

fn unknown(option: &str, glob: &str, plan: &Plan) -> Error {
    let names = plan.handlers.iter().map(|entry| entry.name.as_str());
    let modules = names.clone().filter_map(|name| Some(name.rsplit_once("::")?.0));
    let module = glob.strip_suffix("::*").and_then(|wanted| meant(wanted, modules));
    let suggestion = match (module, meant(glob, names)) {
        (Some(module), _) => format!("; did you mean {module}::*?"),
        (None, Some(name)) => format!("; did you mean {name}?"),
        (None, None) => String::new(),
    };
    let message = format!("{option} \"{glob}\" matches none of {} handlers{suggestion}", plan.handlers.len());
    Error::new(ErrorKind::UnknownHandler, message)
        .with_help("`handlers` lists them all; `*` stands for any text")
}

/// The path that is meant by a word: close to the whole path, or to as many of its last words as it has itself.
fn meant<'p>(word: &str, paths: impl Iterator<Item = &'p str> + Clone) -> Option<&'p str> {
    let words = word.split("::").count();
    let tail =
        |path: &'p str| path.rmatch_indices("::").nth(words - 1).map_or(path, |(at, _)| &path[at + 2..]);
    let close = closest(word, paths.clone()).or_else(|| closest(word, paths.clone().map(tail)))?;
    paths.into_iter().find(|path| *path == close || tail(path) == close)
}
