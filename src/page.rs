//! Pages of an answer that is too long for one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::ids::{AccountId, Revision};
use crate::domain::token::{InvalidToken, Scope, TokenKey};

/// What is read, and the revision it reflects.
#[derive(Debug)]
pub struct Read<T> {
    /// The revision.
    pub revision: Revision,
    /// What was read.
    pub value: T,
}

/// A request for one page.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// How many entries at most.
    pub size: usize,
    /// The token of the page before; empty for the first.
    pub token: String,
    /// The method that is called.
    pub method: &'static str,
    /// SHA-256 of the arguments that must not change from page to page.
    pub arguments: [u8; 32],
}

impl PageRequest {
    /// Where the page before ended, if there was one.
    pub fn position<T: DeserializeOwned>(
        &self,
        key: &TokenKey,
        account: &AccountId,
    ) -> Result<Option<T>, InvalidToken> {
        if self.token.is_empty() { Ok(None) } else { key.open(self.scope(account), &self.token).map(Some) }
    }

    /// The token of the next page, which starts after `position`; empty if there is none.
    pub fn next(&self, key: &TokenKey, account: &AccountId, position: Option<&impl Serialize>) -> String {
        position.map_or_else(String::new, |position| key.seal(self.scope(account), position))
    }

    fn scope<'a>(&self, account: &'a AccountId) -> Scope<'a> {
        Scope { account, method: self.method, arguments: self.arguments }
    }
}
