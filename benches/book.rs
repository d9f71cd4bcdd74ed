//! The book by itself: what applying, deciding and asking cost without a database and without a network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark stops where something is not as it set it up"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ownership::domain::actor::{Actor, Origin, Source};
use ownership::domain::attributes::AttributesRef;
use ownership::domain::book::query::{LeadFilter, ListQuery, OwnerSelector};
use ownership::domain::book::{Book, Draft, SortKey};
use ownership::domain::command::{Action, Assign, AssignItem, FailureMode};
use ownership::domain::fact::{Commit, Fact};
use ownership::domain::ids::{CallerId, LeadId, MemberId, Revision};
use ownership::domain::lead::LeadRef;
use ownership::domain::member::{Member, Standing};
use ownership::domain::time::Timestamp;

const LEADS: usize = 100_000;
const OWNERS: usize = 200;
const STAGES: [&str; 5] = ["Prospecting", "Qualified", "Demo", "Negotiation", "Won"];

fn lead_id(lead: usize) -> LeadId {
    LeadId::parse(&format!("{:08x}-0000-7000-8000-{lead:012x}", (lead * 2_654_435_761) & 0xffff_ffff)).unwrap()
}

fn member_id(member: usize) -> MemberId {
    MemberId::parse(&format!("member{member}")).unwrap()
}

fn at(second: usize) -> Timestamp {
    Timestamp(1_700_000_000_000_000 + i64::try_from(second).unwrap() * 1_000_000)
}

fn book() -> Book {
    let mut book = Book::at(Revision(1));
    for number in 0..OWNERS {
        book.load_member(member(number));
    }
    for number in 0..LEADS {
        let (id, owner, created_at) = (lead_id(number), member_id(number % OWNERS), at(number * 7));
        book.load_lead(LeadRef {
            id: id.as_str(),
            owner: Some(owner.as_str()),
            since: at(number * 7 + number * 7_919 % 864_000),
            revision: Revision(1),
            stage: STAGES[number / OWNERS % STAGES.len()],
            stage_entered_at: at(number * 7 + number * 104_729 % 864_000),
            closed: number.is_multiple_of(4),
            created_at,
            source: Source::Api,
            attributes: AttributesRef::default(),
            observed_at: created_at,
            overdue: false,
        });
    }
    book
}

fn member(number: usize) -> Member {
    Member {
        id: member_id(number),
        display_name: format!("Member {number}"),
        initials: "M".to_owned(),
        email: format!("member{number}@example.com"),
        avatar_url: String::new(),
        manager_id: None,
        standing: Standing::Active,
        capacity: None,
        observed_at: at(0),
    }
}

fn by_somebody() -> Origin {
    let caller = CallerId::parse("bench").unwrap();
    Origin {
        actor: Actor { caller, member: None },
        source: Source::Api,
        reason: String::new(),
        batch: None,
        request: None,
    }
}

/// A commit that gives a lead to the next owner, whoever has it.
fn next_owner(book: &Book, lead: usize) -> Commit {
    let id = lead_id(lead);
    let previous = Draft::of(book).lead(&id).unwrap().ownership.owner;
    let owner = Some(member_id(if previous == Some(member_id(1)) { 2 } else { 1 }));
    let facts = vec![Fact::OwnerChanged { lead: id, previous, owner, notify: false }];
    Commit { revision: book.revision().next(), at: at(0), origin: by_somebody(), facts }
}

fn assign(lead: usize, owner: usize) -> Action {
    let item = AssignItem { lead: lead_id(lead), owner: Some(member_id(owner)), precondition: None };
    Action::Assign(Assign { items: vec![item], mode: FailureMode::FailAll, notify: None })
}

fn writes(c: &mut Criterion) {
    let (mut book, mut lead) = (book(), 0);
    c.bench_function("apply an owner change", |b| {
        b.iter_custom(|times| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..times {
                lead = (lead + 7_919) % LEADS;
                let commit = next_owner(&book, lead);
                let began = std::time::Instant::now();
                book.apply(black_box(&commit)).unwrap();
                spent += began.elapsed();
            }
            spent
        });
    });
    let origin = by_somebody();
    c.bench_function("decide an assign", |b| {
        let action = assign(4_711, 42);
        b.iter(|| Draft::of(&book).decide(black_box(&action), &origin, at(0)).unwrap());
    });
    c.bench_function("decide and apply an assign", |b| {
        b.iter(|| {
            lead = (lead + 7_919) % LEADS;
            let action = assign(lead, lead / 3 % OWNERS);
            let facts = Draft::of(&book).decide(&action, &origin, at(0)).unwrap().facts;
            book.apply(&Commit { revision: book.revision().next(), at: at(0), origin: origin.clone(), facts }).unwrap();
        });
    });
}

fn reads(c: &mut Criterion) {
    let book = book();
    let ids: Vec<_> = (0..LEADS).step_by(37).map(lead_id).collect();
    let mut any = ids.iter().cycle();
    c.bench_function("look up a lead", |b| b.iter(|| black_box(book.lead(any.next().unwrap().as_str()).is_some())));
    let mut page = ListQuery {
        owner: OwnerSelector::Any,
        filter: LeadFilter::default(),
        sort: SortKey::Created,
        descending: true,
        after: None,
        limit: 100,
    };
    c.bench_function("page of 100, first", |b| b.iter(|| black_box(book.list(&page).next.is_some())));
    for _ in 0..500 {
        page.after = book.list(&page).next;
    }
    c.bench_function("page of 100, after 500 others", |b| b.iter(|| black_box(book.list(&page).next.is_some())));
    c.bench_function("count all by owner and stage", |b| {
        b.iter(|| black_box(book.count(&LeadFilter::default(), &[]).len()));
    });
}

fn load(c: &mut Criterion) {
    c.benchmark_group("load").sample_size(10).bench_function("100,000 leads", |b| {
        b.iter_batched(|| (), |()| book(), BatchSize::PerIteration);
    });
}

criterion_group!(all, writes, reads, load);
criterion_main!(all);
