//! The leads that are measured with, and their names.

use anyhow::Result;
use ownership_proto::v1::lead_service_client::LeadServiceClient;
use ownership_proto::v1::member_service_client::MemberServiceClient;
use ownership_proto::v1::{Member, NewLead, RegisterLeadsRequest, UpsertMembersRequest};
use prost_types::Timestamp;
use sqlx::postgres::PgPool;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::process::Process;
use super::profile::Profile;

const STAGES: [&str; 5] = ["Prospecting", "Qualified", "Demo", "Negotiation", "Won"];
/// The most that one call takes.
const CHUNK: usize = 1_000;
/// Spreads neighbouring numbers over all ids, as random ids are.
pub const SCATTER: usize = 2_654_435_761;

/// The name of an account.
pub fn account_id(account: usize) -> String {
    format!("bench{account}")
}

/// The name of a member, in every account.
pub fn member_id(member: usize) -> String {
    format!("member{member}")
}

/// The id of a lead: 36 characters. [`LEAD_ID_SQL`] makes the same.
pub fn lead_id(lead: usize) -> String {
    format!("{:08x}-0000-7000-8000-{lead:012x}", (lead * SCATTER) & 0xffff_ffff)
}

/// The id of lead `$lead` in SQL.
pub fn lead_id_sql(lead: &str) -> String {
    format!(
        "lpad(to_hex(({lead})::bigint * {SCATTER} & 4294967295), 8, '0') || '-0000-7000-8000-' \
         || lpad(to_hex(({lead})::bigint), 12, '0')"
    )
}

/// A number from 0, as likely as any other.
pub fn any(below: usize) -> usize {
    fastrand::usize(..below)
}

/// Some different leads of an account, spread over it.
pub fn some_leads(profile: &Profile, count: usize) -> Vec<String> {
    let all = profile.leads_per_account();
    let (start, step) = (any(all), (all / count).max(1));
    (0..count).map(|index| lead_id((start + index * step) % all)).collect()
}

/// Fills a database through the service itself.
pub async fn load(service: &Process, profile: &Profile) -> Result<()> {
    let mut all = JoinSet::new();
    for account in 0..profile.accounts {
        let channel = service.channels[account % service.channels.len()].clone();
        all.spawn(load_account(channel, account, *profile));
    }
    while let Some(loaded) = all.join_next().await {
        loaded??;
    }
    Ok(())
}

async fn load_account(channel: Channel, account: usize, profile: Profile) -> Result<()> {
    let account_id = account_id(account);
    let members = (0..profile.members).map(member).collect();
    let request = UpsertMembersRequest { account_id: account_id.clone(), members, context: None };
    MemberServiceClient::new(channel.clone()).upsert_members(request).await?;
    let mut client = LeadServiceClient::new(channel);
    for start in (0..profile.leads_per_account()).step_by(CHUNK) {
        let leads = (start..profile.leads_per_account().min(start + CHUNK)).map(|lead| new_lead(lead, &profile));
        let request =
            RegisterLeadsRequest { account_id: account_id.clone(), leads: leads.collect(), ..Default::default() };
        client.register_leads(request).await?;
    }
    Ok(())
}

fn member(number: usize) -> Member {
    Member {
        member_id: member_id(number),
        display_name: format!("Member {number}"),
        email: format!("member{number}@example.com"),
        ..Member::default()
    }
}

fn new_lead(number: usize, profile: &Profile) -> NewLead {
    let created = Timestamp { seconds: 1_700_000_000 + i64::try_from(number).unwrap_or_default() * 7, nanos: 0 };
    NewLead {
        lead_id: lead_id(number),
        owner_id: Some(member_id(number % profile.owners())),
        stage: STAGES[number / profile.owners() % STAGES.len()].to_owned(),
        closed: number.is_multiple_of(4),
        created_at: Some(created),
        ..NewLead::default()
    }
}

/// A copy of the leads under the index that answers a page from nothing else, and fresh statistics.
pub async fn index(pool: &PgPool) -> Result<()> {
    let statements = [
        "create table page_of_leads as select * from lead",
        "create index on page_of_leads (account_id, owner_id, created_at desc, lead_id) \
         include (owner_since, revision, stage, stage_entered_at, closed, source, attributes)",
        "vacuum analyze",
        "checkpoint",
    ];
    for statement in statements {
        sqlx::query(statement).execute(pool).await?;
    }
    Ok(())
}
