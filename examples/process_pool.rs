//! A pool of worker processes that may be killed at any moment: `cargo run --example process_pool`.
//!
//! Jobs go out through one ring and results come back through another, each shared by all. Who is free takes the next
//! job, so the load balances by itself. While it runs, workers are killed with SIGKILL at random, and replaced; what a
//! dead one had in hand goes to another. In the end it is proved that each job was done, with the right outcome: some
//! twice, where a worker was killed after it had told the result and before it had released the job.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, error, process};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ringpipe::mpmc::{Consumer, Producer, Ring};
use ringpipe::{Name, PeerLoss, PopTimeoutError, TryPushError};
use zerocopy::{FromBytes, Immutable, IntoBytes};

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

/// How long nothing may come back before the pool is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many jobs wait in the ring: the pool takes on no more than it gets done.
const WAITING: usize = 64;

/// Runs small commands in a pool of processes, and kills some of them meanwhile.
#[derive(Debug, Parser)]
struct Args {
    /// How many workers there are at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=60))]
    workers: u16,
    /// How many jobs there are to do.
    #[arg(long, default_value_t = 5000)]
    jobs: u32,
    /// How many workers are killed on the way.
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Where the random numbers begin [default: the process id].
    #[arg(long)]
    seed: Option<u64>,
    /// To be a worker: the rings of jobs and of results.
    #[arg(long, hide = true, num_args = 2, value_parser = <Name as std::str::FromStr>::from_str)]
    worker: Option<Vec<Name>>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.worker {
        Some(rings) => work(&rings[0], &rings[1]),
        None => manage(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("process_pool: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A command to run.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Job {
    number: u32,
    /// What the command is made of: see [`Job::command`].
    seed: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Outcome {
    job: u32,
    code: i32,
    worker: u32,
}

impl Job {
    fn command(self) -> Command {
        let seed = self.seed;
        if seed.is_multiple_of(3) {
            return Command::new("true");
        }
        let script = match seed % 3 {
            1 => format!("exit {}", seed % 256),
            _ => format!("exit $(({seed} * {seed} % 251))"),
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        shell
    }

    /// The exit code that the command must end with.
    fn expected(self) -> i32 {
        let seed = i64::from(self.seed);
        (match seed % 3 {
            0 => 0,
            1 => seed % 256,
            _ => seed * seed % 251,
        }) as i32
    }
}

// The worker.

/// Takes jobs until the pool is closed. A job is released only when its result is told: at least once.
fn work(jobs: &Name, results: &Name) -> Result<()> {
    let mut jobs = Ring::<Job>::open(jobs)?.consumer()?;
    let mut results = Ring::<Outcome>::open(results)?.producer()?;
    while let Ok(claim) = jobs.claim(1) {
        for job in &claim {
            let status = job.command().stdin(Stdio::null()).status()?;
            results.push(Outcome {
                job: job.number,
                code: status.code().unwrap_or(-1),
                worker: process::id(),
            })?;
        }
        claim.release_all();
    }
    Ok(())
}

// The manager.

/// Runs all jobs, kills workers, and proves that each job was done.
fn manage(args: &Args) -> Result<()> {
    let seed = args.seed.unwrap_or_else(|| process::id().into());
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let jobs: Vec<Job> = (0..args.jobs)
        .map(|number| Job {
            number,
            seed: random.below(40_000),
        })
        .collect();
    let rings = Rings {
        jobs: Ring::private(WAITING)?,
        results: Ring::private(WAITING)?,
    };
    let mut ledger = Ledger::new(&jobs);
    let mut workers = Workers::start(&rings, args.workers)?;
    let kills = run(args.kills, &rings, &mut workers, &mut ledger, &mut random)?;
    println!("{} jobs, {kills} workers killed", jobs.len());
    ledger.tell(&rings)?;
    ledger.prove()
}

/// Hands the jobs out and takes the results in. Returns how many workers it has killed.
fn run(
    kills: u32,
    rings: &Rings,
    workers: &mut Workers,
    ledger: &mut Ledger,
    random: &mut Random,
) -> Result<u32> {
    let mut tx = rings.jobs.producer()?;
    let mut rx = rings.results.consumer()?;
    // All workers may be dead for a moment.
    tx.set_peer_loss(PeerLoss::Wait);
    rx.set_peer_loss(PeerLoss::Wait);
    let mut doomed = ledger.dates(kills, random);
    let mut last = Instant::now();
    while ledger.missing() > 0 {
        ledger.hand_out(&mut tx)?;
        match rx.pop_timeout(Duration::from_millis(10)) {
            Ok(outcome) => {
                ledger.enter(outcome);
                last = Instant::now();
            }
            Err(PopTimeoutError::Timeout) if last.elapsed() < PATIENCE => workers.check()?,
            Err(error) => return Err(error.into()),
        }
        if doomed.pop_if(|date| *date <= ledger.done()).is_some() {
            workers.kill_one(random)?;
        }
    }
    ledger.bar.finish();
    close(tx, rx, workers, ledger)?;
    Ok(kills - doomed.len() as u32)
}

/// Lets the workers come to their end, which must be a good one. What they did twice may still come.
fn close(
    tx: Producer<Job>,
    mut rx: Consumer<Outcome>,
    workers: &mut Workers,
    ledger: &mut Ledger,
) -> Result<()> {
    tx.finish()?;
    rx.set_peer_loss(PeerLoss::Disconnect);
    loop {
        match rx.pop_timeout(PATIENCE) {
            Ok(outcome) => ledger.enter(outcome),
            Err(PopTimeoutError::Disconnected) => return workers.join(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Without a name, so that the kernel frees them with the last process, whatever happens.
struct Rings {
    jobs: Ring<Job>,
    results: Ring<Outcome>,
}

/// The pool. Those that are left when it is dropped, because something went wrong, are killed.
struct Workers {
    rings: [String; 2],
    children: Vec<Child>,
}

impl Workers {
    fn start(rings: &Rings, count: u16) -> Result<Self> {
        let name = |id: Option<Name>| id.map(|id| id.to_string()).unwrap_or_default();
        let mut workers = Self {
            rings: [name(rings.jobs.id()), name(rings.results.id())],
            children: vec![],
        };
        for _ in 0..count {
            workers.start_one()?;
        }
        Ok(workers)
    }

    fn start_one(&mut self) -> Result<()> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("--worker").args(&self.rings);
        // Ctrl-C ends the manager alone; that ends the workers, and the last one takes the semaphores away.
        self.children.push(command.process_group(0).spawn()?);
        Ok(())
    }

    /// Kills one of them, whatever it is doing, and starts another in its place.
    fn kill_one(&mut self, random: &mut Random) -> Result<()> {
        let victim = random.below(self.children.len() as u32) as usize;
        let mut child = self.children.swap_remove(victim);
        let killed = child.kill();
        child.wait()?;
        killed?;
        self.start_one()
    }

    /// That none of them has ended by itself.
    fn check(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                return Err(format!("a worker ended too early: {status}").into());
            }
        }
        Ok(())
    }

    fn join(&mut self) -> Result<()> {
        for mut child in self.children.drain(..) {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("a worker failed: {status}").into());
            }
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Which jobs were done how often, by whom, and with what outcome.
struct Ledger<'a> {
    jobs: &'a [Job],
    /// The next one to hand out.
    next: usize,
    times: Vec<u32>,
    wrong: u32,
    /// Outcomes by worker, in the order of their first.
    workers: Vec<(u32, u32)>,
    bar: ProgressBar,
}

impl<'a> Ledger<'a> {
    fn new(jobs: &'a [Job]) -> Self {
        let bar = ProgressBar::new(jobs.len() as u64);
        let style = "{bar:40} {pos}/{len} jobs, {msg}, {eta} to go";
        Self {
            jobs,
            next: 0,
            times: vec![0; jobs.len()],
            wrong: 0,
            workers: vec![],
            bar: bar.with_style(ProgressStyle::with_template(style).expect("it is a template")),
        }
    }

    fn done(&self) -> usize {
        self.times.iter().filter(|times| **times > 0).count()
    }

    fn missing(&self) -> usize {
        self.times.len() - self.done()
    }

    /// After how many jobs somebody is killed: the last date first.
    fn dates(&self, kills: u32, random: &mut Random) -> Vec<usize> {
        let last = self.jobs.len() as u32;
        let mut dates: Vec<_> = (0..kills).map(|_| random.below(last) as usize).collect();
        dates.sort_unstable_by(|a, b| b.cmp(a));
        dates
    }

    /// As many jobs as there is room for.
    fn hand_out(&mut self, tx: &mut Producer<Job>) -> Result<()> {
        match tx.try_push_slice(&self.jobs[self.next..]) {
            Ok(pushed) => self.next += pushed,
            Err(TryPushError::Full(())) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn enter(&mut self, outcome: Outcome) {
        let job = outcome.job as usize;
        self.times[job] += 1;
        self.wrong += u32::from(outcome.code != self.jobs[job].expected());
        match self.workers.iter_mut().find(|one| one.0 == outcome.worker) {
            Some((_, count)) => *count += 1,
            None => self.workers.push((outcome.worker, 1)),
        }
        self.bar.set_position(self.done() as u64);
        self.bar
            .set_message(format!("{} workers so far", self.workers.len()));
    }

    fn tell(&self, rings: &Rings) -> Result<()> {
        for (worker, count) in &self.workers {
            println!("  worker {worker} did {count}");
        }
        if let Some(status) = rings.jobs.status()? {
            let tallies = status.tallies;
            println!(
                "{} claims of the dead were cleared up, {} jobs were delivered again",
                tallies.recovered, tallies.redelivered
            );
        }
        let twice: u32 = self.times.iter().map(|times| times.saturating_sub(1)).sum();
        println!("{twice} outcomes came twice");
        Ok(())
    }

    fn prove(&self) -> Result<()> {
        match (self.missing(), self.wrong) {
            (0, 0) => {
                println!("each job was done, at least once, with the right outcome");
                Ok(())
            }
            (missing, wrong) => {
                Err(format!("{missing} jobs were not done, {wrong} outcomes are wrong").into())
            }
        }
    }
}

/// Xorshift: enough to choose victims by.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) % u64::from(limit.max(1))) as u32
    }
}
