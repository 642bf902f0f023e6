//! Pages with a number and a size.

use serde::Serialize;

use crate::http::{Fault, Query};

const MAX_NUMBER: i64 = 2_147_483;
const MAX_SIZE: i64 = 1000;
const USUAL_SIZE: i64 = 100;

/// The parameters that choose a page.
pub(super) const NUMBER: &str = "pageNumber";
pub(super) const SIZE: &str = "pageSize";

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    number: i64,
    pub(super) size: i64,
}

impl Wanted {
    pub(super) fn of(query: &Query) -> Result<Self, Fault> {
        Ok(Self {
            number: within(query, NUMBER, MAX_NUMBER)?.unwrap_or(1),
            size: within(query, SIZE, MAX_SIZE)?.unwrap_or(USUAL_SIZE),
        })
    }

    /// How many come before it. Fits: both factors are small.
    pub(super) const fn offset(self) -> i64 {
        (self.number - 1) * self.size
    }
}

fn within(query: &Query, name: &'static str, most: i64) -> Result<Option<i64>, Fault> {
    let what = format!("a number from 1 to {most}");
    let value = query.value::<i64>(name, &what)?;
    if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
        return Err(Fault::malformed(format!("{name} is {value}, it must be {what}")).field(name));
    }
    Ok(value)
}

/// A page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    items: Vec<T>,
    page_number: i64,
    page_size: i64,
    page_item_count: usize,
    total_item_count: i64,
}

impl<T> Page<T> {
    pub(super) fn new(wanted: Wanted, items: Vec<T>, total: i64) -> Self {
        Self {
            page_number: wanted.number,
            page_size: wanted.size,
            page_item_count: items.len(),
            total_item_count: total,
            items,
        }
    }
}
