//! From which ticket to look for work in each line, in which order, and in which lines at all. Pure: no database, no clock.
//!
//! Claims leave dead index entries and running jobs behind, left of the queued ones. A claim that starts at the *floor* of
//! its line does not walk over them. What a floor has passed over, because it committed late or was locked, is found by the
//! sweep, whose timing is [`plan`].

use std::collections::HashMap;

use crate::ops::{Claimed, Line, LineFloor, SweepRange};

/// How jobs are claimed, and what their claim takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// In large batches, within a window that all light kinds share.
    Light,
    /// One per free slot: the claim is the start.
    Heavy,
    /// Ahead of their start, within a window of their kind: which.
    Ahead(usize),
}

/// How far a floor stays behind, in tickets. A ticket is taken before its transaction commits, so a floor that followed
/// closely would pass over many jobs; 500 tickets cost nothing that can be measured.
pub const LAG: i64 = 500;
/// How far ahead of the claims a sweep puts what it finds, in tickets.
const FRONT: i64 = 5000;
/// Up to so many lines are always looked at. Each costs about six microseconds per claim.
pub const FEW: usize = 64;
/// Most lines in one claim. More are named by the next one.
const MAX_OFFER: usize = 128;

#[derive(Debug)]
struct Place {
    line: Line,
    weight: Weight,
    floor: i64,
    /// Highest ticket claimed here.
    highest: i64,
    /// Whether it gave jobs lately, or is known to have some.
    active: bool,
    /// The turn in which it last gave a job. Lines of one priority take turns by it.
    served: u64,
}

/// Lines to claim from.
#[derive(Debug)]
pub struct Offer {
    /// In order.
    pub lines: Vec<LineFloor>,
    /// Whether there are more lines to look at.
    pub more: bool,
}

/// The lines a worker serves.
#[derive(Debug, Default)]
pub struct Floors {
    places: Vec<Place>,
    index: HashMap<Line, usize>,
    counts: HashMap<Weight, usize>,
    turn: u64,
}

impl Floors {
    /// Adds a line if it is new. Its first claim looks at all of it.
    pub fn learn(&mut self, line: &Line, weight: Weight) {
        if self.index.contains_key(line) {
            return;
        }
        self.index.insert(line.clone(), self.places.len());
        self.places.push(Place {
            line: line.clone(),
            weight,
            floor: 0,
            highest: 0,
            active: true,
            served: 0,
        });
        *self.counts.entry(weight).or_default() += 1;
    }

    /// Lines of that weight.
    #[must_use]
    pub fn count(&self, weight: Weight) -> usize {
        self.counts.get(&weight).copied().unwrap_or(0)
    }

    fn are_few(&self, weight: Weight) -> bool {
        self.count(weight) <= FEW
    }

    /// The lines to claim from, in order: by priority, and within one priority first the line that has waited longest for
    /// its turn. Not all of very many: those that give nothing leave, and make room for others in the next claim.
    #[must_use]
    pub fn offer(&self, weight: Weight) -> Offer {
        self.offer_of(weight, |_| true)
    }

    /// As [`Floors::offer`], only of the lines that somebody serves.
    #[must_use]
    pub fn offer_of(&self, weight: Weight, serves: impl Fn(&Line) -> bool) -> Offer {
        let all = self.are_few(weight);
        let mut places: Vec<&Place> = self
            .places
            .iter()
            .filter(|place| place.weight == weight && (all || place.active) && serves(&place.line))
            .collect();
        places.sort_by_key(|place| (place.line.priority, place.served));
        Offer {
            more: places.len() > MAX_OFFER,
            lines: places.into_iter().take(MAX_OFFER).map(line_floor).collect(),
        }
    }

    /// Every line that somebody serves, by priority, for claims that cannot tell of a line whether it is empty.
    #[must_use]
    pub fn offer_all(&self, serves: impl Fn(&Line) -> bool) -> Vec<LineFloor> {
        let mut places: Vec<&Place> = self
            .places
            .iter()
            .filter(|place| serves(&place.line))
            .collect();
        places.sort_by_key(|place| (place.line.priority, place.served));
        places.into_iter().map(line_floor).collect()
    }

    /// All lines, with their floors.
    #[must_use]
    pub fn all(&self) -> Vec<LineFloor> {
        self.places.iter().map(line_floor).collect()
    }

    /// The lines that are not looked at, to be asked for work now and then.
    #[must_use]
    pub fn dormant(&self) -> Vec<LineFloor> {
        self.places
            .iter()
            .filter(|place| !place.active && !self.are_few(place.weight))
            .map(line_floor)
            .collect()
    }

    /// These lines have work.
    pub fn activate(&mut self, lines: &[Line]) {
        for line in lines {
            if let Some(place) = self.place(line) {
                place.active = true;
            }
        }
    }

    fn place(&mut self, line: &Line) -> Option<&mut Place> {
        let index = *self.index.get(line)?;
        self.places.get_mut(index)
    }

    /// Takes note of a claim: floors follow what was claimed, at a distance.
    pub fn claimed(&mut self, jobs: &[Claimed]) {
        self.turn += 1;
        let turn = self.turn;
        for job in jobs {
            if let Some(place) = self.place(&job.line) {
                place.highest = place.highest.max(job.ticket);
                place.floor = place.floor.max(job.ticket - LAG);
                place.active = true;
                place.served = turn;
            }
        }
    }

    /// Takes note that a claim from these lines ended before it was full, so that each of them was looked at to its end.
    /// Those that gave nothing are not looked at any more, if there are many lines. Answers those whose floor could be moved
    /// by much, given the last ticket that was known before the claim, *if* they have no job that somebody holds locked.
    pub fn exhausted(
        &mut self,
        offered: Vec<LineFloor>,
        jobs: &[Claimed],
        last_ticket: Option<i64>,
    ) -> Vec<LineFloor> {
        let turn = self.turn;
        let gave_nothing: Vec<LineFloor> = offered
            .into_iter()
            .filter(|offer| {
                jobs.is_empty() || self.place(&offer.line).is_some_and(|p| p.served != turn)
            })
            .collect();
        for offer in &gave_nothing {
            if let Some(place) = self.place(&offer.line) {
                place.active = false;
            }
        }
        let Some(last) = last_ticket else {
            return Vec::new();
        };
        gave_nothing
            .into_iter()
            .filter(|offer| raised(last) >= offer.floor.saturating_add(LAG))
            .collect()
    }

    /// Moves the floors of lines that were empty up to the last ticket known before their last claim.
    pub fn raise(&mut self, lines: &[LineFloor], last_ticket: i64) {
        for LineFloor { line, .. } in lines {
            if let Some(place) = self.place(line) {
                place.floor = place.floor.max(raised(last_ticket));
            }
        }
    }

    /// Where to sweep: in every line from `low` up to its floor.
    #[must_use]
    pub fn ranges(&self, low: i64) -> Vec<SweepRange> {
        self.places
            .iter()
            .filter(|place| place.floor > low)
            .map(|place| SweepRange {
                line: place.line.clone(),
                low,
                floor: place.floor,
                // Never left of the floor, or it would not be found again.
                front: place.highest.saturating_add(FRONT).max(place.floor),
            })
            .collect()
    }
}

/// The floor of a line that was empty when this was the last ticket.
const fn raised(last_ticket: i64) -> i64 {
    last_ticket.saturating_add(1).saturating_sub(LAG)
}

fn line_floor(place: &Place) -> LineFloor {
    LineFloor {
        line: place.line.clone(),
        floor: place.floor,
    }
}

pub mod plan;

#[cfg(test)]
mod tests;
