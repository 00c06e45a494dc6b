//! When to use which way: loops, memory, switches.
//!
//! What is measured stands in the last column, with the page of tables that it comes from, as
//! `tests/bench` wrote it; a test finds each figure there, so a table that is renewed renews this
//! page. Most were taken on a machine with two processors, and say which way to try first, not how
//! large a gain will be elsewhere.
//!
//! # Which loop
//!
//! | way | when | for it | against it | measured |
//! |---|---|---|---|---|
//! | one worker (`--workers 1`) | one processor is enough, or the others have work of their own | nothing is shared with anybody | one processor's worth of requests | 5.08 µs of processor time a request, 0.39 among 16 pipelined; 185,404 and 2,455,841 requests a second: `floor.md` |
//! | a worker for each processor, connections spread by the system (`--accept reuseport`, the default on Linux) | connections are many, or short | no thread stands between a connection and its worker | a worker that is busy gets its share all the same; few connections are uneven by chance | 4 workers, 64 connections: 9.63 µs a request, the busiest 46.7 % of requests above the mean: `scaling.md` |
//! | the same, dealt out by one thread (`--accept handoff`, the default on macOS) | connections are few and stay long; or nobody shall hear 503 while a worker has room | even to the last connection | a thread more, and a wake-up for each burst; no `--own-descriptors` | the same: 10.74 µs, 3.3 %: `scaling.md` |
//! | a worker in a loop of yours (`barewire::embed`) | the program has a loop and a state, in one thread | the handler looks at the state without a lock | answers are as late as the loop's turns | not apart: it is the same worker |
//! | the core in another runtime (`core/examples`, threads or tasks) | handlers block, or await; or there is no system below (`tests/boards`) | whatever library the runtime has | the way of the bytes is yours | not ours; a loop of tokio without a server's semantics takes 5.33 µs a request, hyper 6.05: `floor.md` |
//! | any thread serves any connection (`Shared` of the platforms, one event at a time) | a pool of threads whose handlers block | one that blocks stops nobody else | a system call more for each event; the server does not use it | not measured |
//! | completions (io_uring) | not built | | | |
//!
//! # Which memory
//!
//! All of it is reserved at the start, whatever is chosen; what differs is when it becomes
//! resident, and in which pages. ([`memory`](super::memory) has the sum.)
//!
//! | way | when | for it | against it | measured |
//! |---|---|---|---|---|
//! | touched when needed (the default) | unless there is a reason for another | a server takes what its busiest moment took | the first use of each page is a page fault | 3.1 MiB resident after some requests: `ablation.md` |
//! | `--prefault` | the first requests must be as fast as later ones, or memory must be had before the start is told | no page fault later (`tests/tests/faults.rs`) | all of it is resident | 376.2 MiB; 1,772 instructions a request for 1,773: `ablation.md` |
//! | `--huge-pages try` | thousands of connections are active at a time | fewer pages for the processor to find | the first slot takes 2 MiB; what is got depends on the system | 5.1 MiB, 1,772 instructions: `ablation.md` |
//! | `--huge-pages require` | the same, and the pool is set up for it | no start without them | the pool is touched at the start | 161.1 MiB, 1,772 instructions: `ablation.md` |
//! | fewer slots than connections (`--slots`) | most connections rest | one that rests holds no slot | when all are in use, those that speak wait in line, and the slowest give way | 188 bytes for one that rests, 12,528 with half a head: `memory_table.md` |
//! | small slots (`--slot-bytes`, `--recv-bytes`) | heads and answers are short, connections many | less for each that is active | longer heads are refused (431), longer answers have to stream | not measured |
//!
//! There is no way that allocates while it serves: an application may, the engine does not.
//!
//! # Which switch
//!
//! | way | when | for it | against it | measured |
//! |---|---|---|---|---|
//! | pipelining, by the client | the client is yours, and has several requests at a time | answers leave together, the largest gain there is | an answer waits for those before it | 1,772 instructions and 3.00 system calls a request alone; 929 and 0.75 by four, 718 and 0.19 by 16, 668 and 0.06 by 64: `ablation.md` |
//! | `-Ctarget-cpu=x86-64-v3` | it is built for machines that all have AVX2 | wider vectors in the scanners | it does not start on others | 1,744 instructions for 1,773: `ablation.md` |
//! | a profile of use (`tests/bench/pgo`) | the last percent counts, and the load is known | the way of a request lies together | two builds and a training | 109 lines of the cache for 138: `hot_path.rs` |
//! | `--pin` | the machine has nothing else to do | a worker stays where its caches are | beside other programs it waits for its processor while another is idle | 4 workers: 10.06 µs a request for 9.63: `scaling.md` |
//! | `--own-descriptors` | every percent counts, and nobody looks for the sockets | no reference and no lock of a shared table | `ss -p` and `/proc/PID/fd` no longer show them; nothing that holds a descriptor may pass between threads | 1.01 [1.00, 1.02] of the time without: `hot_path.rs` |
