//! Random requests of several accounts at the same time, and what may come between them and their answers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ownership::domain::actor::{Actor, Origin, Source};
use ownership::domain::command::{
    Action, Assign, AssignItem, Command, FailureMode, LeadUpdate, MemberUpsert, NewLead, Once, Precondition, Register,
    Update,
};
use ownership::domain::ids::{CallerId, LeadId, MemberId, Revision};
use ownership::domain::member::{Member, Standing};
use ownership::domain::settings::{DefaultSender, Settings};
use ownership::domain::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

pub const ACCOUNTS: usize = 3;
pub const LEADS: usize = 5;
pub const MEMBERS: usize = 3;
/// Request ids of each account, and the bodies that are sent under them.
const IDS: usize = 4;

/// What happens in one case.
#[derive(Debug, Clone)]
pub struct Plan {
    pub max_batch: usize,
    pub writers: usize,
    /// Whether accounts leave memory as soon as nobody uses them.
    pub forgetful: bool,
    /// What is sent under the request ids.
    pub bodies: Vec<Action>,
    pub waves: Vec<Wave>,
}

/// Requests at the same time.
#[derive(Debug, Clone)]
pub struct Wave {
    pub attempts: Vec<Attempt>,
    /// An account whose head somebody else holds at first, and for how long.
    pub held: Option<(usize, Duration)>,
    /// A replica that is killed in the middle, and when.
    pub kill: Option<(usize, Duration)>,
}

/// One request, sent once.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub account: usize,
    pub replica: usize,
    pub after: Duration,
    pub what: What,
    pub patience: Patience,
}

#[derive(Debug, Clone)]
pub enum What {
    /// Without a request id.
    Plain(Action),
    /// A body under a request id: its own, mostly.
    Once { id: usize, body: usize },
}

/// How long the caller waits.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    Long,
    /// With this deadline.
    Deadline(Duration),
    /// Hangs up without a word.
    Cancel(Duration),
}

pub fn lead_id(number: usize) -> LeadId {
    LeadId::parse(&format!("L{number}")).unwrap()
}

pub fn member_id(number: usize) -> MemberId {
    MemberId::parse(&format!("m{number}")).unwrap()
}

pub fn caller() -> CallerId {
    CallerId::parse("test").unwrap()
}

/// The request id of this number in an account.
pub fn request_id(account: usize, id: usize) -> Uuid {
    Uuid::from_u128(0x1000 * (account as u128 + 1) + id as u128)
}

pub fn fingerprint(action: &Action) -> [u8; 32] {
    let mut hasher = DefaultHasher::new();
    format!("{action:?}").hash(&mut hasher);
    std::array::from_fn(|index| hasher.finish().to_le_bytes()[index % 8])
}

impl Plan {
    pub fn action<'a>(&'a self, attempt: &'a Attempt) -> &'a Action {
        match &attempt.what {
            What::Plain(action) => action,
            What::Once { body, .. } => &self.bodies[*body],
        }
    }

    /// The command of an attempt. Its reason is the number of the attempt, so that the log tells which one did it.
    pub fn command(&self, attempt: &Attempt, number: usize) -> Command {
        let action = self.action(attempt).clone();
        let request = match attempt.what {
            What::Plain(_) => None,
            What::Once { id, .. } => Some(request_id(attempt.account, id)),
        };
        let once = request.map(|request| Once { request, method: action.name(), fingerprint: fingerprint(&action) });
        Command { origin: origin(number, request), once, action }
    }
}

fn origin(number: usize, request: Option<Uuid>) -> Origin {
    let actor = Actor { caller: caller(), member: None };
    Origin { actor, source: Source::Api, reason: number.to_string(), batch: None, request }
}

/// Makes all members and leads known.
pub fn foundations(account: usize, replica: usize) -> [Attempt; 2] {
    let members = Action::UpsertMembers((0..MEMBERS).map(|number| upsert(number, Standing::Active, 0)).collect());
    let leads = (0..LEADS).map(|number| new_lead(number, None)).collect();
    let leads = Action::Register(Register { leads, default_owner: None, mode: FailureMode::FailAll, notify: false });
    [members, leads].map(|action| Attempt {
        account,
        replica,
        after: Duration::ZERO,
        what: What::Plain(action),
        patience: Patience::Long,
    })
}

/// Changes something in any case, so that everything that was sent through the same door before is over when it is answered.
pub fn last_word(account: usize, replica: usize) -> Attempt {
    let sender = DefaultSender { name: format!("through {replica}"), email: "team@example.com".to_owned() };
    let settings = Settings { default_sender: Some(sender), ..Settings::default() };
    Attempt {
        account,
        replica,
        after: Duration::ZERO,
        what: What::Plain(Action::UpdateSettings { settings, expected: None }),
        patience: Patience::Long,
    }
}

fn upsert(number: usize, standing: Standing, observed: i64) -> MemberUpsert {
    let id = member_id(number);
    let member = Member {
        display_name: format!("Member {id}"),
        initials: "M".to_owned(),
        email: String::new(),
        avatar_url: String::new(),
        manager_id: None,
        standing,
        capacity: None,
        observed_at: Timestamp(observed),
        id,
    };
    MemberUpsert { member, standing: Some(standing), observed_at: Some(Timestamp(observed)) }
}

