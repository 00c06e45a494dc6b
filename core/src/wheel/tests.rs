extern crate std;

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

fn drain(wheel: &mut Wheel<'_>, now_ms: u64) -> Vec<u32> {
    let mut fired: Vec<u32> = core::iter::from_fn(|| wheel.pop(now_ms)).collect();
    fired.sort_unstable();
    fired
}

#[test]
fn a_timer_fires_at_the_tick_after_its_due_time_and_not_before() {
    for start_ms in [0, 1, 99, 6_399, 409_599, 1_000_000_000_007] {
        for wait_ms in [1, 99, 100, 101, 6_400, 30_000, 409_600, 10_000_000_000] {
            let mut entries = [Entry::EMPTY; 1];
            let mut wheel = Wheel::new(&mut entries, 100);
            assert_eq!(wheel.pop(start_ms), None);
            let due_ms = start_ms + wait_ms;
            assert!(wheel.arm(0, due_ms));
            assert_eq!(wheel.pop(due_ms - 1), None);
            let next_ms = wheel.next_due().unwrap();
            assert!(next_ms < due_ms + 100);
            assert_eq!(wheel.pop(due_ms.next_multiple_of(100)), Some(0));
            assert_eq!((wheel.next_due(), wheel.armed()), (None, 0));
        }
    }
}

#[test]
fn sleeping_until_next_due_wakes_in_time_after_few_false_alarms() {
    let mut entries = [Entry::EMPTY; 1];
    let mut wheel = Wheel::new(&mut entries, 1);
    // Across a bound of the topmost level, and as far from it as a timer can hang.
    let start_ms = (1 << 47) - 77_777;
    assert_eq!(wheel.pop(start_ms), None);
    let due_ms = start_ms + 4_000_000_007;
    wheel.arm(0, due_ms);
    let mut wakes = 0;
    let woken_ms = loop {
        let now_ms = wheel.next_due().unwrap();
        wakes += 1;
        if wheel.pop(now_ms).is_some() {
            break now_ms;
        }
    };
    assert_eq!(woken_ms, due_ms);
    assert!(wakes <= LEVELS, "{wakes}");
}

#[test]
fn a_due_time_that_has_passed_fires_at_once() {
    let mut entries = [Entry::EMPTY; 2];
    let mut wheel = Wheel::new(&mut entries, 10);
    assert_eq!(wheel.pop(1_000), None);
    wheel.arm(0, 5);
    wheel.arm(1, 1_000);
    assert_eq!(wheel.next_due(), Some(1_000));
    assert_eq!(drain(&mut wheel, 1_000), [0, 1]);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut entries = [Entry::EMPTY; 2];
    let mut wheel = Wheel::new(&mut entries, 10);
    assert_eq!(wheel.pop(1_000), None);
    wheel.arm(0, 1_500);
    assert_eq!(wheel.pop(3), None);
    assert_eq!(wheel.pop(1_499), None);
    assert_eq!(wheel.pop(1_500), Some(0));
}

#[test]
fn the_end_of_time_is_not_passed() {
    let mut entries = [Entry::EMPTY; 3];
    let mut wheel = Wheel::new(&mut entries, u32::MAX);
    wheel.arm(0, u64::MAX);
    wheel.arm(1, 0);
    wheel.arm(2, u64::MAX - 1);
    assert_eq!(drain(&mut wheel, 0), [1]);
    assert_eq!(drain(&mut wheel, u64::from(u32::MAX)), []);
    let mut wheel = Wheel::new(&mut entries, 0);
    assert_eq!(drain(&mut wheel, TICK_MAX - 2), []);
    wheel.arm(0, u64::MAX);
    wheel.arm(1, TICK_MAX - 1);
    assert_eq!(drain(&mut wheel, TICK_MAX - 2), []);
    assert_eq!(drain(&mut wheel, TICK_MAX - 1), [1]);
    assert_eq!(drain(&mut wheel, u64::MAX), [0]);
    wheel.arm(2, u64::MAX);
    assert_eq!(drain(&mut wheel, u64::MAX), [2]);
}

