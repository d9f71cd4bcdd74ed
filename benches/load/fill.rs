//! Fills databases.

use anyhow::Result;
use ownership_proto::v1::lead_service_client::LeadServiceClient;
use ownership_proto::v1::member_service_client::MemberServiceClient;
use ownership_proto::v1::{Member, NewLead, RegisterLeadsRequest, UpsertMembersRequest};
use prost_types::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::data::{
    CREATED_EVERY, FIRST_CREATED, OWNERS, STAGE_ENTERED_WITHIN, STAGES, Shape, account_id, kind, lead_id, lead_id_sql,
    member_id, times,
};
use super::process::Process;

/// The most that one call takes.
const CHUNK: usize = 1_000;
const PRIMARY_KEY: &str = "alter table lead add constraint lead_pk primary key (account_id, lead_id)";

/// Fills accounts through the service itself.
pub async fn by_calls(service: &Process, shape: Shape) -> Result<()> {
    let mut all = JoinSet::new();
    for account in 0..shape.accounts {
        let channel = service.channels[account % service.channels.len()].clone();
        all.spawn(load_account(channel, account, shape.leads));
    }
    while let Some(loaded) = all.join_next().await {
        loaded??;
    }
    Ok(())
}

async fn load_account(channel: Channel, account: usize, leads: usize) -> Result<()> {
    members(channel.clone(), account).await?;
    let mut client = LeadServiceClient::new(channel);
    for start in (0..leads).step_by(CHUNK) {
        let leads = (start..leads.min(start + CHUNK)).map(new_lead).collect();
        let request = RegisterLeadsRequest { account_id: account_id(account), leads, ..Default::default() };
        client.register_leads(request).await?;
    }
    Ok(())
}

async fn members(channel: Channel, account: usize) -> Result<()> {
    let members = (0..OWNERS).map(member).collect();
    let request = UpsertMembersRequest { account_id: account_id(account), members, context: None };
    MemberServiceClient::new(channel).upsert_members(request).await?;
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

fn new_lead(number: usize) -> NewLead {
    let (owner, stage, closed) = kind(number);
    let (created, stage_entered) = times(number);
    NewLead {
        lead_id: lead_id(number),
        owner_id: Some(member_id(owner)),
        stage: STAGES[stage].to_owned(),
        stage_entered_at: Some(Timestamp { seconds: stage_entered, nanos: 0 }),
        closed,
        created_at: Some(Timestamp { seconds: created, nanos: 0 }),
        ..NewLead::default()
    }
}

/// Fills one large account: its members by a call, its leads by one statement, since millions of calls' worth of leads take
/// minutes. What is there afterwards is an account whose history was trimmed: leads, and a head whose floors say that no fact is
/// kept below it.
pub async fn by_statement(service: &Process, pool: &PgPool, leads: usize) -> Result<()> {
    members(service.channels[0].clone(), 0).await?;
    let stages = STAGES.join("','");
    let fill = format!(
        "insert into lead (account_id, lead_id, owner_id, owner_since, revision, stage, stage_entered_at, closed, \
           created_at, source, attributes, observed_at) \
         select account_id, {id}, 'member' || number % {OWNERS}, \
           (created + number * 104729 % 864000) * 1000000, revision + 1, \
           (array['{stages}'])[number / {OWNERS} % {stage_count} + 1], \
           (created + number * 7919 % {STAGE_ENTERED_WITHIN}) * 1000000, \
           number / {groups} % 4 = 0, created * 1000000, 'api', '{{}}', created * 1000000 \
         from account_head, generate_series(0::bigint, {last}) as number, \
           lateral (select {FIRST_CREATED} + number * {CREATED_EVERY} as created) as at",
        id = lead_id_sql("number"),
        stage_count = STAGES.len(),
        groups = OWNERS * STAGES.len(),
        last = leads - 1,
    );
    // With the key as it is, its index would be built in the order of random ids.
    execute(pool, &["alter table lead drop constraint lead_pk", &fill, PRIMARY_KEY]).await?;
    let head = "update account_head set revision = revision + 1, facts_floor = revision + 1, \
                history_floor = revision + 1";
    execute(pool, &[head, "delete from fact"]).await?;
    settle(pool).await
}

/// A copy of the leads under the index that answers a page from nothing else.
pub async fn covering_index(pool: &PgPool) -> Result<()> {
    let index = "create index on page_of_leads (account_id, owner_id, created_at desc, lead_id) \
                 include (owner_since, revision, stage, stage_entered_at, closed, source, attributes)";
    execute(pool, &["create table page_of_leads as select * from lead", index]).await?;
    settle(pool).await
}

/// Fresh statistics, and nothing left to be written later.
pub async fn settle(pool: &PgPool) -> Result<()> {
    execute(pool, &["vacuum analyze", "checkpoint"]).await
}

async fn execute(pool: &PgPool, statements: &[&str]) -> Result<()> {
    for statement in statements {
        sqlx::query(AssertSqlSafe((*statement).to_owned())).execute(pool).await?;
    }
    Ok(())
}
