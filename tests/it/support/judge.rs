//! Whether what callers were told, the log, the tables and the book say the same, whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};

use ownership::domain::book::{Book, Draft};
use ownership::domain::command::Command;
use ownership::domain::fact::Commit;
use ownership::domain::ids::Revision;
use ownership::domain::lead::{Lead, LeadRef};
use ownership::domain::member::Member;
use ownership::domain::outcome::Answer;
use ownership::domain::settings::Settings;
use ownership::domain::time::Timestamp;
use ownership::ledger::Error;
use ownership::store::requests::Used;
use uuid::Uuid;

use super::plan::{LEADS, MEMBERS, fingerprint, lead_id, member_id};

/// A request that was sent, and what its caller was told.
#[derive(Debug)]
pub struct Sent {
    pub command: Command,
    /// The last revision that somebody was told of before it was sent.
    pub from: Revision,
    /// Nothing if the caller hung up, or the service was killed.
    pub answer: Option<Result<Answer, Error>>,
}

impl Sent {
    /// What became of it, in a word.
    pub fn kind(&self) -> &'static str {
        match &self.answer {
            Some(Ok(answer)) if answer.replayed => "replayed",
            Some(Ok(answer)) if answer.revision > self.from => "changed",
            Some(Ok(_)) => "unchanged",
            Some(Err(Error::Refused(_))) => "refused",
            Some(Err(Error::RequestIdReused { .. })) => "reused",
            Some(Err(Error::Deadline)) => "deadline",
            Some(Err(Error::OutcomeUnknown { .. })) => "unknown",
            Some(Err(Error::Busy { .. })) => "busy",
            Some(Err(_)) => "failed",
            None => "unanswered",
        }
    }
}

/// Everything that is left of one account.
#[derive(Debug)]
pub struct Remains {
    pub sent: BTreeMap<usize, Sent>,
    pub log: Vec<Commit>,
    pub used: Vec<Used>,
    /// The book as the replicas had it, and as one loads it from the tables.
    pub books: Vec<Picture>,
}

/// What a book shows.
#[derive(Debug, PartialEq)]
pub struct Picture {
    revision: Revision,
    leads: Vec<Option<Lead>>,
    members: Vec<Option<Member>>,
    settings: (Settings, Revision),
}

impl Picture {
    pub fn of(book: &Book) -> Self {
        let (settings, changed) = book.settings();
        Self {
            revision: book.revision(),
            leads: (0..=LEADS).map(|number| book.lead(lead_id(number).as_str()).and_then(LeadRef::to_lead)).collect(),
            members: (0..=MEMBERS).map(|number| book.member(member_id(number).as_str()).cloned()).collect(),
            settings: (settings.clone(), changed),
        }
    }
}

/// Why the remains contradict themselves.
pub type Verdict = Result<(), String>;

macro_rules! demand {
    ($holds:expr, $($complaint:tt)*) => {
        if !$holds {
            return Err(format!($($complaint)*));
        }
    };
}

impl Remains {
    /// Replays the log, and compares everything with it.
    pub fn judge(&self) -> Verdict {
        let authors = self.authors()?;
        self.ids()?;
        self.defects()?;
        self.nothings(&authors)?;
        let mut refused: BTreeSet<usize> = self.refused();
        let mut book = Book::default();
        self.at(&book, &mut refused)?;
        for (commit, author) in self.log.iter().zip(&authors) {
            self.follows(&book, commit, &self.sent[author])?;
            book.apply(commit).map_err(|error| format!("the log has a gap: {error}"))?;
            self.at(&book, &mut refused)?;
        }
        demand!(refused.is_empty(), "refused for what never was so: {:?}", refused.iter().map(|it| &self.sent[it]));
        self.acknowledged(&authors)?;
        let folded = Picture::of(&book);
        for shown in &self.books {
            demand!(*shown == folded, "a book shows {shown:?}, the log says {folded:?}");
        }
        Ok(())
    }

    /// Which attempt made each revision. Revisions are dense, and no attempt made two.
    fn authors(&self) -> Result<Vec<usize>, String> {
        let mut authors = Vec::new();
        for (commit, revision) in self.log.iter().zip(1..) {
            demand!(commit.revision.0 == revision, "revision {} in the place of {revision}", commit.revision);
            let author = commit.origin.reason.parse().map_err(|_| format!("a commit of nobody: {commit:?}"))?;
            demand!(self.sent.contains_key(&author), "a commit that nobody sent: {commit:?}");
            demand!(!authors.contains(&author), "carried out twice: {:?}", self.sent[&author]);
            authors.push(author);
        }
        Ok(authors)
    }

    /// No request id is carried out twice, and each that was is remembered with what it came to.
    fn ids(&self) -> Verdict {
        let mut commits: BTreeMap<Uuid, &Commit> = BTreeMap::new();
        for commit in &self.log {
            let Some(request) = commit.origin.request else { continue };
            demand!(commits.insert(request, commit).is_none(), "request id {request} was carried out twice");
            demand!(self.used(request).is_some(), "request id {request} is not remembered: {commit:?}");
        }
        for used in &self.used {
            let commit = commits.get(&used.request);
            let same = commit.is_none_or(|commit| commit.revision == used.revision);
            demand!(same, "request id remembered as {used:?}, carried out as {commit:?}");
        }
        Ok(())
    }

    fn used(&self, request: Uuid) -> Option<&Used> {
        self.used.iter().find(|used| used.request == request)
    }

