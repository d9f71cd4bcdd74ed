//! Bare statements, as fast as the database's own benchmark sends them.

use anyhow::{Context, Result, ensure};

use super::data::{OWNERS, Shape, lead_id_sql};
use super::world::{Database, World};

/// A script of pgbench and how often it is taken, compared with others of the same run.
pub struct Script {
    pub name: String,
    pub sql: String,
    pub weight: u32,
}

/// Transactions a second. Lists are strings that scripts may name, as `:list0` and so on.
pub async fn run(
    world: &World,
    database: &Database,
    scripts: &[Script],
    clients: u32,
    lists: &[String],
) -> Result<f64> {
    let seconds = (world.profile.warm + world.profile.time).as_secs_f64().round().max(1.0);
    let mut command = world.postgres_program("pgbench");
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    command.arg(format!("--client={clients}")).arg(format!("--time={seconds}"));
    for (number, list) in lists.iter().enumerate() {
        command.arg(format!("--define=list{number}={list}"));
    }
    for Script { name, sql, weight } in scripts {
        let path = world.file(&format!("{name}.sql"));
        std::fs::write(&path, format!("{}{sql};\n", variables(database.shape)))?;
        command.arg(format!("--file={}@{weight}", path.display()));
    }
    command.arg(&database.url);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let failed = text.lines().find_map(|line| line.strip_prefix("number of failed transactions: "));
    ensure!(failed.is_some_and(|line| line.starts_with("0 ")), "pgbench had failures");
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")).context("pgbench printed no tps")?;
    Ok(rate.split_whitespace().next().unwrap_or_default().parse()?)
}

fn variables(Shape { accounts, leads }: Shape) -> String {
    let (account, lead, owner) = (accounts - 1, leads - 1, OWNERS - 1);
    format!("\\set account random(0, {account})\n\\set lead random(0, {lead})\n\\set owner random(0, {owner})\n")
}

/// What the service writes for an assign, as one statement: the head under lock, the lead, the mark of the outbox, the log.
pub fn assign(weight: u32) -> Script {
    let lead = lead_id_sql(":lead");
    let sql = format!(
        "with head as (update account_head set revision = revision + 1, \
           changed_at = (extract(epoch from clock_timestamp()) * 1000000)::bigint \
           where account_id = 'bench' || :account returning account_id, revision, changed_at), \
         target as (select {lead} as lead_id, 'member' || :owner as owner_id), \
         before as (select nullif(lead.owner_id, target.owner_id) as owner_id from lead, target \
           where lead.account_id = 'bench' || :account and lead.lead_id = {lead}), \
         changed as (update lead set owner_id = target.owner_id, owner_since = head.changed_at, revision = head.revision \
           from head, target where lead.account_id = 'bench' || :account and lead.lead_id = {lead} \
           returning lead.lead_id, lead.owner_id), \
         mark as (insert into outbox (account_id, revision, since) select account_id, revision, changed_at from head \
           on conflict (account_id) do update set revision = excluded.revision) \
         insert into fact (account_id, revision, ordinal, kind, lead_id, previous_owner_id, owner_id, occurred_at, \
           caller_id, source, reason) \
         select head.account_id, head.revision, 0, case when before.owner_id is null then 'assigned' else 'reassigned' end, \
           changed.lead_id, before.owner_id, changed.owner_id, head.changed_at, 'anonymous', 'api', '' \
         from head, before, changed"
    );
    Script { name: "assign".to_owned(), sql, weight }
}

/// The owner of one lead, by the key.
pub fn owner(weight: u32) -> Script {
    let lead = lead_id_sql(":lead");
    let sql = format!(
        "select lead_id, owner_id, owner_since, revision from lead where account_id = 'bench' || :account and lead_id = {lead}"
    );
    Script { name: "owner".to_owned(), sql, weight }
}

/// The newest leads of an owner, from an index that holds all that is asked for.
pub fn page(weight: u32) -> Script {
    let sql = "select lead_id, owner_id, owner_since, revision, stage, stage_entered_at, closed, created_at, source, \
               attributes from page_of_leads where account_id = 'bench' || :account and owner_id = 'member' || :owner \
               order by created_at desc, lead_id limit 100"
        .to_owned();
    Script { name: "page".to_owned(), sql, weight }
}

/// What is asked about lists of leads.
pub const OWNERS_OF: &str =
    "select lead_id, owner_id, owner_since, revision from lead where account_id = :account and lead_id = any(:leads)";
/// Who sends to the leads of a list.
pub const SENDERS_OF: &str = "select lead.lead_id, member.member_id, member.display_name, member.email from lead \
     left join member on member.account_id = lead.account_id and member.member_id = lead.owner_id \
     and member.standing <> 'inactive' where lead.account_id = :account and lead.lead_id = any(:leads)";

/// A statement about each of some lists of leads, in equal parts of a weight, and the lists as parameters for it.
pub fn about(statement: &str, lists: &[(String, Vec<String>)], weight: u32) -> (Vec<Script>, Vec<String>) {
    let script = |(number, (account, _)): (usize, &(String, Vec<String>))| Script {
        name: format!("list{number}"),
        sql: statement
            .replace(":account", &format!("'{account}'"))
            .replace(":leads", &format!(":list{number}::text[]")),
        weight,
    };
    let text = |(_, leads): &(String, Vec<String>)| format!("{{{}}}", leads.join(","));
    (lists.iter().enumerate().map(script).collect(), lists.iter().map(text).collect())
}
