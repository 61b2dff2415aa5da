//! When something happened: what can be known of it without believing any machine's clock but the ledger's.
//!
//! A record exists once the ledger holds it, and no later than any record that names its hash: so the earliest time at
//! which the ledger held it, or something built on it, is its `upper` bound. A record that names a checkpoint of the
//! ledger was made after it, and so was everything built on it: that is the `lower` bound. Both follow hashes alone, so
//! no key's word is needed for them; both rest on the ledger's own clock.

/// Clocks of different machines may differ by so many seconds before anything is said of it.
pub const TOLERANCE: i64 = 5 * 60;

/// Index of a record among those of its kit.
pub type At = u32;

/// What records are built on: each names the hash of the one before, and of others that its writer had seen.
#[derive(Debug, Default)]
pub struct Graph {
    /// For each record the one whose hash is its `prev`, if the ledger has it.
    pub before: Vec<Option<At>>,
    /// Further records whose hashes a record names: (the record, what it names), by rising record.
    pub seen: Vec<(At, At)>,
}

/// The bounds of each record, Unix seconds.
#[derive(Debug, Default)]
pub struct Bounds {
    /// Not before.
    pub lower: Vec<Option<i64>>,
    /// Not after.
    pub upper: Vec<i64>,
}

impl Graph {
    /// The bounds of each record. `received` is when the ledger first held it; `anchors` are records that name a
    /// checkpoint, with its time. Linear, but for a sort of the times.
    pub fn bounds(&self, received: &[i64], anchors: &[(At, i64)]) -> Bounds {
        Bounds { lower: self.lower(anchors), upper: self.upper(received) }
    }

    /// Earliest first, each time goes to all that the record is built on and that has none yet: none can be earlier.
    fn upper(&self, received: &[i64]) -> Vec<i64> {
        let mut order: Vec<At> = (0..received.len() as At).collect();
        order.sort_by_key(|at| received[*at as usize]);
        let mut upper = vec![i64::MAX; received.len()];
        let mut settled = vec![false; received.len()];
        let mut stack = Vec::new();
        for at in order {
            let time = received[at as usize];
            stack.push(at);
            while let Some(at) = stack.pop() {
                if std::mem::replace(&mut settled[at as usize], true) {
                    continue;
                }
                upper[at as usize] = time;
                stack.extend(self.before[at as usize]);
                stack.extend(self.seen_by(at));
            }
        }
        upper
    }

    /// Latest first, each time goes to all that is built on the record and has none yet: none can be later.
    fn lower(&self, anchors: &[(At, i64)]) -> Vec<Option<i64>> {
        let mut lower = vec![None; self.before.len()];
        if anchors.is_empty() {
            return lower;
        }
        let chained = self.before.iter().enumerate();
        let mut built: Vec<(At, At)> =
            chained.filter_map(|(at, before)| Some(((*before)?, at as At))).collect();
        built.extend(self.seen.iter().map(|(at, seen)| (*seen, *at)));
        built.sort_unstable();
        let mut anchors = anchors.to_vec();
        anchors.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        let mut stack = Vec::new();
        for (at, time) in anchors {
            stack.push(at);
            while let Some(at) = stack.pop() {
                if lower[at as usize].is_some() {
                    continue;
                }
                lower[at as usize] = Some(time);
                stack.extend(run(&built, at));
            }
        }
        lower
    }

    /// What a record says that its writer had seen.
    pub fn seen_by(&self, at: At) -> impl Iterator<Item = At> + '_ {
        run(&self.seen, at)
    }
}

/// The second of each pair that begins with `first`; the pairs are sorted by it.
fn run(pairs: &[(At, At)], first: At) -> impl Iterator<Item = At> + '_ {
    let from = pairs.partition_point(|(one, _)| *one < first);
    pairs[from..].iter().take_while(move |(one, _)| *one == first).map(|(_, other)| *other)
}

/// How a claimed time stands to what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Within,
    /// Later than the ledger held the record, or something built on it: so many seconds.
    Ahead(i64),
    /// Earlier than the checkpoint that the record, or something that it is built on, names: so many seconds.
    Behind(i64),
}

