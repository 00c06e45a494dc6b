//! The manual's table of switches against the command that makes it: no switch without its row, and
//! no row without its figures.

const COMMAND: &str = include_str!("../bench/ablation");
const TABLE: &str = include_str!("../../core/src/manual/ablation.md");
const PAGE: &str = include_str!("../../core/src/manual/ablation.rs");

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
