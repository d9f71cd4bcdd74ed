//! What a test says to an account.

use ownership_proto::v1::*;

use super::{Call, Channel, World};

/// An account, as seen through one replica.
#[derive(Clone)]
pub struct Account {
    pub id: String,
    pub channel: Channel,
}

/// A lead with nothing but an id.
pub fn lead(id: &str) -> NewLead {
    NewLead { lead_id: id.to_owned(), ..Default::default() }
}

/// A lead with an owner.
pub fn owned(id: &str, owner: &str) -> NewLead {
    NewLead { owner_id: Some(owner.to_owned()), ..lead(id) }
}

/// A member who can own and send: `anna` is Anna, anna@example.com.
pub fn member(id: &str) -> Member {
    let display_name = id[..1].to_uppercase() + &id[1..];
    Member { member_id: id.to_owned(), display_name, email: format!("{id}@example.com"), ..Default::default() }
}

/// A change that a table can hold.
pub type Change<T> = fn(&mut T);

/// Something as it is, but for a change.
pub fn with<T>(mut base: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut base);
    base
}

/// An item that gives a lead to a member.
pub fn to(lead: &str, owner: &str) -> BulkAssignItem {
    let target = Some(bulk_assign_item::Target::OwnerId(owner.to_owned()));
    BulkAssignItem { lead_id: lead.to_owned(), target, precondition: None }
}

/// An item that takes a lead from its owner.
pub fn nobodys(lead: &str) -> BulkAssignItem {
    let target = Some(bulk_assign_item::Target::Unassign(()));
    BulkAssignItem { lead_id: lead.to_owned(), target, precondition: None }
}

/// The leads of a member.
pub fn of(owner: &str) -> list_by_owner_request::Owner {
    list_by_owner_request::Owner::OwnerId(owner.to_owned())
}

/// The leads that nobody owns.
pub fn nobody() -> list_by_owner_request::Owner {
    list_by_owner_request::Owner::Unassigned(())
}

/// All leads.
pub fn anybody() -> list_by_owner_request::Owner {
    list_by_owner_request::Owner::Any(())
}

/// The ids of leads.
pub fn lead_ids(leads: &[Lead]) -> Vec<&str> {
    leads.iter().map(duty).map(|(lead, _)| lead).collect()
}

/// The ids of cards.
pub fn card_ids(cards: &[MemberCard]) -> Vec<&str> {
    cards.iter().map(|card| card.member_id.as_str()).collect()
}

/// Which lead, and whose.
pub fn duty(lead: &Lead) -> (&str, Option<&str>) {
    let ownership = lead.ownership.as_ref().expect("a lead has an ownership");
    (&ownership.lead_id, ownership.owner_id.as_deref())
}

fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Vec<String> {
    items.into_iter().map(|item| item.as_ref().to_owned()).collect()
}

macro_rules! verbs {
    ($(
        $verb:ident($($argument:ident: $type:ty),*) -> $request:ident { $($field:ident: $value:expr),* $(,)? }
    )*) => {
        $(
        pub fn $verb(&self, $($argument: $type),*) -> Call<$request> {
            #[allow(clippy::needless_update)]
            let request = $request { account_id: self.id.clone(), $($field: $value,)* ..Default::default() };
            Call { channel: self.channel.clone(), request }
        })*
    };
}

impl Account {
    pub fn new(id: &str, channel: Channel) -> Self {
        Self { id: id.to_owned(), channel }
    }

    /// The same account through another replica.
    pub fn through(&self, world: &World, replica: usize) -> Self {
        Self { id: self.id.clone(), channel: world.channel(replica) }
    }

    /// The same account for somebody else, through the first replica.
    pub fn with_token(&self, world: &World, token: &str) -> Self {
        Self { id: self.id.clone(), channel: world.way.with(token).to(world.url(0)) }
    }

