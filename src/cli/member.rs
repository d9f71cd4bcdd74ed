//! `ownership member add|list|deactivate`.

use ownership_proto::v1::{
    DeactivateMemberRequest, ListMembersRequest, ListMembersResponse, Member, Standing, UpsertMembersRequest,
};
use serde_json::json;

use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::write::WriteArgs;
use super::{Done, json as to_json, names, output, values};

/// Arguments of `member`.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub struct Args {
    #[command(subcommand)]
    verb: MemberVerb,
}

#[derive(clap::Subcommand, Debug)]
enum MemberVerb {
    /// Add a member, or replace what is known of one as a whole
    Add(Add),
    /// List the members who can receive leads, by name
    List(List),
    /// Make a member inactive; the leads stay as they are
    Deactivate(Deactivate),
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        match self.verb {
            MemberVerb::Add(verb) => verb.run(session).await,
            MemberVerb::List(verb) => verb.run(session).await,
            MemberVerb::Deactivate(verb) => verb.run(session).await,
        }
    }
}

#[derive(clap::Args, Debug)]
struct Add {
    /// Member to add
    #[arg(value_name = "MEMBER")]
    member_id: String,
    /// Name to show; default: the id
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// E-mail address; without, the member cannot be a sender
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    email: String,
    /// One to four letters that stand for the name; default: made from it
    #[arg(long, value_name = "LETTERS", default_value = "", hide_default_value = true)]
    initials: String,
    /// Picture: an http or https address
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    avatar_url: String,
    /// Member to whom this one reports
    #[arg(long, value_name = "MEMBER")]
    manager: Option<String>,
    /// How many open leads automatic picks may give the member; default: no limit
    #[arg(long, value_name = "LEADS")]
    capacity: Option<i32>,
    /// Make a leaving or inactive member active again
    #[arg(long)]
    active: bool,
    #[command(flatten)]
    write: WriteArgs,
}

impl Add {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let standing = if self.active { Standing::Active } else { Standing::Unspecified };
        let member = Member {
            display_name: self.name.unwrap_or_else(|| self.member_id.clone()),
            member_id: self.member_id,
            initials: self.initials,
            email: self.email,
            avatar_url: self.avatar_url,
            manager_id: self.manager,
            standing: standing.into(),
            capacity: self.capacity,
            observed_at: None,
        };
        let context = self.write.context();
        let upsert = UpsertMembersRequest { account_id: session.account(), members: vec![member], context };
        let answer = session.members().upsert_members(session.request(upsert)).await?.into_inner();
        let result = answer.results.first().cloned().unwrap_or_default();
        let outcome = names::outcome(result.outcome);
        let document = json!({
            "member_id": result.member_id,
            "outcome": outcome,
            "revision": answer.revision,
            "replayed": answer.replayed,
        });
        let text = || format!("{}: {}, revision {}", result.member_id, outcome.to_lowercase(), answer.revision);
        session.out.print(|| document, text)?;
        Ok(Done::Fully)
    }
}

#[derive(clap::Args, Debug)]
struct List {
    /// Only names of which a word starts with this, whatever the case
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Leaving and inactive members too
    #[arg(long)]
    all: bool,
}

impl List {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let (members, revision) = all(session, &self.prefix, self.all).await?;
        let document = || {
            let members: Vec<_> = members.iter().map(to_json::member).collect();
            json!({"members": members, "revision": revision})
        };
        session.out.print(document, || as_text(&members))?;
        Ok(Done::Fully)
    }
}

/// All members whose name starts with a prefix, and the revision of the first page.
pub(super) async fn all(session: &Session, prefix: &str, all_standings: bool) -> Result<(Vec<Member>, i64), Error> {
    let (mut members, mut page_token, mut first_revision) = (Vec::new(), String::new(), None);
    loop {
        let list = ListMembersRequest {
            account_id: session.account(),
            name_prefix: prefix.to_owned(),
            include_all_standings: all_standings,
            page_size: 1_000,
            page_token,
            consistency: None,
        };
        let send = || async { session.members().list_members(session.request(list.clone())).await };
        let page: ListMembersResponse = retrying(send).await?;
        members.extend(page.members);
        let revision = *first_revision.get_or_insert(page.revision);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((members, revision));
        }
    }
}

fn as_text(members: &[Member]) -> String {
    let row = |member: &Member| {
        [
            member.member_id.clone(),
            member.display_name.clone(),
            member.initials.clone(),
            member.email.clone(),
            member.manager_id.clone().unwrap_or_default(),
            names::standing(member.standing).to_lowercase(),
            member.capacity.as_ref().map(i32::to_string).unwrap_or_default(),
        ]
    };
    let header = ["MEMBER", "NAME", "INITIALS", "E-MAIL", "MANAGER", "STANDING", "CAPACITY"];
    let table = output::table(&header, &[6], members.iter().map(row));
    format!("{table}\n{}", values::counted(members.len(), "member"))
}

#[derive(clap::Args, Debug)]
struct Deactivate {
    /// Member to make inactive
    #[arg(value_name = "MEMBER")]
    member_id: String,
    #[command(flatten)]
    write: WriteArgs,
}

impl Deactivate {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let member_id = self.member_id.clone();
        let context = self.write.context();
        let deactivate = DeactivateMemberRequest { account_id: session.account(), member_id, context };
        let answer = session.members().deactivate_member(session.request(deactivate)).await?.into_inner();
        let outcome = names::outcome(answer.outcome);
        let document = json!({
            "member_id": self.member_id,
            "outcome": outcome,
            "open_leads": answer.open_leads,
            "closed_leads": answer.closed_leads,
            "revision": answer.revision,
            "replayed": answer.replayed,
        });
        let (open, closed) = (values::grouped(answer.open_leads), values::grouped(answer.closed_leads));
        let text = || {
            format!(
                "{} is inactive ({}, revision {}) and still owns {open} open and {closed} closed leads",
                self.member_id,
                outcome.to_lowercase(),
                answer.revision
            )
        };
        session.out.print(|| document, text)?;
        Ok(Done::Fully)
    }
}
