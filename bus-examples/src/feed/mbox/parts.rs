//! Takes a mail apart: one message for each of its parts.

use std::borrow::Cow;

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::mail::{Content, Destination, Part};

/// The largest part that is published, in bytes: encoded and in JSON it stays below the 16 MiB of a message.
pub const PART_BYTES_MAX: usize = 8 << 20;

/// The parts of a mail.
#[derive(Debug, Default)]
pub struct Mail {
    /// What is published.
    pub parts: Vec<Part>,
    /// What is too large for that.
    pub skipped: Vec<SkippedPart>,
}

/// A part that is too large to be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} of the mail {subject:?} has {bytes} bytes; at most {PART_BYTES_MAX} are published")]
pub struct SkippedPart {
    /// The name of the file, or of its type.
    pub name: String,
    /// The subject of its mail.
    pub subject: String,
    /// How large it is.
    pub bytes: usize,
}

/// A mail that cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedMail {
    /// It has no header, or nothing at all.
    #[error("it has no header")]
    NoHeader,
    /// It does not say who wrote it.
    #[error("it does not say whom it is from")]
    NoAuthor,
}

impl Mail {
    /// Takes a mail apart. Where its parts go stands in its addresses (see [`Destination::of_address`]), else they go to
    /// `default`.
    ///
    /// # Errors
    /// What makes it no mail.
    pub fn parse(raw: &[u8], default: &Destination) -> Result<Self, MalformedMail> {
        let message = MessageParser::default().parse(raw).ok_or(MalformedMail::NoHeader)?;
        if message.headers().is_empty() {
            return Err(MalformedMail::NoHeader);
        }
        let author = message.from().and_then(author).ok_or(MalformedMail::NoAuthor)?;
        let destination = destination(&message, default);
        let subject = message.subject().unwrap_or_default();
        let mut mail = Self::default();
        for part in message.parts.iter().filter(|part| !matches!(part.body, PartType::Multipart(_))) {
            if part.len() > PART_BYTES_MAX {
                mail.skipped.push(SkippedPart {
                    name: name(part),
                    subject: subject.to_owned(),
                    bytes: part.len(),
                });
                continue;
            }
            mail.parts.push(Part {
                project_id: destination.project_id.clone(),
                mount_point: destination.mount_point.clone(),
                topic: destination.topic.clone(),
                message_id: message.message_id().map(str::to_owned),
                author: author.clone(),
                subject: subject.to_owned(),
                number: mail.parts.len() + mail.skipped.len() + 1,
                content_type: content_type(part).into_owned(),
                file_name: part.attachment_name().map(str::to_owned),
                content: content(part),
            });
        }
        Ok(mail)
    }
}

fn author(from: &Address<'_>) -> Option<String> {
    let author = from.first()?;
    author.name().or_else(|| author.address()).map(str::to_owned)
}

fn destination(message: &Message<'_>, default: &Destination) -> Destination {
    let receivers = [message.to(), message.cc()].into_iter().flatten().flat_map(Address::iter);
    let mut known = receivers.filter_map(|receiver| Destination::of_address(receiver.address()?));
    known.next().unwrap_or_else(|| default.clone())
}

fn content(part: &MessagePart<'_>) -> Content {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => Content::Text(text.clone().into_owned()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Content::bytes(bytes),
        PartType::Message(nested) => Content::bytes(nested.raw_message()),
        PartType::Multipart(_) => Content::Text(String::new()),
    }
}

fn content_type<'a>(part: &'a MessagePart<'_>) -> Cow<'a, str> {
    match (part.content_type(), &part.body) {
        (Some(kind), _) => match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase().into(),
            None => kind.ctype().into(),
        },
        (None, PartType::Message(_)) => "message/rfc822".into(),
        (None, _) => "text/plain".into(),
    }
}

