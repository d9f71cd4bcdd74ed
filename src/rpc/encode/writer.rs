//! Writes the fields of messages. As in every proto3 message, a field with its default value is left out.

use ownership_proto::{Encoded, v1 as pb};
use prost::Message;
use prost::encoding::WireType;

use crate::domain::member::Member;
use crate::domain::time::Timestamp;
use crate::rpc::convert::reads::card;
use crate::rpc::convert::time::to_timestamp;

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// A message of about so many bytes.
    pub(super) fn sized(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// The message, which the fields make a `T`.
    pub(super) fn finish<T>(self) -> Encoded<T> {
        Encoded::trusting(self.0)
    }

    /// What was written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Fields that were written elsewhere.
    pub(super) fn fields(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    /// A text.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.set_text(field, text);
        }
    }

    /// A text that may be absent, and is empty otherwise when empty.
    pub(super) fn optional_text(&mut self, field: u32, text: Option<&str>) {
        if let Some(text) = text {
            self.set_text(field, text);
        }
    }

    /// A text that is written also when empty: an element of a list.
    pub(super) fn set_text(&mut self, field: u32, text: &str) {
        self.key(field, WireType::LengthDelimited);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A number, the number of an enum's value, or whether something is so.
    pub(super) fn number(&mut self, field: u32, number: impl Into<i64>) {
        let number = number.into();
        if number != 0 {
            self.set_number(field, number);
        }
    }

    /// A number that is written also when 0: one that may be absent.
    pub(super) fn set_number(&mut self, field: u32, number: i64) {
        self.key(field, WireType::Varint);
        self.varint(number.cast_unsigned());
    }

    /// A message within the message.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, WireType::LengthDelimited);
        // Its length is known behind it. One byte is kept for it, which is enough for a short message; else what was written moves on.
        let start = self.0.len();
        self.0.push(0);
        write(self);
        let (length, width) = varint((self.0.len() - start - 1) as u64);
        if width == 1 {
            self.0[start] = length[0];
        } else {
            self.0.splice(start..=start, length.into_iter().take(width));
        }
    }

    #[inline]
    fn key(&mut self, field: u32, wire: WireType) {
        self.varint(u64::from(field << 3 | wire as u32));
    }

    #[inline]
    fn varint(&mut self, number: u64) {
        // Lengths, keys and small numbers.
        if let Ok(byte @ ..0x80) = u8::try_from(number) {
            return self.0.push(byte);
        }
        let (bytes, width) = varint(number);
        let end = self.0.len() + width;
        // All ten, since to copy a number of bytes that is not known beforehand takes a call.
        self.0.extend_from_slice(&bytes);
        self.0.truncate(end);
    }

    /// A moment.
    pub(super) fn time(&mut self, field: u32, time: Timestamp) {
        let time = to_timestamp(time);
        self.message(field, |message| {
            message.number(1, time.seconds);
            message.number(2, time.nanos);
        });
    }

    /// Cards of members.
    pub(super) fn cards(&mut self, field: u32, members: &[&Member]) {
        for member in members {
            let card: pb::MemberCard = card(member);
            self.key(field, WireType::LengthDelimited);
            // A vector grows as it must, so there is room.
            let _ = card.encode_length_delimited(&mut self.0);
        }
    }
}

/// A number as it is written, and how many bytes that takes. By hand, because prost's own writes each byte through a trait that looks
/// for room anew: that was a twentieth of a page.
fn varint(number: u64) -> ([u8; 10], usize) {
    let width = (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize;
    let mut bytes = std::array::from_fn(|place| (number >> (7 * place)).to_le_bytes()[0] | 0x80);
    bytes[width - 1] &= 0x7f;
    (bytes, width)
}