fn new_lead(number: usize, owner: Option<usize>) -> NewLead {
    NewLead {
        lead: lead_id(number),
        owner: owner.map(member_id),
        stage: "New".to_owned(),
        stage_entered_at: None,
        closed: false,
        created_at: Some(Timestamp(1)),
        attributes: Default::default(),
        observed_at: Some(Timestamp(1)),
    }
}

fn mode() -> impl Strategy<Value = FailureMode> {
    prop_oneof![Just(FailureMode::FailAll), Just(FailureMode::SkipFailed)]
}

/// One more than there are, so that some are unknown.
fn leads(most: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence((0..=LEADS).collect::<Vec<_>>(), 1..=most).prop_shuffle()
}

fn precondition() -> impl Strategy<Value = Option<Precondition>> {
    prop_oneof![
        5 => Just(None),
        1 => (1..12_i64).prop_map(|revision| Some(Precondition::Revision(Revision(revision)))),
        1 => (0..MEMBERS).prop_map(|owner| Some(Precondition::Owner(member_id(owner)))),
        2 => Just(Some(Precondition::Unassigned)),
    ]
}

fn assign() -> impl Strategy<Value = Action> {
    let owner = proptest::option::weighted(0.8, 0..=MEMBERS);
    (leads(4), vec((owner, precondition()), 4), mode(), any::<Option<bool>>()).prop_map(
        |(leads, rest, mode, notify)| {
            let item = |(lead, (owner, precondition)): (usize, (Option<usize>, Option<Precondition>))| AssignItem {
                lead: lead_id(lead),
                owner: owner.map(member_id),
                precondition,
            };
            Action::Assign(Assign { items: leads.into_iter().zip(rest).map(item).collect(), mode, notify })
        },
    )
}

fn update() -> impl Strategy<Value = Action> {
    (leads(3), 0..9_i64, any::<bool>(), mode()).prop_map(|(leads, observed, closed, mode)| {
        let update = |lead| LeadUpdate {
            lead: lead_id(lead),
            observed_at: Timestamp(observed),
            stage: Some(format!("Stage {observed}")),
            stage_entered_at: None,
            closed: Some(closed),
            attributes: Some([("observed", observed.to_string())].into_iter().collect()),
        };
        Action::Update(Update { updates: leads.into_iter().map(update).collect(), mode })
    })
}

fn register() -> impl Strategy<Value = Action> {
    (leads(3), proptest::option::of(0..=MEMBERS), mode()).prop_map(|(leads, owner, mode)| {
        let leads = leads.into_iter().map(|lead| new_lead(lead, owner)).collect();
        Action::Register(Register { leads, default_owner: None, mode, notify: false })
    })
}

fn action() -> impl Strategy<Value = Action> {
    let standing =
        prop_oneof![3 => Just(Standing::Active), 1 => Just(Standing::Leaving), 1 => Just(Standing::Inactive)];
    prop_oneof![
        8 => assign(),
        2 => update(),
        2 => register(),
        1 => leads(2).prop_map(|leads| Action::Forget(leads.into_iter().map(lead_id).collect())),
        2 => (0..MEMBERS, standing, 0..9_i64)
            .prop_map(|(member, standing, observed)| Action::UpsertMembers(vec![upsert(member, standing, observed)])),
        1 => (0..=MEMBERS).prop_map(|member| Action::Deactivate(member_id(member))),
    ]
}

fn millis(most: u64) -> impl Strategy<Value = Duration> {
    (0..=most).prop_map(Duration::from_millis)
}

fn patience() -> impl Strategy<Value = Patience> {
    prop_oneof![
        6 => Just(Patience::Long),
        3 => millis(6).prop_map(Patience::Deadline),
        2 => millis(5).prop_map(Patience::Cancel),
    ]
}

fn what() -> impl Strategy<Value = What> {
    let once = (0..IDS, prop::bool::weighted(0.2))
        .prop_map(|(id, other)| What::Once { id, body: if other { (id + 1) % IDS } else { id } });
    prop_oneof![3 => action().prop_map(What::Plain), 2 => once]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    // The first account gets most of it, so that requests share batches.
    let account = prop_oneof![3 => Just(0), 2 => 0..ACCOUNTS];
    (account, 0..2_usize, millis(3), what(), patience()).prop_map(|(account, replica, after, what, patience)| Attempt {
        account,
        replica,
        after,
        what,
        patience,
    })
}

fn wave() -> impl Strategy<Value = Wave> {
    let held = proptest::option::weighted(0.6, (0..ACCOUNTS, millis(8)));
    let kill = proptest::option::weighted(0.35, (0..2_usize, millis(8)));
    (vec(attempt(), 1..16), held, kill).prop_map(|(attempts, held, kill)| Wave { attempts, held, kill })
}

/// A case.
pub fn plan() -> impl Strategy<Value = Plan> {
    let max_batch = prop_oneof![1 => Just(1), 2 => Just(3), 3 => Just(512)];
    let writers = prop_oneof![Just(1), Just(4)];
    (max_batch, writers, prop::bool::weighted(0.3), vec(action(), IDS), vec(wave(), 1..5)).prop_map(
        |(max_batch, writers, forgetful, bodies, waves)| Plan { max_batch, writers, forgetful, bodies, waves },
    )
}
