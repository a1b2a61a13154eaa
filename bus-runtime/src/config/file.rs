//! The configuration file `bus.toml` and the file `.env`, as the variables that they stand for.

use std::path::Path;

use super::Origin;
#[cfg(feature = "cli")]
use super::document;
use crate::error::{Error, ErrorKind};

/// Variables that have a name of their own, as keys of the file.
#[cfg(feature = "cli")]
pub(super) const OTHER_KEYS: [(&str, &str); 3] =
    [("broker_url", "BROKER_URL"), ("message_bus_type", "MESSAGE_BUS_TYPE"), ("handlers", "HANDLERS")];

/// Names, values and where they come from.
pub(super) type Vars = Vec<(String, String, Origin)>;

/// The key of the file that stands for a variable.
pub(super) fn key_of(variable: &str) -> String {
    match variable.strip_prefix(super::overrides::PREFIX) {
        Some(rest) => match rest.to_lowercase().rsplit_once("__") {
            Some((handler, option)) => format!("{option} of {}", handler.replace("__", "::")),
            None => variable.to_owned(),
        },
        None => variable.strip_prefix("BUS_").unwrap_or(variable).to_lowercase(),
    }
}

/// What `.env` says, in builds for developers: nobody ships one by accident.
pub(super) fn dot_env() -> Result<Vars, Error> {
    #[cfg(all(feature = "cli", debug_assertions))]
    if Path::new(".env").is_file() {
        let unreadable =
            |error| Error::new(ErrorKind::Config, "the file .env can't be read").with_source(error);
        let pairs = dotenvy::from_path_iter(".env").map_err(unreadable)?;
        let vars = pairs.map(|pair| pair.map(|(name, value)| (name, value, Origin::DotEnv)));
        return vars.collect::<Result<_, _>>().map_err(unreadable);
    }
    Ok(Vec::new())
}

/// The file that is read when nobody names another, if it is there.
#[cfg(feature = "cli")]
const DEFAULT: &str = "bus.toml";

/// What the configuration file says: the one that is named, else `bus.toml`, which need not be there.
#[cfg(feature = "cli")]
pub(super) fn read(named: Option<&Path>) -> Result<Vars, Error> {
    let path = named.unwrap_or(Path::new(DEFAULT));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        Err(error) => {
            let text = format!("the configuration file {} can't be read", path.display());
            return Err(Error::new(ErrorKind::Config, text).with_source(error));
        }
    };
    document::vars(&path.display().to_string(), &text)
}

/// Without the command line there is no reader for it; nobody should believe that it is read.
#[cfg(not(feature = "cli"))]
pub(super) fn read(named: Option<&Path>) -> Result<Vars, Error> {
    match named {
        None => Ok(Vec::new()),
        Some(path) => {
            let text = format!("this program is built without the reader for {}", path.display());
            Err(Error::new(ErrorKind::Config, text).with_help("build bus-runtime with its feature `cli`"))
        }
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    const FILE: &str = "\
broker_url = \"amqp://rabbit\"
concurrency = 4
require_broker = true
groups = [\"wiki\", \"mail\"]

[tls]
ca = \"ca.pem\"

[handler.\"wiki::on_wiki\"]
timeout = \"60s\"
";

    #[test]
    fn a_file_stands_for_variables() {
        let vars = document::vars("bus.toml", FILE).unwrap();
        let mut told: Vec<_> =
            vars.iter().map(|(name, value, origin)| format!("{origin} {name}={value}")).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "bus.toml:1 BROKER_URL=amqp://rabbit",
                "bus.toml:10 BUS_HANDLER__WIKI__ON_WIKI__TIMEOUT=60s",
                "bus.toml:2 BUS_CONCURRENCY=4",
                "bus.toml:3 BUS_REQUIRE_BROKER=true",
                "bus.toml:4 BUS_GROUPS=wiki,mail",
                "bus.toml:7 BUS_TLS_CA=ca.pem",
            ]
        );
        assert_eq!(key_of("BUS_HANDLER__WIKI__ON_WIKI__TIMEOUT"), "timeout of wiki::on_wiki");
    }

    #[test]
    fn what_a_file_cannot_say_is_told_with_its_line() {
        let table = [
            ("a = 1\nconcurency = 4", "bus.toml:1: there is no setting `a`"),
            ("\nconcurency = 4", "bus.toml:2: there is no setting `concurency`; did you mean `concurrency`?"),
            (
                "concurrency = 1.5",
                "bus.toml:1: `concurrency` is a text, a whole number, true or false, or a list of texts",
            ),
            (
                "[handler.a]\ntimout = 1",
                "bus.toml:2: handlers have no option `timout`; did you mean `timeout`?",
            ),
            ("handler.a = 1", "bus.toml:1: `a` is no table of options"),
        ];
        for (text, wanted) in table {
            assert_eq!(document::vars("bus.toml", text).unwrap_err().to_string(), wanted, "{text}");
        }
        assert!(document::vars("bus.toml", "a = \n").unwrap_err().to_string().starts_with("bus.toml:1: "));
        assert!(read(Some(Path::new("no/such/file.toml"))).is_err());
    }
}