#[test]
fn timers_within_32_bits_of_ticks_are_told_apart_wherever_these_wrap() {
    let turn = 1u64 << 32;
    for start in [
        0,
        1,
        turn / 2,
        turn - 1,
        turn,
        turn + 1,
        9 * turn - 64,
        (1 << 40) - 1,
    ] {
        for wait in [
            1,
            63,
            4_096,
            turn / 2 - 1,
            turn / 2,
            turn / 2 + 1,
            turn - 2,
            turn - 1,
        ] {
            let mut entries = [Entry::EMPTY; 2];
            let mut wheel = Wheel::new(&mut entries, 1);
            assert_eq!(wheel.pop(start), None);
            assert!(wheel.arm(0, start + wait) && wheel.arm(1, start + 1));
            assert_eq!(wheel.due(0), Some(start + wait));
            assert_eq!(wheel.pop(start), None);
            assert!(wheel.disarm(1));
            assert_eq!(wheel.pop(start + wait / 2), None);
            assert_eq!(wheel.due(0), Some(start + wait));
            assert_eq!(wheel.pop(start + wait - 1), None);
            assert_eq!(
                wheel.pop(start + wait + 3 * turn),
                Some(0),
                "{start} {wait}"
            );
        }
    }
}

#[test]
fn a_timer_too_far_ahead_fires_after_32_bits_of_ticks_and_is_armed_again() {
    let turn_ms = 10 << 32;
    let mut entries = [Entry::EMPTY; 1];
    let mut wheel = Wheel::new(&mut entries, 10);
    let (start_ms, due_ms) = (7_000, 7_000 + 5 * turn_ms / 2);
    assert_eq!(wheel.pop(start_ms), None);
    wheel.arm(0, due_ms);
    assert_eq!(wheel.due(0), Some(start_ms + turn_ms - 10));
    let mut looks = 0;
    // In one pass of a clock that stood for years, as in many.
    while let Some(index) = wheel.pop(due_ms - 1) {
        looks += 1;
        wheel.arm(index, due_ms);
    }
    assert_eq!(looks, 2);
    assert_eq!(wheel.due(0), Some(due_ms));
    assert_eq!(wheel.pop(due_ms), Some(0));
}

#[test]
fn an_index_without_entry_is_refused() {
    let mut entries = [Entry::EMPTY; 2];
    let mut wheel = Wheel::new(&mut entries, 10);
    for index in [2, BUCKET - 1, BUCKET, BUCKET | 3, NONE] {
        assert!(!wheel.arm(index, 10));
        assert!(!wheel.disarm(index));
        assert!(!wheel.is_armed(index));
    }
    assert_eq!(wheel.next_due(), None);
}

#[test]
fn timers_of_an_opened_bucket_may_be_moved_and_disarmed() {
    let mut entries = [Entry::EMPTY; 8];
    let mut wheel = Wheel::new(&mut entries, 1);
    for index in 0..8 {
        // All in one bucket of the second wheel; half of them are due when it is popped.
        wheel.arm(index, 64 + u64::from(index));
    }
    let first = wheel.pop(67).unwrap();
    assert!(first < 4);
    let others: Vec<u32> = (0..8).filter(|&i| i != first).collect();
    assert!(wheel.disarm(others[0]));
    assert!(wheel.disarm(others[6]));
    assert!(wheel.arm(others[1], 1_000));
    assert!(wheel.arm(first, 68));
    let mut want = vec![others[2], others[3], others[4], others[5], first];
    want.sort_unstable();
    assert_eq!(drain(&mut wheel, 999), want);
    assert_eq!(drain(&mut wheel, 1_000), [others[1]]);
}

#[test]
fn a_busy_owner_pays_for_one_firing_in_each_timeout() {
    let mut entries = [Entry::EMPTY; 1];
    let mut wheel = Wheel::new(&mut entries, 100);
    let (mut due_ms, mut firings) = (30_000, 0);
    wheel.arm(0, due_ms);
    for now_ms in (0..3_000_000).step_by(10) {
        due_ms = now_ms + 30_000; // a request every 10 ms
        while let Some(index) = wheel.pop(now_ms) {
            firings += 1;
            wheel.arm(index, due_ms);
        }
    }
    assert!(firings <= 100, "{firings}");
    // The timer still hangs at an older due time: it fires once more, and then for good.
    while let Some(index) = wheel.pop(due_ms - 1) {
        wheel.arm(index, due_ms);
    }
    assert_eq!(wheel.pop(due_ms.next_multiple_of(100)), Some(0));
}

#[test]
fn a_million_timers_fire_once_each_within_their_tick() {
    const TIMERS: u32 = 1_000_000;
    let mut entries = vec![Entry::EMPTY; TIMERS as usize];
    let mut wheel = Wheel::new(&mut entries, 100);
    let due_ms = |i: u32| 5_000_000_000 + u64::from(i.wrapping_mul(2_654_435_761)) % 600_000;
    assert_eq!(wheel.pop(5_000_000_000), None);
    for i in 0..TIMERS {
        wheel.arm(i, due_ms(i));
    }
    assert_eq!(wheel.armed(), TIMERS);
    for i in (0..TIMERS).step_by(10) {
        assert!(wheel.disarm(i));
    }
    let mut fired = 0;
    let mut now_ms = 5_000_000_000;
    while let Some(next_ms) = wheel.next_due() {
        assert!(next_ms >= now_ms);
        now_ms = next_ms;
        while let Some(i) = wheel.pop(now_ms) {
            assert!(due_ms(i) <= now_ms && now_ms < due_ms(i) + 100 && i % 10 != 0);
            fired += 1;
        }
    }
    assert_eq!(fired, TIMERS - TIMERS / 10);
}

