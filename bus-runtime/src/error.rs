//! What can go wrong outside of a handler: one error type, with a code, a cause and a way out.

use std::fmt;

/// Any error, as handlers and layers return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An operation of the bus failed.
///
/// `Display` prints its own level only: the causes are the [`source`](std::error::Error::source)s. [`help`](Error::help) says
/// what to do.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    places: Vec<(Place, String)>,
    source: Option<BoxError>,
}

/// Where in the source something was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the compiler saw it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Error {
    /// An error of this kind; the message is one sentence without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), help: None, places: Vec::new(), source: None }))
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds a place in the source, and what is there.
    #[must_use]
    pub fn with_place(mut self, place: Place, label: impl Into<String>) -> Self {
        self.0.places.push((place, label.into()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The places in the source that it is about, each with what is there.
    #[must_use]
    pub fn places(&self) -> &[(Place, String)] {
        &self.0.places
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident => $code:literal, $exit:literal;)*) => {
        /// What kind of error an [`Error`] is; it decides the code and the exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl ErrorKind {
            /// All of them, in the order of their codes.
            #[cfg(feature = "cli")]
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// A lost connection says nothing about the message: it does not count as an attempt.
            pub(crate) fn is_interruption(self) -> bool {
                matches!(self, Self::Disconnected | Self::TimedOut | Self::Closed)
            }

            /// The code that users search for, such as `BUS0101`.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }

            /// The exit code of a program that ends with it (sysexits(3) where it has one).
            #[must_use]
            pub fn exit_code(self) -> u8 {
                match self { $(Self::$kind => $exit,)* }
            }
        }
    };
}

error_kinds! {
    /// No handler is linked into the program.
    NoHandlers => "BUS0001", 78;
    /// A task or command has more than one handler.
    DuplicateHandler => "BUS0003", 78;
    /// Two handlers want the same queue, or one queue with different settings.
    DuplicateQueue => "BUS0004", 78;
    /// A broker is required and none is configured.
    NoBroker => "BUS0005", 78;
    /// The broker's URL cannot be used.
    Url => "BUS0006", 78;
    /// `run()` was called inside an async runtime.
    NestedRuntime => "BUS0007", 70;
    /// A filter of handlers matches none.
    UnknownHandler => "BUS0008", 78;
    /// A setting has a value that cannot be used.
    Config => "BUS0010", 78;
    /// A registration contradicts itself or another one of the same function.
    Registration => "BUS0011", 78;
    /// `State<T>` is asked for and no `T` was given to the app.
    MissingState => "BUS0012", 78;
    /// `App::setup` failed.
    Setup => "BUS0013", 78;
    /// A controller has no instance to call its methods for, or the app was given one that it has no use for.
    Instance => "BUS0014", 78;
    /// The broker cannot be reached.
    Connect => "BUS0101", 69;
    /// The broker's host name cannot be resolved.
    NameResolution => "BUS0102", 69;
    /// The broker refused the user.
    AccessRefused => "BUS0103", 77;
    /// The virtual host does not exist or is not open to the user.
    Vhost => "BUS0104", 77;
    /// The TLS handshake failed.
    Tls => "BUS0105", 69;
    /// An exchange or queue does not exist.
    NotFound => "BUS0106", 78;
    /// An exchange or queue exists with other arguments.
    Mismatch => "BUS0107", 78;
    /// The broker closed the channel because a message was kept too long.
    AckTimeout => "BUS0108", 69;
    /// A message was settled twice, or on the wrong channel.
    UnknownDelivery => "BUS0110", 70;
    /// The broker rejects an argument of a queue.
    QueueOption => "BUS0111", 78;
    /// Another connection owns the exclusive queue.
    ExclusiveQueue => "BUS0112", 77;
    /// The user lacks a permission.
    Permission => "BUS0113", 77;
    /// The connection or channel was lost while the operation was under way.
    Disconnected => "BUS0114", 69;
    /// The operation did not end within its time limit; its outcome is unknown.
    TimedOut => "BUS0115", 69;
    /// The bus is shut down.
    Closed => "BUS0116", 69;
    /// The broker answered something that Bus does not know.
    Broker => "BUS0117", 69;
    /// A body cannot be encoded or decoded.
    Codec => "BUS0201", 2;
    /// Nobody receives the message.
    Unroutable => "BUS0204", 1;
    /// A message is larger than the limit.
    TooLarge => "BUS0206", 2;
    /// The broker refused to take the message.
    Nacked => "BUS0207", 69;
    /// A name or key is not valid.
    InvalidName => "BUS0208", 2;
    /// `message.publish()` was called where there is no bus.
    NoBus => "BUS0209", 70;
    /// A `Publisher` was used after its handler had ended.
    HandlerFinished => "BUS0210", 70;
    /// The handler of a command returned an error.
    CommandFailed => "BUS0211", 1;
    /// Commands execute commands in a circle.
    NestedTooDeep => "BUS0220", 70;
    /// A session was used after its end.
    SessionEnded => "BUS0222", 70;
    /// A handler would wait for what its own slot may be needed for.
    InsideHandler => "BUS0221", 70;
}

impl From<crate::names::NameError> for Error {
    fn from(error: crate::names::NameError) -> Self {
        Error::new(ErrorKind::InvalidName, error.to_string())
    }
}
