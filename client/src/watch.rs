//! A watch that goes on where it was when its stream is cut.

use std::time::Duration;

use ownership_proto::v1::watch_owner_changes_request::Start;
use ownership_proto::v1::watch_owner_changes_response::Message;
use ownership_proto::v1::{
    ErrorReason as Reason, OwnerChange, WatchOwnerChangesRequest, WatchOwnerChangesResponse, WatchStarted,
};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status, Streaming};

use crate::retry::{Backoff, is_passing};
use crate::{Client, Error, Position, StartOver};

/// Pauses between attempts to open the stream again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(20));
/// The longest silence of a watch that asks for none.
const SILENCE: Duration = Duration::from_secs(15);
/// Silences after which the other side is taken for dead.
const SILENCES: u32 = 3;

/// What a watch tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// Changes of whole revisions, all that matched up to the watch's [position](Watch::position).
    Changes(Vec<OwnerChange>),
    /// Nothing matched up to the watch's position.
    Progress,
    /// The changes that follow what was seen cannot be had any more: list, then [start again](Watch::start_again).
    StartOver(StartOver),
}

/// The owner changes of an account, resumed whenever the stream is cut.
pub struct Watch {
    client: Client,
    request: WatchOwnerChangesRequest,
    position: Option<Position>,
    open: Option<Open>,
    backoff: Backoff,
}

struct Open {
    stream: Streaming<WatchOwnerChangesResponse>,
    since: Instant,
}

impl Watch {
    pub(crate) fn new(client: Client, request: WatchOwnerChangesRequest) -> Self {
        Self { client, request, position: None, open: None, backoff: Backoff::new(PAUSES.0, PAUSES.1) }
    }

    /// Where the watch is: everything up to here was told. Keep it with what you made of the changes. `None` before the first message.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Goes on after another position, such as that of a list.
    pub fn start_again(&mut self, after: Position) {
        self.open = None;
        self.position = Some(after);
    }

    /// What comes next. Waits while the service is away; fails for what does not pass by itself, and may then be called again.
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Watched, Error> {
        loop {
            let error = match self.message().await {
                Ok(Some(told)) => return Ok(told),
                Ok(None) => continue,
                Err(error) => error,
            };
            let lasted = self.open.take().map(|open| open.since.elapsed());
            if let Some(why) = StartOver::told_by(&error) {
                return Ok(Watched::StartOver(why));
            }
            // A stream that was open ends when the caller's token does: the next one brings a new token.
            let renewable = lasted.is_some() && error.code() == Code::Unauthenticated;
            if !(is_passing(&error) || renewable || is_crowded(&error)) {
                return Err(error);
            }
            self.backoff.lasted(lasted.unwrap_or_default());
            tracing::debug!(%error, "the watch was cut and is opened again");
            sleep(self.backoff.pause()).await;
        }
    }

    /// The next message of the stream, which is opened if it is not.
    async fn message(&mut self) -> Result<Option<Watched>, Error> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let stream = self.client.open_stream(self.request()).await?;
                self.open.insert(Open { stream, since: Instant::now() })
            }
        };
        let silence = self.request.progress_interval.and_then(|interval| interval.try_into().ok()).unwrap_or(SILENCE);
        let message = timeout(silence * SILENCES, open.stream.message()).await;
        let message = message.map_err(|_| Status::unavailable("the stream is silent"))??;
        let message = message.ok_or_else(|| Status::unavailable("the stream has ended"))?;
        Ok(self.take(message)?)
    }

    /// The request that goes on where the watch is.
    fn request(&self) -> WatchOwnerChangesRequest {
        let mut request = self.request.clone();
        if let Some(Position { history_id, revision }) = &self.position {
            request.start = Some(Start::AfterRevision(*revision));
            request.history_id.clone_from(history_id);
        }
        request
    }

    /// Takes a message in, unless something before it is missing.
    fn take(&mut self, message: WatchOwnerChangesResponse) -> Result<Option<Watched>, Status> {
        let (previous, revision, told) = match message.message {
            Some(Message::Started(WatchStarted { revision, history_id, .. })) => {
                self.position = Some(Position { history_id, revision });
                return Ok(None);
            }
            Some(Message::Changes(it)) => (it.previous_revision, it.revision, Watched::Changes(it.changes)),
            Some(Message::Progress(it)) => (it.previous_revision, it.revision, Watched::Progress),
            // A kind of message that came with a later version of the contract.
            None => return Ok(None),
        };
        match &mut self.position {
            Some(position) if position.revision == previous => position.revision = revision,
            _ => {
                return Err(Status::unavailable(format!(
                    "the stream goes on after {previous}, and left something out"
                )));
            }
        }
        Ok(Some(told))
    }
}

/// Whether others have to close watches first, or the reader has to become faster.
fn is_crowded(error: &Error) -> bool {
    matches!(error.reason(), Some(Reason::WatchLimitReached | Reason::WatchTooSlow))
}
