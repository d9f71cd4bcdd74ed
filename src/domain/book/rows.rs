//! The columns of the leads: one compact row each, in chunks that a snapshot shares until somebody writes.

use std::sync::Arc;

use super::columns::UNASSIGNED;
use super::index::{GroupKey, Position, SortKey};
use super::memory::{COUNTERS, allocated};
use super::ordered::Slot;
use crate::domain::actor::Source;
use crate::domain::attributes::AttributesRef;
use crate::domain::ids::Revision;
use crate::domain::lead::LeadRef;
use crate::domain::overdue::waits;
use crate::domain::time::Timestamp;

/// Rows per chunk: so few that copying one for a snapshot takes microseconds, so many that a million leads are few chunks.
const CHUNK: usize = 256;

/// A lead as it is kept. Words that many leads share are numbers; its own texts stand in the text of its chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) since: Timestamp,
    pub(super) revision: Revision,
    pub(super) stage_entered_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) observed_at: Timestamp,
    pub(super) owner: u32,
    pub(super) stage: u32,
    text: Text,
    pub(super) source: Source,
    pub(super) closed: bool,
    pub(super) overdue: bool,
}

/// Where the id of a row stands in the text of its chunk, its attributes right behind it.
#[derive(Debug, Clone, Copy)]
struct Text {
    at: u32,
    attributes: u32,
    id: u8,
}

impl Text {
    fn len(self) -> usize {
        usize::from(self.id) + self.attributes as usize
    }
}

impl Row {
    pub(super) fn group(&self) -> GroupKey {
        GroupKey { owner: self.owner, stage: self.stage, closed: self.closed }
    }

    /// Whether the lead waits for an owner.
    pub(super) fn waits(&self) -> bool {
        waits(self.owner != UNASSIGNED, self.closed, self.overdue)
    }

    /// What it takes in an answer, at most: ids, stage and times, and its attributes.
    pub(super) fn wire_bytes(&self) -> usize {
        // The shortest attribute takes three bytes here, and 16 more there.
        320 + self.text.attributes as usize * 8
    }
}

/// Some rows and their texts.
#[derive(Debug, Clone, Default)]
struct Chunk {
    rows: Vec<Option<Row>>,
    text: String,
    /// Bytes of the text that belong to no row any more.
    dead: usize,
}

impl Chunk {
    /// Room for what another one holds. Only the first chunk of an account grows bit by bit.
    fn like(full: &Self) -> Self {
        let text = full.text.len() - full.dead;
        Self { rows: Vec::with_capacity(CHUNK), text: String::with_capacity(text), dead: 0 }
    }

    fn id(&self, row: &Row) -> &str {
        let at = row.text.at as usize;
        &self.text[at..at + usize::from(row.text.id)]
    }

    fn attributes(&self, row: &Row) -> AttributesRef<'_> {
        let at = row.text.at as usize + usize::from(row.text.id);
        AttributesRef::from_packed(&self.text[at..at + row.text.attributes as usize])
    }

    /// Writes the texts of a row that is put into the chunk.
    fn write(&mut self, id: &str, attributes: AttributesRef<'_>) -> Text {
        // Ids have 64 bytes at most; a chunk of the longest attributes has a megabyte.
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let at = length(&self.text);
        let needed = id.len() + attributes.packed().len();
        if self.text.capacity() - self.text.len() < needed {
            // A quarter more, where a string by itself would take twice as much.
            self.text.reserve_exact(needed.max(self.text.len() / 4));
        }
        self.text.push_str(id);
        self.text.push_str(attributes.packed());
        Text { at, attributes: length(attributes.packed()), id: u8::try_from(id.len()).unwrap_or(u8::MAX) }
    }

    /// Takes out a row, and its texts when there is much to be gained.
    fn take(&mut self, at: usize) -> Option<Row> {
        let row = self.rows[at].take()?;
        self.dead += row.text.len();
        if self.dead > self.text.len() / 2 {
            self.compact();
        }
        Some(row)
    }

    fn compact(&mut self) {
        let mut new = Self { rows: Vec::with_capacity(self.rows.capacity()), ..Self::default() };
        new.text.reserve_exact(self.text.len() - self.dead);
        for row in &self.rows {
            let kept = row.map(|row| Row { text: new.write(self.id(&row), self.attributes(&row)), ..row });
            new.rows.push(kept);
        }
        *self = new;
    }

    fn bytes(&self) -> usize {
        allocated(COUNTERS + size_of::<Self>())
            + allocated(self.rows.capacity() * size_of::<Option<Row>>())
            + allocated(self.text.capacity())
    }
}

/// The rows, by slot. Freed slots are reused. Cheap to clone: a clone shares the chunks until one side writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    chunks: Vec<Arc<Chunk>>,
    free: Vec<Slot>,
    bytes: usize,
}

/// A lead's columns, owner and stage as numbers.
pub(super) struct Numbered<'a> {
    pub(super) lead: LeadRef<'a>,
    pub(super) owner: u32,
    pub(super) stage: u32,
}

impl Rows {
    /// The row of a slot that is in the index or the table.
    pub(super) fn row(&self, slot: Slot) -> &Row {
        self.parts(slot).1
    }

    /// The id of the lead in a slot.
    pub(super) fn id(&self, slot: Slot) -> &str {
        let (chunk, row) = self.parts(slot);
        chunk.id(row)
    }

