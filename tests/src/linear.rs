//! Judges a recorded history of the statistics: was there one moment for each operation?
//!
//! A history says of each operation which process did it, when it was sent and answered, and what
//! came out. It is linearizable if the operations can be put in one order that respects time (what
//! was answered before another was sent comes first) and in which every outcome is right when they
//! are carried out one by one. (Herlihy and Wing, 1990; the search is that of Wing and Gong, 1993.)
//!
//! # The search
//!
//! ```text
//! place = how many operations of each process are done; era = the place of the last reset
//! from each place, in turn:
//!     candidates = next operation of each process, if none that is left was answered before it
//!     a snapshot among them that fits: take it, and nothing else has to be tried
//!     otherwise take each event, refusal or reset that fits, and go on from there
//! (era, place) decides the state, so each pair is visited once
//! ```
//!
//! A snapshot changes nothing, so an order in which it comes later stays right with it here: that
//! is why it need not be put off. The answer is exact, whatever the values are. A process does one
//! thing at a time, so the pairs are few: thousands of operations of four processes take
//! milliseconds.

use std::collections::{BTreeMap, HashSet};

/// What the statistics say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Events counted.
    pub total: u64,
    /// Different users among them.
    pub users: u64,
    /// Events refused.
    pub refused: u64,
    /// Sum of their values.
    pub sum: i128,
}

/// What was done, and what came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An event was counted.
    Event {
        /// Its user.
        user: u64,
        /// Its value.
        value: i128,
    },
    /// A refused event was counted.
    Refusal,
    /// A snapshot said this.
    Snapshot(State),
    /// A reset, and what it says it removed; `None` if it does not say.
    Reset(Option<State>),
}

/// One operation of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who did it: a process does one thing at a time.
    pub process: usize,
    /// When it was sent, on the clock of the history.
    pub sent: u64,
    /// When it was answered; `None` if it never was, and may have taken place or not.
    pub answered: Option<u64>,
    /// What it was.
    pub action: Action,
}

/// There is no such order. How far the search came at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Operations that were put in order.
    pub done: usize,
    /// The state behind them.
    pub state: State,
    /// What could have come next, and does not fit.
    pub next: Vec<Operation>,
}

/// Finds an order.
///
/// # Errors
/// If there is none: the history is not linearizable.
///
/// # Panics
/// If a process does two things at once: then it is no history.
pub fn linearize(history: &[Operation]) -> Result<(), Stuck> {
    let mut lanes: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for operation in history {
        lanes.entry(operation.process).or_default().push(*operation);
    }
    let mut lanes: Vec<Vec<Operation>> = lanes.into_values().collect();
    for lane in &mut lanes {
        lane.sort_by_key(|operation| operation.sent);
        for pair in lane.windows(2) {
            let in_turn = pair[0].answered.is_some_and(|end| end < pair[1].sent);
            assert!(in_turn, "one process, two things at once: {pair:?}");
        }
    }
    let mut search = Search {
        place: vec![0; lanes.len()],
        era: vec![0; lanes.len()],
        lanes,
        state: State::default(),
        users: BTreeMap::new(),
        visited: HashSet::new(),
        stuck: None,
    };
    search.run()
}

struct Search {
    lanes: Vec<Vec<Operation>>,
    /// Operations done of each lane.
    place: Vec<usize>,
    /// The place behind the last reset.
    era: Vec<usize>,
    state: State,
    /// Events of each user in this era.
    users: BTreeMap<u64, usize>,
    visited: HashSet<(Vec<usize>, Vec<usize>)>,
    /// The farthest place without a way on.
    stuck: Option<Stuck>,
}

/// A step taken, and what it takes to go back.
struct Step {
    lane: usize,
    /// Lanes that are still to be tried from where the step was taken.
    left: Vec<usize>,
    /// What a reset has replaced.
    before: Option<(State, BTreeMap<u64, usize>, Vec<usize>)>,
}

impl Search {
    /// Depth first, with a stack of its own: a history may be long.
    fn run(&mut self) -> Result<(), Stuck> {
        let mut steps: Vec<Step> = Vec::new();
        let mut left = self.ways();
        loop {
            if self.is_done() {
                return Ok(());
            }
            if let Some(lane) = left.pop() {
                let before = self.take(lane);
                let known = !self.visited.insert((self.era.clone(), self.place.clone()));
                let next = if known { Vec::new() } else { self.ways() };
                steps.push(Step { lane, left, before });
                left = next;
            } else if let Some(step) = steps.pop() {
                self.take_back(step.lane, step.before);
                left = step.left;
            } else {
                return Err(self.stuck.take().expect("every way ends somewhere"));
            }
        }
    }

    fn next(&self, lane: usize) -> Option<&Operation> {
        self.lanes[lane].get(self.place[lane])
    }

    /// Whether everything that was answered has its place.
    fn is_done(&self) -> bool {
        let mut lanes = 0..self.lanes.len();
        lanes.all(|lane| self.next(lane).is_none_or(|next| next.answered.is_none()))
    }