    /// Nobody was told of a defect.
    fn defects(&self) -> Verdict {
        for sent in self.sent.values() {
            let defect = matches!(&sent.answer, Some(Err(Error::Store(error))) if !error.is_transient());
            demand!(!defect, "failed for a defect: {sent:?}");
        }
        Ok(())
    }

    /// What is said to have come to nothing has come to nothing.
    fn nothings(&self, authors: &[usize]) -> Verdict {
        for (number, sent) in &self.sent {
            let nothing = match &sent.answer {
                Some(Err(Error::OutcomeUnknown { .. })) | None => false,
                Some(Err(_)) => true,
                Some(Ok(answer)) => answer.replayed,
            };
            demand!(!nothing || !authors.contains(number), "came to something: {sent:?}");
        }
        let begun = |sent: &&Sent| !matches!(sent.answer, Some(Err(Error::Deadline | Error::Busy { .. })));
        let with_id = self.sent.values().filter(begun).filter_map(|sent| sent.command.origin.request);
        let begun: BTreeSet<Uuid> = with_id.collect();
        for used in &self.used {
            demand!(begun.contains(&used.request), "remembered, and never begun: {used:?}");
        }
        Ok(())
    }

    fn refused(&self) -> BTreeSet<usize> {
        let refused = self.sent.iter().filter(|(_, sent)| matches!(sent.answer, Some(Err(Error::Refused(_)))));
        refused.map(|(number, _)| *number).collect()
    }

    /// A commit is what its request comes to on top of the one before: all of it.
    fn follows(&self, before: &Book, commit: &Commit, sent: &Sent) -> Verdict {
        let Command { origin, action, .. } = &sent.command;
        let decided = Draft::of(before).decide(action, origin, commit.at);
        let Ok(decision) = decided else { return Err(format!("refused, and in the log: {sent:?}")) };
        demand!(decision.facts == commit.facts, "decided {decision:?}, and in the log {commit:?}");
        demand!(*origin == commit.origin, "sent as {origin:?}, in the log as {:?}", commit.origin);
        let remembered = sent.command.once.as_ref().and_then(|once| self.used(once.request));
        for results in remembered.map(|used| &used.results).into_iter().chain(told(sent).map(|told| &told.results)) {
            demand!(*results == decision.results, "came to {:?}, told as {results:?}", decision.results);
        }
        Ok(())
    }

    /// What was decided at this revision and changed nothing, and refusals that are right at it, which are taken from the list.
    fn at(&self, book: &Book, refused: &mut BTreeSet<usize>) -> Verdict {
        let decide = |command: &Command| Draft::of(book).decide(&command.action, &command.origin, Timestamp(i64::MAX));
        for sent in self.sent.values() {
            let Some(answer) = told(sent).filter(|answer| answer.revision == book.revision()) else { continue };
            let made = self
                .log
                .iter()
                .any(|commit| commit.revision == answer.revision && commit.origin.reason == sent.command.origin.reason);
            if !made {
                let decision = decide(&sent.command).map_err(|error| format!("{error:?} at {answer:?}: {sent:?}"))?;
                demand!(decision.facts.is_empty(), "told that nothing changed, and {decision:?}: {sent:?}");
                demand!(decision.results == answer.results, "told {answer:?}, and it is {decision:?}");
            }
        }
        refused.retain(|number| {
            let sent = &self.sent[number];
            let Some(Err(Error::Refused(refusal))) = &sent.answer else { return false };
            book.revision() < sent.from || decide(&sent.command).err().as_ref() != Some(refusal)
        });
        Ok(())
    }

    /// Every acknowledged answer is in the log, or remembered, with its revision, and not before what was known when it was sent.
    fn acknowledged(&self, authors: &[usize]) -> Verdict {
        for (number, sent) in &self.sent {
            let known = sent.command.once.as_ref().map(|once| self.used(once.request));
            match &sent.answer {
                Some(Ok(answer)) => {
                    demand!(answer.revision.0 <= authors.len() as i64, "of a revision that is not there: {sent:?}");
                    demand!(answer.replayed || answer.revision >= sent.from, "older than what was known: {sent:?}");
                    let same = known.is_none_or(|used| {
                        used.is_some_and(|used| {
                            (used.revision, &used.results) == (answer.revision, &answer.results)
                                && used.fingerprint == fingerprint(&sent.command.action)
                        })
                    });
                    demand!(same, "remembered as {known:?}: {sent:?}");
                    let made = authors.get(answer.revision.0 as usize - 1) == Some(number);
                    demand!(made || !authors.contains(number), "made another revision than it was told: {sent:?}");
                }
                Some(Err(Error::RequestIdReused { .. })) => {
                    let other = known.flatten().map(|used| used.fingerprint);
                    let reused = other.is_some_and(|other| other != fingerprint(&sent.command.action));
                    demand!(reused, "not reused: {sent:?}");
                }
                Some(Err(_)) | None => {}
            }
        }
        let mut firsts = BTreeSet::new();
        for sent in self.sent.values() {
            let (Some(request), Some(_)) = (sent.command.origin.request, told(sent)) else { continue };
            demand!(firsts.insert(request), "told to two that they were the first: {sent:?}");
        }
        Ok(())
    }
}

/// What a caller was told, unless it is the answer of an earlier request.
fn told(sent: &Sent) -> Option<&Answer> {
    sent.answer.as_ref()?.as_ref().ok().filter(|answer| !answer.replayed)
}
