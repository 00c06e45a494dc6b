//! Without descriptors: of the process, of the system, and by an accept that fails anyhow.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use barewire_tests::drill::{Barewire, Close, Manner, News, Swarm, proc};

use super::{PATIENCE, alone, ask, open, program, say, serve};

/// What a server may use of a processor while it has no descriptor left (NET-32).
const STARVED_CPU: f64 = 0.05;
/// Time from the first free descriptor to the last answer.
const RECOVERY: Duration = Duration::from_secs(1);

/// The processor time that `server` uses while one of `open` asks every 50 ms.
fn cpu_while_starved(server: &Barewire, swarm: &mut Swarm, open: &[usize]) -> f64 {
    let (began, before) = (Instant::now(), server.cpu());
    for round in 0..50 {
        let next = Instant::now() + Duration::from_millis(50);
        let peer = open[round % open.len()];
        assert_eq!(ask(swarm, &[peer], 1, PATIENCE), [peer], "of those inside");
        swarm.run(next.saturating_duration_since(Instant::now()), |_, news| {
            panic!("{news:?} of somebody who waits")
        });
    }
    let share = (server.cpu() - before).as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(share < STARVED_CPU, "{share} of a processor while starved");
    share
}

#[test]
fn a_server_that_runs_out_of_descriptors_waits_quietly_and_recovers() {
    let _alone = alone();
    // Where each worker has a table of its own, the limit is that of each.
    for (tables, flags) in [(1, ""), (2, "--own-descriptors")] {
        run_out_of_descriptors(tables, flags);
    }
}

fn run_out_of_descriptors(tables: usize, flags: &str) {
    let mut server = serve(&format!("--workers 2 --connections 1000 {flags}"));
    let mut swarm = Swarm::new(server.addr());
    let early = open(&mut swarm, 20, |_| Manner::default());
    assert_eq!(ask(&mut swarm, &early, 20, PATIENCE).len(), 20);

    server.limit_descriptors(64);
    // As many as fit, and twice as many again: by chance one worker gets fewer.
    let late = open(&mut swarm, 150 * tables - 50, |_| Manner::default());
    let mut inside = ask(&mut swarm, &late, late.len(), Duration::from_millis(500));
    // What it was started with may have higher numbers. The main thread has its streams and wakers.
    let used = proc::descriptors(server.pid());
    let most = 80 * tables;
    assert!(
        (64 * tables..most).contains(&used),
        "not all are in use: {used}"
    );
    assert!(inside.len() < 60 * tables - 10, "{}", inside.len());
    let waiting = late.len() - inside.len();
    inside.extend(early);
    let share = cpu_while_starved(&server, &mut swarm, &inside);

    // One after the other has its turn, as descriptors become free.
    let began = Instant::now();
    inside
        .iter()
        .for_each(|peer| swarm.close(*peer, Close::Fin));
    let mut served = 0;
    swarm.run(PATIENCE, |swarm, news| match news {
        News::Answer {
            peer, status: 200, ..
        } => {
            served += 1;
            swarm.close(peer, Close::Fin);
            served == waiting
        }
        other => panic!("{other:?}"),
    });
    let recovery = began.elapsed();
    assert!(recovery < RECOVERY, "{recovery:?}");
    assert!(server.lives());
    let tally = server.stop();
    assert_eq!(
        (tally.connections, tally.refused),
        (late.len() as u64 + 20, 0)
    );
    assert_eq!((tally.faults, tally.in_time), (0, true));
    say(format_args!(
        "EMFILE with 64 descriptors in each of {tables} tables: {waiting} waited, {:.1} % of a \
         processor meanwhile, all served {recovery:?} after the first was free",
        share * 100.0
    ));
}

