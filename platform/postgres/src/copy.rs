//! Many rows by `COPY … TO STDOUT (FORMAT binary)`: their columns one after the other as bytes, without a description of
//! each row, which is most of what a query's rows cost.

use futures::TryStreamExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use crate::number;

/// What the bytes begin with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Flags, of which none is known here, and the length of an extension, which is empty.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;
/// Between 1970 and 2000, where PostgreSQL's time begins.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// What is wrong with the bytes of rows: they are not those of the columns that are read.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// They do not begin as such bytes do.
    #[error("no rows in PostgreSQL's binary form")]
    Signature,
    /// They end within a row, or before the end is told.
    #[error("the bytes end within a row")]
    Cut,
    /// A row has fewer or more columns than are read, or one of another length.
    #[error("a column is missing, too much, or of another type")]
    Column,
    /// A column that is read as present is null.
    #[error("a column is null")]
    Null,
    /// A number is no amount.
    #[error("a column is no amount: {0}")]
    Number(String),
}

/// Rows as they came.
#[derive(Debug)]
pub struct Copied(Vec<u8>);

/// Reads all that a query answers; `query` must be no text of a user's. An error leaves the connection in no state to go on with,
/// and so does dropping the future: it is for connections of one's own.
pub async fn copy_out(
    connection: &mut PgConnection,
    query: &str,
    doing: &'static str,
) -> Result<Copied, Error> {
    let statement = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
    let failed = |source| Error::Statement { doing, source };
    let mut stream = connection.copy_out_raw(&statement).await.map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(part) = stream.try_next().await.map_err(failed)? {
        bytes.extend_from_slice(&part);
    }
    Ok(Copied(bytes))
}

impl Copied {
    /// Reads each row.
    pub fn rows<T, E: From<CopyError>>(
        &self,
        mut read: impl FnMut(&mut CopiedRow<'_>) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let mut rest = self.0.strip_prefix(SIGNATURE).ok_or(CopyError::Signature)?;
        rest = rest
            .get(HEADER_BYTES - SIGNATURE.len()..)
            .ok_or(CopyError::Signature)?;
        let mut rows = Vec::new();
        loop {
            let columns = i16::from_be_bytes(take(&mut rest)?);
            if columns < 0 {
                return Ok(rows);
            }
            let mut row = CopiedRow { rest, columns };
            rows.push(read(&mut row)?);
            if row.columns != 0 {
                return Err(CopyError::Column.into());
            }
            rest = row.rest;
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CopyError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(CopyError::Cut)?;
    *rest = after;
    Ok(*bytes)
}

/// A row whose columns are read in their order.
#[derive(Debug)]
pub struct CopiedRow<'a> {
    rest: &'a [u8],
    columns: i16,
}

impl<'a> CopiedRow<'a> {
    /// The bytes of the next column, none if it is null.
    pub fn bytes(&mut self) -> Result<Option<&'a [u8]>, CopyError> {
        self.columns = self
            .columns
            .checked_sub(1)
            .filter(|left| *left >= 0)
            .ok_or(CopyError::Column)?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(take(&mut self.rest)?)) else {
            return Ok(None);
        };
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CopyError::Cut)?;
        self.rest = rest;
        Ok(Some(bytes))
    }

    fn fixed<const N: usize>(&mut self) -> Result<Option<[u8; N]>, CopyError> {
        let Some(bytes) = self.bytes()? else {
            return Ok(None);
        };
        bytes.try_into().map(Some).map_err(|_| CopyError::Column)
    }

    /// A `bigint`.
    pub fn i64(&mut self) -> Result<i64, CopyError> {
        self.fixed().and_then(present).map(i64::from_be_bytes)
    }

    /// An `integer`.
    pub fn i32(&mut self) -> Result<i32, CopyError> {
        self.fixed().and_then(present).map(i32::from_be_bytes)
    }

    /// A `smallint`.
    pub fn i16(&mut self) -> Result<i16, CopyError> {
        self.fixed().and_then(present).map(i16::from_be_bytes)
    }

    /// A `boolean`.
    pub fn bool(&mut self) -> Result<bool, CopyError> {
        self.fixed().and_then(present).map(|[byte]| byte != 0)
    }

    /// A `uuid`, none if it is null.
    pub fn uuid(&mut self) -> Result<Option<Uuid>, CopyError> {
        Ok(self.fixed()?.map(Uuid::from_bytes))
    }

    /// A `timestamptz` in microseconds since 1970, none if it is null.
    pub fn micros(&mut self) -> Result<Option<i64>, CopyError> {
        let since_2000 = self.fixed()?.map(i64::from_be_bytes);
        Ok(since_2000.map(|micros| micros.saturating_add(EPOCH_MICROS)))
    }

    /// A `numeric` that is an amount.
    pub fn amount(&mut self) -> Result<u128, CopyError> {
        let bytes = present(self.bytes()?)?;
        number::read(bytes).map_err(|error| CopyError::Number(error.to_string()))
    }
}

/// What must not be null.
pub fn present<T>(column: Option<T>) -> Result<T, CopyError> {
    column.ok_or(CopyError::Null)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn copied(rows: &[u8]) -> Copied {
        Copied([SIGNATURE, &[0; 8], rows].concat())
    }

    fn numbers(copied: &Copied) -> Result<Vec<(i16, i64)>, CopyError> {
        copied.rows(|row| Ok((row.i16()?, row.i64()?)))
    }

    const ROW: &[u8] = &[0, 2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7];
    const END: &[u8] = &[0xff, 0xff];

    #[test]
    fn rows_are_read_up_to_the_end_that_is_told() {
        assert_eq!(numbers(&copied(END)).unwrap(), []);
        assert_eq!(
            numbers(&copied(&[ROW, ROW, END].concat())).unwrap(),
            [(258, 7), (258, 7)]
        );
    }

    #[test]
    fn what_is_cut_anywhere_is_refused() {
        let Copied(whole) = copied(&[ROW, END].concat());
        for length in 0..whole.len() {
            assert!(numbers(&Copied(whole[..length].to_vec())).is_err(), "{length}");
        }
    }

    #[test]
    fn rows_of_other_columns_are_refused() {
        let rows = copied(&[ROW, END].concat());
        let too_few = rows.rows(|row| Ok::<_, CopyError>((row.i16()?,)));
        assert!(matches!(too_few, Err(CopyError::Column)));
        let another_type = rows.rows(|row| Ok::<_, CopyError>((row.i16()?, row.i32()?)));
        assert!(matches!(another_type, Err(CopyError::Column)));
        let too_many = rows.rows(|row| Ok::<_, CopyError>((row.i16()?, row.i64()?, row.bytes()?.is_none())));
        assert!(matches!(too_many, Err(CopyError::Column)));
        let null = copied(&[&[0, 1, 0xff, 0xff, 0xff, 0xff], END].concat());
        let not_null = null.rows(|row| Ok::<_, CopyError>((row.i64()?,)));
        assert!(matches!(not_null, Err(CopyError::Null)));
        let nullable = null.rows(|row| Ok::<_, CopyError>((row.uuid()?,)));
        assert_eq!(nullable.unwrap(), [(None,)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = numbers(&copied(&bytes));
        }
    }
}
