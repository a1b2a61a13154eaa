//! From a mail address to the application that the mail is for.

/// The domain under which the applications of the forge receive mail.
pub const MAIL_DOMAIN: &str = "forge.localhost";

/// The application that a mail is for. It travels in the body of the message: the address is not the routing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The project.
    pub project_id: String,
    /// Where in the project the application is mounted.
    pub mount_point: String,
    /// What in the application it is about, such as a ticket or a page.
    pub topic: Option<String>,
}

impl Destination {
    /// An application as a whole.
    #[must_use]
    pub fn new(project_id: &str, mount_point: &str) -> Self {
        Self { project_id: project_id.to_owned(), mount_point: mount_point.to_owned(), topic: None }
    }

    /// The destination of `<topic>@<mount point>.<project>.forge.localhost`, and of no other address.
    #[must_use]
    pub fn of_address(address: &str) -> Option<Self> {
        let (topic, host) = address.rsplit_once('@')?;
        let host = host.to_ascii_lowercase();
        let (mount_point, project_id) = host.strip_suffix(MAIL_DOMAIN)?.strip_suffix('.')?.split_once('.')?;
        let complete = !topic.is_empty() && !mount_point.is_empty() && !project_id.is_empty();
        complete.then(|| Self { topic: Some(topic.to_owned()), ..Self::new(project_id, mount_point) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_forge_names_topic_mount_point_and_project() {
        let destination = Destination::of_address("Home@Wiki.bus.forge.localhost").unwrap();
        assert_eq!(
            destination,
            Destination { topic: Some("Home".into()), ..Destination::new("bus", "wiki") }
        );
        let sub = Destination::of_address("12@tracker.sub.bus.forge.localhost").unwrap();
        assert_eq!(sub.project_id, "sub.bus");
    }

    #[test]
    fn any_other_address_is_no_destination() {
        for address in [
            "",
            "ada@example.org",
            "Home@wiki.forge.localhost",
            "Home@forge.localhost",
            "@wiki.bus.forge.localhost",
            "Home@.bus.forge.localhost",
            "Home@wiki.busforge.localhost",
            "Home@wiki.bus.forge.localhost.example.org",
            "wiki.bus.forge.localhost",
        ] {
            assert_eq!(Destination::of_address(address), None, "{address}");
        }
    }
}
