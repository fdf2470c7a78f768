//! What an owner has decided and not answered: pure, so that the simulator does the same.
//!
//! At most one statement is on its way to the journal, and what comes meanwhile is decided on top of it. So memory may be ahead of
//! the journal, by what is in flight and what is to follow. Nobody learns of that: an answer waits for the statement that carries its
//! rows, or for the one that carries what it rests on. If a statement fails, all of it is thrown away.

use ferrex_engine_core::Batch;
use ferrex_planted::planted;

/// What is to be sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// These rows, after row `previous`.
    Append {
        /// The row before them.
        previous: u64,
        /// The rows.
        batch: Batch,
    },
    /// The question whether this is still the owner: an answer tells what is in memory, and nothing is written that would show it.
    Confirm,
    /// Nothing: what is to be answered is stored already.
    Nothing,
}

/// Answers on their way, each an `R`.
#[derive(Debug)]
pub struct Pipeline<R> {
    /// The last row that is known to be stored.
    stored: u64,
    /// What has been decided since the last statement was sent.
    next: Batch,
    replies: Vec<R>,
    /// Whether one of them tells what is in memory.
    shows: bool,
    in_flight: Option<InFlight<R>>,
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
            next: Batch {
                accounts: Vec::new(),
                rows: Vec::new(),
            },
            replies: Vec::new(),
            shows: false,
            in_flight: None,
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
        self.in_flight.is_none() && self.replies.is_empty() || planted!("pipeline.taken_for_settled")
    }

    /// What is to be sent now, which then is in flight; `None` while something is, or when there is nothing to answer.
    pub fn due(&mut self) -> Option<Due> {
        let repeats = self.next.is_empty() && !self.shows;
        let overtakes = repeats && planted!("pipeline.repeats_overtake");
        if self.replies.is_empty() || self.in_flight.is_some() && !overtakes {
            return None;
        }
        let batch = std::mem::take(&mut self.next);
        // The next will carry about as much.
        self.next.rows.reserve(batch.rows.len());
        let rows = batch.rows.len() as u64;
        let replies = Vec::with_capacity(self.replies.len());
        let replies = std::mem::replace(&mut self.replies, replies);
        self.in_flight = Some(InFlight { rows, replies });
        let shows = std::mem::take(&mut self.shows);
        Some(match rows {
            0 if shows => Due::Confirm,
            0 => Due::Nothing,
            _ => Due::Append {
                previous: self.stored,
                batch,
            },
        })
    }

    /// What is in flight has succeeded; answers what may be told now, in the order of deciding.
    pub fn landed(&mut self) -> Vec<R> {
        self.in_flight.take().map_or_else(Vec::new, |in_flight| {
            self.stored += in_flight.rows;
            in_flight.replies
        })
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
        sent: u64,
        stored: u64,
        in_flight: bool,
        decided: Vec<u64>,
        answered: usize,
    }

    impl Model {
        /// Answers whether anything was sent.
        fn send(&mut self, pipeline: &mut Pipeline<usize>, shows: bool) -> Result<bool, TestCaseError> {
            let Some(due) = pipeline.due() else {
                prop_assert!(self.in_flight || self.answered == self.decided.len());
                return Ok(false);
            };
            prop_assert!(!self.in_flight, "two statements are in flight");
            match due {
                Due::Append { previous, batch } => {
                    prop_assert_eq!(previous, self.stored);
                    let ids: Vec<u64> = batch.rows.iter().map(|row| row.id).collect();
                    prop_assert_eq!(ids, (self.sent + 1..=self.end).collect::<Vec<_>>());
                }
                due => {
                    prop_assert_eq!(self.sent, self.end);
                    prop_assert_eq!(due, if shows { Due::Confirm } else { Due::Nothing });
                }
            }
            (self.in_flight, self.sent) = (true, self.end);
            Ok(true)
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
                    Step::Land => {
                        let told = pipeline.landed();
                        if std::mem::take(&mut model.in_flight) {
                            model.stored = model.sent;
                        }
                        for reply in told {
                            prop_assert_eq!(reply, model.answered, "in the order of deciding");
                            prop_assert!(model.decided[reply] <= model.stored, "before what it rests on");
                            model.answered += 1;
                        }
                    }
                }
                prop_assert_eq!(pipeline.stored(), model.stored);
                let all_answered = !model.in_flight && model.answered == model.decided.len();
                prop_assert_eq!(pipeline.is_settled(), all_answered);
            }
            // Whatever came before, two more rounds answer everybody.
            for _ in 0..2 {
                model.answered += pipeline.landed().len();
                let _ = pipeline.due();
            }
            model.answered += pipeline.landed().len();
            prop_assert_eq!(model.answered, model.decided.len());
            prop_assert!(pipeline.is_settled());
            prop_assert_eq!(pipeline.stored(), model.end);
        }
    }
}
