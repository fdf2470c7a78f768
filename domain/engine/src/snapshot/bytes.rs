//! Values as bytes and back. Reading is total: whatever comes in, an answer or a refusal comes out.

use ferrex_time::{Timestamp, from_micros};
use uuid::Uuid;

use super::SnapshotError;

/// Appends values.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.raw(&number.to_le_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.raw(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.u64(count as u64);
    }

    pub(super) fn number(&mut self, number: u128) {
        let bytes = number.to_le_bytes();
        let length = 16 - number.leading_zeros() as usize / 8;
        self.byte(u8::try_from(length).unwrap_or(16));
        self.raw(&bytes[..length]);
    }

    pub(super) fn uuid(&mut self, id: Uuid) {
        self.raw(id.as_bytes());
    }

    pub(super) fn maybe_uuid(&mut self, id: Option<Uuid>) {
        self.byte(u8::from(id.is_some()));
        if let Some(id) = id {
            self.uuid(id);
        }
    }

    pub(super) fn maybe_time(&mut self, at: Option<Timestamp>) {
        self.byte(u8::from(at.is_some()));
        if let Some(at) = at {
            self.u64(at.timestamp_micros().cast_unsigned());
        }
    }
}

/// Takes values off the front.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// `at` is where `bytes` begins in the whole, for messages.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// A refusal of the value that was read last.
    pub(super) const fn refuse(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Value { what, at: self.at }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SnapshotError> {
        let (head, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or_else(|| self.refuse(what))?;
        self.bytes = rest;
        self.at += N;
        Ok(*head)
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, SnapshotError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, SnapshotError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, SnapshotError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, SnapshotError> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self, what: &'static str) -> Result<u128, SnapshotError> {
        self.array(what).map(u128::from_le_bytes)
    }

    pub(super) fn hash(&mut self, what: &'static str) -> Result<[u8; 32], SnapshotError> {
        self.array(what)
    }

    pub(super) fn number(&mut self, what: &'static str) -> Result<u128, SnapshotError> {
        let length = usize::from(self.byte(what)?);
        let mut number = [0; 16];
        let (Some(to), Some((from, rest))) = (number.get_mut(..length), self.bytes.split_at_checked(length))
        else {
            return Err(self.refuse(what));
        };
        to.copy_from_slice(from);
        self.bytes = rest;
        self.at += length;
        // One form for each number.
        if from.last() == Some(&0) {
            return Err(self.refuse(what));
        }
        Ok(u128::from_le_bytes(number))
    }

    /// A number within bounds.
    pub(super) fn within(
        &mut self,
        what: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, SnapshotError> {
        let number = u64::try_from(self.number(what)?).map_err(|_| self.refuse(what))?;
        if bounds.contains(&number) {
            Ok(number)
        } else {
            Err(self.refuse(what))
        }
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, SnapshotError> {
        match self.byte(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.refuse(what)),
        }
    }

    /// One of a few by its stored number.
    pub(super) fn choice<T>(
        &mut self,
        what: &'static str,
        from_code: impl Fn(u8) -> Option<T>,
    ) -> Result<T, SnapshotError> {
        let code = self.byte(what)?;
        from_code(code).ok_or_else(|| self.refuse(what))
    }

    pub(super) fn uuid(&mut self, what: &'static str) -> Result<Uuid, SnapshotError> {
        self.array(what).map(Uuid::from_bytes)
    }

    pub(super) fn maybe_uuid(&mut self, what: &'static str) -> Result<Option<Uuid>, SnapshotError> {
        if self.flag(what)? {
            self.uuid(what).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn maybe_time(&mut self, what: &'static str) -> Result<Option<Timestamp>, SnapshotError> {
        if !self.flag(what)? {
            return Ok(None);
        }
        let micros = self.u64(what)?;
        // The years 1970 to 9999, as in a command.
        if micros >= 253_402_300_800 * 1_000_000 {
            return Err(self.refuse(what));
        }
        Ok(Some(from_micros(micros.cast_signed())))
    }

    /// How many of something follow. Room may be made for as many.
    pub(super) fn count(&mut self, what: &'static str) -> Result<u64, SnapshotError> {
        /// The smallest thing that is counted, a fee, has 8 bytes.
        const LEAST: usize = 8;
        let count = self.u64(what)?;
        if count > (self.bytes.len() / LEAST) as u64 {
            return Err(self.refuse(what));
        }
        Ok(count)
    }
}

/// Sees that keys come in ascending order, each once.
pub(super) struct Ascending<T>(Option<T>);

impl<T: PartialOrd + Copy> Ascending<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn takes(&mut self, key: T) -> bool {
        self.0.replace(key).is_none_or(|before| before < key)
    }
}
