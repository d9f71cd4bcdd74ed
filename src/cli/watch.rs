//! `ownership watch`.

use std::ops::ControlFlow;
use std::time::Duration;

use ownership_proto::v1::watch_owner_changes_request::Start;
use ownership_proto::v1::watch_owner_changes_response::Message;
use ownership_proto::v1::{ChangeFilter, OwnerChange, WatchOwnerChangesRequest, WatchOwnerChangesResponse};
use prost_types::Timestamp;
use tonic::{Code, Status, Streaming};

use super::client::{Session, Verb, is_passing};
use super::error::Error;
use super::{Done, history, json as to_json, names, output, values};

/// The service breaks the silence this often; three times as long without a word means that nobody is there.
const PROGRESS: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(45);
/// Pauses before another attempt double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  ownership watch                              what happens from now on
  ownership watch --after 120                  everything after revision 120, then what follows
  ownership watch --owner anna --owner ben     what they gain or lose
  ownership watch --unassigned --output json   the unassigned bucket, one JSON object per line

Prints one line per change until it is interrupted. After a cut it connects again and goes on where it was: no change \
is missed and none is printed twice.";

/// Arguments of `watch`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    start: StartArgs,
    /// Only changes from or to this member; may be repeated
    #[arg(long = "owner", value_name = "MEMBER", help_heading = "Filter")]
    owners: Vec<String>,
    /// Also changes into or out of the unassigned bucket; alone, only those
    #[arg(long, help_heading = "Filter")]
    unassigned: bool,
    /// Only changes of this lead; may be repeated
    #[arg(long = "lead", value_name = "LEAD", help_heading = "Filter")]
    leads: Vec<String>,
    /// End after this many changes
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

/// Where to begin; without any of these: now.
#[derive(clap::Args, Debug)]
#[group(multiple = false)]
struct StartArgs {
    /// Begin after this revision: the last one seen, or that of a list
    #[arg(long, value_name = "REVISION", help_heading = "Start")]
    after: Option<i64>,
    /// Begin with the first change at or after this time
    #[arg(long, value_name = "TIME", value_parser = values::parse_time, help_heading = "Start")]
    since: Option<Timestamp>,
    /// Begin with the oldest change that is kept
    #[arg(long, help_heading = "Start")]
    earliest: bool,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let mut watch = Watch {
            session,
            place: Place { start: self.start.start(), position: None, history_id: String::new() },
            filter: self.filter(),
            left: self.limit.unwrap_or(u64::MAX),
            known: names::Names::default(),
        };
        let mut pause = FIRST_PAUSE;
        while watch.left > 0 {
            match watch.follow(&mut pause).await {
                Ok(()) => break,
                Err(Cut::Output(error)) => return Err(error),
                Err(Cut::Stream(status)) if !can_resume(&status) => return Err(status.into()),
                Err(Cut::Stream(status)) => wait(&status, &mut pause).await,
            }
        }
        Ok(Done::Fully)
    }
}

/// A server that goes away without a word cancels its streams.
fn can_resume(status: &Status) -> bool {
    is_passing(status) || status.code() == Code::Cancelled
}

async fn wait(status: &Status, pause: &mut Duration) {
    output::note(&format!("the stream was cut ({}); connecting again", status.message()));
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

impl StartArgs {
    fn start(&self) -> Start {
        match (self.after, self.since, self.earliest) {
            (Some(revision), _, _) => Start::AfterRevision(revision),
            (_, Some(since), _) => Start::Since(since),
            (_, _, true) => Start::Earliest(()),
            _ => Start::Now(()),
        }
    }
}

impl Args {
    fn filter(&self) -> ChangeFilter {
        ChangeFilter {
            owner_ids: self.owners.clone(),
            unassigned: self.unassigned,
            lead_ids: self.leads.clone(),
            kinds: Vec::new(),
            sources: Vec::new(),
        }
    }
}

/// Why a stream ended.
enum Cut {
    /// The other side or the network.
    Stream(Status),
    /// Our own reader.
    Output(Error),
}

impl From<Status> for Cut {
    fn from(status: Status) -> Self {
        Self::Stream(status)
    }
}

/// Where a stream is, across reconnects.
#[derive(Debug)]
struct Place {
    start: Start,
    position: Option<i64>,
    history_id: String,
}

impl Place {
    /// Where the next stream starts: after what was seen.
    fn next_start(&self) -> Start {
        self.position.map_or_else(|| self.start, Start::AfterRevision)
    }

    /// Takes one message in: its changes, or a cut if something before it is missing.
    fn advance(&mut self, message: WatchOwnerChangesResponse) -> Result<Vec<OwnerChange>, Status> {
        let (previous, revision, changes) = match message.message {
            Some(Message::Started(started)) => {
                self.history_id = started.history_id;
                self.position = Some(started.revision);
                return Ok(Vec::new());
            }
            Some(Message::Changes(it)) => (it.previous_revision, it.revision, it.changes),
            Some(Message::Progress(it)) => (it.previous_revision, it.revision, Vec::new()),
            None => return Ok(Vec::new()),
        };
        if self.position != Some(previous) {
            let gap = format!("expected to go on from {:?}, the stream goes on from {previous}", self.position);
            return Err(Status::unavailable(gap));
        }
        self.position = Some(revision);
        Ok(changes)
    }
}

struct Watch<'a> {
    session: &'a Session,
    place: Place,
    filter: ChangeFilter,
    left: u64,
    known: names::Names,
}

