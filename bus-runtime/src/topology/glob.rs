//! Globs over the names of handlers: `wiki::*`, `save`.

/// Whether a name matches a glob in which `*` stands for any text. A glob without `::` also matches the last word of a name.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    let whole = glob_matches(glob, name);
    let last = name.rsplit("::").next().unwrap_or(name);
    whole || (!glob.contains("::") && glob_matches(glob, last))
}

/// Whether the whole of a text matches a glob.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
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
