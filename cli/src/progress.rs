//! What is being done, on a terminal's last line, once it has taken a second.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Nothing is shown for what is over sooner.
const PATIENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// A line on standard error that says what goes on; gone when this is dropped. Without a terminal
/// it does nothing.
pub(crate) struct ProgressLine {
    state: Arc<State>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

#[derive(Default)]
struct State {
    doing: Mutex<&'static str>,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl ProgressLine {
    /// Starts with what is done first.
    pub(crate) fn start(doing: &'static str) -> Self {
        let state = Arc::new(State { doing: Mutex::new(doing), ..State::default() });
        let thread = io::stderr().is_terminal().then(|| {
            let (stop, stopped) = mpsc::channel();
            let state = Arc::clone(&state);
            (stop, thread::spawn(move || show(&state, &stopped)))
        });
        Self { state, thread }
    }

    /// Says what is done from now on.
    pub(crate) fn now(&self, doing: &'static str) {
        *self.state.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
        self.count(0, 0);
    }

    /// Says how much has been read.
    pub(crate) fn count(&self, files: u64, bytes: u64) {
        self.state.files.store(files, Ordering::Relaxed);
        self.state.bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            // It cannot fail in a way that matters: the result does not depend on it.
            let _ = thread.join();
        }
    }
}

fn show(state: &State, stopped: &mpsc::Receiver<()>) {
    let started = Instant::now();
    let mut shown = false;
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let elapsed = started.elapsed();
        if elapsed < PATIENCE {
            continue;
        }
        let doing = *state.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let files = state.files.load(Ordering::Relaxed);
        let bytes = state.bytes.load(Ordering::Relaxed);
        let line = line(doing, files, bytes, elapsed);
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
        shown = true;
    }
    if shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

fn line(doing: &str, files: u64, bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match files {
        0 => format!("{doing} ({seconds} s)"),
        _ => format!("{doing}: {files} files, {} MB ({seconds} s)", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_shown_where_there_is_something_to_count() {
        let check = |files, bytes, expected: &str| {
            assert_eq!(line("reading", files, bytes, Duration::from_millis(2500)), expected);
        };
        check(0, 0, "reading (2 s)");
        check(3, 10_000_000, "reading: 3 files, 10 MB (2 s)");
    }
}
