//! The check of a whole store beside the process that votes with it.
//!
//! A thread with a connection of its own, which may only read. It looks at a few rows, lets go of the file, and rests for as
//! long as that took: so it keeps no vote waiting for longer than a moment, and takes half of a processor at most.

use std::{
    panic::resume_unwind,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    StoreError,
    check::{Beside, Subject},
    files,
};

/// The longest rest between two looks, so that a slow disk does not make the check endless.
const LONGEST_REST: Duration = Duration::from_millis(50);

/// A check that is under way, or has come to its end.
#[derive(Debug)]
pub(super) struct Checking {
    path: PathBuf,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
    is_over: Arc<AtomicBool>,
    /// Whether it found something that was told already.
    has_failed: bool,
}

impl Checking {
    /// Begins to check a store that is open.
    ///
    /// # Errors
    ///
    /// There is no thread for it.
    pub(super) fn begin(of: Subject) -> Result<Self, StoreError> {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let path = of.path.clone();
        let thread = thread::Builder::new().name("store-check".into()).spawn(move || check(&of, &told));
        let thread = Some(thread.map_err(StoreError::io(&path))?);
        Ok(Self { path, thread, is_over, has_failed: false })
    }

    /// Whether it looks at nothing any more.
    pub(super) fn is_at_its_end(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What is found so far.
    ///
    /// # Errors
    ///
    /// The store is damaged, or cannot be read.
    pub(super) fn found(&mut self) -> Result<(), StoreError> {
        if self.has_failed {
            let what = "the check beside the votes has failed".into();
            return Err(StoreError::Damaged { path: self.path.clone(), what });
        }
        let ended = self.thread.take_if(|thread| thread.is_finished());
        let found = ended.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        self.has_failed = found.is_err();
        found
    }

    /// Ends it; what it found until then.
    ///
    /// # Errors
    ///
    /// The store is damaged, or cannot be read.
    pub(super) fn end(mut self) -> Result<(), StoreError> {
        self.is_over.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => self.found(),
        }
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // whoever drops it does not ask what it found
        self.thread.take().map(JoinHandle::join);
    }
}

fn check(of: &Subject, is_over: &AtomicBool) -> Result<(), StoreError> {
    let connection = files::connect(&of.path, false)?;
    let mut check = Beside::begin(&connection, of)?;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if !check.step(&connection)? {
            return Ok(());
        }
        thread::sleep(begun.elapsed().min(LONGEST_REST));
    }
    Ok(())
}