#[test]
fn a_server_that_starts_under_64_descriptors_serves_as_many_as_fit() {
    let _alone = alone();
    let mut wrapper = vec!["prlimit", "--nofile=64:64"];
    if proc::may_raise_limits() {
        // It would raise its own limit again.
        let without = "-sys_resource";
        wrapper.extend(["setpriv", "--inh-caps", without, "--bounding-set", without]);
    }
    for workers in [1, 2] {
        let args = format!("--workers {workers}");
        let mut server = Barewire::start_under(&wrapper, program(), &args);
        let fact = server.fact("connections").unwrap().to_owned();
        assert!(fact.contains("too few open files are allowed"), "{fact}");
        let most: usize = fact.split(' ').next().unwrap().parse().unwrap();
        assert!(most >= 10, "{fact}");
        let least = proc::descriptors(server.pid());

        // By chance the system gives more to one of two workers, and fewer are served.
        let mut swarm = Swarm::new(server.addr());
        let (began, before) = (Instant::now(), server.cpu());
        let peers = open(&mut swarm, 200, |_| Manner::default());
        let ping = super::ping();
        for peer in peers {
            swarm.send(peer, &ping, 1);
        }
        let (mut inside, mut refused, mut reset) = (Vec::new(), 0, 0);
        let longest = Duration::from_millis(2500);
        swarm.run(longest, |_, news| {
            match news {
                News::Answer {
                    peer, status: 200, ..
                } => inside.push(peer),
                News::Answer { status: 503, .. } => refused += 1,
                // Beyond as many as there are slots, nobody can be told why.
                News::Closed { reset: true, .. } => reset += 1,
                News::Closed { .. } => {}
                other => panic!("{other:?}"),
            }
            false
        });
        let share = (server.cpu() - before).as_secs_f64() / began.elapsed().as_secs_f64();
        assert!(share < STARVED_CPU, "{share} of a processor while full");
        let served = inside.len();
        assert!(served <= most && served >= most / 2, "{served} of {most}");
        assert_eq!(served as u64 + refused + reset, 200, "nobody waits");
        assert!(refused >= 10, "{refused} were told 503");
        let used = proc::descriptors(server.pid());
        assert!(used >= least + served, "{used}");
        assert_eq!(ask(&mut swarm, &inside, served, PATIENCE).len(), served);

        let began = Instant::now();
        swarm.close_all(Close::Fin);
        let mut last = 0;
        while last == 0 {
            let peer = open(&mut swarm, 1, |_| Manner::default());
            last = ask(&mut swarm, &peer, 1, PATIENCE).len();
            assert!(began.elapsed() < RECOVERY);
        }
        let recovery = began.elapsed();
        assert!(server.lives());
        let tally = server.stop();
        assert!(tally.refused >= refused + reset && tally.in_time);
        say(format_args!(
            "started under 64 descriptors, {workers} workers: {most} connections, {served} served, \
             {refused} told 503, {reset} reset, {:.1} % of a processor, free again after {recovery:?}",
            share * 100.0
        ));
    }
}

/// Whether system calls can be made to fail here.
pub(super) fn can_inject() -> bool {
    let tried = Command::new("strace")
        .args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=accept4"])
        .args(["-e", "inject=accept4:error=ENFILE:when=1..2", "true"])
        .stdin(Stdio::null())
        .output();
    let problem = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(std::io::stderr(), "SKIPPED: strace: {problem}");
    assert!(
        std::env::var_os("CI").is_none(),
        "strace is missing or may not trace, and this run has to be complete"
    );
    false
}

