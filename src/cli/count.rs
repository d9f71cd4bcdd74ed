//! `ownership count`.

use std::collections::{BTreeMap, BTreeSet};

use ownership_proto::v1::{CountByOwnerRequest, CountByOwnerResponse, MemberCard, OwnerCount};
use serde_json::{Value, json};

use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::filter::FilterArgs;
use super::{Done, json as to_json, names, output, values};

/// Longest bar, in characters.
const BAR: i64 = 24;

const EXAMPLES: &str = "\
Examples:
  ownership count                                     all leads by owner and stage
  ownership count --open --in-stage-longer-than 30d   what is stuck, and with whom
  ownership count --owner anna --owner ben";

/// Arguments of `count`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    /// Only the leads of this member; may be repeated
    #[arg(long = "owner", value_name = "MEMBER")]
    owners: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

/// The pages together.
#[derive(Default)]
struct Counts {
    counts: Vec<OwnerCount>,
    cards: BTreeMap<String, MemberCard>,
    revision: Option<i64>,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let mut counts = Counts::default();
        let mut page_token = String::new();
        loop {
            let count = CountByOwnerRequest {
                account_id: session.account(),
                filter: self.filter.filter(),
                owner_ids: self.owners.clone(),
                page_size: 1_000,
                page_token,
                consistency: None,
                include_cards: true,
            };
            let send = || async { session.ownership().count_by_owner(session.request(count.clone())).await };
            let page: CountByOwnerResponse = retrying(send).await?;
            page_token = page.next_page_token.clone();
            counts.add(page);
            if page_token.is_empty() {
                break;
            }
        }
        session.out.print(|| counts.as_json(), || counts.as_text())?;
        Ok(Done::Fully)
    }
}

impl Counts {
    fn add(&mut self, page: CountByOwnerResponse) {
        self.counts.extend(page.counts);
        self.cards.extend(page.cards.into_iter().map(|card| (card.member_id.clone(), card)));
        self.revision.get_or_insert(page.revision);
    }

    fn as_json(&self) -> Value {
        json!({
            "counts": self.counts.iter().map(to_json::owner_count).collect::<Vec<_>>(),
            "cards": self.cards.values().map(to_json::card).collect::<Vec<_>>(),
            "revision": self.revision,
        })
    }

    fn as_text(&self) -> String {
        let known = names::Names::of(&self.cards.values().cloned().collect::<Vec<_>>());
        let stages: BTreeSet<&str> =
            self.counts.iter().flat_map(|count| &count.stages).map(|stage| stage.stage.as_str()).collect();
        let most = self.counts.iter().map(|count| count.total).max().unwrap_or_default();
        let row = |count: &OwnerCount| row(known.owner(count.owner_id.as_ref()), count, &stages, most);
        let mut rows: Vec<Vec<String>> = self.counts.iter().map(row).collect();
        rows.push(sum(&self.counts, &stages));
        let named = stages.iter().map(|&stage| if stage.is_empty() { "(no stage)" } else { stage });
        let header: Vec<&str> = ["OWNER"].into_iter().chain(named).chain(["TOTAL", ""]).collect();
        let numbers: Vec<usize> = (1..header.len() - 1).collect();
        format!("{}\nat revision {}", output::table(&header, &numbers, rows), self.revision.unwrap_or_default())
    }
}

fn row(owner: String, count: &OwnerCount, stages: &BTreeSet<&str>, most: i64) -> Vec<String> {
    let mut row = vec![owner];
    row.extend(stages.iter().map(|stage| values::grouped(in_stage(count, stage))));
    row.extend([values::grouped(count.total), bar(count.total, most)]);
    row
}

fn sum(counts: &[OwnerCount], stages: &BTreeSet<&str>) -> Vec<String> {
    let mut row = vec!["all".to_owned()];
    row.extend(stages.iter().map(|stage| values::grouped(counts.iter().map(|count| in_stage(count, stage)).sum())));
    row.extend([values::grouped(counts.iter().map(|count| count.total).sum()), String::new()]);
    row
}

fn in_stage(count: &OwnerCount, stage: &str) -> i64 {
    count.stages.iter().filter(|it| it.stage == stage).map(|it| it.open + it.closed).sum()
}

/// A bar in proportion to the longest one; whatever is not zero shows.
fn bar(count: i64, most: i64) -> String {
    let length = (count.saturating_mul(BAR)).div_euclid(most.max(1)).max(i64::from(count > 0));
    "█".repeat(usize::try_from(length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_in_proportion_and_never_vanishes() {
        assert_eq!(bar(100, 100).chars().count(), 24);
        assert_eq!(bar(50, 100).chars().count(), 12);
        assert_eq!(bar(1, 1_000_000).chars().count(), 1);
        assert_eq!(bar(0, 0), "");
    }
}
