//! The read index: where accounts stand in the database, asked once for all reads that wait at that moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::domain::fact::Tip;
use crate::domain::ids::AccountId;
use crate::metrics;
use crate::store::{self, Store};

/// Reads that may wait to be asked for.
const QUEUE: usize = 65_536;
/// Accounts asked for in one statement.
const MAX_ACCOUNTS: usize = 1_000;
/// Longest wait for the database. One connection that died without a word must not end all strict reads.
const MAX_QUESTION: Duration = Duration::from_secs(2);

type Answer = Result<Tip, Arc<store::Error>>;
type Heads = Result<HashMap<AccountId, Tip>, store::Error>;

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
    pub(super) fn start(store: Store) -> Self {
        Self::asking(move |accounts| {
            let store = store.clone();
            async move { store::heads::tips(&store, &accounts).await }
        })
    }

    /// Starts to answer from what `ask` says about several accounts at once.
    #[expect(clippy::disallowed_methods, reason = "the read index owns the task that asks for everybody")]
    fn asking<A>(ask: impl Fn(Vec<AccountId>) -> A + Send + 'static) -> Self
    where
        A: Future<Output = Heads> + Send + 'static,
    {
        let (questions, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(answer(ask, waiting));
        Self { questions }
    }

    /// Where the log of an account ends, or ended at some moment since the question.
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

async fn answer<A: Future<Output = Heads>>(ask: impl Fn(Vec<AccountId>) -> A, mut waiting: mpsc::Receiver<Question>) {
    let (mut questions, mut accounts) = (Vec::new(), HashSet::new());
    while let Some(first) = waiting.recv().await {
        // Those who are about to ask do so first, and share the query. Where nobody is, this takes no time.
        tokio::task::yield_now().await;
        let mut next = Some(first);
        while let Some(question) = next {
            // Many ask about the same account: its id is shared, and counted once.
            if !accounts.contains(&question.account) {
                accounts.insert(question.account.clone());
            }
            questions.push(question);
            next = if accounts.len() < MAX_ACCOUNTS { waiting.try_recv().ok() } else { None };
        }
        let heads = timeout(MAX_QUESTION, ask(accounts.drain().collect())).await;
        let heads = heads.unwrap_or(Err(store::Error::TimedOut)).map_err(Arc::new);
        reply(questions.drain(..), &heads);
    }
}

fn reply(questions: impl Iterator<Item = Question>, heads: &Result<HashMap<AccountId, Tip>, Arc<store::Error>>) {
    for Question { account, answer } in questions {
        // Whoever no longer waits needs no answer.
        drop(answer.send(match heads {
            Ok(heads) => Ok(heads.get(&account).copied().unwrap_or_default()),
            Err(error) => Err(Arc::clone(error)),
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::FutureExt;
    use futures::future::join_all;
    use parking_lot::Mutex;
    use tokio::sync::Semaphore;
    use tokio::task::{unconstrained, yield_now};

    use super::*;
    use crate::domain::ids::Revision;

    /// A database that answers when it is told to, and remembers what it was asked.
    #[derive(Clone)]
    struct Database {
        asked: Arc<Mutex<Vec<usize>>>,
        head: Arc<Mutex<Result<i64, ()>>>,
        may_answer: Arc<Semaphore>,
    }

    impl Database {
        fn new() -> Self {
            Self { asked: Arc::default(), head: Arc::new(Mutex::new(Ok(1))), may_answer: Arc::new(Semaphore::new(0)) }
        }

        fn index(&self) -> Freshness {
            let database = self.clone();
            Freshness::asking(move |accounts| database.clone().heads(accounts))
        }

        async fn heads(self, accounts: Vec<AccountId>) -> Heads {
            // What the database knows when it is asked, told later.
            let head = *self.head.lock();
            self.asked.lock().push(accounts.len());
            self.may_answer.acquire().await.unwrap().forget();
            let head = head.map_err(|()| store::Error::TimedOut)?;
            let head = Tip { revision: Revision(head), ..Tip::default() };
            Ok(accounts.into_iter().map(|account| (account, head)).collect())
        }

        /// How many accounts it was asked for, query by query.
        fn asked(&self) -> Vec<usize> {
            self.asked.lock().clone()
        }

        fn answer(&self, queries: usize) {
            self.may_answer.add_permits(queries);
        }
    }

    fn account(number: usize) -> AccountId {
        AccountId::parse(&format!("a{number}")).unwrap()
    }

    /// Asks about so many accounts, in turn. Everybody has asked when this returns.
    async fn ask(index: &Freshness, reads: usize, accounts: usize) -> Pin<Box<dyn Future<Output = Vec<Answer>>>> {
        let index = index.clone();
        let read = move |number| {
            let index = index.clone();
            async move { index.head(&account(number % accounts)).await }
        };
        // Unconstrained, or the runtime would let the index begin before all have asked.
        let mut all = Box::pin(unconstrained(join_all((0..reads).map(read))));
        assert!((&mut all).now_or_never().is_none());
        for _ in 0..10 {
            yield_now().await;
        }
        all
    }

    fn revisions(answers: Vec<Answer>) -> Vec<i64> {
        answers.into_iter().map(|answer| answer.unwrap().revision.0).collect()
    }

    #[tokio::test]
    async fn one_query_answers_all_who_wait_whatever_their_accounts() {
        let database = Database::new();
        let index = database.index();
        let reads = ask(&index, 500, 7).await;
        database.answer(1);
        assert_eq!(revisions(reads.await), [1; 500]);
        assert_eq!(database.asked(), [7]);
    }

    #[tokio::test]
    async fn who_comes_during_a_query_waits_for_the_next_and_sees_what_it_missed() {
        let database = Database::new();
        let index = database.index();
        let early = ask(&index, 3, 3).await;
        assert_eq!(database.asked(), [3], "under way");
        *database.head.lock() = Ok(2);
        let mut late = ask(&index, 200, 2).await;
        database.answer(1);
        assert_eq!(revisions(early.await), [1; 3]);
        assert!((&mut late).now_or_never().is_none(), "its answer is older than the question");
        database.answer(1);
        assert_eq!(revisions(late.await), [2; 200]);
        assert_eq!(database.asked(), [3, 2], "one for all who came meanwhile");
    }

    #[tokio::test]
    async fn a_failure_reaches_all_who_wait_and_nobody_after_them() {
        let database = Database::new();
        let index = database.index();
        *database.head.lock() = Err(());
        let failed = ask(&index, 100, 10).await;
        database.answer(2);
        assert!(failed.await.iter().all(Result::is_err));
        *database.head.lock() = Ok(5);
        assert_eq!(revisions(vec![index.head(&account(1)).await]), [5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_hangs_fails_in_time_and_the_next_one_is_asked() {
        let database = Database::new();
        let index = database.index();
        assert!(index.head(&account(1)).await.is_err());
        database.answer(1);
        assert!(index.head(&account(1)).await.is_ok());
    }

    #[tokio::test]
    async fn more_accounts_than_fit_into_a_statement_are_asked_for_in_several() {
        let database = Database::new();
        let index = database.index();
        let reads = ask(&index, MAX_ACCOUNTS + 10, MAX_ACCOUNTS + 10).await;
        database.answer(2);
        assert_eq!(reads.await.len(), MAX_ACCOUNTS + 10);
        assert_eq!(database.asked(), [MAX_ACCOUNTS, 10]);
    }

    #[tokio::test]
    async fn an_account_that_was_never_written_to_stands_at_the_beginning() {
        let index = Freshness::asking(async |_| Ok(HashMap::new()));
        assert_eq!(index.head(&account(1)).await.unwrap(), Tip::default());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_the_others_alone() {
        let database = Database::new();
        let index = database.index();
        let gone = ask(&index, 10, 2).await;
        let stays = ask(&index, 10, 2).await;
        drop(gone);
        database.answer(2);
        assert_eq!(revisions(stays.await), [1; 10]);
    }
}