#[test]
fn an_accept_that_fails_costs_time_and_nothing_else() {
    let _alone = alone();
    if !can_inject() {
        return;
    }
    // The call, its error, how often, and how long the clients may wait for that: 100 ms for each
    // failure that tells of exhaustion, nothing for those that concern one connection. The third
    // call of a thread is the first to fail: a worker watches two descriptors at the start.
    for (call, error, times, rests_ms) in [
        ("accept4", "ENFILE", 5, 100),
        ("accept4", "EMFILE", 5, 100),
        ("accept4", "ENOMEM", 2, 100),
        ("accept4", "ENOBUFS", 2, 100),
        ("accept4", "ECONNABORTED", 200, 0),
        ("accept4", "EPROTO", 50, 0),
        ("accept4", "EPERM", 50, 0),
        ("accept4", "EINTR", 50, 0),
        // As if the limit of watches were reached: that connection is lost, the others are not.
        ("epoll_ctl", "ENOSPC", 1, 100),
    ] {
        let log = std::env::temp_dir().join(format!("barewire-{}-{error}", std::process::id()));
        let log_name = log.to_str().unwrap();
        let (trace, inject) = (
            format!("trace={call}"),
            format!("inject={call}:error={error}:when=3..{}", times + 2),
        );
        let wrapper = ["strace", "-D", "-f", "-qq", "-o", log_name];
        let wrapper = [&wrapper[..], &["-e", &trace, "-e", &inject]].concat();
        let mut server = Barewire::start_under(&wrapper, program(), "--workers 1");
        let mut swarm = Swarm::new(server.addr());
        let began = Instant::now();
        let peers = open(&mut swarm, 30, |_| Manner::default());
        let served = ask(&mut swarm, &peers, 30, PATIENCE).len();
        let took = began.elapsed();
        let lost = if call == "epoll_ctl" { times } else { 0 };
        assert_eq!(served, 30 - lost, "{error}");
        let rests = Duration::from_millis(rests_ms * times as u64);
        // The tracer costs as well.
        assert!(took < rests + Duration::from_secs(1), "{error}: {took:?}");
        let again = open(&mut swarm, 30, |_| Manner::default());
        assert_eq!(ask(&mut swarm, &again, 30, PATIENCE).len(), 30, "{error}");
        assert!(server.lives(), "{error}");
        swarm.close_all(Close::Fin);
        let tally = server.stop();
        assert_eq!((tally.refused, tally.in_time), (0, true));
        let lines = std::fs::read_to_string(&log).unwrap();
        let injected = lines.matches("(INJECTED)").count();
        assert_eq!(injected, times, "{error}: nothing was shown");
        let _ = std::fs::remove_file(&log);
        say(format_args!(
            "{call} fails {times} times with {error}: {served} of 30 served within {took:?}, \
             30 of the next 30"
        ));
    }
}

#[test]
fn a_system_that_refuses_own_tables_is_served_with_one() {
    let _alone = alone();
    if !can_inject() {
        return;
    }
    // The third says yes and does nothing.
    for outcome in ["error=ENOSYS", "error=EPERM", "retval=0", ""] {
        let log = std::env::temp_dir().join(format!("barewire-{}-tables", std::process::id()));
        let inject = format!("inject=close_range:{outcome}");
        let mut wrapper = vec!["strace", "-D", "-f", "-qq", "-o", log.to_str().unwrap()];
        wrapper.extend(["-e", "trace=close_range"]);
        if !outcome.is_empty() {
            wrapper.extend(["-e", &inject]);
        }
        let server = Barewire::start_under(&wrapper, program(), "--workers 3 --own-descriptors");
        let workers = server.fact("workers").unwrap();
        let is_told = workers.contains("descriptors shared");
        assert_eq!(is_told, !outcome.is_empty(), "{outcome}: {workers}");
        let mut swarm = Swarm::new(server.addr());
        let before = proc::descriptors(server.pid());
        let peers = open(&mut swarm, 30, |_| Manner::default());
        assert_eq!(ask(&mut swarm, &peers, 30, PATIENCE).len(), 30, "{outcome}");
        assert_eq!(proc::descriptors(server.pid()), before + 30, "{outcome}");
        swarm.close_all(Close::Fin);
        let tally = server.stop();
        assert_eq!((tally.connections, tally.in_time), (30, true));
        // Where one is refused the others do not ask.
        let lines = std::fs::read_to_string(&log).unwrap();
        let asked = |line: &&str| line.contains("UNSHARE");
        let tries = lines.lines().filter(asked).count();
        assert_eq!(tries, if is_told { 1 } else { 3 }, "{lines}");
        let _ = std::fs::remove_file(&log);
        say(format_args!(
            "tables of descriptors, close_range {outcome}: {tries} tries, 30 of 30 served"
        ));
    }
}