#[test]
fn a_jump_of_hours_over_a_million_timers_looks_at_few_of_those_that_stay() {
    let mut entries = vec![Entry::EMPTY; 1_000_000];
    let mut wheel = Wheel::new(&mut entries, 1);
    for i in 0..1_000_000 {
        let base_ms = if i % 1_000 == 0 { 1_000 } else { 1 << 30 };
        wheel.arm(i, base_ms + u64::from(i));
    }
    assert_eq!(drain(&mut wheel, 24 * 3_600_000).len(), 1_000);
    // The rest still hangs where it was hung, in one bucket, untouched.
    assert_eq!(wheel.filled.iter().map(|f| f.count_ones()).sum::<u32>(), 1);
    assert_eq!(wheel.next_due(), Some(1 << 30));
}

#[derive(Debug, Clone)]
enum Op {
    Arm(u32, u64),
    Disarm(u32),
    /// Milliseconds to go ahead, and how many to pop at most.
    Advance(u64, usize),
    /// Go ahead to exactly what `next_due` says.
    Sleep,
}

/// From milliseconds to years, evenly over the magnitudes.
fn any_span() -> impl Strategy<Value = u64> {
    (0..40u32, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
}

fn any_op() -> impl Strategy<Value = Op> {
    let few = prop::sample::select(vec![0, 1, 2, usize::MAX, usize::MAX]);
    prop_oneof![
        4 => (0..12u32, any_span()).prop_map(|(i, ms)| Op::Arm(i, ms)),
        1 => (0..12u32).prop_map(Op::Disarm),
        2 => (any_span(), few).prop_map(|(ms, n)| Op::Advance(ms, n)),
        2 => Just(Op::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_wheel_fires_what_an_ordered_map_would(
        tick_ms in prop::sample::select(vec![1u32, 2, 10, 100, 1_000]),
        start_ms in any_span(),
        ops in prop::collection::vec(any_op(), 1..120),
    ) {
        let mut entries = [Entry::EMPTY; 10]; // two indices have none
        let mut wheel = Wheel::new(&mut entries, tick_ms);
        let tick = u64::from(tick_ms);
        let mut model = BTreeMap::<u32, u64>::new();
        let mut now_ms = start_ms;
        for op in ops {
            let budget = match op {
                Op::Arm(i, ms) => {
                    // Some due times have passed already.
                    let due_ms = (now_ms + ms).saturating_sub(50);
                    prop_assert_eq!(wheel.arm(i, due_ms), i < 10);
                    if i < 10 {
                        // Further ahead of the last pop it cannot hang.
                        let last_ms = (wheel.tick + u64::from(u32::MAX)) * tick;
                        model.insert(i, due_ms.min(last_ms));
                    }
                    0
                }
                Op::Disarm(i) => {
                    prop_assert_eq!(wheel.disarm(i), model.remove(&i).is_some());
                    0
                }
                Op::Advance(ms, budget) => {
                    now_ms += ms;
                    budget
                }
                Op::Sleep => {
                    now_ms = now_ms.max(wheel.next_due().unwrap_or(0));
                    usize::MAX
                }
            };
            let is_due = |due_ms: u64| due_ms.div_ceil(tick) <= now_ms / tick;
            for n in 0.. {
                if n == budget {
                    break;
                }
                let Some(i) = wheel.pop(now_ms) else {
                    // Nothing that is due was left out.
                    prop_assert!(model.values().all(|&due_ms| !is_due(due_ms)));
                    break;
                };
                let due_ms = model.remove(&i);
                prop_assert!(due_ms.is_some_and(|ms| ms <= now_ms && is_due(ms)));
            }
            prop_assert_eq!(wheel.armed() as usize, model.len());
            for i in 0..12 {
                prop_assert_eq!(wheel.is_armed(i), model.contains_key(&i));
            }
            match (wheel.next_due(), model.values().min()) {
                (None, None) => {}
                // What has not been popped yet may be due in the past.
                (Some(next_ms), Some(&due_ms)) => {
                    prop_assert!(next_ms < due_ms + tick || next_ms <= now_ms);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
