//! Callers that are not let in.

use ownership_proto::v1::ErrorReason as Reason;

use super::Failure;
use crate::domain::caller::{NotAllowed, Role};
use crate::domain::ids::Revision;
use crate::identity::{Error, Problem};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing => Self::new(
                Reason::CredentialsMissing,
                "send a token as `authorization: Bearer TOKEN`, or show a client certificate",
            ),
            Error::Token(problem) => {
                let message = format!("the token is not accepted: {}", what(problem));
                Self::new(Reason::TokenInvalid, message).with("problem", problem.as_str())
            }
            Error::Expired => identity_expired(None),
            Error::Unknown(name) => {
                let message = match &name {
                    Some(name) => format!("no program called {name} is let in"),
                    None => "the client certificate does not have one name that a program could be known by".to_owned(),
                };
                Self::new(Reason::CallerUnknown, message).with_some("caller_id", name)
            }
            Error::Keys(why) => Self::new(Reason::KeysUnavailable, why.to_string()),
        }
    }
}

fn what(problem: Problem) -> &'static str {
    match problem {
        Problem::Form => "it is no signed JSON Web Token, or there are several",
        Problem::Size => "it is longer than 8 KiB",
        Problem::Algorithm => "it is signed by an algorithm that is not accepted here",
        Problem::Key => "its issuer has no such key",
        Problem::Signature => "its signature does not match",
        Problem::Issuer => "it comes from another issuer",
        Problem::Audience => "it is meant for another service",
        Problem::NotYetValid => "it is not valid yet",
        Problem::Claims => "a claim is missing, or not of the form it must have",
        Problem::NotAccepted => "this service takes client certificates only",
    }
}

impl From<NotAllowed> for Failure {
    fn from(what: NotAllowed) -> Self {
        let message = what.to_string();
        match what {
            NotAllowed::Account(account) => Self::new(Reason::AccountNotAllowed, message).with("account_id", account),
            NotAllowed::Member(member) => Self::new(Reason::MemberNotAllowed, message).with("member_id", member),
        }
    }
}

/// The identity of a caller has ended. A watch resumes after `revision`.
pub(in crate::rpc) fn identity_expired(revision: Option<Revision>) -> Failure {
    let message = "the token or the client certificate has expired: call again with a new one";
    Failure::new(Reason::IdentityExpired, message).with_some("revision", revision)
}

/// The role of a caller does not have the method.
pub(in crate::rpc) fn method_not_allowed(role: Role, path: &str) -> Failure {
    let (method, role) = (path.trim_start_matches('/'), role.as_str());
    Failure::new(Reason::MethodNotAllowed, format!("{method} is not for callers of role {role}"))
        .with("method", method)
        .with("role", role)
}
