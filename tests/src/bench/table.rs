//! The tables, in Markdown: one of all ratios, and one of figures for each scenario.

use super::{Interval, Scenario, Slices, median};

/// What one scenario gave.
#[derive(Clone, Debug)]
pub struct Column {
    /// What was asked.
    pub scenario: Scenario,
    /// The name of what ratios refer to.
    pub base: String,
    /// Server by server.
    pub rows: Vec<Row>,
}

/// What one server gave in a scenario.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Why it was not asked. `None`: it was.
    pub lack: Option<&'static str>,
    /// Slices of the rounds that it took part in.
    pub slices: Slices,
    /// Those of the base in the same rounds.
    pub base: Slices,
    /// Median and 99th percentile of the latency in nanoseconds, of one connection.
    pub latency: Option<(u32, u32)>,
}

impl Row {
    /// Ratio of the cost to that of the base. `None`: it was not asked.
    pub fn ratio(&self) -> Option<Interval> {
        let ratios = self.slices.ratios(&self.base);
        (!ratios.is_empty()).then(|| Interval::of(&ratios))
    }

    /// Ratio of the requests per second to those of the base. `None`: it was not asked.
    pub fn throughput(&self) -> Option<f64> {
        let pairs = self.slices.rates().into_iter().zip(self.base.rates());
        let ratios: Vec<f64> = pairs.map(|(own, base)| own / base).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }
}

/// All ratios: a row for each server, a column for each scenario.
pub fn matrix(columns: &[Column]) -> String {
    let Some(first) = columns.first() else {
        return String::new();
    };
    let mut text = format!("| CPU per answer ÷ {} |", first.base);
    for column in columns {
        text += &format!(" {} |", column.scenario.title);
    }
    text += &format!("\n|---|{}\n", "---:|".repeat(columns.len()));
    for (at, row) in first.rows.iter().enumerate() {
        text += &format!("| {} |", row.name);
        for column in columns {
            text += &match column.rows[at].ratio() {
                _ if row.name == column.base => " 1 |".to_owned(),
                Some(ratio) => format!(" {} |", interval(ratio)),
                None => " - |".to_owned(),
            };
        }
        text += "\n";
    }
    text
}

/// The figures of one scenario.
pub fn details(column: &Column) -> String {
    let (title, base) = (column.scenario.title, &column.base);
    let latency = column.rows.iter().any(|row| row.latency.is_some());
    let mut text = format!("### {title}\n\n");
    text += &format!(
        "| | CPU µs | ÷ {base} | pairs | requests/s | ÷ {base} | busy | client µs |{}\n",
        if latency { " p50 µs | p99 µs |" } else { "" }
    );
    let columns = if latency { 9 } else { 7 };
    text += &format!("|---|{}\n", "---:|".repeat(columns));
    for row in &column.rows {
        let Some(ratio) = row.ratio() else {
            let lack = row.lack.unwrap_or_default();
            text += &format!("| {}: {lack} |{}\n", row.name, " - |".repeat(columns));
            continue;
        };
        let slices = &row.slices;
        text += &format!(
            "| {} | {:.2} | {} | {} | {:.0} | {:.2} | {:.0} % | {:.2} |",
            row.name,
            median(slices.costs()),
            interval(ratio),
            slices.0.len(),
            median(slices.rates()),
            row.throughput().unwrap_or_default(),
            median(slices.shares()) * 100.0,
            median(slices.client_costs()),
        );
        if let Some((half, most)) = row.latency {
            text += &format!(
                " {:.1} | {:.1} |",
                f64::from(half) / 1e3,
                f64::from(most) / 1e3
            );
        }
        text += "\n";
    }
    text
}

/// `1.05 [1.03, 1.07]`
fn interval(ratio: Interval) -> String {
    let Interval { median, low, high } = ratio;
    format!("{median:.2} [{low:.2}, {high:.2}]")
}

#[cfg(test)]
mod tests {
    use super::super::{SCENARIOS, Slice};
    use super::*;
    use std::time::Duration;

    fn slices(costs: &[u64]) -> Slices {
        let slice = |us: &u64| Slice {
            answers: 1_000,
            elapsed: Duration::from_millis(*us),
            cpu_ns: us * 1_000_000,
            worked: Duration::from_millis(2),
        };
        Slices(costs.iter().map(slice).collect())
    }

    fn row(name: &str, costs: &[u64]) -> Row {
        Row {
            name: name.to_owned(),
            lack: costs.is_empty().then_some("cannot"),
            slices: slices(costs),
            base: slices(&vec![4; costs.len()]),
            latency: (!costs.is_empty()).then_some((5_000, 9_990)),
        }
    }

    #[test]
    fn tables_show_what_was_measured_and_what_was_not() {
        let column = Column {
            scenario: SCENARIOS[0],
            base: "floor".to_owned(),
            rows: vec![row("floor", &[4; 3]), row("a", &[5; 3]), row("b", &[])],
        };
        assert_eq!(
            details(&column),
            "### plaintext, 64 connections\n\n\
             | | CPU µs | ÷ floor | pairs | requests/s | ÷ floor | busy | client µs | p50 µs | p99 µs |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n\
             | floor | 4.00 | 1.00 [1.00, 1.00] | 3 | 250000 | 1.00 | 100 % | 2.00 | 5.0 | 10.0 |\n\
             | a | 5.00 | 1.25 [1.25, 1.25] | 3 | 200000 | 0.80 | 100 % | 2.00 | 5.0 | 10.0 |\n\
             | b: cannot | - | - | - | - | - | - | - | - | - |\n"
        );
        assert_eq!(
            matrix(&[column.clone(), column]),
            "| CPU per answer ÷ floor | plaintext, 64 connections | plaintext, 64 connections |\n\
             |---|---:|---:|\n\
             | floor | 1 | 1 |\n\
             | a | 1.25 [1.25, 1.25] | 1.25 [1.25, 1.25] |\n\
             | b | - | - |\n"
        );
        assert_eq!(matrix(&[]), "");
    }
}
