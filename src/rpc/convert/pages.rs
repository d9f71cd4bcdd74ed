//! Pages: their size, their tokens, and what a token is bound to.

use prost::Message;
use ring::digest::{SHA256, digest};

use crate::page::PageRequest;

/// Size of a page when none is asked for.
const DEFAULT_SIZE: usize = 100;
/// Largest page.
const MAX_SIZE: usize = 1_000;

/// A request for pages.
pub(in crate::rpc) trait Paged: Message + Clone {
    /// Its full name, as gRPC has it.
    const METHOD: &'static str;
    /// Size of a page when none is asked for.
    const DEFAULT_SIZE: usize = DEFAULT_SIZE;

    /// Size and token of the page asked for, which are left as if they had not been given. How fresh the page must be goes too:
    /// what is left is what must be the same from page to page.
    fn strip(&mut self) -> (i32, String);

    /// The page asked for.
    fn page(&self) -> PageRequest {
        let mut arguments = self.clone();
        let (size, token) = arguments.strip();
        PageRequest {
            size: match usize::try_from(size).unwrap_or_default() {
                0 => Self::DEFAULT_SIZE,
                size => size.min(MAX_SIZE),
            },
            token,
            method: Self::METHOD,
            arguments: sha256(&arguments.encode_to_vec()),
        }
    }
}

/// The SHA-256 of some bytes.
pub(in crate::rpc) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership_proto::v1 as pb;

    fn list(page_size: i32, page_token: &str) -> pb::ListByOwnerRequest {
        pb::ListByOwnerRequest {
            account_id: "a".into(),
            page_size,
            page_token: page_token.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_page_has_100_rows_unless_asked_and_never_more_than_1000() {
        assert_eq!(
            [0, 1, 1_000, 1_001, i32::MAX].map(|size| list(size, "").page().size),
            [100, 1, 1_000, 1_000, 1_000]
        );
        assert_eq!(pb::CountByOwnerRequest::default().page().size, 1_000);
    }

    #[test]
    fn a_token_is_bound_to_everything_but_size_token_and_freshness() {
        let fresh = pb::Consistency { level: Some(pb::consistency::Level::AtLeastRevision(3)) };
        let bound = |request: &pb::ListByOwnerRequest| request.page().arguments;
        let first = list(0, "");
        assert_eq!(bound(&first), bound(&pb::ListByOwnerRequest { consistency: Some(fresh), ..list(7, "next") }));
        assert_ne!(bound(&first), bound(&pb::ListByOwnerRequest { include_total: true, ..list(0, "") }));
        assert_ne!(bound(&first), bound(&pb::ListByOwnerRequest { account_id: "b".into(), ..list(0, "") }));
    }
}