/// How that claim stands to its bounds, with [`TOLERANCE`].
pub fn standing(claimed: i64, lower: Option<i64>, upper: i64) -> Standing {
    let ahead = claimed.saturating_sub(upper);
    let behind = lower.map_or(0, |lower| lower.saturating_sub(claimed));
    match (ahead > TOLERANCE, behind > TOLERANCE) {
        (true, _) => Standing::Ahead(ahead),
        (_, true) => Standing::Behind(behind),
        _ => Standing::Within,
    }
}

/// `2026-11-21`, as far as the calendar goes.
pub fn day(time: i64) -> String {
    written(time, "%Y-%m-%d")
}

/// `2026-11-21 12:00 UTC`.
pub fn minute(time: i64) -> String {
    written(time, "%Y-%m-%d %H:%M UTC")
}

fn written(time: i64, format: &str) -> String {
    match jiff::Timestamp::from_second(time) {
        Ok(time) => time.strftime(format).to_string(),
        Err(_) => format!("second {time}"),
    }
}

/// A span in words: `3 minutes`, `2 hours`, `97 days`.
pub fn span(seconds: i64) -> String {
    let (count, unit) = match seconds.unsigned_abs() {
        seconds @ 0..120 => (seconds, "second"),
        seconds @ 120..7_200 => (seconds / 60, "minute"),
        seconds @ 7_200..172_800 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two chains of three: 0-1-2 and 3-4-5. Record 4 had seen record 1.
    fn graph() -> Graph {
        Graph { before: vec![None, Some(0), Some(1), None, Some(3), Some(4)], seen: vec![(4, 1)] }
    }

    #[test]
    fn a_record_is_no_younger_than_what_is_built_on_it() {
        let bounds = graph().bounds(&[900, 900, 900, 900, 700, 800], &[]);
        assert_eq!(bounds.upper, [700, 700, 900, 700, 700, 800]);
        assert_eq!(bounds.lower, [None; 6]);
    }

    #[test]
    fn a_record_is_no_older_than_the_checkpoint_that_it_is_built_on() {
        let bounds = graph().bounds(&[900; 6], &[(0, 100), (1, 300), (3, 200)]);
        assert_eq!(bounds.lower, [Some(100), Some(300), Some(300), Some(200), Some(300), Some(300)]);
    }

    #[test]
    fn records_that_claim_to_have_seen_each_other_do_not_hang_it() {
        let graph = Graph { before: vec![None, None], seen: vec![(0, 1), (1, 0)] };
        assert_eq!(graph.bounds(&[5, 9], &[(0, 1)]).upper, [5, 5]);
        assert_eq!(graph.bounds(&[5, 9], &[(0, 1)]).lower, [Some(1), Some(1)]);
    }

    #[test]
    fn a_claim_outside_its_bounds_by_more_than_the_tolerance_is_told() {
        for (claimed, expected) in [
            (1_000, Standing::Within),
            (2_000 + TOLERANCE, Standing::Within),
            (2_001 + TOLERANCE, Standing::Ahead(TOLERANCE + 1)),
            (1_000 - TOLERANCE, Standing::Within),
            (999 - TOLERANCE, Standing::Behind(TOLERANCE + 1)),
            (i64::MIN, Standing::Behind(i64::MAX)),
            (i64::MAX, Standing::Ahead(i64::MAX - 2_000)),
        ] {
            assert_eq!(standing(claimed, Some(1_000), 2_000), expected, "{claimed}");
        }
        assert_eq!(standing(-5_000, None, 2_000), Standing::Within);
    }

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(day(1_795_262_400), "2026-11-21");
        assert_eq!(minute(1_795_262_400), "2026-11-21 12:00 UTC");
        assert_eq!(day(i64::MAX), format!("second {}", i64::MAX));
        let spans = [1, 119, 120, 7_199, 7_200, 97 * 86_400].map(span);
        assert_eq!(spans, ["1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "97 days"]);
    }
}