    /// The lanes whose next operation may come now, and fits.
    fn ways(&mut self) -> Vec<usize> {
        let lanes = 0..self.lanes.len();
        let ends = lanes.clone().filter_map(|lane| self.next(lane)?.answered);
        let first_end = ends.min().unwrap_or(u64::MAX);
        let may = |lane: &usize| self.next(*lane).is_some_and(|next| next.sent <= first_end);
        let may: Vec<usize> = lanes.filter(may).collect();
        let fits = |lane: &&usize| self.fits(&self.next(**lane).expect("it may come").action);
        let fitting: Vec<usize> = may.iter().filter(fits).copied().collect();
        let is_snapshot = |lane: &&usize| {
            let next = self.next(**lane);
            next.is_some_and(|next| matches!(next.action, Action::Snapshot(_)))
        };
        if let Some(lane) = fitting.iter().find(is_snapshot) {
            return vec![*lane];
        }
        let done = self.place.iter().sum();
        if fitting.is_empty() && self.stuck.as_ref().is_none_or(|stuck| stuck.done <= done) {
            let next = may.iter().filter_map(|&lane| self.next(lane).copied());
            self.stuck = Some(Stuck {
                done,
                state: self.state,
                next: next.collect(),
            });
        }
        fitting
    }

    fn fits(&self, action: &Action) -> bool {
        match action {
            Action::Event { .. } | Action::Refusal | Action::Reset(None) => true,
            Action::Snapshot(said) | Action::Reset(Some(said)) => *said == self.state,
        }
    }

    fn take(&mut self, lane: usize) -> Option<(State, BTreeMap<u64, usize>, Vec<usize>)> {
        let action = self.next(lane).expect("a way").action;
        self.place[lane] += 1;
        match action {
            Action::Event { user, value } => {
                self.state.total += 1;
                self.state.sum += value;
                *self.users.entry(user).or_default() += 1;
                self.state.users = self.users.len() as u64;
            }
            Action::Refusal => self.state.refused += 1,
            Action::Snapshot(_) => {}
            Action::Reset(_) => {
                let state = std::mem::take(&mut self.state);
                let users = std::mem::take(&mut self.users);
                let era = std::mem::replace(&mut self.era, self.place.clone());
                return Some((state, users, era));
            }
        }
        None
    }

