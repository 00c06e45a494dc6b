//! What the simulation has found, each as the small scenario that it was shrunk to. And the
//! shrinker itself, with a planted bug.

use barewire_tests::sim::scenario::Scenario;
use barewire_tests::sim::{
    Body, Counted, Expected, Fate, Faults, Plan, Script, Seam, Stall, Step, attempt, shrink,
};

/// What the shrinker makes of a kernel that loses edges.
fn pasted() -> Scenario {
    include!("sim_found/lost_edge.scenario")
}

#[test]
fn what_is_pasted_is_the_same_scenario_and_really_fails() {
    let scenario = pasted();
    let text = include_str!("sim_found/lost_edge.scenario");
    assert_eq!(scenario.to_rust(), text.trim_end());
    let fault = scenario.run().unwrap_err();
    assert!(fault.contains("0 answers, Reset"), "{fault}");
    // And only for what was planted.
    let faults = Faults {
        lost_edge: 0,
        ..scenario.faults
    };
    Scenario { faults, ..scenario }.run().unwrap();
}

/// The first scenario of epoll that fails when `plant` has spoilt the network.
fn first_failure(plant: fn(&mut Faults)) -> Scenario {
    let of_epoll = (0..1000)
        .map(Scenario::new)
        .filter(|scenario| scenario.seam == Seam::Readiness);
    let planted = of_epoll.map(|mut scenario| {
        plant(&mut scenario.faults);
        scenario
    });
    let mut failing = planted.filter(|scenario| attempt(scenario).is_err());
    failing.next().expect("a planted bug is found")
}

#[test]
fn a_lost_edge_is_found_and_shrunk_to_one_client() {
    let found = first_failure(|faults| faults.lost_edge = 20);
    let small = shrink(&found).expect("it fails");
    let scenario = &small.scenario;
    assert_eq!(scenario.clients.len(), 1, "{}", scenario.to_rust());
    let requests = scenario.clients[0].expected.len();
    assert!(requests <= 3, "{}", scenario.to_rust());
    let faults = Faults {
        lost_edge: 20,
        ..Faults::NONE
    };
    assert_eq!((scenario.faults, scenario.clock_ms), (faults, 0));
    // It fails again, and in the same way: nothing depends on what ran before.
    assert_eq!(scenario.run().unwrap_err(), small.fault);
    assert!(small.tries < 1000, "{} tries", small.tries);
    let test = scenario.to_test("a_name", &small.fault);
    assert!(test.contains("fn a_name()") && test.contains("lost_edge: 20"));
    println!("{test}");
}

#[test]
fn a_lost_wake_up_is_found() {
    let found = first_failure(|faults| faults.lost_wake = 255);
    let small = shrink(&found).expect("it fails");
    assert!(small.fault.starts_with("sleeps"), "{}", small.fault);
    assert!(small.scenario.clients.len() <= 1);
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    assert!(shrink(&Scenario::new(1)).is_none());
}

#[test]
fn every_scenario_is_the_text_that_it_prints() {
    // Compiled once, above; here, that nothing of a scenario is left out of its text.
    let texts = (0..200).map(|seed| Scenario::new(seed).to_rust());
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 200);
    let mut scenario = pasted();
    for at in 0..scenario.faults.kinds().len() {
        let mut other = scenario.clone();
        *other.faults.kinds()[at].1 += 1;
        assert_ne!(scenario.to_rust(), other.to_rust());
    }
    scenario.clients[0].expected.push(Expected {
        method: "GET",
        status: 200,
        body: Body::Words,
        answer_bytes: 60,
        closes: true,
        invited: false,
        event: Some(Counted {
            user: b"a\"\\".to_vec(),
            thousandths: -1,
        }),
        end: 1,
    });
    scenario.clients[0].fate = Fate::Stalls(Stall::Head);
    let text = scenario.to_rust();
    assert!(
        text.contains("Stall::Head") && text.contains(r#"b"a\"\\".to_vec()"#),
        "{text}"
    );
}
