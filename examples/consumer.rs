//! Reads the ticks of the producer beside it: `cargo run --example consumer -- /tmp/ticks`.

use ringpipe::spsc::{Options, Peer};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Plain data, laid out the same in both programs.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Tick {
    nanos: u64,
    price: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "/tmp/ticks".into());
    let ring = Options::new()
        .capacity(65_536)
        .type_name("tick v1")
        .open_or_create::<Tick>(&path)?;
    let mut rx = ring.consumer()?;

    println!("reading {path}; waiting for the first producer, if there is none");
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
