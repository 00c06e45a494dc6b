//! Many clients at one worker that has few slots: who is served, and who gives way.

use barewire::Tally;
use barewire_core::driver::{Driver, Instant};
use barewire_core::limits::Limits;

use super::client::{Plan, Transcript};
use super::faults::Faults;
use super::later::Lent;
use super::net::Net;
use super::stage::{Entrance, Props, SHAPES, STAGE, Stage};

/// The clients, and the server that they meet: the real worker with the application of the
/// challenge, on a kernel without faults.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// What the clients do, one after the other in the transcripts too.
    pub plans: Vec<Plan>,
    /// Slots of the worker, of 8 + 8 KiB.
    pub slots: usize,
    /// Connections that are served; there are 64 places more.
    pub open_max: usize,
    /// Those of one address.
    pub per_address_max: u32,
}

/// What is left when time is up.
#[derive(Debug)]
pub struct Seen {
    /// What each client saw until then.
    pub transcripts: Vec<Transcript>,
    /// What the worker counted.
    pub tally: Tally,
    /// Slots that were free.
    pub free: usize,
    /// How often it waited for events.
    pub polls: u64,
    /// How often it called back what was in flight: to look at a body, or to let somebody go.
    pub cancels: u64,
}

impl Crowd {
    /// With 64 slots, and all of the clients let in.
    pub fn new(plans: Vec<Plan>) -> Crowd {
        Crowd {
            open_max: plans.len(),
            plans,
            slots: 64,
            per_address_max: u32::MAX,
        }
    }

    /// Runs it for so many milliseconds of virtual time; `seed` cuts what the clients send. Then
    /// everything is aborted.
    ///
    /// # Panics
    /// If a connection or a slot is left behind, or a call to the application panicked.
    pub fn run(&self, seed: u64, ms: u64) -> Seen {
        STAGE.with_borrow_mut(|stage| {
            let stage = stage.get_or_insert_with(Stage::new);
            let net = Net::new(seed, self.plans.clone(), Faults::NONE, 0);
            let places = self.open_max + 64;
            let mut props = Props::new(places, self.slots, SHAPES.len() - 1, stage);
            let app = Lent {
                app: &mut stage.app,
                later: &mut stage.later,
            };
            let entrance = Entrance {
                per_address_max: self.per_address_max,
                ..Entrance::plain(self.open_max)
            };
            let mut worker = props.worker(entrance, net, app, Limits::DEFAULT);
            let end = Instant::from_millis(ms);
            while worker.driver().now() < end {
                let Ok(_) = worker.turn(Some(end));
            }
            let net = worker.driver().inner().net();
            let seen = Seen {
                transcripts: net.transcripts().cloned().collect(),
                tally: worker.tally(),
                free: worker.free_slots(),
                polls: net.polls(),
                cancels: worker.driver().cancels(),
            };
            worker.abort();
            assert_eq!((worker.open(), worker.free_slots()), (0, self.slots));
            assert_eq!(seen.tally.panics, 0);
            drop(worker);
            props.strike(stage);
            seen
        })
    }
}