fn name(part: &MessagePart<'_>) -> String {
    part.attachment_name().map_or_else(|| content_type(part).into_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Mail, MalformedMail> {
        Mail::parse(raw.as_bytes(), &Destination::new("bus", "mail"))
    }

    const MULTIPART: &str = "From: Ada <ada@example.org>\n\
        To: someone@example.org, 12@tracker.bus.forge.localhost\n\
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\
        Message-ID: <1@example.org>\n\
        MIME-Version: 1.0\n\
        Content-Type: multipart/mixed; boundary=B\n\
        \n\
        --B\n\
        Content-Type: text/plain; charset=iso-8859-1\n\
        Content-Transfer-Encoding: quoted-printable\n\
        \n\
        sch=F6n\n\
        --B\n\
        Content-Type: image/png\n\
        Content-Disposition: attachment; filename=\"a.png\"\n\
        Content-Transfer-Encoding: base64\n\
        \n\
        AAEC/w==\n\
        --B--\n";

    #[test]
    fn every_part_is_a_message_that_carries_its_destination() {
        let mail = parse(MULTIPART).unwrap();
        assert_eq!(mail.parts.len(), 2);
        for part in &mail.parts {
            assert_eq!((part.project_id.as_str(), part.mount_point.as_str()), ("bus", "tracker"));
            assert_eq!(part.topic.as_deref(), Some("12"));
            assert_eq!((part.author.as_str(), part.subject.as_str()), ("Ada", "Grüße"));
            assert_eq!(part.message_id.as_deref(), Some("1@example.org"));
        }
        assert_eq!(mail.parts[0].content, Content::Text("schön".into()));
        assert_eq!((mail.parts[0].number, mail.parts[0].content_type.as_str()), (1, "text/plain"));
        assert_eq!(mail.parts[1].content, Content::Base64("AAEC/w==".into()));
        assert_eq!(mail.parts[1].file_name.as_deref(), Some("a.png"));
        assert_eq!((mail.parts[1].number, mail.parts[1].content_type.as_str()), (2, "image/png"));
    }

    #[test]
    fn a_plain_mail_has_one_part_and_goes_to_the_default() {
        let mail = parse("From: ada@example.org\nTo: bob@example.org\n\nhello\n").unwrap();
        assert_eq!(mail.parts.len(), 1);
        let part = &mail.parts[0];
        assert_eq!((part.author.as_str(), part.mount_point.as_str()), ("ada@example.org", "mail"));
        assert_eq!((part.topic.as_deref(), part.content_type.as_str()), (None, "text/plain"));
        assert_eq!(part.content, Content::Text("hello\n".into()));
    }

    #[test]
    fn an_attached_mail_is_one_part() {
        let raw = "From: a@example.org\nContent-Type: multipart/mixed; boundary=B\n\n\
            --B\nContent-Type: message/rfc822\n\nFrom: b@example.org\nSubject: inner\n\nhi\n--B--\n";
        let mail = parse(raw).unwrap();
        assert_eq!(mail.parts.len(), 1);
        assert_eq!(mail.parts[0].content_type, "message/rfc822");
        assert!(matches!(&mail.parts[0].content, Content::Text(text) if text.contains("Subject: inner")));
    }

    #[test]
    fn a_large_attachment_is_skipped_and_the_text_is_not() {
        let data = "A".repeat(20 << 20);
        let raw = format!(
            "From: a@example.org\nSubject: big\nContent-Type: multipart/mixed; boundary=B\n\n\
            --B\n\nsee attachment\n\
            --B\nContent-Type: application/zip; name=all.zip\nContent-Transfer-Encoding: base64\n\n{data}\n--B--\n"
        );
        let mail = parse(&raw).unwrap();
        assert_eq!((mail.parts.len(), mail.skipped.len()), (1, 1));
        assert_eq!(mail.skipped[0].bytes, 15 << 20);
        assert!(mail.skipped[0].to_string().starts_with("all.zip of the mail \"big\" has 15728640 bytes"));
    }

    #[test]
    fn what_is_no_mail_is_an_error() {
        for (raw, expected) in [
            ("", MalformedMail::NoHeader),
            ("\n\n", MalformedMail::NoHeader),
            ("\nbody only\n", MalformedMail::NoHeader),
            ("Subject: whose?\n\nbody\n", MalformedMail::NoAuthor),
            ("From: \n\nbody\n", MalformedMail::NoAuthor),
        ] {
            assert_eq!(parse(raw).map(|mail| mail.parts.len()), Err(expected), "{raw:?}");
        }
    }

    #[test]
    fn a_mail_that_is_cut_or_corrupted_anywhere_does_not_panic() {
        let nested = format!("{MULTIPART}--B\nContent-Type: message/rfc822\n\n{MULTIPART}");
        for end in 0..nested.len() {
            let _ = Mail::parse(&nested.as_bytes()[..end], &Destination::new("bus", "mail"));
            let mut corrupted = nested.clone().into_bytes();
            for byte in [0, b'\n', b'=', 0xff] {
                corrupted[end] = byte;
                let _ = Mail::parse(&corrupted, &Destination::new("bus", "mail"));
            }
        }
    }
}