    fn take_back(
        &mut self,
        lane: usize,
        before: Option<(State, BTreeMap<u64, usize>, Vec<usize>)>,
    ) {
        self.place[lane] -= 1;
        if let Some(before) = before {
            (self.state, self.users, self.era) = before;
            return;
        }
        match self.next(lane).expect("it was taken").action {
            Action::Event { user, value } => {
                self.state.total -= 1;
                self.state.sum -= value;
                let count = self.users.get_mut(&user).expect("it was added");
                *count -= 1;
                if *count == 0 {
                    self.users.remove(&user);
                }
                self.state.users = self.users.len() as u64;
            }
            Action::Refusal => self.state.refused -= 1,
            Action::Snapshot(_) | Action::Reset(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(total: u64, users: u64, sum: i128) -> State {
        State {
            total,
            users,
            refused: 0,
            sum,
        }
    }

    fn operation(process: usize, sent: u64, answered: u64, action: Action) -> Operation {
        Operation {
            process,
            sent,
            answered: Some(answered),
            action,
        }
    }

    fn event(process: usize, sent: u64, answered: u64, user: u64, value: i128) -> Operation {
        operation(process, sent, answered, Action::Event { user, value })
    }

    fn snapshot(process: usize, sent: u64, answered: u64, said: State) -> Operation {
        operation(process, sent, answered, Action::Snapshot(said))
    }

    fn reset(process: usize, sent: u64, answered: u64, removed: Option<State>) -> Operation {
        operation(process, sent, answered, Action::Reset(removed))
    }

    #[test]
    fn what_overlaps_may_come_in_either_order() {
        for said in [state(0, 0, 0), state(1, 1, 5)] {
            assert_eq!(
                linearize(&[event(0, 1, 4, 7, 5), snapshot(1, 2, 3, said)]),
                Ok(())
            );
        }
        // Two snapshots on either side of an event that they both overlap, the earlier one with it.
        let history = [
            event(0, 1, 10, 7, 5),
            snapshot(1, 2, 8, state(1, 1, 5)),
            snapshot(2, 3, 9, state(0, 0, 0)),
        ];
        assert_eq!(linearize(&history), Ok(()));
    }

    #[test]
    fn an_unanswered_operation_may_have_taken_place_or_not() {
        for said in [state(0, 0, 0), state(1, 1, 5)] {
            let mut lost = event(0, 1, 2, 7, 5);
            lost.answered = None;
            assert_eq!(linearize(&[lost, snapshot(1, 3, 4, said)]), Ok(()));
            let early = [snapshot(1, 3, 4, state(1, 1, 5)), {
                lost.sent = 5;
                lost
            }];
            assert!(linearize(&early).is_err(), "it was not sent yet");
        }
    }

    #[test]
    fn every_planted_fault_is_found() {
        let a = event(0, 1, 2, 1, 5);
        let b = event(0, 3, 4, 2, 10);
        let table: [(&str, &[Operation]); 12] = [
            (
                "a torn total and sum",
                &[a, b, snapshot(1, 5, 6, state(2, 2, 5))],
            ),
            (
                "a torn total and users",
                &[a, b, snapshot(1, 5, 6, state(2, 1, 15))],
            ),
            (
                "a torn view while it happens",
                &[
                    event(0, 1, 9, 1, 5),
                    event(1, 2, 9, 2, 10),
                    snapshot(2, 3, 8, state(1, 1, 15)),
                ],
            ),
            ("a lost event", &[a, b, snapshot(1, 5, 6, state(1, 1, 5))]),
            (
                "an event that was not sent yet",
                &[snapshot(1, 1, 2, state(1, 1, 5)), event(0, 3, 4, 1, 5)],
            ),
            (
                "a user counted twice",
                &[a, event(2, 1, 2, 1, 3), snapshot(1, 5, 6, state(2, 2, 8))],
            ),
            (
                "an event before and after a reset",
                &[
                    a,
                    reset(1, 5, 6, Some(state(1, 1, 5))),
                    snapshot(1, 7, 8, state(1, 1, 5)),
                ],
            ),
            (
                "a reset that leaves one",
                &[
                    a,
                    b,
                    reset(1, 5, 6, Some(state(1, 1, 5))),
                    snapshot(1, 7, 8, state(1, 1, 10)),
                ],
            ),
            (
                "a reset that says nothing and leaves one",
                &[
                    a,
                    b,
                    reset(1, 5, 6, None),
                    snapshot(1, 7, 8, state(1, 1, 10)),
                ],
            ),
            (
                "an event that neither side has",
                &[
                    event(0, 1, 9, 1, 5),
                    reset(1, 2, 3, Some(state(0, 0, 0))),
                    snapshot(1, 10, 11, state(0, 0, 0)),
                ],
            ),
            (
                "two views that disagree about the order",
                &[
                    event(0, 1, 9, 1, 5),
                    event(1, 1, 9, 2, 10),
                    snapshot(2, 2, 3, state(1, 1, 5)),
                    snapshot(3, 2, 3, state(1, 1, 10)),
                ],
            ),
            (
                "a later view that has less",
                &[
                    event(0, 1, 9, 1, 5),
                    snapshot(1, 2, 3, state(1, 1, 5)),
                    snapshot(2, 4, 5, state(0, 0, 0)),
                ],
            ),
        ];
        for (fault, history) in table {
            let stuck = linearize(history).expect_err(fault);
            assert!(!stuck.next.is_empty(), "{fault}");
        }
    }

    #[test]
    #[should_panic(expected = "two things at once")]
    fn a_process_does_one_thing_at_a_time() {
        let _ = linearize(&[event(0, 1, 5, 1, 1), event(0, 4, 6, 1, 1)]);
    }

    /// Tries every order.
    fn try_all(left: &[Operation], done: &mut Vec<Operation>) -> bool {
        let mut left = left.to_vec();
        if left.is_empty() {
            let mut events: Vec<(u64, i128)> = Vec::new();
            return done.iter().all(|operation| {
                let users: HashSet<u64> = events.iter().map(|event| event.0).collect();
                let now = state(
                    events.len() as u64,
                    users.len() as u64,
                    events.iter().map(|event| event.1).sum(),
                );
                match operation.action {
                    Action::Event { user, value } => events.push((user, value)),
                    Action::Snapshot(said) => return said == now,
                    Action::Reset(removed) => {
                        events.clear();
                        return removed.is_none_or(|removed| removed == now);
                    }
                    Action::Refusal => unreachable!(),
                }
                true
            });
        }
        for i in 0..left.len() {
            let next = left.remove(i);
            let late = left.iter().any(|other| other.answered < Some(next.sent));
            done.push(next);
            if !late && try_all(&left, done) {
                return true;
            }
            done.pop();
            left.insert(i, next);
        }
        false
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn the_search_agrees_with_trying_every_order(
            raw in prop::collection::vec((0..3usize, 0..4u64, 0..4u64, 0..6u8, 0..3u64, 0..3u64), 1..7),
        ) {
            // Each process's operations one behind the other, with gaps and lengths as they come.
            let mut clocks = [0; 3];
            let history: Vec<Operation> = raw
                .into_iter()
                .map(|(process, gap, length, kind, x, y)| {
                    let sent = clocks[process] + 1 + gap;
                    clocks[process] = sent + 1 + length;
                    let said = state(x, x.min(y), i128::from(x));
                    let action = match kind {
                        0..3 => Action::Event { user: x, value: 1 + i128::from(y & 1) },
                        3 | 4 => Action::Snapshot(said),
                        _ => Action::Reset((y > 0).then_some(said)),
                    };
                    operation(process, sent, clocks[process], action)
                })
                .collect();
            let exact = try_all(&history, &mut Vec::new());
            prop_assert_eq!(linearize(&history).is_ok(), exact, "{:#?}", history);
        }
    }
}