    verbs! {
        assign(lead: &str, owner: &str) -> AssignRequest { lead_id: lead.to_owned(), owner_id: owner.to_owned() }
        unassign(lead: &str) -> UnassignRequest { lead_id: lead.to_owned() }
        bulk(items: impl Into<Vec<BulkAssignItem>>) -> BulkAssignRequest { items: items.into() }
        list(owner: list_by_owner_request::Owner) -> ListByOwnerRequest { owner: Some(owner) }
        watch() -> WatchOwnerChangesRequest {}
        owner(lead: &str) -> GetOwnerRequest { lead_id: lead.to_owned() }
        changes() -> ListOwnerChangesRequest {}
        timeline(lead: &str) -> ListOwnerChangesRequest { lead_id: Some(lead.to_owned()) }
        counts() -> CountByOwnerRequest {}
        register(leads: impl Into<Vec<NewLead>>) -> RegisterLeadsRequest { leads: leads.into() }
        update(updates: impl Into<Vec<LeadUpdate>>) -> UpdateLeadsRequest { updates: updates.into() }
        get_lead(lead: &str) -> GetLeadRequest { lead_id: lead.to_owned() }
        upsert(members: impl Into<Vec<Member>>) -> UpsertMembersRequest { members: members.into() }
        get_member(member: &str) -> GetMemberRequest { member_id: member.to_owned() }
        picker(prefix: &str) -> ListMembersRequest { name_prefix: prefix.to_owned() }
        deactivate(member: &str) -> DeactivateMemberRequest { member_id: member.to_owned() }
        settings() -> GetSettingsRequest {}
        set_settings(settings: Settings) -> UpdateSettingsRequest { settings: Some(settings) }
    }

    /// Who owns each of several leads.
    pub fn owners<S: AsRef<str>>(&self, leads: impl IntoIterator<Item = S>) -> Call<BatchGetOwnersRequest> {
        let request =
            BatchGetOwnersRequest { account_id: self.id.clone(), lead_ids: strings(leads), ..Default::default() };
        Call { channel: self.channel.clone(), request }
    }

    /// In whose name a message about each lead is sent, as a stream.
    pub fn stream_senders(&self) -> Call<StreamSendersRequest> {
        let request = StreamSendersRequest { account_id: self.id.clone(), ..Default::default() };
        Call { channel: self.channel.clone(), request }
    }

    /// In whose name messages about leads are sent.
    pub fn senders<S: AsRef<str>>(&self, leads: impl IntoIterator<Item = S>) -> Call<ResolveSendersRequest> {
        let request =
            ResolveSendersRequest { account_id: self.id.clone(), lead_ids: strings(leads), ..Default::default() };
        Call { channel: self.channel.clone(), request }
    }

    /// Forgets leads.
    pub fn forget<S: AsRef<str>>(&self, leads: impl IntoIterator<Item = S>) -> Call<ForgetLeadsRequest> {
        let request = ForgetLeadsRequest { account_id: self.id.clone(), lead_ids: strings(leads), context: None };
        Call { channel: self.channel.clone(), request }
    }

    /// Adds active members.
    pub async fn members<const N: usize>(&self, ids: [&str; N]) {
        self.upsert(ids.map(member)).ok().await;
    }

    /// Registers leads that nobody owns.
    pub async fn leads<const N: usize>(&self, ids: [&str; N]) {
        self.register(ids.map(lead)).ok().await;
    }

    /// Gives a member this standing.
    pub async fn standing(&self, id: &str, standing: Standing) {
        self.upsert([Member { standing: standing.into(), ..member(id) }]).ok().await;
    }

    /// The present revision.
    pub async fn revision(&self) -> i64 {
        self.settings().ok().await.revision
    }

    /// Who owns a lead now.
    pub async fn owner_of(&self, lead: &str) -> Option<String> {
        self.owner(lead).ok().await.ownership.unwrap().owner_id
    }

    /// Every page of a list.
    pub async fn all(&self, first: Call<ListByOwnerRequest>) -> Vec<Lead> {
        let mut leads = Vec::new();
        let mut token = String::new();
        loop {
            let page = first.clone().with(|request| request.page_token = token).ok().await;
            leads.extend(page.leads);
            token = page.next_page_token;
            if token.is_empty() {
                return leads;
            }
        }
    }

    /// Every page of the log.
    pub async fn log(&self, first: Call<ListOwnerChangesRequest>) -> Vec<OwnerChange> {
        let mut changes = Vec::new();
        let mut token = String::new();
        loop {
            let page = first.clone().with(|request| request.page_token = token).ok().await;
            changes.extend(page.changes);
            token = page.next_page_token;
            if token.is_empty() {
                return changes;
            }
        }
    }
}
