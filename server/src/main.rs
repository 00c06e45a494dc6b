//! The `barewire` command.
#![forbid(unsafe_code)]
fn main() {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().map_or(8080, |a| a.parse().unwrap());
    let workers: usize = args.next().map_or(2, |a| a.parse().unwrap());
    let config = barewire::Config {
        bind: ([127, 0, 0, 1], port).into(),
        workers,
        ..Default::default()
    };
    let board = barewire::challenge::Board::new(Default::default(), workers).unwrap();
    let server = barewire::Server::start(&config, move |n| board.worker(n)).unwrap();
    println!("{}", server.local_addr());
    println!("{:?}", server.join());
}
