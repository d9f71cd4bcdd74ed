//! What can go wrong in a client verb, as far as its user can tell it apart.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;

use ownership_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::advice;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, or a file it names, cannot be understood.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers at the address.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// The address.
        server: String,
        /// What the network said.
        cause: String,
    },
    /// The service answered with something else than OK.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A piece of a command that consists of several calls was refused; the pieces before it are in effect.
    #[error("{cause}\n{done}")]
    Stopped {
        /// What is in effect, and how to go on.
        done: String,
        /// Why it went no further.
        cause: Box<Error>,
    },
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The answer cannot be printed.
    #[error("cannot print the answer: {0}")]
    Print(#[from] io::Error),
    /// The server is not serving.
    #[error("the server answers {0}")]
    NotServing(String),
    /// A command that runs the service itself failed.
    #[error("{0:#}")]
    Local(anyhow::Error),
}

/// An answer other than OK, taken apart.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// Prose of the service.
    pub message: String,
    /// A name of `ErrorReason` without its prefix. Absent when the answer did not come from the service itself.
    pub reason: Option<String>,
    /// Facts that belong to the reason.
    pub metadata: BTreeMap<String, String>,
    /// Fields or items that were refused, each with why.
    pub details: Vec<(String, String)>,
}

impl Error {
    /// The error for a connection that could not be made.
    pub fn unreachable(server: &str, cause: &tonic::transport::Error) -> Self {
        let mut innermost: &dyn std::error::Error = cause;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self::Unreachable { server: server.to_owned(), cause: innermost.to_string() }
    }

    /// The exit code that belongs to it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unreachable { .. } | Self::Refused(_) | Self::Stopped { .. } => 1,
            Self::File { .. } | Self::Print(_) | Self::NotServing(_) | Self::Local(_) => 1,
        }
    }

    /// Whether the reader of our output went away, as `head` does: not worth a word.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Print(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The answer of the service behind it, if that is what it is about.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Stopped { cause, .. } => cause.refusal(),
            _ => None,
        }
    }

    /// What the user can do about it.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Unreachable { server, .. } => Some(format!(
                "Is the service running there? Start one with `ownership serve` (or `ownership serve --demo`), \
                 or point --server or OWNERSHIP_SERVER to the right address instead of {server}: https:// where the service \
                 encrypts, with --authority where its certificate has another name, http:// where it does not."
            )),
            Self::Refused(refusal) => Some(refusal.advice().to_owned()),
            Self::Stopped { cause, .. } => cause.advice(),
            _ => None,
        }
    }
}

impl Refusal {
    fn advice(&self) -> &'static str {
        let name = self.reason.as_deref().map(|reason| format!("ERROR_REASON_{reason}"));
        match name.and_then(|name| ErrorReason::from_str_name(&name)) {
            Some(reason) => advice::for_reason(reason),
            None => advice::for_code(self.code),
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(Refusal::from(&status)))
    }
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
        let items = details.precondition_failure().into_iter().flat_map(|bad| &bad.violations);
        Self {
            code: status.code(),
            message: message(status),
            reason: info.map(|info| info.reason.clone()),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            details: fields
                .map(|field| (field.field.clone(), field.description.clone()))
                .chain(items.map(|item| (item.subject.clone(), item.description.clone())))
                .collect(),
        }
    }
}

/// The reason of the service in an answer other than OK.
pub(super) fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// The message, with the cause that the transport hides behind it.
fn message(status: &Status) -> String {
    match status.source().and_then(std::error::Error::source) {
        Some(cause) if status.details().is_empty() => format!("{}: {cause}", status.message()),
        _ if status.message().is_empty() => status.code().description().to_owned(),
        _ => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn refused(reason: &str) -> Error {
        let mut details = ErrorDetails::with_error_info(reason, "ownership.leadflip", [("lead_id".into(), "L".into())]);
        details.add_bad_request_violation("items[3].lead_id", "too long");
        Status::with_error_details(Code::FailedPrecondition, "no", details).into()
    }

    #[test]
    fn a_refusal_keeps_reason_metadata_and_field_paths() {
        let error = refused("OWNER_INACTIVE");
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.reason.as_deref(), Some("OWNER_INACTIVE"));
        assert_eq!(refusal.metadata["lead_id"], "L");
        assert_eq!(refusal.details, [("items[3].lead_id".to_owned(), "too long".to_owned())]);
        assert_eq!(error.advice().unwrap(), advice::for_reason(ErrorReason::OwnerInactive));
    }

    #[test]
    fn a_reason_that_this_build_does_not_know_still_gives_advice() {
        assert_eq!(refused("FROM_THE_FUTURE").advice().unwrap(), advice::for_code(Code::FailedPrecondition));
    }

    #[test]
    fn wrong_usage_exits_with_2_and_a_refusal_with_1() {
        assert_eq!(Error::Usage(String::new()).exit_code(), 2);
        assert_eq!(refused("OWNER_INACTIVE").exit_code(), 1);
    }
}
