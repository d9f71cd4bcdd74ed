//! What every call goes through: decode, run, encode.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ownership_proto::v1::WriteContext;
use ownership_proto::{Encoded, Validate};
use prost::Message;
use tokio::time::Instant;
use tonic::{Extensions, Request, Response, Status};
use uuid::Uuid;

use super::convert::Invalid;
use super::convert::pages::sha256;
use super::layers::deadline::Deadline;
use super::status::{Failure, refused};
use super::{Backend, Rpc};
use crate::context::Context;
use crate::domain::actor::Origin;
use crate::domain::caller::Caller;
use crate::domain::command::{Action, Command, Once};
use crate::domain::ids::{AccountId, BatchId, CallerId};
use crate::domain::outcome::Answer;
use crate::domain::time::Timestamp;

/// A request that changes nothing.
pub(super) trait Ask: Validate + Sized {
    /// What it asks.
    type Question;

    /// Which account it asks, and what.
    fn question(self) -> Result<(AccountId, Self::Question), Invalid>;
}

/// A request that changes something.
pub(super) trait Write: Validate + Message + Sized {
    /// Its full name, as gRPC has it.
    const METHOD: &'static str;
    /// The list whose items can be refused, if it has one.
    const ITEMS: Option<&'static str> = None;
    /// What the response repeats of the request.
    type Subject;
    /// What a success returns.
    type Response: Message;

    /// What it says about itself.
    fn context_mut(&mut self) -> Option<&mut WriteContext>;

    /// What is to be done.
    fn order(self, caller: &CallerId) -> Result<Order<Self::Subject>, Invalid>;

    /// What was done.
    fn response(subject: Self::Subject, answer: Answer) -> Result<Self::Response, Mismatch>;
}

/// What is to be done.
pub(super) struct Order<S> {
    /// For which account.
    pub(super) account: AccountId,
    /// Who, from where and why.
    pub(super) origin: Origin,
    /// What.
    pub(super) action: Action,
    /// What the response repeats of the request.
    pub(super) subject: S,
}

/// The answer to a call, encoded.
pub(super) type Reply<T> = Result<Response<Encoded<T>>, Status>;

/// Encodes an answer.
pub(super) fn reply<T: Message>(answer: impl Into<T>) -> Reply<T> {
    Ok(Response::new(Encoded::of(&answer.into())))
}

/// The results do not fit the action: a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the results of a write do not fit its action")]
pub(super) struct Mismatch;

/// A question on its way to a capability.
pub(super) struct Asked<'a, Q> {
    /// What answers.
    pub(super) backend: &'a Backend,
    /// The call.
    pub(super) context: Context,
    /// What is asked.
    pub(super) question: Q,
    /// Who asks.
    pub(super) caller: Arc<Caller>,
}

impl Rpc {
    /// Takes a question apart.
    pub(super) fn ask<R: Ask>(&self, request: Request<R>) -> Result<Asked<'_, R::Question>, Status> {
        let (_, extensions, message) = request.into_parts();
        let caller = self.caller(&extensions)?;
        let (account, question) = valid(message)?.question().map_err(Failure::from)?;
        caller.may_use(&account).map_err(Failure::from)?;
        let context = context(account, &extensions);
        Ok(Asked { backend: self.backend()?, context, question, caller })
    }

    /// Has a write carried out.
    pub(super) async fn write<W: Write>(&self, request: Request<W>) -> Reply<W::Response> {
        let (_, extensions, message) = request.into_parts();
        let caller = self.caller(&extensions)?;
        let mut message = valid(message)?;
        let fingerprint = fingerprint(&mut message);
        let Order { account, mut origin, action, subject } = message.order(&caller.id).map_err(Failure::from)?;
        caller.may_use(&account).map_err(Failure::from)?;
        origin.actor = caller.acting_for(origin.actor.member).map_err(Failure::from)?;
        let command = command(W::METHOD, origin, action, fingerprint);
        let outcome = self.backend()?.ledger.write(&context(account, &extensions), command).await;
        let answer = outcome.map_err(|error| refused(&error, W::ITEMS))?;
        reply(W::response(subject, answer).map_err(Failure::from)?)
    }
}

/// The message, if it keeps the rules of the contract.
fn valid<R: Validate>(message: R) -> Result<R, Failure> {
    let violations = message.violations();
    if violations.is_empty() { Ok(message) } else { Err(Invalid::Fields(violations).into()) }
}

fn context(account: AccountId, extensions: &Extensions) -> Context {
    let deadline = extensions.get::<Deadline>().map(|deadline| deadline.0);
    Context { account, now: now(), deadline: deadline.unwrap_or_else(|| Instant::now() + UNSET_DEADLINE) }
}

/// For calls that did not come through the deadline layer, of which there are none outside of tests.
const UNSET_DEADLINE: Duration = Duration::from_secs(10);

#[expect(clippy::disallowed_methods, reason = "here the time comes in from outside")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn command(method: &'static str, mut origin: Origin, action: Action, fingerprint: Option<[u8; 32]>) -> Command {
    if origin.batch.is_none() && leads_of(&action) > 1 {
        origin.batch = new_batch();
    }
    let once = origin.request.zip(fingerprint).map(|(request, fingerprint)| Once { request, method, fingerprint });
    Command { origin, once, action }
}

/// What a repeat under the same request id is recognised by: the whole request but for the id, which may be spelled differently.
/// Without an id there are no repeats, and nothing is computed.
fn fingerprint(message: &mut impl Write) -> Option<[u8; 32]> {
    let id =
        message.context_mut().map(|context| std::mem::take(&mut context.request_id)).filter(|id| !id.is_empty())?;
    let fingerprint = sha256(&message.encode_to_vec());
    if let Some(context) = message.context_mut() {
        context.request_id = id;
    }
    Some(fingerprint)
}

/// How many leads an action names.
fn leads_of(action: &Action) -> usize {
    match action {
        Action::Assign(assign) => assign.items.len(),
        Action::Register(register) => register.leads.len(),
        Action::Update(update) => update.updates.len(),
        Action::Forget(leads) => leads.len(),
        Action::UpsertMembers(_) | Action::Deactivate(_) => 0,
        Action::UpdateSettings { .. } | Action::TellOverdue { .. } => 0,
    }
}

#[expect(clippy::disallowed_methods, reason = "here an id comes in from outside")]
fn new_batch() -> Option<BatchId> {
    BatchId::parse(&Uuid::now_v7().to_string()).ok()
}
