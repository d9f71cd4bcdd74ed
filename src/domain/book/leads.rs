//! The leads of a book: one compact row each, found by id, grouped and ordered by the index.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::index::{Columns, GroupKey, Index, Position, SortKey};
use super::ordered::Slot;
use crate::domain::actor::Source;
use crate::domain::ids::{LeadId, MemberId, Revision};
use crate::domain::lead::{Lead, LeadRef, Ownership, Projection};
use crate::domain::time::Timestamp;

/// The number that stands for "nobody" among the owners.
pub(super) const UNASSIGNED: u32 = 0;

/// A lead as it is kept: words that many leads share are numbers.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Box<str>,
    pub(super) owner: u32,
    pub(super) stage: u32,
    pub(super) since: Timestamp,
    revision: Revision,
    pub(super) stage_entered_at: Timestamp,
    pub(super) created_at: Timestamp,
    observed_at: Timestamp,
    #[expect(clippy::box_collection, reason = "most leads have none: a pointer takes a third of an empty map")]
    attributes: Option<Box<BTreeMap<String, String>>>,
    pub(super) source: Source,
    pub(super) closed: bool,
}

impl Row {
    /// What it takes in an answer, at most: ids, stage and times, and its attributes.
    pub(super) fn wire_bytes(&self) -> usize {
        let attribute = |(name, value): (&String, &String)| name.len() + value.len() + 16;
        320 + self.attributes.as_deref().map_or(0, |all| all.iter().map(attribute).sum())
    }

    fn group(&self) -> GroupKey {
        GroupKey { owner: self.owner, stage: self.stage, closed: self.closed }
    }
}

/// Words that are numbered in the order they first come. They are few and never forgotten while the book lives.
#[derive(Debug)]
pub(super) struct Words {
    words: Vec<String>,
    numbers: BTreeMap<String, u32>,
    text_bytes: usize,
}

impl Words {
    fn starting_with(word: &str) -> Self {
        Self { words: vec![word.to_owned()], numbers: BTreeMap::from([(word.to_owned(), 0)]), text_bytes: 0 }
    }

    pub(super) fn number(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    pub(super) fn word(&self, number: u32) -> &str {
        &self.words[number as usize]
    }

    /// Each word is kept twice, in a vector and in a map.
    fn bytes(&self) -> usize {
        self.text_bytes * 2 + self.words.len() * 3 * size_of::<String>()
    }

    fn intern(&mut self, word: &str) -> u32 {
        if let Some(number) = self.number(word) {
            return number;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.text_bytes += word.len();
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }
}

/// The rows, by slot. Freed slots are reused.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Option<Row>>,
    free: Vec<Slot>,
}

impl Rows {
    /// The row of a slot that is in the index or the table.
    pub(super) fn row(&self, slot: Slot) -> &Row {
        match &self.rows[slot as usize] {
            Some(row) => row,
            None => unreachable!("slots in the index have rows"),
        }
    }

    fn take(&mut self, slot: Slot) -> Option<Row> {
        let row = self.rows[slot as usize].take();
        self.free.push(slot);
        row
    }

    fn add(&mut self, row: Row) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.rows[slot as usize] = Some(row);
            return slot;
        }
        self.rows.push(Some(row));
        // 4 billion leads would take a terabyte: the memory budget refuses long before.
        Slot::try_from(self.rows.len() - 1).unwrap_or(Slot::MAX)
    }
}

impl Columns for Rows {
    fn position(&self, slot: Slot, key: SortKey) -> Position<'_> {
        let row = self.row(slot);
        let at = match key {
            SortKey::Created => row.created_at,
            SortKey::Assigned => row.since,
            SortKey::StageEntered => row.stage_entered_at,
            SortKey::LeadId => Timestamp(0),
        };
        (at, &row.id)
    }
}

/// The leads.
#[derive(Debug)]
pub(super) struct Leads {
    pub(super) rows: Rows,
    pub(super) owners: Words,
    pub(super) stages: Words,
    pub(super) index: Index,
    table: HashTable<Slot>,
    hasher: RandomState,
    heap_bytes: usize,
}

impl Default for Leads {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            // An id is never empty, so the empty word can stand for nobody.
            owners: Words::starting_with(""),
            stages: Words::starting_with(""),
            index: Index::default(),
            table: HashTable::new(),
            hasher: RandomState::new(),
            heap_bytes: 0,
        }
    }
}

impl Leads {
    pub(super) fn get(&self, id: &LeadId) -> Option<Lead> {
        self.slot(id.as_str()).map(|slot| self.lead_at(slot))
    }

    pub(super) fn ownership(&self, id: &LeadId) -> Option<Ownership> {
        self.slot(id.as_str()).map(|slot| self.ownership_at(slot))
    }

