//! `ownership list`.

use std::collections::BTreeMap;

use ownership_proto::v1::list_by_owner_request::Owner;
use ownership_proto::v1::{Lead, LeadOrder, ListByOwnerRequest, ListByOwnerResponse, MemberCard};
use serde_json::{Value, json};

use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::filter::FilterArgs;
use super::{Done, json as to_json, names, output, values};

const EXAMPLES: &str = "\
Examples:
  ownership list --unassigned   who waits for an owner, oldest first
  ownership list --owner anna --open --total
  ownership list --any --stage Engaging --in-stage-longer-than 30d
  ownership list --owner anna --all --output json

TIME is a date, a date and time, RFC 3339, or a span like \"7d ago\"; without a zone it is UTC.";

/// Arguments of `list`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    filter: FilterArgs,
    /// In which order
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Order::Oldest, help_heading = "Order and size")]
    order: Order,
    /// How many leads at most
    #[arg(long, value_name = "COUNT", default_value_t = 100, help_heading = "Order and size")]
    limit: usize,
    /// All that match, page by page
    #[arg(long, conflicts_with = "limit", help_heading = "Order and size")]
    all: bool,
    /// Also say how many match in all
    #[arg(long, help_heading = "Order and size")]
    total: bool,
    /// Go on where an earlier list with the same arguments ended
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true, help_heading = "Order and size")]
    page_token: String,
}

/// Whose leads: exactly one of these.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Whose {
    /// Leads of this member
    #[arg(long, value_name = "MEMBER")]
    owner: Option<String>,
    /// Leads that nobody owns
    #[arg(long)]
    unassigned: bool,
    /// All leads
    #[arg(long)]
    any: bool,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum Order {
    /// Created longest ago first
    Oldest,
    /// Created last first
    Newest,
    /// With the present owner, or nobody, for the longest time first
    AssignedOldest,
    /// Assigned or unassigned last first
    AssignedNewest,
    /// In the present stage for the longest time first
    StageOldest,
    /// In the present stage for the shortest time first
    StageNewest,
    /// By lead id
    Id,
}

impl From<Order> for LeadOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Oldest => Self::CreatedAsc,
            Order::Newest => Self::CreatedDesc,
            Order::AssignedOldest => Self::AssignedAsc,
            Order::AssignedNewest => Self::AssignedDesc,
            Order::StageOldest => Self::StageEnteredAsc,
            Order::StageNewest => Self::StageEnteredDesc,
            Order::Id => Self::LeadId,
        }
    }
}

/// The pages together.
#[derive(Default)]
struct Listing {
    leads: Vec<Lead>,
    cards: BTreeMap<String, MemberCard>,
    revision: i64,
    history_id: String,
    total: Option<i64>,
    next_page_token: String,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let mut listing = Listing::default();
        let limit = if self.all { usize::MAX } else { self.limit };
        let mut request = self.first_page(session);
        while listing.leads.len() < limit {
            request.page_size = values::page_size(limit - listing.leads.len());
            let send = || async { session.ownership().list_by_owner(session.request(request.clone())).await };
            listing.add(retrying(send).await?);
            request.page_token.clone_from(&listing.next_page_token);
            if request.page_token.is_empty() {
                break;
            }
        }
        session.out.print(|| listing.as_json(), || listing.as_text())?;
        Ok(Done::Fully)
    }
}

impl Args {
    fn first_page(&self, session: &Session) -> ListByOwnerRequest {
        let owner = match (&self.whose.owner, self.whose.unassigned) {
            (Some(owner), _) => Owner::OwnerId(owner.clone()),
            (None, true) => Owner::Unassigned(()),
            (None, false) => Owner::Any(()),
        };
        ListByOwnerRequest {
            account_id: session.account(),
            owner: Some(owner),
            filter: self.filter.filter(),
            order: LeadOrder::from(self.order).into(),
            page_size: 0,
            page_token: self.page_token.clone(),
            consistency: None,
            include_total: self.total,
            include_cards: true,
        }
    }
}

impl Listing {
    /// The revision, with its history, and the total are those of the first page: what a watch or the log is joined to. Should the
    /// history change on the way, the next page is refused.
    fn add(&mut self, page: ListByOwnerResponse) {
        if self.leads.is_empty() && self.revision == 0 {
            self.revision = page.revision;
            self.history_id = page.history_id;
            self.total = page.total;
        }
        self.leads.extend(page.leads);
        self.cards.extend(page.cards.into_iter().map(|card| (card.member_id.clone(), card)));
        self.next_page_token = page.next_page_token;
    }

    fn as_json(&self) -> Value {
        json!({
            "leads": self.leads.iter().map(to_json::lead).collect::<Vec<_>>(),
            "cards": self.cards.values().map(to_json::card).collect::<Vec<_>>(),
            "revision": self.revision,
            "history_id": self.history_id,
            "total": self.total,
            "next_page_token": (!self.next_page_token.is_empty()).then_some(&self.next_page_token),
        })
    }

    fn as_text(&self) -> String {
        let known = names::Names::of(&self.cards.values().cloned().collect::<Vec<_>>());
        let row = |lead: &Lead| {
            let ownership = lead.ownership.clone().unwrap_or_default();
            [
                ownership.lead_id,
                known.owner(ownership.owner_id.as_ref()),
                values::short(ownership.owner_since.as_ref()),
                lead.stage.clone(),
                if lead.closed { "closed" } else { "open" }.to_owned(),
                values::short(lead.stage_entered_at.as_ref()),
                values::short(lead.created_at.as_ref()),
            ]
        };
        let header = ["LEAD", "OWNER", "OWNED SINCE", "STAGE", "STATE", "IN STAGE SINCE", "CREATED"];
        format!("{}\n{}", output::table(&header, &[], self.leads.iter().map(row)), self.footer())
    }

    fn footer(&self) -> String {
        let shown = values::grouped(self.leads.len() as i64);
        let of = self.total.map(|total| format!(" of {}", values::grouped(total))).unwrap_or_default();
        let more = if self.next_page_token.is_empty() { "" } else { "; there are more: raise --limit or pass --all" };
        let leads = if self.leads.len() == 1 && of.is_empty() { "lead" } else { "leads" };
        format!("{shown}{of} {leads} at revision {}{more}", self.revision)
    }
}
