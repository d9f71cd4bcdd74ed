//! What a user can do about a refused call.

use ownership_proto::v1::ErrorReason;
use tonic::Code;

/// The advice that goes with a reason of the service.
pub(super) fn for_reason(reason: ErrorReason) -> &'static str {
    use ErrorReason as R;
    match reason {
        R::Unspecified => for_code(Code::Unknown),
        R::InvalidField => "Correct the fields named above and repeat the command.",
        R::DuplicateItem => "Name each lead or member once.",
        R::PageTokenInvalid => "Start again without --page-token; a token only fits the arguments it came from.",
        R::MalformedRequest => "Client and server speak different versions of the contract: update the older one.",
        R::RequestTooLarge => "Send fewer or smaller items at once.",
        R::RequestIdReused => "Use a new --request-id for a new command, or repeat the first command unchanged.",
        R::LeadNotFound => "Check the id, or make the lead known with `ownership lead register` or `ownership import`.",
        R::MemberNotFound => "Check the id with `ownership member list --all`.",
        R::OwnerUnknown => "Pick a member from `ownership member list`, or add one with `ownership member add`.",
        R::OwnerInactive => "Pick an active member from `ownership member list`.",
        R::OwnerLeaving => "The member is being offboarded; pick another one from `ownership member list`.",
        R::OwnerMismatch => "Somebody else owns it by now. Look with `ownership lead get` and decide again.",
        R::RevisionMismatch => "It has changed meanwhile. Read it again, then repeat with the revision you read.",
        R::ManagerUnknown => "Add the manager first with `ownership member add`.",
        R::ManagerCycle => "Name a manager who does not report to this member.",
        R::PositionTooOld => "That history is no longer kept. List the present state, then watch from its revision.",
        R::PositionInFuture => "Nothing has happened there yet. List the present state and go on from its revision.",
        R::HistoryMismatch => "The database was restored or replaced. List again, then watch from that revision.",
        R::WatchLimitReached => "Stop a watch that is no longer needed, then try again.",
        R::WatchTooSlow => "The reader was too slow. Resume with --after and the revision printed last.",
        R::AccountBusy => "Too many writes of this account are waiting. Try again in a moment.",
        R::AccountTooLarge => "The operator has to raise memory.budget_bytes.",
        R::DeadlineExceeded => {
            "Raise --timeout, or try again. A write with a --request-id can be repeated: it happens once."
        }
        R::StoreUnavailable => "Nothing was written. Try again; if it lasts, the operator has to look at the database.",
        R::OutcomeUnknown => {
            "The write may or may not have happened. Repeat it with the same --request-id to get a definite answer."
        }
        R::Draining => "The server is shutting down. Try again: another one answers.",
        R::CredentialsMissing => {
            "Pass a token with --token-file or OWNERSHIP_TOKEN, or --client-certificate-file and its key."
        }
        R::TokenInvalid => "Get another token: from the right issuer, for this service, with account, role and member.",
        R::IdentityExpired => "Get a new token or certificate, then go on; a watch resumes with --after.",
        R::KeysUnavailable => "Try again later; if it lasts, the operator has to look at auth.jwt.keys_url.",
        R::CallerUnknown => "The operator has to add the name in the certificate to auth.services or auth.admins.",
        R::MethodNotAllowed => "Ask somebody whose role allows it; README.md has the table of roles and methods.",
        R::AccountNotAllowed => "Check --account, or get a token that names this account.",
        R::MemberNotAllowed => "Leave --acting-for away: only services act for members.",
        R::MethodUnknown => "The server is older than this command line: update it.",
        R::Internal => {
            "A defect of the service. Give the incident_id above to the operator: the server log has the cause."
        }
    }
}

/// The advice for an answer that carries no reason: it came from the network, or from another program.
pub(super) fn for_code(code: Code) -> &'static str {
    match code {
        Code::Unavailable | Code::Unknown => {
            "The connection was lost or cannot be made. Check --server and that the service runs, then try again."
        }
        Code::DeadlineExceeded | Code::Cancelled => "The server did not answer in time. Raise --timeout, or try again.",
        Code::Unimplemented => "What answers at --server is not this service, or an older version of it.",
        Code::Unauthenticated | Code::PermissionDenied => {
            "There is no token where one is expected, or something in front of the service refused the call."
        }
        _ => "Check --server: the answer does not look like one of this service.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_contract_has_advice_of_its_own() {
        let all: Vec<&str> = (0..200).filter_map(|number| ErrorReason::try_from(number).ok()).map(for_reason).collect();
        let distinct: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert!(all.len() > 20);
        assert_eq!(all.len(), distinct.len());
    }
}
