//! Messages as the bytes that are sent, and the codec of servers that answer with them.
//!
//! tonic's servers take messages as values and encode each just before it is sent. Ours take bytes: an answer is written
//! straight from what is known, without a message in between, and one that goes to many is encoded once.

use std::fmt;
use std::marker::PhantomData;

use bytes::{BufMut, Bytes};
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

/// A message, encoded. Cheap to clone: the bytes are shared.
pub struct Encoded<T> {
    /// The second is nearly always empty, and otherwise what was encoded for others as well.
    pieces: [Bytes; 2],
    message: PhantomData<fn() -> T>,
}

impl<T> Encoded<T> {
    /// The bytes of a `T`, as the caller promises. A receiver would refuse others, or understand them otherwise.
    pub fn trusting(bytes: impl Into<Bytes>) -> Self {
        Self::in_two(bytes.into(), Bytes::new())
    }

    /// The same, where the bytes are in two pieces.
    pub fn in_two(first: Bytes, rest: Bytes) -> Self {
        Self { pieces: [first, rest], message: PhantomData }
    }

    /// The bytes, in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let [first, rest] = &self.pieces;
        if rest.is_empty() { first.clone() } else { self.pieces.concat().into() }
    }
}

impl<T: Message> Encoded<T> {
    /// Encodes a message.
    pub fn of(message: &T) -> Self {
        Self::trusting(message.encode_to_vec())
    }
}

impl<T: Message + Default> Encoded<T> {
    /// The message.
    pub fn decode(&self) -> Result<T, DecodeError> {
        T::decode(self.to_bytes())
    }
}

impl<T: Message> From<T> for Encoded<T> {
    fn from(message: T) -> Self {
        Self::of(&message)
    }
}

impl<T> Clone for Encoded<T> {
    fn clone(&self) -> Self {
        Self { pieces: self.pieces.clone(), message: PhantomData }
    }
}

impl<T> fmt::Debug for Encoded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.pieces).finish()
    }
}

/// The codec of servers: reads a `U`, and sends a `T` that is encoded already.
#[derive(Debug)]
pub struct EncodedCodec<T, U>(PhantomData<fn(U) -> T>);

impl<T, U> Default for EncodedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for EncodedCodec<T, U>
where
    T: 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = Encoded<T>;
    type Decode = U;
    type Encoder = EncodedEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        EncodedEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

/// Copies encoded messages into the buffer of a connection's stream. It is the only copy that tonic makes.
#[derive(Debug)]
pub struct EncodedEncoder<T>(PhantomData<fn() -> T>);

/// Room in the buffer of a stream before it is known what is sent. Most answers about one lead fit; a watch that waits keeps
/// it, which is why it is not tonic's 8 KiB.
const BUFFER_BYTES: usize = 256;
/// A buffer is sent when it holds so much, or nothing more is ready.
const SENT_AT_BYTES: usize = 32 * 1024;

impl<T: 'static> Encoder for EncodedEncoder<T> {
    type Item = Encoded<T>;
    type Error = Status;

    fn encode(&mut self, message: Encoded<T>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.pieces.iter().map(Bytes::len).sum());
        message.pieces.iter().for_each(|piece| buffer.put_slice(piece));
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, SENT_AT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Actor;

    #[test]
    fn a_message_survives_the_way_through_its_bytes() {
        let actor = Actor { caller_id: "board".to_owned(), member_id: Some("anna".to_owned()) };
        let encoded = Encoded::of(&actor);
        assert_eq!(encoded.to_bytes(), actor.encode_to_vec());
        assert_eq!(encoded.decode().ok(), Some(actor));
    }
}
