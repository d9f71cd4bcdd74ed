//! What is known of members.

use serde::{Deserialize, Serialize};

use crate::context::{Context, Freshness};
use crate::domain::book::{Load, NameKey};
use crate::domain::ids::MemberId;
use crate::domain::member::Member;
use crate::ledger::{Error, Ledger};
use crate::page::{PageRequest, Read};

/// Which members, and in which pages.
#[derive(Debug, Clone)]
pub struct PickRequest {
    /// Their name, or a word of it, starts with this, whatever the case.
    pub prefix: String,
    /// Not only active ones.
    pub all_standings: bool,
    /// Which page.
    pub page: PageRequest,
    /// How fresh.
    pub freshness: Freshness,
}

/// A page of members.
#[derive(Debug)]
pub struct Picked {
    /// The members.
    pub members: Vec<Member>,
    /// Asks for the next page; empty if there is none.
    pub next_page_token: String,
}

/// Where a page ended, as its token carries it.
#[derive(Serialize, Deserialize)]
struct Position(NameKey);

/// What is known of a member, and how many leads the member owns.
pub async fn get(
    ledger: &Ledger,
    context: &Context,
    member: &MemberId,
    freshness: Freshness,
) -> Result<Read<(Member, Load)>, Error> {
    let reading = ledger.book(context, freshness).await?;
    reading.ask(|book| {
        let found = book.member(member.as_str()).ok_or_else(|| Error::MemberNotFound(member.clone()))?;
        Ok(Read { revision: book.revision(), value: (found.clone(), book.load(member)) })
    })
}

/// The owner picker: members by name.
pub async fn pick(ledger: &Ledger, context: &Context, request: PickRequest) -> Result<Read<Picked>, Error> {
    let PickRequest { prefix, all_standings, page, freshness } = request;
    let key = ledger.token_key();
    let position: Option<Position> = page.position(key, &context.account).map_err(|_| Error::PageToken)?;
    let after = position.map(|Position(after)| after);
    let reading = ledger.book(context, freshness).await?;
    Ok(reading.ask(|book| {
        let (members, next) = book.pick(&prefix, all_standings, after.as_ref(), page.size);
        let next = next.map(|next| Position(next.clone()));
        let next_page_token = page.next(key, &context.account, next.as_ref());
        let members = members.into_iter().cloned().collect();
        Read { revision: book.revision(), value: Picked { members, next_page_token } }
    }))
}
