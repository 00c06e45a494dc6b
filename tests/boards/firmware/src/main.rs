//! Barewire on a microcontroller: HTTP over smoltcp, all memory static, no heap, no operating
//! system.
//!
//! Both sides run here, over a loopback device: the server as a product would have it, and clients
//! that check every byte of its answers (`script.rs`). The program ends through semihosting, with 0
//! if all was right. `tests/boards/run` starts it under qemu.
//!
//! To be copied: `peer.rs`, one connection; `app.rs`, the application; `serve` below, which ties
//! connections to the sockets of smoltcp. There, a clock is read; here each turn is a millisecond,
//! so that every run is the same.
#![no_std]
#![no_main]

mod app;
mod desk;
mod loopback;
mod peer;
mod script;
mod talk;

use core::panic::PanicInfo;

use barewire_core::connection::Site;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use heapless::Vec;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use app::{LIMITS, RX_BYTES, TX_BYTES};
use desk::{Desk, ID_BYTES, USERS};
use loopback::Loopback;
use peer::{Peer, Socket};
use talk::{Client, State};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

/// Bytes of each of the two buffers of a socket: one packet and a bit.
const SOCKET_BYTES: usize = 320;

/// Turns of a round at most: its deadlines take a few thousand.
const TURNS_MAX: u32 = 100_000;

const PORT: u16 = 80;
const ADDRESS: IpAddress = IpAddress::v4(127, 0, 0, 1);

/// One place of the server: a socket, and what HTTP makes of it.
struct Seat {
    socket: SocketHandle,
    peer: Peer<RX_BYTES, TX_BYTES>,
    use_: Use,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It listens, or is about to.
    Free,
    Serving,
    /// Closed by us at this millisecond; the other side may still have to.
    Closing(u32),
}

/// What was served.
#[derive(Default)]
struct Count {
    connections: u32,
    requests: u32,
    at_once_max: u32,
}

/// A socket of smoltcp, as a connection wants it.
struct Tcp<'a, 'b>(&'a mut tcp::Socket<'b>);

impl Socket for Tcp<'_, '_> {
    fn recv(&mut self, space: &mut [u8]) -> Option<usize> {
        if self.0.can_recv() {
            return self.0.recv_slice(space).ok();
        }
        (!self.0.may_recv()).then_some(0)
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        self.0.send_slice(bytes).unwrap_or_default()
    }

    fn finish(&mut self) {
        self.0.close();
    }

    fn is_lost(&self) -> bool {
        !self.0.is_open()
    }
}

/// One turn of a place.
fn serve(
    seat: &mut Seat,
    sockets: &mut SocketSet<'_>,
    desk: &mut Desk<'_>,
    now_ms: u32,
    count: &mut Count,
) {
    let socket = sockets.get_mut::<tcp::Socket>(seat.socket);
    match seat.use_ {
        Use::Serving => {}
        Use::Closing(since_ms) => {
            let is_over = matches!(socket.state(), tcp::State::TimeWait | tcp::State::Closed);
            if is_over || now_ms.wrapping_sub(since_ms) > LIMITS.linger_ms {
                socket.abort();
                seat.use_ = Use::Free;
            }
            return;
        }
        Use::Free => {
            if !socket.is_open() {
                let _ = socket.listen(PORT);
            }
            if !socket.may_send() {
                return;
            }
            seat.peer.reset();
            seat.use_ = Use::Serving;
            count.connections += 1;
        }
    }
    let site = Site::new(&LIMITS);
    let requests = &mut count.requests;
    let goes_on = seat
        .peer
        .poll(&mut Tcp(socket), &site, now_ms, &mut |exchange| {
            *requests += 1;
            app::answer(desk, exchange)
        });
    if !goes_on {
        socket.close();
        seat.use_ = Use::Closing(now_ms);
    }
}

/// One turn of a client; it ends by its state.
fn talk(client: &mut Client, socket: &mut tcp::Socket<'_>) {
    if socket.may_send() {
        let n = socket.send_slice(client.to_send()).unwrap_or_default();
        client.sent(n);
    }
    let _ = socket.recv(|bytes| {
        client.received(bytes);
        (bytes.len(), ())
    });
    if client.may_close() {
        socket.close();
    }
    if !socket.may_recv() && socket.state() != tcp::State::SynSent && !client.is_new() {
        client.ended();
    }
}

