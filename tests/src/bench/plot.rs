//! The ratios with their intervals as a picture: SVG by hand, readable on light and on dark.

use std::fmt::Write;

use super::{Column, Interval};

/// Pixels of the column of names, and of one of the panels beside it.
const NAMES: f64 = 132.0;
const PANEL: f64 = 300.0;
/// Pixels between panels, and around all.
const GAP: f64 = 22.0;
/// Pixels of a row, and of a panel's heading and scale.
const ROW: f64 = 17.0;
const HEAD: f64 = 46.0;
/// Panels side by side.
const ACROSS: usize = 3;
/// Where a scale may have a line.
const MARKS: [f64; 12] = [
    0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// A ratio is drawn to be at least so far from the ends of its scale.
const MARGIN: f64 = 1.06;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600}\
.s{font-size:10px;fill:#59636e}.v{font-size:10px}.g{stroke:#d1d9e0}.b{stroke:#59636e}\
.i{stroke:#8c959f;stroke-width:2}.d{fill:#57606a}.o .i{stroke:#218bff}.o .d{fill:#0969da}\
.w{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9198a1}.g{stroke:#3d444d}\
.b{stroke:#9198a1}.i{stroke:#6e7681}.d{fill:#b1bac4}.o .i{stroke:#388bfd}.o .d{fill:#79c0ff}\
.w{fill:#0d1117}}";

/// One panel for each scenario, on a logarithmic scale of its own.
pub fn plot(columns: &[Column]) -> String {
    let Some(first) = columns.first() else {
        return String::new();
    };
    let rows = first.rows.len();
    let width = GAP + (NAMES + PANEL + GAP) * ACROSS.min(columns.len()) as f64;
    let tall = HEAD + ROW * rows as f64 + GAP;
    let height = GAP + 20.0 + tall * columns.len().div_ceil(ACROSS) as f64;
    let mut svg = String::new();
    // A string takes all that is written.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
         <title>Processor time per answer, divided by that of {base}</title>\n\
         <style>{STYLE}</style>\n<rect class=\"w\" width=\"100%\" height=\"100%\"/>\n\
         <text x=\"{GAP}\" y=\"{GAP}\">Processor time of the server per answer ÷ {base} \
         (median, 95 % interval; less is better; each scale is its own)</text>\n",
        base = escaped(&first.base),
    );
    for (at, column) in columns.iter().enumerate() {
        let x = GAP + (NAMES + PANEL + GAP) * (at % ACROSS) as f64;
        let y = GAP + 20.0 + tall * (at / ACROSS) as f64;
        panel(&mut svg, column, x, y);
    }
    svg += "</svg>\n";
    svg
}

fn panel(svg: &mut String, column: &Column, x: f64, y: f64) {
    let ratios: Vec<Option<Interval>> = column.rows.iter().map(|row| row.ratio()).collect();
    let scale = Scale::of(&ratios, x + NAMES);
    let (top, bottom) = (y + HEAD - 8.0, y + HEAD + ROW * ratios.len() as f64 - 4.0);
    let title = escaped(column.scenario.title);
    let _ = writeln!(
        svg,
        "<text class=\"t\" x=\"{x:.1}\" y=\"{:.1}\">{title}</text>",
        y + 16.0
    );
    for mark in scale.marks() {
        let class = if mark == 1.0 { "b" } else { "g" };
        let x = scale.x(mark);
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"s\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{mark}</text>",
            top - 4.0
        );
    }
    for (at, (row, ratio)) in column.rows.iter().zip(ratios).enumerate() {
        let y = y + HEAD + ROW * at as f64 + 8.0;
        let ours = if row.name.starts_with("Barewire") {
            "o"
        } else {
            "p"
        };
        let name = escaped(&row.name);
        let _ = write!(
            svg,
            "<g class=\"{ours}\"><text x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>"
        );
        let y = y - 4.0;
        if let Some(ratio) = ratio {
            let (low, middle, high) = (
                scale.x(ratio.low),
                scale.x(ratio.median),
                scale.x(ratio.high),
            );
            let _ = write!(
                svg,
                "<line class=\"i\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <circle class=\"d\" cx=\"{middle:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>\
                 <text class=\"v\" x=\"{:.1}\" y=\"{:.1}\">{:.2}</text>",
                high.max(middle) + 7.0,
                y + 4.0,
                ratio.median
            );
        } else {
            let x = scale.x(1.0) + 7.0;
            let _ = write!(
                svg,
                "<text class=\"s\" x=\"{x:.1}\" y=\"{:.1}\">-</text>",
                y + 4.0
            );
        }
        svg.push_str("</g>\n");
    }
}

/// A logarithmic scale, from where to where, and its first pixel.
struct Scale {
    low: f64,
    high: f64,
    start: f64,
}

impl Scale {
    fn of(ratios: &[Option<Interval>], start: f64) -> Scale {
        let all = ratios.iter().flatten();
        let (low, high) = all.fold((1.0_f64, 1.2_f64), |(low, high), ratio| {
            (low.min(ratio.low), high.max(ratio.high))
        });
        Scale {
            low: low / MARGIN,
            // The figure beside the last dot has to fit as well.
            high: high * MARGIN * (high / low).powf(0.12),
            start,
        }
    }

    fn x(&self, ratio: f64) -> f64 {
        self.start + PANEL * (ratio / self.low).ln() / (self.high / self.low).ln()
    }

    /// Lines that are not too near to each other.
    fn marks(&self) -> Vec<f64> {
        let mut marks: Vec<f64> = Vec::new();
        for mark in MARKS
            .into_iter()
            .filter(|mark| (self.low..self.high).contains(mark))
        {
            let is_near = |other: &f64| self.x(mark) - self.x(*other) < 26.0;
            if mark == 1.0 {
                marks.retain(|other| !is_near(other));
            }
            if !marks.last().is_some_and(is_near) {
                marks.push(mark);
            }
        }
        marks
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::{Row, SCENARIOS, Slice, Slices};
    use super::*;
    use std::time::Duration;

    fn slices(cost: u64) -> Slices {
        let slice = Slice {
            answers: 1_000,
            elapsed: Duration::from_millis(10),
            cpu_ns: cost * 1_000_000,
            worked: Duration::ZERO,
        };
        Slices(vec![slice; 3])
    }

    fn column(costs: &[u64]) -> Column {
        let row = |cost: &u64| Row {
            name: format!("a <{cost}> & b"),
            lack: None,
            slices: if *cost == 0 {
                Slices::default()
            } else {
                slices(*cost)
            },
            base: if *cost == 0 {
                Slices::default()
            } else {
                slices(10)
            },
            latency: None,
        };
        Column {
            scenario: SCENARIOS[0],
            base: "floor".to_owned(),
            rows: costs.iter().map(row).collect(),
        }
    }

    /// Reads elements and says how many there are of each name; all of them are closed in order.
    fn elements(svg: &str) -> std::collections::BTreeMap<String, usize> {
        let mut open = Vec::new();
        let mut counts = std::collections::BTreeMap::new();
        for piece in svg.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("an end of the tag");
            assert!(!text.contains('>') && !tag.contains('&'), "{piece}");
            let and = text
                .replace("&amp;", "")
                .replace("&lt;", "")
                .replace("&gt;", "");
            assert!(!and.contains('&'), "{text}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name.to_owned()));
                continue;
            }
            let name = tag.split([' ', '/']).next().unwrap().to_owned();
            *counts.entry(name.clone()).or_default() += 1;
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
        counts
    }

    #[test]
    fn the_picture_is_well_formed_and_shows_every_ratio() {
        let columns = vec![column(&[10, 13, 0, 400]); 4];
        let svg = plot(&columns);
        let counts = elements(&svg);
        // Three of the four were measured, in each of the panels.
        assert_eq!((counts["svg"], counts["circle"], counts["g"]), (1, 12, 16));
        assert!(svg.contains(">40.00</text>") && svg.contains("a &lt;13&gt; &amp; b"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(plot(&[]), "");
    }

    #[test]
    fn what_is_drawn_lies_within_its_panel() {
        for costs in [&[10, 11][..], &[10, 400], &[5, 10], &[10]] {
            let ratios: Vec<_> = column(costs).rows.iter().map(|row| row.ratio()).collect();
            let scale = Scale::of(&ratios, 100.0);
            for ratio in ratios.into_iter().flatten() {
                let range = 100.0..=100.0 + PANEL - 20.0;
                assert!(range.contains(&scale.x(ratio.low)), "{costs:?}");
                assert!(range.contains(&scale.x(ratio.high)), "{costs:?}");
            }
            let marks = scale.marks();
            assert!(marks.contains(&1.0) && marks.is_sorted(), "{marks:?}");
            let places: Vec<f64> = marks.iter().map(|mark| scale.x(*mark)).collect();
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 26.0));
        }
    }
}
