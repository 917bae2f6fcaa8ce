#![allow(missing_docs)]
use std::time::Instant;
fn main() {
    let n = 1u64 << 14;
    let reps = 200;
    let ring = ringpipe::mpmc::Ring::<u64>::in_process(1 << 14).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let q = crossbeam_queue::ArrayQueue::<u64>::new(1 << 14);
    let (ktx, krx) = kanal::bounded::<u64>(1 << 14);
    for _ in 0..3 {
        let (mut a, mut b, mut c, mut d, mut e, mut f) = (0., 0., 0., 0., 0., 0.);
        for _ in 0..reps {
            let t = Instant::now();
            for k in 0..n {
                tx.push(k).unwrap();
            }
            a += t.elapsed().as_secs_f64();
            let t = Instant::now();
            for _ in 0..n {
                std::hint::black_box(rx.pop().unwrap());
            }
            b += t.elapsed().as_secs_f64();
            let t = Instant::now();
            for k in 0..n {
                q.push(k).unwrap();
            }
            c += t.elapsed().as_secs_f64();
            let t = Instant::now();
            for _ in 0..n {
                std::hint::black_box(q.pop().unwrap());
            }
            d += t.elapsed().as_secs_f64();
            let t = Instant::now();
            for k in 0..n {
                ktx.send(k).unwrap();
            }
            e += t.elapsed().as_secs_f64();
            let t = Instant::now();
            for _ in 0..n {
                std::hint::black_box(krx.recv().unwrap());
            }
            f += t.elapsed().as_secs_f64();
        }
        let s = 1e9 / (n as f64 * reps as f64);
        println!(
            "push {:.1} pop {:.1} ns; AQ {:.1} {:.1}; kanal {:.1} {:.1}",
            a * s,
            b * s,
            c * s,
            d * s,
            e * s,
            f * s
        );
    }
}
