//! What happened, in words, and a hash by which two runs are compared.

use std::collections::VecDeque;

use xxhash_rust::xxh3::Xxh3;

/// How many lines a failure shows.
const LINES: usize = 400;

/// The story of a run. Words cost time, so they are kept only when asked for: a seed that fails is run again with them.
#[derive(Default)]
pub struct Trace {
    words: bool,
    lines: VecDeque<String>,
    hash: Xxh3,
    /// Steps so far.
    pub steps: u64,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace")
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl Trace {
    /// An empty story, in words or as a hash alone.
    pub fn new(words: bool) -> Self {
        Self {
            words,
            ..Self::default()
        }
    }

    /// Adds a line.
    pub fn say(&mut self, now: u64, line: impl FnOnce() -> String) {
        if self.words {
            if self.lines.len() == LINES {
                self.lines.pop_front();
            }
            let (seconds, millis) = (now / 1_000, now % 1_000);
            let text = format!("{:>5} {seconds:>4}.{millis:03}  {}", self.steps, line());
            self.lines.push_back(text);
        }
    }

    /// Mixes a number into the hash.
    pub fn mix(&mut self, number: u64) {
        self.hash.update(&number.to_le_bytes());
    }

    /// The hash so far.
    pub fn digest(&self) -> u64 {
        self.hash.digest()
    }

    /// The last lines.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
