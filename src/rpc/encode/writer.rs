//! Writes the fields of messages. As in every proto3 message, a field with its default value is left out.

use ownership_proto::{Encoded, v1 as pb};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

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
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        encode_varint(text.len() as u64, &mut self.0);
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
        encode_key(field, WireType::Varint, &mut self.0);
        encode_varint(number.cast_unsigned(), &mut self.0);
    }

    /// A message within the message.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        // Its length is known behind it. Nearly always one byte or two hold it, so little is moved.
        let start = self.0.len();
        write(self);
        let length = self.0.len() - start;
        let mut prefix = [0; 10];
        let mut rest = &mut prefix[..];
        encode_varint(length as u64, &mut rest);
        let width = 10 - rest.len();
        self.0.extend_from_slice(&prefix[..width]);
        self.0[start..].rotate_right(width);
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
            encode_key(field, WireType::LengthDelimited, &mut self.0);
            // A vector grows as it must, so there is room.
            let _ = card.encode_length_delimited(&mut self.0);
        }
    }
}
