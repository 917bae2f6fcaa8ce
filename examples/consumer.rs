//! Reads the ticks of the producer beside it: `cargo run --example consumer -- /dev/shm/ticks`.

use std::time::Duration;

use ringpipe::spsc::{Options, Peer};
use ringpipe::{FromBytes, Immutable, IntoBytes};

/// Plain data, laid out the same in both programs.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "ringpipe::zerocopy")]
#[repr(C)]
struct Tick {
    nanos: u64,
    price: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "/dev/shm/ticks".into());
    let ring = Options::new()
        .capacity(65_536)
        .type_name("tick v1")
        .open_or_create::<Tick>(&path)?;
    let mut rx = ring.consumer()?;

    println!("reading {path}; waiting for the producer, if there is none");
    // One that was there before and is gone would count: this waits for one that is there now.
    while rx.is_empty() && !rx.wait_for_peer(Duration::from_secs(1))? {}
    for tick in &mut rx {
        println!("{} {}", tick.nanos, tick.price);
    }
    match rx.peer()? {
        Peer::Finished => println!("the feed has ended"),
        _ => println!(
            "the producer was killed; start it again, and me, and we go on where it stopped"
        ),
    }
    Ok(())
}