    /// A row with its texts: the id of the lead, and its further facts.
    pub(super) fn entry(&self, slot: Slot) -> (&Row, &str, AttributesRef<'_>) {
        let (chunk, row) = self.parts(slot);
        (row, chunk.id(row), chunk.attributes(row))
    }

    fn parts(&self, slot: Slot) -> (&Chunk, &Row) {
        let (chunk, at) = place(slot);
        let chunk = &*self.chunks[chunk];
        match &chunk.rows[at] {
            Some(row) => (chunk, row),
            None => unreachable!("slots in the index have rows"),
        }
    }

    /// The slots that have rows.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..self.chunks.len()).flat_map(|chunk| self.slots_of(chunk))
    }

    /// How many chunks there are.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The slots of one chunk that have rows.
    pub(super) fn slots_of(&self, chunk: usize) -> impl Iterator<Item = Slot> + '_ {
        let rows = self.chunks[chunk].rows.iter().enumerate();
        rows.filter(|(_, row)| row.is_some()).map(move |(at, _)| slot_at(chunk, at))
    }

    /// Adds a row.
    pub(super) fn add(&mut self, Numbered { lead, owner, stage }: Numbered<'_>) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| self.grow());
        self.change(slot, |chunk, at| {
            let text = chunk.write(lead.id, lead.attributes);
            chunk.rows[at] = Some(Row {
                since: lead.since,
                revision: lead.revision,
                stage_entered_at: lead.stage_entered_at,
                created_at: lead.created_at,
                observed_at: lead.observed_at,
                owner,
                stage,
                text,
                source: lead.source,
                closed: lead.closed,
                overdue: lead.overdue,
            });
        });
        slot
    }

    /// A slot that there was not yet.
    fn grow(&mut self) -> Slot {
        if self.chunks.last().is_none_or(|chunk| chunk.rows.len() == CHUNK) {
            let chunk = self.chunks.last().map_or_else(Chunk::default, |full| Chunk::like(full));
            self.bytes += chunk.bytes();
            self.chunks.push(Arc::new(chunk));
        }
        let chunk = self.chunks.len() - 1;
        let at = self.chunks[chunk].rows.len();
        let slot = slot_at(chunk, at);
        self.change(slot, |chunk, _| chunk.rows.push(None));
        slot
    }

    /// Takes a row out.
    pub(super) fn take(&mut self, slot: Slot) -> Option<Row> {
        self.free.push(slot);
        self.change(slot, Chunk::take)
    }

    /// Gives a lead another owner.
    pub(super) fn set_owner(&mut self, slot: Slot, owner: u32, since: Timestamp, revision: Revision) {
        self.change(slot, |chunk, at| {
            if let Some(row) = &mut chunk.rows[at] {
                (row.owner, row.since, row.revision, row.overdue) = (owner, since, revision, false);
            }
        });
    }

    /// Takes note that others are told of a lead.
    pub(super) fn set_overdue(&mut self, slot: Slot) {
        self.change(slot, |chunk, at| {
            if let Some(row) = &mut chunk.rows[at] {
                row.overdue = true;
            }
        });
    }

    fn change<R>(&mut self, slot: Slot, change: impl FnOnce(&mut Chunk, usize) -> R) -> R {
        let (chunk, at) = place(slot);
        // Of the chunk as it was counted: a copy that is made because a snapshot shares it has no room to spare.
        let before = self.chunks[chunk].bytes();
        let chunk = Arc::make_mut(&mut self.chunks[chunk]);
        let result = change(chunk, at);
        self.bytes = self.bytes + chunk.bytes() - before;
        result
    }

    /// Where a lead stands in an order.
    pub(super) fn position(&self, slot: Slot, key: SortKey) -> Position<'_> {
        let (chunk, row) = self.parts(slot);
        (row.time(key), chunk.id(row))
    }

    /// The time of a lead in an order.
    pub(super) fn time(&self, slot: Slot, key: SortKey) -> Timestamp {
        self.row(slot).time(key)
    }

    /// Bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
            + allocated(self.chunks.capacity() * size_of::<Arc<Chunk>>())
            + allocated(self.free.capacity() * size_of::<Slot>())
    }
}

impl Row {
    fn time(&self, key: SortKey) -> Timestamp {
        match key {
            SortKey::Created => self.created_at,
            SortKey::Assigned => self.since,
            SortKey::StageEntered => self.stage_entered_at,
            SortKey::LeadId => Timestamp(0),
        }
    }
}

fn place(slot: Slot) -> (usize, usize) {
    (slot as usize / CHUNK, slot as usize % CHUNK)
}

fn slot_at(chunk: usize, at: usize) -> Slot {
    // 4 billion leads would take half a terabyte: the memory budget refuses long before.
    Slot::try_from(chunk * CHUNK + at).unwrap_or(Slot::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_no_more_than_a_line_of_the_cache() {
        assert_eq!(size_of::<Option<Row>>(), 64);
    }

    #[test]
    fn bytes_are_those_of_the_chunks_whatever_snapshots_share_them() {
        let mut rows = Rows::default();
        let mut snapshots = Vec::new();
        for number in 0..2_000 {
            let id = format!("lead-with-a-long-name-{number}");
            let slot = rows.add(Numbered { lead: LeadRef::named(&id, None), owner: 0, stage: 0 });
            if number % 7 == 0 {
                snapshots.push(rows.clone());
            }
            if number % 3 == 0 {
                rows.take(slot);
            }
            assert_eq!(rows.bytes, rows.chunks.iter().map(|chunk| chunk.bytes()).sum::<usize>());
        }
    }
}
