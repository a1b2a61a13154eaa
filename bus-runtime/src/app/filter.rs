//! Which of the handlers run: `--handlers wiki::*,billing::send` and `--exclude`.

use std::sync::Arc;

use crate::config::{Config, closest};
use crate::error::{Error, ErrorKind};
use crate::topology::{Plan, QueueEntry};

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
    let chosen = |name: &str| {
        let included = config.handlers.is_empty() || config.handlers.iter().any(|glob| matches(glob, name));
        included && !config.exclude.iter().any(|glob| matches(glob, name))
    };
    plan.handlers.retain(|entry| chosen(&entry.name));
    plan.queues = plan.queues.iter().filter_map(|queue| with_members(queue, chosen)).collect();
    Ok(plan)
}

/// The queue with the chosen handlers; `None` when none is left. A shared queue needs all of its handlers: a worker with some
/// of them would send messages of the others to the dead letters, so it takes all or none.
fn with_members(queue: &Arc<QueueEntry>, chosen: impl Fn(&str) -> bool) -> Option<Arc<QueueEntry>> {
    queue.members.iter().any(|member| chosen(&member.name)).then(|| Arc::clone(queue))
}

fn unknown(option: &str, glob: &str, plan: &Plan) -> Error {
    let names = plan.handlers.iter().map(|entry| entry.name.as_str());
    let groups =
        plan.handlers.iter().filter_map(|entry| entry.name.rsplit_once("::").map(|(module, _)| module));
    let wanted = glob.trim_end_matches("::*");
    let message = format!("{option} \"{glob}\" matches none of {} handlers", plan.handlers.len());
    let suggestion = match (glob.ends_with("::*"), closest(wanted, groups), closest(glob, names)) {
        (true, Some(module), _) => format!("; did you mean {module}::*?"),
        (_, _, Some(name)) => format!("; did you mean {name}?"),
        _ => String::new(),
    };
    Error::new(ErrorKind::UnknownHandler, message + &suggestion)
        .with_help("`handlers` lists them all; `*` stands for any text")
}

/// Whether a name matches a glob in which `*` stands for any text. A glob without `::` also matches the last word of a name.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    let whole = glob_matches(glob, name);
    let last = name.rsplit("::").next().unwrap_or(name);
    whole || (!glob.contains("::") && glob_matches(glob, last))
}

fn glob_matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let table = [
            ("wiki::*", "wiki::on_wiki", true),
            ("wiki::*", "wiki::pages::saved", true),
            ("wiki::*", "wikis::on_wiki", false),
            ("*", "anything", true),
            ("*::on_wiki", "app::wiki::on_wiki", true),
            ("app::*::on_*", "app::wiki::on_wiki", true),
            ("app::*::on_*", "app::wiki::index", false),
            ("on_wiki", "wiki::on_wiki", true),
            ("on_wik", "wiki::on_wiki", false),
            ("", "wiki", false),
        ];
        for (glob, name, wanted) in table {
            assert_eq!(matches(glob, name), wanted, "{glob} on {name}");
        }
    }
}
