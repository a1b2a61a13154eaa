//! JSON Schemas of messages: from `schemars` where the type has one and the feature `schema` is on, else from what serde reads.

#[cfg(any(feature = "cli", feature = "schema"))]
use serde_json::Value;

/// Makes schemas that refer to each other in one document.
#[derive(Debug)]
pub struct Schemas {
    #[cfg(feature = "schema")]
    generator: schemars::SchemaGenerator,
}

impl Schemas {
    /// Schemas whose common parts are at this path of the document, such as `/components/schemas`.
    #[cfg(feature = "cli")]
    pub(crate) fn at(path: &'static str) -> Self {
        #[cfg(not(feature = "schema"))]
        let _ = path;
        Self {
            #[cfg(feature = "schema")]
            generator: schemars::generate::SchemaSettings::draft07()
                .with(|settings| settings.definitions_path = path.into())
                .into_generator(),
        }
    }

    /// The schema of a type.
    #[cfg(feature = "schema")]
    pub fn of<T: schemars::JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    /// What the schemas have in common, by name.
    #[cfg(feature = "cli")]
    pub(crate) fn common(self) -> serde_json::Map<String, Value> {
        #[cfg(feature = "schema")]
        {
            let mut generator = self.generator;
            generator.take_definitions(true)
        }
        #[cfg(not(feature = "schema"))]
        {
            let Self {} = self;
            serde_json::Map::new()
        }
    }
}
