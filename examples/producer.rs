//! Publishes ticks for whoever reads them: `cargo run --example producer -- /dev/shm/ticks`, and the consumer beside it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ringpipe::spsc::Options;
use ringpipe::{FromBytes, Immutable, IntoBytes, PeerLoss};

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
    let mut tx = ring.producer()?;
    tx.set_peer_loss(PeerLoss::Wait); // consumers may come and go

    println!("publishing on {path}; end me with Ctrl-C, or with kill -9");
    let mut price = 100.0;
    for step in 0_u64.. {
        price += if step % 7 < 4 { 0.25 } else { -0.25 };
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        tx.push(Tick { nanos, price })?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
