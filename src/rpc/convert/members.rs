//! Members: added, shown, picked and deactivated.

use ownership_proto::v1 as pb;
use ownership_proto::v1::WriteContext;

use super::pages::Paged;
use super::reads::freshness;
use super::time::{timestamp, to_timestamp};
use super::writes::{origin, outcome};
use super::{Invalid, distinct, id, optional_id};
use crate::context::Freshness;
use crate::domain::book::Load;
use crate::domain::command::{Action, MemberUpsert};
use crate::domain::ids::{AccountId, CallerId, MemberId};
use crate::domain::member::{Member, Standing, initials_of};
use crate::domain::outcome::{Answer, Results};
use crate::members::{PickRequest, Picked};
use crate::page::Read;
use crate::rpc::call::{Ask, Mismatch, Order, Write};

impl Write for pb::UpsertMembersRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.MemberService/UpsertMembers";
    const ITEMS: Option<&'static str> = Some("members");
    type Subject = Vec<MemberId>;
    type Response = pb::UpsertMembersResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<Vec<MemberId>>, Invalid> {
        let Self { account_id, members, context } = self;
        distinct(members.iter().map(|member| member.member_id.as_str()), |index| {
            format!("members[{index}].member_id")
        })?;
        let members: Vec<_> = members.into_iter().enumerate().map(member_upsert).collect::<Result<_, _>>()?;
        let subject = members.iter().map(|upsert| upsert.member.id.clone()).collect();
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action: Action::UpsertMembers(members), subject })
    }

    fn response(members: Vec<MemberId>, answer: Answer) -> Result<pb::UpsertMembersResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let Results::Members(outcomes) = results else { return Err(Mismatch) };
        let result =
            |(member, what): (MemberId, _)| pb::MemberResult { member_id: member.into(), outcome: outcome(what) };
        let results = members.into_iter().zip(outcomes).map(result).collect();
        Ok(pb::UpsertMembersResponse { results, revision: revision.0, replayed })
    }
}

fn member_upsert((index, member): (usize, pb::Member)) -> Result<MemberUpsert, Invalid> {
    let pb::Member {
        member_id,
        display_name,
        initials,
        email,
        avatar_url,
        manager_id,
        standing: asked,
        capacity,
        observed_at,
    } = member;
    let standing = standing(asked, index)?;
    let observed_at = observed_at.map(timestamp);
    let member = Member {
        id: id(member_id, format_args!("members[{index}].member_id"))?,
        initials: if initials.is_empty() { initials_of(&display_name) } else { initials },
        display_name,
        email,
        avatar_url,
        manager_id: optional_id(manager_id, format_args!("members[{index}].manager_id"))?,
        standing: standing.unwrap_or(Standing::Active),
        capacity,
        observed_at: observed_at.unwrap_or_default(),
    };
    Ok(MemberUpsert { member, standing, observed_at })
}

fn standing(number: i32, index: usize) -> Result<Option<Standing>, Invalid> {
    match pb::Standing::try_from(number) {
        Ok(pb::Standing::Unspecified) => Ok(None),
        Ok(pb::Standing::Active) => Ok(Some(Standing::Active)),
        Ok(pb::Standing::Leaving) => Ok(Some(Standing::Leaving)),
        Ok(pb::Standing::Inactive) => Ok(Some(Standing::Inactive)),
        Err(_) => Err(Invalid::not_known(format_args!("members[{index}].standing"))),
    }
}

impl Write for pb::DeactivateMemberRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.MemberService/DeactivateMember";
    type Subject = ();
    type Response = pb::DeactivateMemberResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<()>, Invalid> {
        let Self { account_id, member_id, context } = self;
        let action = Action::Deactivate(id(member_id, format_args!("member_id"))?);
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action, subject: () })
    }

    fn response((): (), answer: Answer) -> Result<pb::DeactivateMemberResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let Results::Deactivated { outcome: what, open, closed } = results else { return Err(Mismatch) };
        Ok(pb::DeactivateMemberResponse {
            outcome: outcome(what),
            open_leads: open,
            closed_leads: closed,
            revision: revision.0,
            replayed,
        })
    }
}

/// What is known of a member?
pub(in crate::rpc) struct GetMember {
    pub(in crate::rpc) member: MemberId,
    pub(in crate::rpc) freshness: Freshness,
}

impl Ask for pb::GetMemberRequest {
    type Question = GetMember;

    fn question(self) -> Result<(AccountId, GetMember), Invalid> {
        let Self { account_id, member_id, consistency } = self;
        let question =
            GetMember { member: id(member_id, format_args!("member_id"))?, freshness: freshness(consistency) };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl From<Read<(Member, Load)>> for pb::GetMemberResponse {
    fn from(read: Read<(Member, Load)>) -> Self {
        let Read { revision, value: (member, Load { open, closed }) } = read;
        Self { member: Some(member.into()), open_leads: open, closed_leads: closed, revision: revision.0 }
    }
}

impl Paged for pb::ListMembersRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.MemberService/ListMembers";

    fn strip(&mut self) -> (i32, String) {
        self.consistency = None;
        (std::mem::take(&mut self.page_size), std::mem::take(&mut self.page_token))
    }
}

impl Ask for pb::ListMembersRequest {
    type Question = PickRequest;

    fn question(self) -> Result<(AccountId, PickRequest), Invalid> {
        let page = self.page();
        let Self { account_id, name_prefix, include_all_standings, page_size: _, page_token: _, consistency } = self;
        let question = PickRequest {
            prefix: name_prefix,
            all_standings: include_all_standings,
            page,
            freshness: freshness(consistency),
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl From<Read<Picked>> for pb::ListMembersResponse {
    fn from(read: Read<Picked>) -> Self {
        let Read { revision, value: Picked { members, next_page_token } } = read;
        Self { members: members.into_iter().map(Into::into).collect(), next_page_token, revision: revision.0 }
    }
}

impl From<Member> for pb::Member {
    fn from(member: Member) -> Self {
        let Member { id, display_name, initials, email, avatar_url, manager_id, standing, capacity, observed_at } =
            member;
        Self {
            member_id: id.into(),
            display_name,
            initials,
            email,
            avatar_url,
            manager_id: manager_id.map(String::from),
            standing: pb::Standing::from(standing).into(),
            capacity,
            observed_at: Some(to_timestamp(observed_at)),
        }
    }
}
