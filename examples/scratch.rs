#![allow(missing_docs)]
use ringpipe::mpmc::Ring;
use std::time::Instant;
fn run(p: usize, c: usize, batch: usize, n: u64) -> f64 {
    let ring = Ring::<u64>::in_process(16384).unwrap();
    let start = Instant::now();
    let mut cnt = 0u64;
    std::thread::scope(|s| {
        let cs: Vec<_> = (0..c)
            .map(|_| {
                let mut rx = ring.consumer().unwrap();
                s.spawn(move || {
                    let mut buf = vec![0u64; batch];
                    let (mut sum, mut cnt) = (0u64, 0u64);
                    if batch == 1 {
                        while let Ok(v) = rx.pop() {
                            sum = sum.wrapping_add(v);
                            cnt += 1;
                        }
                    } else {
                        while let Ok(k) = rx.pop_slice(&mut buf) {
                            for v in &buf[..k] {
                                sum = sum.wrapping_add(*v);
                            }
                            cnt += k as u64;
                        }
                    }
                    (sum, cnt)
                })
            })
            .collect();
        for i in 0..p {
            let mut tx = ring.producer().unwrap();
            s.spawn(move || {
                let per = n / p as u64;
                if batch == 1 {
                    for k in 0..per {
                        tx.push(i as u64 * per + k).unwrap();
                    }
                } else {
                    let mut buf = vec![0u64; batch];
                    let mut k = 0;
                    while k < per {
                        for (j, b) in buf.iter_mut().enumerate() {
                            *b = i as u64 * per + k + j as u64;
                        }
                        tx.push_slice(&buf).unwrap();
                        k += batch as u64;
                    }
                }
            });
        }
        for c in cs {
            let (_, b) = c.join().unwrap();
            cnt += b;
        }
    });
    cnt as f64 / start.elapsed().as_secs_f64() / 1e6
}
fn kanal_(p: usize, c: usize, n: u64) -> f64 {
    let (tx, rx) = kanal::bounded::<u64>(16384);
    let start = Instant::now();
    let mut cnt = 0;
    std::thread::scope(|s| {
        let cs: Vec<_> = (0..c)
            .map(|_| {
                let rx = rx.clone();
                s.spawn(move || {
                    let mut k = 0u64;
                    while let Ok(v) = rx.recv() {
                        std::hint::black_box(v);
                        k += 1;
                    }
                    k
                })
            })
            .collect();
        for _ in 0..p {
            let tx = tx.clone();
            s.spawn(move || {
                for k in 0..n / p as u64 {
                    tx.send(k).unwrap();
                }
            });
        }
        drop(tx);
        drop(rx);
        for c in cs {
            cnt += c.join().unwrap();
        }
    });
    cnt as f64 / start.elapsed().as_secs_f64() / 1e6
}
fn main() {
    let n = 1 << 23;
    for (p, c) in [(1, 1), (2, 2), (4, 4)] {
        let mut a = vec![];
        let mut b = vec![];
        let mut d = vec![];
        for _ in 0..5 {
            a.push(run(p, c, 1, n));
            b.push(kanal_(p, c, n));
            d.push(run(p, c, 32, n * 2));
        }
        for v in [&mut a, &mut b, &mut d] {
            v.sort_by(f64::total_cmp);
        }
        println!(
            "{p}x{c}: ring {:.1} ({:.1}..{:.1})  kanal {:.1}  ring32 {:.1}",
            a[2], a[0], a[4], b[2], d[2]
        );
    }
}
