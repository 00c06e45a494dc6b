//! Every call of the driver and of the application fails, one in each run, with every error that it
//! can give: what was not concerned goes on as if nothing had been, and nothing is lost.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use barewire_tests::nth::{Call, FAULTS, Judge, Outcome, Planted, Run, Scene, scenes};

/// What the runs of one scene came to.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    /// Runs by the call that failed, and how.
    by_fault: BTreeMap<(String, &'static str), u64>,
}

/// One run, judged.
fn try_one(
    run: &mut Run,
    scene: &Scene,
    judge: &Judge<'_>,
    n: u64,
    which: usize,
) -> Result<Outcome, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run.play(scene, n, which)));
    let outcome = outcome.unwrap_or_else(|_| Err("it panicked, see above".to_owned()))?;
    judge
        .judge(&outcome)
        .map_err(|text| format!("{:?}: {text}", outcome.fault))?;
    Ok(outcome)
}

/// Fails each call of a scene in each way. The first run that goes wrong.
fn fail_each(run: &mut Run, scene: &Scene) -> Result<Sum, String> {
    let judge = Judge::new(run, scene)?;
    assert!(judge.answers() > 2, "{}: too little happens", scene.name);
    let mut sum = Sum::default();
    for n in 1.. {
        for which in 0.. {
            let place = || format!("{}, call {n}, error {which}", scene.name);
            let outcome = try_one(run, scene, &judge, n, which)
                .map_err(|text| format!("{}: {text}", place()))?;
            let Some(fault) = outcome.fault else {
                assert!(n > judge.calls() && which == 0, "{}", place());
                return Ok(sum);
            };
            sum.runs += 1;
            let key = (format!("{:?}", fault.call), fault.name);
            *sum.by_fault.entry(key).or_default() += 1;
            if which + 1 == fault.call.errors() {
                break;
            }
        }
    }
    unreachable!("some run is the last")
}

#[test]
fn each_call_fails_once_in_every_way_and_nothing_is_lost() {
    let mut run = Run::new();
    let mut by_fault: BTreeMap<(String, &str), u64> = BTreeMap::new();
    let (began, mut runs) = (std::time::Instant::now(), 0);
    for scene in &scenes() {
        let sum = fail_each(&mut run, scene).unwrap_or_else(|text| panic!("{text}"));
        println!(
            "{:14} {} runs, each with one call that fails",
            scene.name, sum.runs
        );
        runs += sum.runs;
        for (fault, count) in sum.by_fault {
            *by_fault.entry(fault).or_default() += count;
        }
    }
    for ((call, name), count) in &by_fault {
        println!("{call:14} {name:24} {count} times");
    }
    println!("{runs} runs within {:?}", began.elapsed());
    // What is on the list happened.
    for fault in FAULTS {
        let key = (format!("{:?}", fault.call), fault.name);
        assert!(by_fault.contains_key(&key), "never tried: {fault:?}");
    }
    assert!(runs > 5_000, "{runs}");
}

#[test]
fn every_call_has_an_error_and_none_twice() {
    use Call::*;
    for call in [
        Poll,
        Accept,
        Register,
        Recv,
        Send,
        Shutdown,
        Close,
        StopListening,
        Local,
        Now,
        Handler,
        Notice,
    ] {
        assert!(FAULTS.iter().any(|fault| fault.call == call), "{call:?}");
    }
    for (at, fault) in FAULTS.iter().enumerate() {
        let twice = FAULTS[..at]
            .iter()
            .any(|f| f.call == fault.call && f.name == fault.name);
        assert!(!twice && !fault.page.is_empty(), "{fault:?}");
    }
}

#[test]
fn planted_bugs_are_found() {
    // (An assertion of the worker finds the first one earlier, where assertions are on.)
    for (bug, words) in [
        (Planted::LostSlot, ["slots came home", "it panicked"]),
        (Planted::NotClosed, ["closed 0 times", "it panicked"]),
        (Planted::NotServed, ["nothing will ever happen"; 2]),
    ] {
        let mut run = Run::new();
        run.bug = bug;
        let scenes = scenes();
        let mut found = scenes
            .iter()
            .filter_map(|scene| fail_each(&mut run, scene).err());
        let found = found
            .next()
            .unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!("{bug:?}: {found}");
        let is_it = words.iter().any(|word| found.contains(word));
        assert!(is_it, "{bug:?}: {found}");
    }
}
