//! What an owner has decided and not answered: pure, so that the simulator does the same.
//!
//! Up to [`AHEAD`] statements are on their way to the journal, each naming the end of the one before it, and what comes meanwhile is
//! decided on top of them. So memory may be ahead of the journal, by what is in flight and what is to follow. Nobody learns of that:
//! an answer waits for the statement that carries its rows, or for the last one that it rests on. If a statement fails, all that was
//! decided after it is thrown away with it.

use std::collections::VecDeque;

use ferrex_engine_core::Batch;
use ferrex_planted::planted;

/// How many statements are on their way at most: the rows of one are written while the one before waits for the disk.
pub const AHEAD: usize = 2;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due<R> {
    /// Send these rows, after row `previous`.
    Append {
        /// The row before them.
        previous: u64,
        /// The rows.
        batch: Batch,
        /// Whether another statement is on its way, which this one may overtake.
        follows: bool,
    },
    /// Ask whether this is still the owner: an answer tells what is in memory, and nothing is written that would show it.
    Confirm,
    /// Answer: what that rests on is stored already.
    Answer(Vec<R>),
}

/// Answers on their way, each an `R`.
#[derive(Debug)]
pub struct Pipeline<R> {
    /// The last row that is known to be stored.
    stored: u64,
    /// The last row that was sent.
    sent: u64,
    /// What has been decided since the last statement was sent.
    next: Batch,
    replies: Vec<R>,
    /// Whether one of them tells what is in memory.
    shows: bool,
    in_flight: VecDeque<InFlight<R>>,
}

#[derive(Debug)]
struct InFlight<R> {
    rows: u64,
    replies: Vec<R>,
}

impl<R> Pipeline<R> {
    /// With nothing decided, on a journal that ends with row `stored`.
    pub const fn new(stored: u64) -> Self {
        Self {
            stored,
            sent: stored,
            next: Batch {
                accounts: Vec::new(),
                rows: Vec::new(),
            },
            replies: Vec::new(),
            shows: false,
            in_flight: VecDeque::new(),
        }
    }

    /// Where what is decided next puts its rows.
    pub const fn batch(&mut self) -> &mut Batch {
        &mut self.next
    }

    /// Takes the answer to what was decided last. `shows`: it tells what is in memory, not what became of a command.
    pub fn reply(&mut self, reply: R, shows: bool) {
        self.replies.push(reply);
        self.shows |= shows;
    }

    /// How many answers wait for a statement that has not been sent.
    pub const fn waiting(&self) -> usize {
        self.replies.len()
    }

    /// The last row that is known to be stored.
    pub const fn stored(&self) -> u64 {
        self.stored
    }

