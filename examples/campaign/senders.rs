//! In whose name a campaign is sent.

use anyhow::{Result, anyhow, bail};
use ownership_client::Client;
use ownership_client::proto::v1::{
    AsOf, LeadFilter, ResolveSendersRequest, Sender, SenderResolution, StreamSendersRequest, as_of,
};

use super::table::{Table, insert_campaign, insert_recipients};

/// Leads that can be asked about at once.
const MOST: usize = 1_000;

/// Starts a campaign to all open leads. Returns the revision that its senders are of, and how many recipients it has.
///
/// The stream is one snapshot: assignments that go on meanwhile do not show. Should it break, nothing was noted down, and the campaign
/// is started again.
pub async fn start(client: &Client, table: &Table, account_id: &str, name: &str) -> Result<(i64, usize)> {
    let open = LeadFilter { closed: Some(false), ..Default::default() };
    let request = StreamSendersRequest { account_id: account_id.to_owned(), filter: Some(open), consistency: None };
    let mut stream = client.call(request).await?;
    let mut tables = table.new_campaign().await?;
    let (mut senders, mut revision, mut count) = (Vec::new(), None, 0);
    while let Some(message) = stream.message().await? {
        if revision.is_none() {
            insert_campaign(&mut tables, account_id, name, message.revision).await?;
        }
        revision = Some(message.revision);
        senders.extend(message.senders);
        let recipients = addressed(&senders, message.resolutions)?;
        count += recipients.len();
        insert_recipients(&mut tables, account_id, name, &recipients).await?;
    }
    tables.commit().await?;
    Ok((revision.ok_or_else(|| anyhow!("the stream was empty"))?, count))
}

/// Asks again who sent as of the start of a campaign. Returns how many recipients there are, and how many would have another sender.
pub async fn check(client: &Client, table: &Table, account_id: &str, name: &str) -> Result<(usize, usize)> {
    let revision = table.started_at(account_id, name).await?;
    let (mut checked, mut differing, mut after) = (0, 0, String::new());
    loop {
        let recipients = table.recipients(account_id, name, &after, MOST as i64).await?;
        let Some((last, _)) = recipients.last() else { return Ok((checked, differing)) };
        after.clone_from(last);
        let request = ResolveSendersRequest {
            account_id: account_id.to_owned(),
            lead_ids: recipients.iter().map(|(lead, _)| lead.clone()).collect(),
            as_of: Some(AsOf { at: Some(as_of::At::Revision(revision)) }),
            consistency: None,
        };
        let answer = client.call(request).await?;
        let now = addressed(&answer.senders, answer.resolutions)?;
        differing += now.iter().zip(&recipients).filter(|(now, then)| now != then).count();
        checked += recipients.len();
    }
}

/// Each lead with the address that is sent from.
fn addressed(senders: &[Sender], resolutions: Vec<SenderResolution>) -> Result<Vec<(String, Option<String>)>> {
    let address = |resolution: SenderResolution| {
        let Some(number) = resolution.sender else { return Ok((resolution.lead_id, None)) };
        match usize::try_from(number).ok().and_then(|number| senders.get(number)) {
            Some(sender) => Ok((resolution.lead_id, Some(sender.email.clone()))),
            None => bail!("sender {number} was not told"),
        }
    };
    resolutions.into_iter().map(address).collect()
}
