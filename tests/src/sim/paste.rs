//! A scenario as Rust, to be pasted into a test.

use std::fmt::Write;

use super::client::{Plan, Step};
use super::faults::Faults;
use super::scenario::Scenario;
use super::script::{Body, Counted, Expected, Fate, Script};

impl Scenario {
    /// An expression that makes this scenario anew, for a file that uses all of
    /// `barewire_tests::sim` and `barewire_tests::sim::scenario::Scenario`.
    pub fn to_rust(&self) -> String {
        let mut out = String::new();
        self.write(&mut out)
            .expect("a text takes everything that is written to it");
        out
    }

    /// A whole test, with a name and a comment.
    pub fn to_test(&self, name: &str, fault: &str) -> String {
        let mut out = String::new();
        for line in fault.chars().take(300).collect::<String>().lines() {
            out.push_str(&format!("// {line}\n"));
        }
        let body = self.to_rust().replace('\n', "\n    ");
        out.push_str(&format!(
            "#[test]\nfn {name}() {{\n    let scenario = {body};\n    \
             scenario.run().unwrap();\n}}\n"
        ));
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Scenario {{")?;
        writeln!(out, "    seed: {},", self.seed)?;
        writeln!(out, "    seam: Seam::{:?},", self.seam)?;
        faults(out, self.faults)?;
        writeln!(out, "    clock_ms: {},", self.clock_ms)?;
        writeln!(out, "    punctual: {},", self.punctual)?;
        writeln!(out, "    shape: {},", self.shape)?;
        writeln!(out, "    slots: {},", self.slots)?;
        writeln!(out, "    ring_places: {:?},", self.ring_places)?;
        writeln!(out, "    open_max: {},", self.open_max)?;
        writeln!(out, "    per_address_max: {:?},", self.per_address_max)?;
        writeln!(out, "    reserve: {},", self.reserve)?;
        writeln!(out, "    drain_ms: {:?},", self.drain_ms)?;
        writeln!(out, "    other_ms: {:?},", self.other_ms)?;
        writeln!(out, "    wakes_ms: vec!{:?},", self.wakes_ms)?;
        writeln!(out, "    clients: vec![")?;
        for one in &self.clients {
            client(out, one)?;
        }
        writeln!(out, "    ],")?;
        write!(out, "}}")
    }
}

/// Only those that come at all.
fn faults(out: &mut String, mut faults: Faults) -> std::fmt::Result {
    write!(out, "    faults: Faults {{ ")?;
    for (name, rate) in faults.kinds() {
        if *rate > 0 {
            write!(out, "{name}: {rate}, ")?;
        }
    }
    writeln!(out, "..Faults::NONE }},")
}

fn client(out: &mut String, one: &Script) -> std::fmt::Result {
    let Script {
        plan,
        expected,
        fate,
    } = one;
    let Plan {
        connect_after_ms,
        connect_within_ms,
        window,
        from,
        steps,
    } = plan;
    writeln!(out, "        Script {{")?;
    match fate {
        Fate::Stalls(stall) => writeln!(out, "            fate: Fate::Stalls(Stall::{stall:?}),")?,
        fate => writeln!(out, "            fate: Fate::{fate:?},")?,
    }
    writeln!(out, "            plan: Plan {{")?;
    writeln!(out, "                connect_after_ms: {connect_after_ms},")?;
    writeln!(
        out,
        "                connect_within_ms: {connect_within_ms},"
    )?;
    writeln!(out, "                window: {window},")?;
    writeln!(out, "                from: {from:?},")?;
    writeln!(out, "                steps: vec![")?;
    for step in steps {
        match step {
            Step::Send(bytes) => writeln!(
                out,
                "                    Step::Send(b\"{}\".to_vec()),",
                bytes.escape_ascii()
            )?,
            step => writeln!(out, "                    Step::{step:?},")?,
        }
    }
    writeln!(out, "                ],\n            }},")?;
    writeln!(out, "            expected: vec![")?;
    for one in expected {
        request(out, one)?;
    }
    writeln!(out, "            ],\n        }},")
}

fn request(out: &mut String, one: &Expected) -> std::fmt::Result {
    let Expected {
        method,
        status,
        body,
        answer_bytes,
        closes,
        invited,
        event,
        end,
    } = one;
    writeln!(out, "                Expected {{")?;
    writeln!(out, "                    method: {method:?},")?;
    writeln!(out, "                    status: {status},")?;
    match body {
        Body::Exactly(bytes) => writeln!(
            out,
            "                    body: Body::Exactly(b\"{}\".to_vec()),",
            bytes.escape_ascii()
        )?,
        body => writeln!(out, "                    body: Body::{body:?},")?,
    }
    writeln!(out, "                    answer_bytes: {answer_bytes},")?;
    writeln!(out, "                    closes: {closes},")?;
    writeln!(out, "                    invited: {invited},")?;
    match event {
        None => writeln!(out, "                    event: None,")?,
        Some(Counted { user, thousandths }) => writeln!(
            out,
            "                    event: Some(Counted {{ user: b\"{}\".to_vec(), thousandths: \
             {thousandths} }}),",
            user.escape_ascii()
        )?,
    }
    writeln!(out, "                    end: {end},")?;
    writeln!(out, "                }},")
}
