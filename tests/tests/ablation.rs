//! The manual's table of switches against the command that makes it: no switch without its row, and
//! no row without its figures. And the page that says when to use which, against the tables that
//! its figures come from.

const COMMAND: &str = include_str!("../bench/ablation");
const TABLE: &str = include_str!("../../core/src/manual/ablation.md");
const PAGE: &str = include_str!("../../core/src/manual/ablation.rs");
const GUIDANCE: &str = include_str!("../../core/src/manual/guidance.rs");

/// The pages that figures of the guidance may come from.
const PAGES: [(&str, &str); 5] = [
    ("ablation.md", TABLE),
    ("floor.md", include_str!("../../core/src/manual/floor.md")),
    (
        "scaling.md",
        include_str!("../../core/src/manual/scaling.md"),
    ),
    (
        "memory_table.md",
        include_str!("../../core/src/manual/memory_table.md"),
    ),
    (
        "hot_path.rs",
        include_str!("../../core/src/manual/hot_path.rs"),
    ),
];

/// The switches that the command tries: the first word in quotes behind `side`, `build` or `batch`.
fn switches(command: &str) -> Vec<String> {
    let lines = command.lines().map(str::trim_start);
    lines
        .filter_map(|line| {
            if let Some(events) = line.strip_prefix("batch ") {
                return Some(format!("events in a batch: {events}, not 256"));
            }
            let rest = line.strip_prefix("side ").or(line.strip_prefix("build "))?;
            let rest = rest.strip_prefix('\'')?;
            rest.split('\'').next().map(str::to_owned)
        })
        .collect()
}

/// Whether it is said that it could not be measured, and why.
fn is_skipped(table: &str, name: &str) -> bool {
    let lines = || {
        table
            .lines()
            .filter_map(|line| line.strip_prefix("SKIPPED: "))
    };
    lines().any(|line| {
        line.strip_prefix(name)
            .is_some_and(|why| why.starts_with(": "))
    })
}

/// Cells of the first row of a table that begins with this name, after that.
fn row<'t>(table: &'t str, name: &str) -> Option<Vec<&'t str>> {
    let line = table.lines().find(|line| {
        let cells = line
            .strip_prefix("| ")
            .and_then(|rest| rest.split_once(" |"));
        cells.is_some_and(|(first, _)| first == name)
    })?;
    let cells = line.trim_matches('|').split('|').skip(1);
    Some(cells.map(str::trim).collect())
}

#[test]
fn each_switch_of_the_command_has_its_row_in_the_manual() {
    let names = switches(COMMAND);
    println!("{names:?}");
    assert!(names.len() >= 11, "{names:?}");
    let mut measured = 0;
    for name in &names {
        let Some(cells) = row(TABLE, name) else {
            assert!(is_skipped(TABLE, name), "no row of {name}");
            println!("SKIPPED: {name}");
            continue;
        };
        measured += 1;
        assert_eq!(cells.len(), 6, "{name}: {cells:?}");
        for cell in &cells {
            let is_figure = cell.starts_with(|c: char| c.is_ascii_digit());
            // A processor that valgrind does not know is said below the table.
            let is_said =
                *cell == "-" && TABLE.contains(&format!("SKIPPED: instructions of \"{name}\""));
            assert!(is_figure || is_said, "{name}: {cell}");
        }
    }
    assert!(measured > 4, "{measured}");
    for depth in ["1", "4", "16", "64"] {
        assert_eq!(
            row(TABLE, depth).map(|cells| cells.len()),
            Some(2),
            "{depth}"
        );
    }
    assert!(PAGE.contains("include_str!(\"ablation.md\")"));
}

#[test]
fn a_switch_without_a_row_is_seen() {
    let command =
        "side 'as it is' x\n    build 'LTO: off' off A=B\nbatch 3\nbatch() {\nside \"$x\" y\n";
    let names = switches(command);
    assert_eq!(
        names,
        ["as it is", "LTO: off", "events in a batch: 3, not 256"]
    );
    let table = "| | a |\n|---|---:|\n| LTO: off | 7 (+1 %) |\n| LTO: off | 8 |\n";
    assert_eq!(row(table, "LTO: off"), Some(vec!["7 (+1 %)"]));
    assert_eq!(row(table, "LTO"), None);
    assert!(is_skipped("\nSKIPPED: LTO: no reason\n", "LTO"));
    assert!(!is_skipped("SKIPPED: LTO: off: no reason", "LT") && !is_skipped(table, "LTO: off"));
}

/// The figures of a text as they are when nothing is put between thousands: those with a point, or
/// of three digits and more. (Smaller ones stand everywhere: a finding of them says nothing.)
fn figures(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .map(|word| word.trim_matches(['.', ',']).replace(',', ""))
        .filter(|word| {
            word.starts_with(|c: char| c.is_ascii_digit()) && (word.len() > 2 || word.contains('.'))
        })
        .collect()
}

/// Of each row of the guidance: its first cell, its figures, and the page that they come from.
fn advice(text: &str) -> Vec<(&str, Vec<String>, Option<&str>)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").collect();
        let (name, measured) = (*cells.first()?, *cells.last()?);
        let page = measured.split('`').nth(1);
        let before = measured.split('`').next().unwrap_or_default();
        Some((name, figures(before), page))
    })
    .collect()
}

/// What of the guidance does not stand where it says, and how many figures do.
fn unfounded<'t>(text: &'t str, pages: &[(&str, &str)]) -> (Vec<&'t str>, usize) {
    let (mut wrong, mut found) = (Vec::new(), 0);
    for (name, said, page) in advice(text) {
        let page = page.and_then(|page| pages.iter().find(|(name, _)| *name == page));
        let there = page.map_or(Vec::new(), |(_, text)| figures(text));
        if said.iter().all(|figure| there.contains(figure)) {
            found += said.len();
        } else {
            wrong.push(name);
        }
    }
    (wrong, found)
}

#[test]
fn each_figure_of_the_guidance_stands_in_the_table_that_it_names() {
    let (wrong, found) = unfounded(GUIDANCE, &PAGES);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found > 30, "{found} figures");
}

#[test]
fn a_figure_without_its_table_is_seen() {
    let pages = [("a.md", "| x | 1234 | 5.60 |"), ("b.md", "12")];
    for (row, is_founded) in [
        ("1,234 of a thing, or 5.60: `a.md`", true),
        ("1,235 of a thing: `a.md`", false),
        ("5.6: `a.md`", false),
        ("1,234: `b.md`", false),
        ("1,234: `c.md`", false),
        ("1,234", false),
        ("not measured", true),
    ] {
        let text = format!("//! | way | when | {row} |\n//! nothing, 99.9\n");
        assert_eq!(unfounded(&text, &pages).0.is_empty(), is_founded, "{row}");
    }
}
