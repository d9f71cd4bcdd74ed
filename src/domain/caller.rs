//! Who calls, as it was authenticated, and for whom it may speak.

use std::collections::BTreeSet;

use super::actor::Actor;
use super::ids::{AccountId, CallerId, InvalidCaller, MemberId};
use super::time::Timestamp;

/// What the service calls itself where it does something that nobody has asked for.
pub const ITSELF: &str = "ownership";
/// What those are called who do not have to prove who they are.
pub const ANONYMOUS: &str = "anonymous";

impl CallerId {
    /// The name of somebody who has proven to have it. The names that the service gives are nobody's: the log would say of a
    /// caller what it says of the service.
    pub fn proven(name: &str) -> Result<Self, InvalidCaller> {
        if [ITSELF, ANONYMOUS].contains(&name) { Err(InvalidCaller) } else { Self::parse(name) }
    }
}

/// What a caller is to the accounts that it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A program of the CRM.
    Service,
    /// Somebody who sets an account up.
    Admin,
    /// A member who leads others.
    Manager,
    /// A member who follows leads up.
    Member,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Service, Self::Admin, Self::Manager, Self::Member];

    /// The word that stands for it in tokens and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Member => "member",
        }
    }

    /// The one a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether it is held by members only.
    pub fn is_of_members(self) -> bool {
        matches!(self, Self::Manager | Self::Member)
    }
}

/// The accounts that a caller may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// Each that there is.
    All,
    /// These.
    Only(BTreeSet<AccountId>),
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name, which is recorded with what it does.
    pub id: CallerId,
    /// What it is.
    pub role: Role,
    /// Where.
    pub accounts: Accounts,
    /// The member that it is.
    pub member: Option<MemberId>,
    /// From when on it has to prove anew who it is. Absent: never.
    pub expires: Option<Timestamp>,
}

/// What a caller may not do, whatever its role may do otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// It may not use the account, whether or not there is one.
    #[error("account {0} is not one that the caller may use")]
    Account(AccountId),
    /// It may not act for the member.
    #[error("the caller may not act for member {0}")]
    Member(MemberId),
}

impl Caller {
    /// Whoever reaches the service, where nobody has to prove who they are.
    pub fn anonymous() -> Result<Self, InvalidCaller> {
        let id = CallerId::parse(ANONYMOUS)?;
        Ok(Self { id, role: Role::Service, accounts: Accounts::All, member: None, expires: None })
    }

    /// Whether it has to prove anew who it is.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Refuses an account that it may not use.
    pub fn may_use(&self, account: &AccountId) -> Result<(), NotAllowed> {
        match &self.accounts {
            Accounts::Only(accounts) if !accounts.contains(account) => Err(NotAllowed::Account(account.clone())),
            Accounts::Only(_) | Accounts::All => Ok(()),
        }
    }

    /// Who is recorded for something that it does for `member`. A member acts for itself; only services act for others.
    pub fn acting_for(&self, member: Option<MemberId>) -> Result<Actor, NotAllowed> {
        let member = match member {
            Some(member) if self.role != Role::Service && self.member.as_ref() != Some(&member) => {
                return Err(NotAllowed::Member(member));
            }
            named => named.or_else(|| self.member.clone()),
        };
        Ok(Actor { caller: self.id.clone(), member })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::parse(id).unwrap()
    }

    fn member(id: &str) -> Option<MemberId> {
        Some(MemberId::parse(id).unwrap())
    }

    fn caller(role: Role) -> Caller {
        let own = if role.is_of_members() { member("anna") } else { None };
        let accounts = Accounts::Only(BTreeSet::from([account("acme")]));
        Caller { id: CallerId::parse("c").unwrap(), role, accounts, member: own, expires: Some(Timestamp(10)) }
    }

    #[test]
    fn nobody_has_the_name_of_the_service_or_of_nobody() {
        for reserved in [ITSELF, ANONYMOUS] {
            assert_eq!(CallerId::proven(reserved), Err(InvalidCaller), "{reserved}");
            assert!(CallerId::parse(reserved).is_ok(), "the log has {reserved}");
        }
        for free in ["Ownership", "ownership.prod", "anonymous2"] {
            assert!(CallerId::proven(free).is_ok(), "{free}");
        }
    }

    #[test]
    fn an_account_that_is_not_named_may_not_be_used() {
        assert_eq!(caller(Role::Admin).may_use(&account("acme")), Ok(()));
        assert_eq!(caller(Role::Admin).may_use(&account("acme2")), Err(NotAllowed::Account(account("acme2"))));
        assert_eq!(Caller::anonymous().unwrap().may_use(&account("acme2")), Ok(()));
    }

    #[test]
    fn only_services_act_for_others() {
        let recorded = |role, named| caller(role).acting_for(named).map(|actor| actor.member);
        assert_eq!(recorded(Role::Service, member("ben")), Ok(member("ben")));
        assert_eq!(recorded(Role::Service, None), Ok(None));
        for role in [Role::Manager, Role::Member] {
            assert_eq!(recorded(role, None), Ok(member("anna")), "a member is recorded without being named");
            assert_eq!(recorded(role, member("anna")), Ok(member("anna")));
        }
        for role in [Role::Admin, Role::Manager, Role::Member] {
            let ben = MemberId::parse("ben").unwrap();
            assert_eq!(recorded(role, member("ben")), Err(NotAllowed::Member(ben)));
        }
    }

    #[test]
    fn an_identity_ends_at_its_time_and_not_before() {
        let caller = caller(Role::Member);
        assert!(!caller.is_expired(Timestamp(9)) && caller.is_expired(Timestamp(10)));
    }
}
