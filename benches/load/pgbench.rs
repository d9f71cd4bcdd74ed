//! Bare statements, as fast as the database's own benchmark sends them.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::data::lead_id_sql;
use super::world::World;

/// A script of pgbench and how often it is taken, compared with others of the same run.
pub struct Script {
    pub name: &'static str,
    pub sql: String,
    pub weight: u32,
}

/// Transactions a second.
pub async fn run(world: &World, scripts: &[Script], clients: u32) -> Result<f64> {
    let profile = &world.profile;
    let seconds = (profile.warm + profile.time).as_secs().max(1);
    let mut command = Command::new(&world.pgbench);
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    command.arg(format!("--client={clients}")).arg(format!("--time={seconds}"));
    for Script { name, sql, weight } in scripts {
        let path = world.scratch.path().join(format!("{name}.sql"));
        std::fs::write(&path, format!("{}{sql};\n", variables(world)))?;
        command.arg(format!("--file={}@{weight}", path.display()));
    }
    command.arg(&world.postgres);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")).context("pgbench printed no tps")?;
    Ok(rate.split_whitespace().next().unwrap_or_default().parse()?)
}

fn variables(world: &World) -> String {
    let profile = &world.profile;
    format!(
        "\\set account random(0, {})\n\\set lead random(0, {})\n\\set owner random(0, {})\n",
        profile.accounts - 1,
        profile.leads_per_account() - 1,
        profile.owners() - 1
    )
}

/// What the service writes for an assign, as one statement: the head under lock, the lead, the log.
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
           returning lead.lead_id, lead.owner_id) \
         insert into fact (account_id, revision, ordinal, kind, lead_id, previous_owner_id, owner_id, occurred_at, \
           caller_id, source, reason) \
         select head.account_id, head.revision, 0, case when before.owner_id is null then 'assigned' else 'reassigned' end, \
           changed.lead_id, before.owner_id, changed.owner_id, head.changed_at, 'anonymous', 'api', '' \
         from head, before, changed"
    );
    Script { name: "assign", sql, weight }
}

/// The owner of one lead, by the key.
pub fn owner(weight: u32) -> Script {
    let lead = lead_id_sql(":lead");
    let sql = format!(
        "select lead_id, owner_id, owner_since, revision from lead where account_id = 'bench' || :account and lead_id = {lead}"
    );
    Script { name: "owner", sql, weight }
}

/// The newest leads of an owner, from an index that holds all that is asked for.
pub fn page(weight: u32) -> Script {
    let sql = "select lead_id, owner_id, owner_since, revision, stage, stage_entered_at, closed, created_at, source, \
               attributes from page_of_leads where account_id = 'bench' || :account and owner_id = 'member' || :owner \
               order by created_at desc, lead_id limit 100"
        .to_owned();
    Script { name: "page", sql, weight }
}

/// Who sends to a hundred leads.
pub fn senders(world: &World, weight: u32) -> Script {
    let all = world.profile.leads_per_account();
    let lead = lead_id_sql(&format!("(:lead + number * {}) % {all}", (all / 100).max(1)));
    let sql = format!(
        "select lead.lead_id, member.member_id, member.display_name, member.email from lead left join member \
         on member.account_id = lead.account_id and member.member_id = lead.owner_id and member.standing <> 'inactive' \
         where lead.account_id = 'bench' || :account \
         and lead.lead_id = any(array(select {lead} from generate_series(0, 99) as number))"
    );
    Script { name: "senders", sql, weight }
}
