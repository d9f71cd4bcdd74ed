//! `ownership lead register|get|forget`.

use std::collections::BTreeMap;

use ownership_proto::v1::{
    ForgetLeadsRequest, ForgetLeadsResponse, GetLeadRequest, Lead, LeadResult, NewLead, Outcome, RegisterLeadsRequest,
    RegisterLeadsResponse, Source, WriteContext,
};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::bulk::CHUNK;
use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::filter::Door;
use super::lines::LeadArgs;
use super::write::WriteArgs;
use super::{Done, json as to_json, names, output, values};

/// Arguments of `lead`.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub struct Args {
    #[command(subcommand)]
    verb: LeadVerb,
}

#[derive(clap::Subcommand, Debug)]
enum LeadVerb {
    /// Make a lead known, with or without an owner; a known lead is left as it is
    Register(Register),
    /// Show what is known of a lead
    Get(Get),
    /// Forget leads that were deleted or merged; their timeline stays
    Forget(Forget),
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        match self.verb {
            LeadVerb::Register(verb) => verb.run(session).await,
            LeadVerb::Get(verb) => verb.run(session).await,
            LeadVerb::Forget(verb) => verb.run(session).await,
        }
    }
}

#[derive(clap::Args, Debug)]
struct Register {
    /// Lead to register
    #[arg(value_name = "LEAD")]
    lead_id: String,
    /// Its owner; without, it is unassigned
    #[arg(long, value_name = "MEMBER")]
    owner: Option<String>,
    /// Stage it is in
    #[arg(long, value_name = "STAGE", default_value = "", hide_default_value = true)]
    stage: String,
    /// When it entered that stage; default: when it was created
    #[arg(long, value_name = "TIME", value_parser = values::parse_time)]
    stage_entered_at: Option<Timestamp>,
    /// It is closed: won, lost or otherwise finished
    #[arg(long)]
    closed: bool,
    /// When it was created at its source; default: now
    #[arg(long, value_name = "TIME", value_parser = values::parse_time)]
    created_at: Option<Timestamp>,
    /// A further fact about it; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = values::parse_pair)]
    attributes: Vec<(String, String)>,
    /// Through which door it came
    #[arg(long, value_name = "DOOR", value_enum, default_value_t = Door::Api)]
    source: Door,
    #[command(flatten)]
    write: WriteArgs,
}

impl Register {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let context =
            WriteContext { source: Source::from(self.source).into(), ..self.write.context().unwrap_or_default() };
        let lead = NewLead {
            lead_id: self.lead_id,
            owner_id: self.owner,
            stage: self.stage,
            stage_entered_at: self.stage_entered_at,
            closed: self.closed,
            created_at: self.created_at,
            attributes: self.attributes.into_iter().collect(),
            observed_at: None,
        };
        let register = RegisterLeadsRequest {
            account_id: session.account(),
            leads: vec![lead],
            default_owner_id: None,
            failure_mode: 0,
            context: Some(context),
            notify_new_owner: false,
        };
        let answer = session.leads().register_leads(session.request(register)).await?.into_inner();
        let RegisterLeadsResponse { results, revision, replayed } = answer;
        print_results(session, &results, revision, replayed)
    }
}

#[derive(clap::Args, Debug)]
struct Get {
    /// Lead to show
    #[arg(value_name = "LEAD")]
    lead_id: String,
}

impl Get {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let get = GetLeadRequest { account_id: session.account(), lead_id: self.lead_id, consistency: None };
        let answer = session.leads().get_lead(session.request(get)).await?.into_inner();
        let lead = answer.lead.unwrap_or_default();
        let mut known = names::Names::default();
        if session.out.is_for_people() {
            let owner = lead.ownership.iter().filter_map(|ownership| ownership.owner_id.clone());
            known.look_up(session, owner.collect()).await;
        }
        let document = || json!({"lead": to_json::lead(&lead), "revision": answer.revision});
        session.out.print(document, || as_text(&lead, &known))?;
        Ok(Done::Fully)
    }
}

fn as_text(lead: &Lead, known: &names::Names) -> String {
    let ownership = lead.ownership.clone().unwrap_or_default();
    let open = if lead.closed { "closed" } else { "open" };
    let overdue = if lead.unassigned_overdue { ", overdue" } else { "" };
    let mut rows = vec![
        ["lead".to_owned(), ownership.lead_id],
        ["owner".to_owned(), known.owner(ownership.owner_id.as_ref()) + overdue],
        ["since".to_owned(), values::short(ownership.owner_since.as_ref())],
        ["revision".to_owned(), ownership.revision.to_string()],
        ["stage".to_owned(), format!("{} ({open})", lead.stage)],
        ["in stage since".to_owned(), values::short(lead.stage_entered_at.as_ref())],
        ["created".to_owned(), values::short(lead.created_at.as_ref())],
        ["source".to_owned(), names::source(lead.source)],
    ];
    let attributes: BTreeMap<_, _> = lead.attributes.iter().collect();
    rows.extend(attributes.into_iter().map(|(name, value)| [name.clone(), value.clone()]));
    output::table(&["FIELD", "VALUE"], &[], rows)
}

#[derive(clap::Args, Debug)]
struct Forget {
    #[command(flatten)]
    leads: LeadArgs,
    #[command(flatten)]
    write: WriteArgs,
}

impl Forget {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let (ids, series) = (self.leads.read_ids()?, self.write.series());
        let (mut results, mut revision, mut replayed) = (Vec::new(), 0, false);
        for (number, chunk) in ids.chunks(CHUNK).enumerate() {
            let context = series.context(number);
            let forget = ForgetLeadsRequest { account_id: session.account(), lead_ids: chunk.to_vec(), context };
            let send = || async { session.leads().forget_leads(session.request(forget.clone())).await };
            let answer: ForgetLeadsResponse = retrying(send).await?;
            results.extend(answer.results);
            revision = answer.revision;
            replayed |= answer.replayed;
        }
        print_results(session, &results, revision, replayed)
    }
}

fn print_results(session: &Session, results: &[LeadResult], revision: i64, replayed: bool) -> Result<Done, Error> {
    let document = || -> Value {
        let results: Vec<Value> = results.iter().map(to_json::lead_result).collect();
        json!({"results": results, "revision": revision, "replayed": replayed})
    };
    let line = |result: &LeadResult| match Outcome::try_from(result.outcome) {
        Ok(Outcome::Unchanged) => format!("{}: unchanged", result.lead_id),
        _ => format!("{}: {}, revision {revision}", result.lead_id, names::outcome(result.outcome).to_lowercase()),
    };
    let text = || results.iter().map(line).collect::<Vec<_>>().join("\n") + super::assign::replay_note(replayed);
    session.out.print(document, text)?;
    Ok(Done::Fully)
}