impl Watch<'_> {
    /// Follows one stream until it is cut or enough was printed.
    async fn follow(&mut self, pause: &mut Duration) -> Result<(), Cut> {
        let mut stream = self.open().await?;
        loop {
            let message = tokio::time::timeout(SILENCE, stream.message()).await;
            let message = message.map_err(|_| Status::unavailable("no word from the server"))??;
            let message = message.ok_or_else(|| Status::unavailable("the server ended it"))?;
            let changes = self.place.advance(message)?;
            *pause = FIRST_PAUSE;
            if self.print(&changes).await.map_err(Cut::Output)?.is_break() {
                return Ok(());
            }
        }
    }

    async fn open(&self) -> Result<Streaming<WatchOwnerChangesResponse>, Status> {
        let watch = WatchOwnerChangesRequest {
            account_id: self.session.account(),
            history_id: self.place.history_id.clone(),
            filter: (self.filter != ChangeFilter::default()).then(|| self.filter.clone()),
            progress_interval: prost_types::Duration::try_from(PROGRESS).ok(),
            start: Some(self.place.next_start()),
        };
        // No deadline: a watch lasts for as long as the user likes.
        Ok(self.session.ownership().watch_owner_changes(watch).await?.into_inner())
    }

    async fn print(&mut self, changes: &[OwnerChange]) -> Result<ControlFlow<()>, Error> {
        for change in changes {
            if self.session.out.is_for_people() {
                let ids = change.owner_id.iter().chain(&change.previous_owner_id);
                self.known.look_up(self.session, ids.cloned().collect()).await;
            }
            self.session.out.print_line(|| to_json::change(change), || line(change, &self.known))?;
            self.left -= 1;
            if self.left == 0 {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn line(change: &OwnerChange, known: &names::Names) -> String {
    let time = values::short(change.occurred_at.as_ref());
    let (from, to) = names::sides(change, known);
    let kind = names::kind(change.kind);
    let reason = if change.reason.is_empty() { String::new() } else { format!("  \"{}\"", change.reason) };
    let by = history::actor(change);
    format!("{time}  {:>6}  {:<16}  {kind:<10}  {from} -> {to}  by {by}{reason}", change.revision, change.lead_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership_proto::v1::{WatchChanges, WatchProgress, WatchStarted};

    fn message(message: Message) -> WatchOwnerChangesResponse {
        WatchOwnerChangesResponse { message: Some(message) }
    }

    fn started(revision: i64) -> WatchOwnerChangesResponse {
        message(Message::Started(WatchStarted { revision, history_id: "h".into(), ..WatchStarted::default() }))
    }

    fn place() -> Place {
        Place { start: Start::Now(()), position: None, history_id: String::new() }
    }

    #[test]
    fn a_cut_watch_resumes_after_the_last_position_it_saw() {
        let mut place = place();
        assert_eq!(place.next_start(), Start::Now(()));
        place.advance(started(4)).unwrap();
        let progress = WatchProgress { previous_revision: 4, revision: 9, head_revision: 9 };
        place.advance(message(Message::Progress(progress))).unwrap();
        assert_eq!(place.next_start(), Start::AfterRevision(9));
        assert_eq!(place.history_id, "h");
    }

    #[test]
    fn a_gap_in_the_stream_is_a_cut_that_moves_nothing() {
        let mut place = place();
        place.advance(started(4)).unwrap();
        let changes = WatchChanges { previous_revision: 5, revision: 6, ..WatchChanges::default() };
        let cut = place.advance(message(Message::Changes(changes))).unwrap_err();
        assert!(is_passing(&cut));
        assert_eq!(place.next_start(), Start::AfterRevision(4));
    }
}