#[entry]
fn main() -> ! {
    static mut DEVICE: Loopback = Loopback::new();
    static mut STORAGE: [SocketStorage<'static>; 2 * CONNECTIONS] =
        [SocketStorage::EMPTY; 2 * CONNECTIONS];
    static mut BYTES: [[[u8; SOCKET_BYTES]; 2]; 2 * CONNECTIONS] =
        [[[0; SOCKET_BYTES]; 2]; 2 * CONNECTIONS];
    // Filled at run time: a value that is not all zeros would lie in flash as well.
    static mut SEATS: Vec<Seat, CONNECTIONS> = Vec::new();
    static mut TABLE: [u32; USERS] = [0; USERS];
    static mut ARENA: [u8; ID_BYTES] = [0; ID_BYTES];

    let config = Config::new(HardwareAddress::Ip);
    let mut interface = Interface::new(config, DEVICE, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(ADDRESS, 8));
    });
    let mut sockets = SocketSet::new(&mut STORAGE[..]);
    let (ours, theirs) = BYTES.split_at_mut(CONNECTIONS);
    for [rx, tx] in ours {
        let socket = tcp::Socket::new(
            tcp::SocketBuffer::new(&mut rx[..]),
            tcp::SocketBuffer::new(&mut tx[..]),
        );
        let _ = SEATS.push(Seat {
            socket: sockets.add(socket),
            peer: Peer::new(),
            use_: Use::Free,
        });
    }
    let mut callers: Vec<(SocketHandle, Option<Client>), CONNECTIONS> = Vec::new();
    for [rx, tx] in theirs {
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(&mut rx[..]),
            tcp::SocketBuffer::new(&mut tx[..]),
        );
        // What is cut on purpose shall arrive in pieces.
        socket.set_nagle_enabled(false);
        let _ = callers.push((sockets.add(socket), None));
    }

    let mut desk = Desk::new(TABLE, ARENA);
    let mut count = Count::default();
    let (mut now_ms, mut port, mut talks_passed) = (0u32, 49_152u16, 0);
    for (name, talks) in script::ROUNDS {
        let (begin_ms, mut waiting, mut going) = (now_ms, talks.iter(), 0u32);
        while going > 0 || waiting.len() > 0 {
            now_ms += 1;
            if now_ms - begin_ms > TURNS_MAX {
                fail(name, "takes too long", 0);
            }
            interface.poll(Instant::from_millis(now_ms), DEVICE, &mut sockets);
            let mut busy = 0;
            for seat in SEATS.iter_mut() {
                serve(seat, &mut sockets, &mut desk, now_ms, &mut count);
                busy += u32::from(seat.use_ == Use::Serving);
            }
            count.at_once_max = count.at_once_max.max(busy);
            for (handle, client) in callers.iter_mut() {
                let socket = sockets.get_mut::<tcp::Socket>(*handle);
                match client {
                    // Also for one that was refused, as no place was free yet.
                    Some(running) if running.is_new() && !socket.is_open() => {
                        port += 1;
                        let context = interface.context();
                        if socket.connect(context, (ADDRESS, PORT), port).is_err() {
                            fail(name, running.talk.name, 0);
                        }
                    }
                    Some(running) => {
                        talk(running, socket);
                        match running.state() {
                            State::Going => continue,
                            State::Failed => fail(name, running.talk.name, running.got()),
                            State::Passed => talks_passed += 1,
                        }
                        socket.abort();
                        *client = None;
                        going -= 1;
                    }
                    None => {
                        let Some(next) = waiting.next() else { continue };
                        *client = Some(Client::new(next));
                        going += 1;
                    }
                }
            }
        }
        hprintln!("passed: {}, {} ms", name, now_ms - begin_ms);
    }
    hprintln!(
        "PASS {}: {} conversations, {} connections, at most {} at once, {} requests; \
         {} bytes a connection beside its buffers of {}",
        env!("BOARD"),
        talks_passed,
        count.connections,
        count.at_once_max,
        count.requests,
        Peer::<RX_BYTES, TX_BYTES>::BYTES,
        RX_BYTES + TX_BYTES
    );
    debug::exit(debug::EXIT_SUCCESS);
    loop {}
}

fn fail(round: &str, talk: &str, at: usize) -> ! {
    hprintln!("FAIL {}: {}, after {} bytes of answers", round, talk, at);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("FAIL {}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
