//! Sends an import to the service, in pieces that can be repeated.

use ownership_proto::v1::{
    FailureMode, LeadResult, Member, Outcome, RegisterLeadsRequest, RegisterLeadsResponse, Source,
    UpsertMembersRequest, UpsertMembersResponse, WriteContext,
};
use prost::Message;
use ring::digest::{SHA256, digest};
use uuid::Uuid;

use super::report::{BadRow, Summary, Why};
use super::rows::GoodRow;
use crate::cli::bulk::CHUNK;
use crate::cli::client::{Session, retrying};
use crate::cli::error::Error;
use crate::cli::values::grouped;

/// A request stays well below the megabyte that the service accepts.
const CHUNK_BYTES: usize = 700 * 1024;

/// Names the request and batch ids of imports: version 5 UUIDs within this one.
const NAMESPACE: Uuid = Uuid::from_u128(0x5ab3_0d3e_8f0c_4d26_9a41_6a1d_c0de_0001);

/// An import on its way.
pub(super) struct Shipment<'a> {
    session: &'a Session,
    batch_id: Uuid,
    reason: String,
    default_owner_id: Option<String>,
    chunk: Vec<GoodRow>,
    chunk_bytes: usize,
}

impl<'a> Shipment<'a> {
    /// Begins one. The same account and file content give the same batch id.
    pub(super) fn new(session: &'a Session, file: &[u8], reason: String, default_owner_id: Option<String>) -> Self {
        let batch_id = Uuid::new_v5(&NAMESPACE, &[session.account().as_bytes(), b"\0", file].concat());
        Self { session, batch_id, reason, default_owner_id, chunk: Vec::new(), chunk_bytes: 0 }
    }

    /// The id that ties the changes of the import together.
    pub(super) fn batch_id(&self) -> String {
        self.batch_id.to_string()
    }

    /// The context of a request whose other content is `body`: equal requests get equal ids, so a repeat does nothing,
    /// and a request that differs, because the file is now read in another way, is a new one.
    fn context(&self, body: &impl Message) -> WriteContext {
        let content = digest(&SHA256, &body.encode_to_vec());
        WriteContext {
            request_id: Uuid::new_v5(&self.batch_id, content.as_ref()).to_string(),
            member_id: None,
            source: Source::Import.into(),
            reason: self.reason.clone(),
            batch_id: Some(self.batch_id()),
        }
    }

    /// Adds the members that the file needs.
    pub(super) async fn members(&self, members: &[Member], summary: &mut Summary) -> Result<(), Error> {
        for chunk in members.chunks(CHUNK) {
            let account_id = self.session.account();
            let mut upsert = UpsertMembersRequest { account_id, members: chunk.to_vec(), context: None };
            upsert.context = Some(self.context(&upsert));
            let send = || async { self.session.members().upsert_members(self.session.request(upsert.clone())).await };
            let answer: UpsertMembersResponse = retrying(send).await?;
            summary.members_added += chunk.len() as u64;
            summary.revision = answer.revision;
        }
        Ok(())
    }

    /// Takes a row, and sends what has gathered when that is enough for a request. Returns how many rows were sent.
    pub(super) async fn lead(&mut self, row: GoodRow, summary: &mut Summary) -> Result<u64, Error> {
        let bytes = row.lead.encoded_len() + 8;
        let full = self.chunk.len() == CHUNK || self.chunk_bytes + bytes > CHUNK_BYTES;
        let sent = if full { self.flush(summary).await? } else { 0 };
        self.chunk_bytes += bytes;
        self.chunk.push(row);
        Ok(sent)
    }

    /// Sends what has gathered. Returns how many rows that were.
    pub(super) async fn flush(&mut self, summary: &mut Summary) -> Result<u64, Error> {
        let rows = std::mem::take(&mut self.chunk);
        self.chunk_bytes = 0;
        if rows.is_empty() {
            return Ok(0);
        }
        let answer = self.register(&rows, true).await.map_err(|cause| stopped(cause, &rows, summary))?;
        summary.revision = answer.revision;
        let (sent, replayed) = (rows.len() as u64, answer.replayed);
        let results = rows.into_iter().zip(answer.results);
        let (again, done): (Vec<_>, Vec<_>) = results.partition(|(_, it)| replayed && it.outcome() == Outcome::Failed);
        for (row, result) in done {
            tally(row.line, &result, replayed, summary);
        }
        self.try_again(again.into_iter().map(|(row, _)| row).collect(), summary).await?;
        Ok(sent)
    }

    /// Rows that an earlier run could not place may have a place by now: an owner who is active again.
    async fn try_again(&self, rows: Vec<GoodRow>, summary: &mut Summary) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let answer = self.register(&rows, false).await?;
        summary.revision = answer.revision;
        for (row, result) in rows.iter().zip(&answer.results) {
            tally(row.line, result, answer.replayed, summary);
        }
        Ok(())
    }

    /// Registers rows under the request id of their content or, as known leads are left alone anyway, under none.
    async fn register(&self, rows: &[GoodRow], once: bool) -> Result<RegisterLeadsResponse, Error> {
        let mut register = RegisterLeadsRequest {
            account_id: self.session.account(),
            leads: rows.iter().map(|row| row.lead.clone()).collect(),
            default_owner_id: self.default_owner_id.clone(),
            failure_mode: FailureMode::SkipFailed.into(),
            context: Some(WriteContext { reason: self.reason.clone(), ..WriteContext::default() }),
            notify_new_owner: false,
        };
        let context = self.context(&register);
        let request_id = if once { context.request_id } else { String::new() };
        register.context = Some(WriteContext { request_id, ..context });
        let send = || async { self.session.leads().register_leads(self.session.request(register.clone())).await };
        Ok(retrying(send).await?)
    }
}

/// The error of a later request says how far the import came.
fn stopped(cause: Error, rows: &[GoodRow], summary: &Summary) -> Error {
    let done = grouped(i64::try_from(summary.registered + summary.unchanged + summary.repeated).unwrap_or(i64::MAX));
    let line = rows.first().map_or(0, |row| row.line);
    let done = format!("{done} leads are in; the rest begins with line {line}. Run the same command again to go on.");
    Error::Stopped { done, cause: Box::new(cause) }
}

fn tally(line: u64, result: &LeadResult, replayed: bool, summary: &mut Summary) {
    match Outcome::try_from(result.outcome) {
        Ok(Outcome::Failed) => {
            let error = result.error.clone().unwrap_or_default();
            let why = Why { reason: error.reason, message: error.message };
            summary.refused.push(BadRow { line, lead_id: result.lead_id.clone(), why });
        }
        Ok(Outcome::Unchanged) => summary.unchanged += 1,
        _ if replayed => summary.repeated += 1,
        _ => summary.registered += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(outcome: Outcome) -> LeadResult {
        LeadResult { lead_id: "L".into(), outcome: outcome.into(), error: None }
    }

    #[test]
    fn results_are_counted_by_what_became_of_the_lead() {
        let mut summary = Summary::default();
        tally(2, &result(Outcome::Registered), false, &mut summary);
        tally(3, &result(Outcome::Unchanged), false, &mut summary);
        tally(4, &result(Outcome::Registered), true, &mut summary);
        tally(5, &result(Outcome::Failed), false, &mut summary);
        assert_eq!((summary.registered, summary.unchanged, summary.repeated), (1, 1, 1));
        assert_eq!(summary.refused.first().map(|it| it.line), Some(5));
    }
}
