//! `scopegate test --watch`: the tests run again whenever a file that they read has changed, until Ctrl-C.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use scopegate_harness::suite::Suite;

use crate::commands::test::Test;
use crate::{Exit, Failure, module};

/// How long nothing may change before the tests run: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Clears a terminal and what was scrolled out of it, and goes to its first line.
const CLEAR: &[u8] = b"\x1b[2J\x1b[3J\x1b[H";

/// What ends the waiting.
enum News {
    /// Files have changed.
    Changed(Vec<PathBuf>),
    /// Ctrl-C.
    End,
}

impl Test {
    /// Runs until Ctrl-C, and ends as the last run did. A file that cannot be read ends nothing: what is wrong is said,
    /// and it is waited for.
    pub(super) fn watch(&self) -> Result<Exit, Failure> {
        let (sender, news) = channel();
        end_on_interrupt(sender.clone())?;
        let mut watched = Watched::new(sender)?;
        loop {
            if std::io::stdout().is_terminal() {
                // A terminal that is not cleared is read all the same.
                let _ = std::io::stdout().write_all(CLEAR);
            }
            watched.add(&self.folders());
            let exit = match self.pass(&mut |suites| watched.add(&folders_of(suites))) {
                Ok(exit) => exit,
                Err(failure) => {
                    failure.show();
                    failure.exit()
                }
            };
            eprintln!("waiting for a change; Ctrl-C ends");
            if !changed(&news) {
                return Ok(exit);
            }
        }
    }

    /// The folders of what was named, and whether what is below them counts too.
    fn folders(&self) -> BTreeSet<(PathBuf, bool)> {
        let mut folders = BTreeSet::new();
        for path in self.given_paths() {
            folders.insert(match path.is_dir() {
                true => (path, true),
                false => (around(&path), false),
            });
        }
        let module = module::find(self.wasm.as_deref()).ok();
        let file = module.as_ref().and_then(|module| module.file());
        folders.extend(file.map(|file| (around(file), false)));
        folders
    }
}

/// The folders of all files that were read: policies may stand elsewhere.
fn folders_of(suites: &[Suite]) -> BTreeSet<(PathBuf, bool)> {
    let files = |suite: &Suite| {
        let named = suite.source.files().iter().chain(suite.policy.source.files());
        let named = named.map(|file| PathBuf::from(&file.name));
        named.chain(suite.also_read.iter().cloned()).collect::<Vec<_>>()
    };
    let files = suites.iter().flat_map(files);
    files.map(|file| (around(&file), false)).collect()
}

/// The folder that a file is in.
fn around(path: &Path) -> PathBuf {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder,
    }
}

/// The folders that are watched.
struct Watched {
    watcher: RecommendedWatcher,
    folders: BTreeSet<(PathBuf, bool)>,
}

impl Watched {
    fn new(sender: Sender<News>) -> Result<Self, Failure> {
        let tell = move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if !event.kind.is_access() {
                // Nobody listens any more: the run has ended.
                let _ = sender.send(News::Changed(event.paths));
            }
        };
        let watcher = notify::recommended_watcher(tell);
        Ok(Self {
            watcher: watcher.map_err(|error| cannot_watch(&error.to_string()))?,
            folders: BTreeSet::new(),
        })
    }

    /// A folder that is gone is not watched; the run has said so.
    fn add(&mut self, folders: &BTreeSet<(PathBuf, bool)>) {
        let new: Vec<_> = folders.difference(&self.folders).cloned().collect();
        for (folder, is_deep) in new {
            let mode = match is_deep {
                true => RecursiveMode::Recursive,
                false => RecursiveMode::NonRecursive,
            };
            if self.watcher.watch(&folder, mode).is_ok() {
                self.folders.insert((folder, is_deep));
            }
        }
    }
}

/// Waits until something has changed that tests read, and then until nothing does; `false` for the end.
fn changed(news: &Receiver<News>) -> bool {
    loop {
        match news.recv() {
            Ok(News::Changed(paths)) if paths.iter().any(|path| is_read(path)) => break,
            Ok(News::Changed(_)) => {}
            Ok(News::End) | Err(_) => return false,
        }
    }
    loop {
        match news.recv_timeout(QUIET) {
            Ok(News::Changed(_)) => {}
            Ok(News::End) => return false,
            Err(_) => return true,
        }
    }
}

/// Whether tests read files like this: policies, their tests, key sets, modules.
fn is_read(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json" | "jwks" | "pem" | "wasm"))
}

/// Ctrl-C is news like any other: the run ends with the status of what it has seen.
fn end_on_interrupt(sender: Sender<News>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| cannot_watch(&error.to_string()))?;
    std::thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            // Nobody listens any more: the run has ended.
            let _ = sender.send(News::End);
        }
    });
    Ok(())
}

fn cannot_watch(why: &str) -> Failure {
    Failure::Environment(
        format!("cannot watch files: {why}"),
        "run the tests without `--watch`".to_owned(),
    )
}