    /// The owner of a lead; outer `None` if it is not known.
    pub(super) fn owner(&self, id: &LeadId) -> Option<Option<&str>> {
        self.slot(id.as_str()).map(|slot| {
            let owner = self.rows.row(slot).owner;
            (owner != UNASSIGNED).then(|| self.owners.word(owner))
        })
    }

    /// Adds or replaces a lead.
    pub(super) fn put(&mut self, lead: LeadRef<'_>) {
        self.remove(lead.id);
        let row = self.row_of(lead);
        self.heap_bytes += heap_bytes(&row);
        let (hash, group) = (self.hasher.hash_one(&*row.id), row.group());
        let slot = self.rows.add(row);
        let Self { table, rows, hasher, .. } = self;
        table.insert_unique(hash, slot, |slot| hasher.hash_one(&*rows.row(*slot).id));
        self.index.insert(group, slot, &self.rows);
    }

    /// Takes a lead out.
    pub(super) fn remove(&mut self, id: &str) {
        let hash = self.hasher.hash_one(id);
        let Ok(entry) = self.table.find_entry(hash, |slot| *self.rows.row(*slot).id == *id) else { return };
        let (slot, _) = entry.remove();
        self.index.remove(self.rows.row(slot).group(), slot, &self.rows);
        if let Some(row) = self.rows.take(slot) {
            self.heap_bytes -= heap_bytes(&row);
        }
    }

    /// Gives a lead another owner, or none.
    pub(super) fn set_owner(&mut self, id: &LeadId, owner: Option<&MemberId>, since: Timestamp, revision: Revision) {
        let Some(slot) = self.slot(id.as_str()) else { return };
        let owner = owner.map_or(UNASSIGNED, |owner| self.owners.intern(owner.as_str()));
        self.index.remove(self.rows.row(slot).group(), slot, &self.rows);
        if let Some(row) = &mut self.rows.rows[slot as usize] {
            (row.owner, row.since, row.revision) = (owner, since, revision);
        }
        self.index.insert(self.rows.row(slot).group(), slot, &self.rows);
    }

    pub(super) fn lead_at(&self, slot: Slot) -> Lead {
        let row = self.rows.row(slot);
        Lead {
            ownership: self.ownership_at(slot),
            projection: Projection {
                stage: self.stages.word(row.stage).to_owned(),
                stage_entered_at: row.stage_entered_at,
                closed: row.closed,
                created_at: row.created_at,
                source: row.source,
                attributes: row.attributes.as_deref().cloned().unwrap_or_default(),
                observed_at: row.observed_at,
            },
        }
    }

    fn ownership_at(&self, slot: Slot) -> Ownership {
        let row = self.rows.row(slot);
        Ownership { lead: lead_id(&row.id), owner: self.owner_id(row.owner), since: row.since, revision: row.revision }
    }

    /// The owner a number stands for.
    pub(super) fn owner_id(&self, owner: u32) -> Option<MemberId> {
        // The empty word of nobody is no id.
        MemberId::parse(self.owners.word(owner)).ok()
    }

    fn slot(&self, id: &str) -> Option<Slot> {
        self.table.find(self.hasher.hash_one(id), |slot| *self.rows.row(*slot).id == *id).copied()
    }

    fn row_of(&mut self, lead: LeadRef<'_>) -> Row {
        Row {
            id: lead.id.into(),
            owner: lead.owner.map_or(UNASSIGNED, |owner| self.owners.intern(owner)),
            stage: self.stages.intern(lead.stage),
            since: lead.since,
            revision: lead.revision,
            stage_entered_at: lead.stage_entered_at,
            created_at: lead.created_at,
            observed_at: lead.observed_at,
            attributes: (!lead.attributes.is_empty()).then(|| Box::new(lead.attributes.clone())),
            source: lead.source,
            closed: lead.closed,
        }
    }

    /// Bytes of memory the leads take, indexes included.
    pub(super) fn bytes(&self) -> usize {
        self.rows.rows.capacity() * size_of::<Option<Row>>()
            + self.rows.free.capacity() * size_of::<Slot>()
            + self.table.allocation_size()
            + self.index.bytes()
            + self.owners.bytes()
            + self.stages.bytes()
            + self.heap_bytes
    }
}

/// The id of a row. Rows are made of leads, whose ids were parsed.
pub(super) fn lead_id(id: &str) -> LeadId {
    match LeadId::parse(id) {
        Ok(id) => id,
        Err(_) => unreachable!("rows have valid ids"),
    }
}

/// What a row takes outside of itself, with the allocator's rounding to 16 bytes.
fn heap_bytes(row: &Row) -> usize {
    let rounded = |bytes: usize| (bytes + 8).next_multiple_of(16);
    let attribute =
        |(key, value): (&String, &String)| 2 * size_of::<String>() + rounded(key.len()) + rounded(value.len());
    rounded(row.id.len()) + row.attributes.as_deref().map_or(0, |all| 64 + all.iter().map(attribute).sum::<usize>())
}