    /// Whether all is stored and answered. Only then may changes be projected, and answers be forgotten because the journal has them.
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_empty() && self.replies.is_empty() || planted!("pipeline.taken_for_settled")
    }

    /// Whether enough has come to be sent: anything when nothing is on its way, else twice as much as the one before carries, lest
    /// commits become many and small.
    pub fn is_worth_sending(&self) -> bool {
        let ahead = self.in_flight.back().map_or(0, |before| before.replies.len());
        self.in_flight.len() < AHEAD && self.waiting() > 0 && self.waiting() >= 2 * ahead
    }

    /// What is to be done now; `None` while as much is on its way as may be, or when there is nothing to answer. A statement is in
    /// flight then.
    pub fn due(&mut self) -> Option<Due<R>> {
        let rows = self.next.rows.len() as u64;
        let overtakes = !self.shows && planted!("pipeline.repeats_overtake");
        // What has no rows rests on all that was sent.
        let most = if rows == 0 && !overtakes { 1 } else { AHEAD };
        if self.replies.is_empty() || self.in_flight.len() >= most {
            return None;
        }
        let replies = Vec::with_capacity(self.replies.len());
        let replies = std::mem::replace(&mut self.replies, replies);
        let shows = std::mem::take(&mut self.shows);
        if rows == 0 && !shows {
            return Some(Due::Answer(replies));
        }
        let follows = !self.in_flight.is_empty();
        self.in_flight.push_back(InFlight { rows, replies });
        if rows == 0 {
            return Some(Due::Confirm);
        }
        let batch = std::mem::take(&mut self.next);
        // The next will carry about as much.
        self.next.rows.reserve(batch.rows.len());
        let previous = self.sent;
        self.sent += rows;
        Some(Due::Append {
            previous,
            batch,
            follows,
        })
    }

    /// The first of what is in flight has succeeded; answers what may be told now, in the order of deciding.
    pub fn landed(&mut self) -> Vec<R> {
        let Some(InFlight { rows, mut replies }) = self.in_flight.pop_front() else {
            return Vec::new();
        };
        self.stored += rows;
        if planted!("pipeline.answers_what_follows")
            && let Some(follows) = self.in_flight.front_mut()
        {
            replies.append(&mut follows.replies);
        }
        replies
    }

    /// All that was decided and not answered, for whom the outcome is unknown.
    pub fn into_replies(self) -> impl Iterator<Item = R> {
        let in_flight = self.in_flight.into_iter().flat_map(|in_flight| in_flight.replies);
        in_flight.chain(self.replies)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ferrex_engine_core::{Action, Command, Engine, Reason, Step as Effect};
    use ferrex_ids::{CommandId, HoldId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// A command whose refusal is one row.
    pub(crate) fn refused(number: u64) -> Command {
        let id = Uuid::from_u128(number.into());
        Command {
            id: CommandId::from_uuid(id),
            at: ferrex_time::from_micros(0),
            reason: Reason::Transfer,
            reference: id,
            action: Action::Transfer(vec![Effect::Void {
                hold: HoldId::from_uuid(id),
            }]),
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Decide { rows: u64, shows: bool },
        Send,
        Land,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0..3_u64, any::<bool>()).prop_map(|(rows, shows)| Step::Decide { rows, shows: shows && rows == 0 }),
            1 => Just(Step::Send),
            1 => Just(Step::Land),
        ]
    }

    /// What was decided, as a list: each with the journal's end that it rests on.
    #[derive(Default)]
    struct Model {
        end: u64,
        stored: u64,
        /// The end of the journal once each of them is stored, in the order of sending.
        in_flight: VecDeque<u64>,
        decided: Vec<u64>,
        answered: usize,
        /// How many have been sent or answered.
        taken: usize,
    }

    impl Model {
        fn sent(&self) -> u64 {
            self.in_flight.back().copied().unwrap_or(self.stored)
        }

        fn answer(&mut self, told: Vec<usize>) -> Result<(), TestCaseError> {
            for reply in told {
                prop_assert_eq!(reply, self.answered, "in the order of deciding");
                prop_assert!(self.decided[reply] <= self.stored, "before what it rests on");
                self.answered += 1;
            }
            Ok(())
        }

        /// Answers whether anything was done.
        fn send(&mut self, pipeline: &mut Pipeline<usize>, shows: bool) -> Result<bool, TestCaseError> {
            let Some(due) = pipeline.due() else {
                let nothing_new = self.taken == self.decided.len();
                let no_rows = self.sent() == self.end;
                let full = self.in_flight.len() == AHEAD;
                prop_assert!(nothing_new || full || no_rows && !self.in_flight.is_empty());
                return Ok(false);
            };
            self.taken = self.decided.len();
            match due {
                Due::Append {
                    previous,
                    batch,
                    follows,
                } => {
                    prop_assert_eq!(follows, !self.in_flight.is_empty());
                    prop_assert!(self.in_flight.len() < AHEAD);
                    prop_assert_eq!(previous, self.sent());
                    let ids: Vec<u64> = batch.rows.iter().map(|row| row.id).collect();
                    prop_assert_eq!(ids, (previous + 1..=self.end).collect::<Vec<_>>());
                    self.in_flight.push_back(self.end);
                }
                Due::Confirm => {
                    prop_assert!(shows && self.in_flight.is_empty() && self.stored == self.end);
                    self.in_flight.push_back(self.end);
                }
                Due::Answer(told) => {
                    prop_assert!(!shows && self.in_flight.is_empty());
                    self.answer(told)?;
                }
            }
            Ok(true)
        }

        fn land(&mut self, pipeline: &mut Pipeline<usize>) -> Result<(), TestCaseError> {
            let told = pipeline.landed();
            if let Some(stored) = self.in_flight.pop_front() {
                self.stored = stored;
            }
            self.answer(told)
        }
    }

    proptest! {
        #[test]
        fn an_answer_waits_for_all_that_it_rests_on(steps in proptest::collection::vec(step(), 0..60)) {
            let (mut engine, mut pipeline, mut model) = (Engine::new(0), Pipeline::new(0), Model::default());
            // Of what has not been sent.
            let mut shows = false;
            for step in steps {
                match step {
                    Step::Decide { rows, shows: tells } => {
                        for _ in 0..rows {
                            model.end += 1;
                            engine.apply(&refused(model.end), pipeline.batch());
                        }
                        pipeline.reply(model.decided.len(), tells);
                        model.decided.push(model.end);
                        shows |= tells;
                    }
                    Step::Send => {
                        if model.send(&mut pipeline, shows)? {
                            shows = false;
                        }
                    }
                    Step::Land => model.land(&mut pipeline)?,
                }
                prop_assert_eq!(pipeline.stored(), model.stored);
                prop_assert_eq!(pipeline.in_flight.len(), model.in_flight.len());
                prop_assert_eq!(pipeline.is_settled(), model.answered == model.decided.len());
            }
            // Whatever came before, so many rounds answer everybody.
            for _ in 0..=AHEAD {
                model.land(&mut pipeline)?;
                if model.send(&mut pipeline, shows)? {
                    shows = false;
                }
            }
            model.land(&mut pipeline)?;
            prop_assert_eq!(model.answered, model.decided.len());
            prop_assert!(pipeline.is_settled());
            prop_assert_eq!(pipeline.stored(), model.end);
        }
    }

    #[test]
    fn one_statement_follows_another_when_it_carries_twice_as_much() {
        let (mut engine, mut pipeline) = (Engine::new(0), Pipeline::new(0));
        let mut decide = |pipeline: &mut Pipeline<u64>, number: u64| {
            engine.apply(&refused(number), pipeline.batch());
            pipeline.reply(number, false);
        };
        assert!(!pipeline.is_worth_sending(), "nothing is there");
        decide(&mut pipeline, 1);
        assert!(pipeline.is_worth_sending());
        pipeline.due().expect("one is due");
        assert!(!pipeline.is_worth_sending());
        decide(&mut pipeline, 2);
        assert!(!pipeline.is_worth_sending(), "one is too few after one");
        decide(&mut pipeline, 3);
        assert!(pipeline.is_worth_sending(), "two are enough");
        pipeline.due().expect("two are due");
        for number in 4..10 {
            decide(&mut pipeline, number);
        }
        assert!(!pipeline.is_worth_sending(), "as many are on their way as may be");
        assert_eq!(pipeline.landed(), [1]);
        assert!(pipeline.is_worth_sending());
    }
}
