use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

const LIMIT_DEFAULT: u16 = 20;
const LIMIT_MAX: u16 = 100;

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Give this as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items, 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl PageQuery {
    /// Of a list whose query has more members than these, which cannot be flattened and still refuse unknown ones.
    pub const fn new(limit: Option<u16>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// How many items are wanted, within 1 to 100.
    pub fn limit(&self) -> Result<u16, Problem> {
        match self.limit {
            None => Ok(LIMIT_DEFAULT),
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::field(
                "web.query.field",
                "limit",
                format!("from 1 to {LIMIT_MAX}"),
            )),
        }
    }

    /// The key of the last item of the page before.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let key = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok());
        let refused = || Problem::field("web.query.field", "cursor", "not a `next_cursor` of this list");
        key.map(Some).ok_or_else(refused)
    }
}

impl<T> Page<T> {
    /// Makes a page of rows that were fetched with one more than `limit`; `key` is what [`PageQuery::after`] gives back.
    pub fn from_overfull<R, K: Serialize>(
        mut rows: Vec<R>,
        limit: u16,
        key: impl Fn(&R) -> K,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        let next_cursor = rows.last().filter(|_| more).map(|row| {
            let json = serde_json::to_vec(&key(row)).expect("a cursor's key is plain data");
            URL_SAFE_NO_PAD.encode(json)
        });
        Self {
            items: rows.into_iter().map(view).collect(),
            next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_the_rest_and_ends() {
        let page = Page::from_overfull(vec![1, 2, 3], 2, |row| *row, |row| row * 10);
        assert_eq!(page.items, [10, 20]);
        let next = PageQuery {
            limit: Some(2),
            cursor: page.next_cursor,
        };
        assert_eq!(next.after::<i32>().unwrap(), Some(2));
        assert!(
            Page::from_overfull(vec![3], 2, |row| *row, |row| row)
                .next_cursor
                .is_none()
        );
    }

    #[test]
    fn foreign_cursors_and_odd_limits_are_refused() {
        for cursor in ["", "%", "e30", "\u{0}"] {
            let query = PageQuery {
                limit: None,
                cursor: Some(cursor.into()),
            };
            assert_eq!(
                query.after::<i32>().unwrap_err().errors[0].field,
                "cursor",
                "{cursor}"
            );
        }
        for limit in [0, 101, u16::MAX] {
            assert!(
                PageQuery {
                    limit: Some(limit),
                    cursor: None
                }
                .limit()
                .is_err()
            );
        }
    }
}
