//! The table, as Markdown.

use std::fmt::{Display, Formatter, Result, Write};

use crate::count::Counts;
use crate::pairs::{Pair, Peer};
use crate::time::{Times, geometric_mean};

/// What was measured of one build.
#[derive(Debug)]
pub struct Section {
    /// `default`, `v3` or `native`.
    pub cpu: String,
    /// In the order of the pairs.
    pub rows: Vec<Row>,
}

/// One pair.
#[derive(Debug)]
#[expect(missing_docs, reason = "as the table names them")]
pub struct Row {
    pub peer: Peer,
    pub input: &'static str,
    pub times: Times,
    pub counts: Option<Counts>,
}

impl Section {
    /// Puts the measurements together.
    pub fn new(
        cpu: String,
        pairs: &[Pair],
        times: Vec<Times>,
        counts: Option<Vec<Counts>>,
    ) -> Self {
        let mut counts = counts.unwrap_or_default().into_iter();
        let rows = pairs.iter().zip(times).map(|(pair, times)| Row {
            peer: pair.peer,
            input: pair.input,
            times,
            counts: counts.next(),
        });
        Section {
            cpu,
            rows: rows.collect(),
        }
    }

    /// Inputs on which httparse and a framing loop need fewer instructions than we do.
    pub fn lost(&self) -> Vec<&'static str> {
        self.of(Peer::Framed)
            .filter(|row| row.counts.is_some_and(|counts| counts.ours > counts.theirs))
            .map(|row| row.input)
            .collect()
    }

    fn of(&self, peer: Peer) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.peer == peer)
    }

    /// What was aimed at for the ratio of time to httparse with framing: its mean, and its least.
    fn goal(&self) -> (f64, f64) {
        match &*self.cpu {
            "default" => (1.1, 0.95),
            _ => (1.5, 1.15),
        }
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let build = match &*self.cpu {
            "default" => "Default build (SSE2)",
            "v3" => "`-C target-cpu=x86-64-v3`",
            _ => "`-C target-cpu=native`",
        };
        let mut text = format!("### {build}\n\n");
        text += "| beside | input | instructions, ours | theirs | ratio | ns, ours \
         | theirs | ratio | 95 % |\n";
        text += "|---|---|---:|---:|---:|---:|---:|---:|---:|\n";
        for row in &self.rows {
            write!(text, "| {} | {} |", row.peer.name(), row.input)?;
            match row.counts {
                Some(Counts { ours, theirs }) => {
                    let ratio = theirs / ours;
                    write!(text, " {ours:.0} | {theirs:.0} | {ratio:.2} |")?;
                }
                None => text += " - | - | - |",
            }
            let Times {
                ours,
                theirs,
                ratio,
                interval,
            } = row.times;
            write!(text, " {ours:.1} | {theirs:.1} | {ratio:.2} |")?;
            writeln!(text, " {:.3} to {:.3} |", interval.0, interval.1)?;
        }
        text += "\n| beside | mean ratio of instructions | of time | least of time \
         | goal: mean, least |\n";
        text += "|---|---:|---:|---:|---:|\n";
        for peer in [
            Peer::Framed,
            Peer::Tokens,
            Peer::Matchit,
            Peer::SerdeJson,
            Peer::SerdeJsonCore,
        ] {
            let times: Vec<f64> = self.of(peer).map(|row| row.times.ratio).collect();
            let counts: Option<Vec<f64>> = self
                .of(peer)
                .map(|row| Some(row.counts?.theirs / row.counts?.ours))
                .collect();
            let counts = counts.map_or("-".to_owned(), |counts| {
                format!("{:.2}", geometric_mean(&counts))
            });
            let (mean, least) = (
                geometric_mean(&times),
                times.iter().copied().fold(f64::MAX, f64::min),
            );
            let goal = match (peer, self.goal()) {
                (Peer::Framed, (wanted, at_least)) => {
                    let met = |is: bool| if is { "met" } else { "missed" };
                    format!(
                        "{wanted:.2} {}, {at_least:.2} {}",
                        met(mean >= wanted),
                        met(least >= at_least)
                    )
                }
                _ => String::new(),
            };
            let name = peer.name();
            writeln!(
                text,
                "| {name} | {counts} | {mean:.2} | {least:.2} | {goal} |"
            )?;
        }
        if self.rows.iter().all(|row| row.counts.is_none()) {
            text += "\nNo instructions: valgrind does not know all that this processor has.\n";
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, Section};
    use crate::count::Counts;
    use crate::pairs::Peer;
    use crate::time::Times;

    fn row(peer: Peer, ours: f64, theirs: f64) -> Row {
        Row {
            peer,
            input: "it",
            times: Times {
                ours,
                theirs,
                ratio: theirs / ours,
                interval: (0.5, 3.0),
            },
            counts: Some(Counts { ours, theirs }),
        }
    }

    fn section(rows: Vec<Row>) -> Section {
        let cpu = "v3".to_owned();
        Section { cpu, rows }
    }

    #[test]
    fn a_row_with_more_instructions_than_httparse_with_framing_is_lost() {
        let of = |peer, ours| section(vec![row(peer, ours, 100.0)]).lost();
        assert_eq!(of(Peer::Framed, 101.0), ["it"]);
        assert!(of(Peer::Framed, 100.0).is_empty());
        assert!(of(Peer::Tokens, 101.0).is_empty());
    }

    #[test]
    fn the_table_shows_every_row_and_says_which_goal_is_missed() {
        let rows = vec![
            row(Peer::Framed, 100.0, 110.0),
            row(Peer::Framed, 100.0, 250.0),
            row(Peer::Tokens, 100.0, 50.0),
        ];
        let text = section(rows).to_string();
        let lost = "| httparse, tokens only | it | 100 | 50 | 0.50 | 100.0 | 50.0 | \
         0.50 | 0.500 to 3.000 |";
        assert!(text.contains(lost), "{text}");
        assert!(
            text.contains("| 1.66 | 1.66 | 1.10 | 1.50 met, 1.15 missed |"),
            "{text}"
        );
    }
}
