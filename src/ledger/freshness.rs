//! The read index: where accounts stand in the database, asked once for all reads that wait at that moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::domain::ids::{AccountId, Revision};
use crate::metrics;
use crate::store::{self, Store};

/// Reads that may wait to be asked for.
const QUEUE: usize = 65_536;
/// Accounts asked for in one statement.
const MAX_ACCOUNTS: usize = 1_000;
/// Longest wait for the database. One connection that died without a word must not end all strict reads.
const MAX_QUESTION: Duration = Duration::from_secs(2);

type Answer = Result<Revision, Arc<store::Error>>;

struct Question {
    account: AccountId,
    answer: oneshot::Sender<Answer>,
}

/// Answers where accounts stand. A question that arrives while the database is being asked waits for the next time, so the
/// answer always reflects everything that was committed before the question.
#[derive(Debug, Clone)]
pub(super) struct Freshness {
    questions: mpsc::Sender<Question>,
}

impl Freshness {
    /// Starts to answer.
    #[expect(clippy::disallowed_methods, reason = "the read index owns the task that asks for everybody")]
    pub(super) fn start(store: Store) -> Self {
        let (questions, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(answer(store, waiting));
        Self { questions }
    }

    /// The revision an account stands at, or one that it reached since.
    pub(super) async fn head(&self, account: &AccountId) -> Answer {
        let began = Instant::now();
        let (answer, answered) = oneshot::channel();
        let question = Question { account: account.clone(), answer };
        let gone = || Arc::new(store::Error::TimedOut);
        self.questions.send(question).await.map_err(|_| gone())?;
        let head = answered.await.map_err(|_| gone())?;
        metrics::get().read_index_waited(began.elapsed());
        head
    }
}

async fn answer(store: Store, mut waiting: mpsc::Receiver<Question>) {
    while let Some(first) = waiting.recv().await {
        let mut questions = vec![first];
        let mut accounts = HashSet::from([questions[0].account.clone()]);
        while accounts.len() < MAX_ACCOUNTS
            && let Ok(question) = waiting.try_recv()
        {
            accounts.insert(question.account.clone());
            questions.push(question);
        }
        let accounts: Vec<_> = accounts.into_iter().collect();
        let heads = timeout(MAX_QUESTION, store::heads::revisions(&store, &accounts)).await;
        let heads = heads.unwrap_or(Err(store::Error::TimedOut)).map_err(Arc::new);
        reply(questions, &heads);
    }
}

fn reply(questions: Vec<Question>, heads: &Result<HashMap<AccountId, Revision>, Arc<store::Error>>) {
    for Question { account, answer } in questions {
        // Whoever no longer waits needs no answer.
        drop(answer.send(match heads {
            Ok(heads) => Ok(heads.get(&account).copied().unwrap_or_default()),
            Err(error) => Err(Arc::clone(error)),
        }));
    }
}
