//! A key server on loopback: whatever an identity provider serves over HTTP, and every way in which it fails.
//!
//! Here live the server, what it is told to do, and its account of what it was asked. What it serves is in
//! `document`, how it fails in `mode`, and RFC 7662 in `introspection`. Rotation is to serve another document.

mod document;
mod introspection;
mod mode;

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

pub use document::Document;
pub use introspection::Introspection;
pub use mode::Mode;

use scopegate_harness::upstream::{Question, Served, Upstreams};

use crate::http1::Message;
use crate::upstream::Seen;
use crate::wait;

/// Where OpenID Connect Discovery puts the metadata of an issuer (section 4 of that specification).
pub const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A running key server. It ends with its last handle.
#[derive(Debug, Clone)]
pub struct KeyServer(Arc<Handle>);

/// A request that the server has read.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request.
    pub request: Seen,
    /// When it was read.
    pub at: Instant,
    /// The status that it was answered with; `None` where it was answered with none.
    pub status: Option<u16>,
}

#[derive(Debug)]
struct Handle {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

/// What the server serves, and what has become of it.
#[derive(Debug, Default)]
struct World {
    resources: BTreeMap<String, Resource>,
    modes: BTreeMap<String, Mode>,
    asked: Vec<Asked>,
    /// The connections that are open, each with a number of its own.
    open: BTreeMap<u64, TcpStream>,
    accepted: u64,
    /// Whether connections are taken. The thread that takes them ends when they are not.
    listening: bool,
}

#[derive(Debug, Clone)]
enum Resource {
    Rules(String, Upstreams),
    Document(Document),
    Introspection(Introspection),
}

impl KeyServer {
    /// Starts a server on a free port of loopback. It serves nothing yet: whatever is asked is 404.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let world = Arc::new(Mutex::new(World::default()));
        accept(listener, &world);
        Ok(Self(Arc::new(Handle { address, world })))
    }

    /// Where it listens, or listened before it refused connections.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Serves `document` at `path` from now on, in place of what was there.
    pub fn serve(&self, path: &str, document: Document) {
        let resource = Resource::Document(document);
        self.world().resources.insert(path.to_owned(), resource);
    }

    /// Answers questions about tokens at `path` from now on (RFC 7662).
    pub fn introspect(&self, path: &str, introspection: Introspection) {
        let resource = Resource::Introspection(introspection);
        self.world().resources.insert(path.to_owned(), resource);
    }

    /// Answers whatever is not served at a path of its own as the upstream `name` does among `upstreams`.
    pub fn serve_rules(&self, name: &str, upstreams: Upstreams) {
        let resource = Resource::Rules(name.to_owned(), upstreams);
        self.world().resources.insert(String::new(), resource);
    }

    /// What becomes of requests for `path` from now on.
    pub fn set_mode(&self, path: &str, mode: Mode) {
        self.world().modes.insert(path.to_owned(), mode);
    }

    /// Refuses connections from now on, and ends those that are open. Once this returns, none is taken.
    ///
    /// # Errors
    /// The thread that takes connections could not be woken, or did not end.
    pub fn refuse(&self) -> io::Result<()> {
        self.0.stop()?;
        let refused = || TcpStream::connect(self.address()).is_err().then_some(());
        wait::until("the end of the listener", refused).map_err(io::Error::other)
    }

    /// Takes connections again, on the same port.
    ///
    /// # Errors
    /// Another program has taken the port.
    pub fn listen(&self) -> io::Result<()> {
        if !self.world().listening {
            accept(TcpListener::bind(self.address())?, &self.0.world);
        }
        Ok(())
    }

    /// Everything it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.world().asked.clone()
    }

    /// What it was asked at `path`, in order, the query left out.
    #[must_use]
    pub fn asked_at(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.path() == path);
        asked
    }

    /// How often it was asked at `path`.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.world()
            .asked
            .iter()
            .filter(|asked| asked.path() == path)
            .count()
    }

    /// Waits until it was asked at `path` at least `count` times, and gives what it was asked there.
    ///
    /// # Errors
    /// That did not come in time.
    pub fn wait_for(&self, path: &str, count: usize) -> Result<Vec<Asked>, String> {
        let what = format!("request {count} for `{path}`");
        wait::until(&what, || {
            let asked = self.asked_at(path);
            (asked.len() >= count).then_some(asked)
        })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.0.world)
    }
}

impl Asked {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> String {
        let path = self.request.path.split(|byte| *byte == b'?').next();
        String::from_utf8_lossy(path.unwrap_or_default()).into_owned()
    }
}

impl Handle {
    /// Tells the thread that takes connections to end, and ends every connection.
    fn stop(&self) -> io::Result<()> {
        let mut world = lock(&self.world);
        let was_listening = std::mem::take(&mut world.listening);
        for stream in std::mem::take(&mut world.open).into_values() {
            // One that the other side has ended already is no concern.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(world);
        if was_listening {
            // A connection of our own wakes the thread, which then looks whether it is to end.
            TcpStream::connect(self.address)?;
        }
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Where it cannot be woken, the thread ends with the process.
        let _ = self.stop();
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes connections until it is told not to; the listener is closed then.
fn accept(listener: TcpListener, world: &Arc<Mutex<World>>) {
    lock(world).listening = true;
    let world = Arc::clone(world);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut locked = lock(&world);
            if !locked.listening {
                break;
            }
            let Ok(Ok((stream, kept))) =
                stream.map(|stream| Ok::<_, io::Error>((stream.try_clone()?, stream)))
            else {
                continue;
            };
            locked.accepted = locked.accepted.wrapping_add(1);
            let number = locked.accepted;
            locked.open.insert(number, kept);
            drop(locked);
            let world = Arc::clone(&world);
            thread::spawn(move || {
                // A connection that fails has told the other side all there is to tell.
                let _ = converse(stream, &world);
                lock(&world).open.remove(&number);
            });
        }
    });
}

/// Answers every request of a connection until either side ends it.
fn converse(mut stream: TcpStream, world: &Mutex<World>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(message) = Message::read(&mut reader, false)? {
        let (path, reply, mode) = lock(world).answer(Seen::from_message(message));
        let mode = if mode == Mode::Withheld {
            released(world, &path)?
        } else {
            mode
        };
        match mode.send(&reply, &mut stream)? {
            mode::Then::Next => {}
            mode::Then::Close => break,
            mode::Then::Silence => {
                // Nothing is ever said: the other side, or the end of the server, ends it.
                io::copy(&mut reader.by_ref(), &mut io::sink())?;
                break;
            }
        }
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Both)
}

/// The mode that came after [`Mode::Withheld`].
fn released(world: &Mutex<World>, path: &str) -> io::Result<Mode> {
    let mode = || {
        let mode = lock(world).modes.get(path).cloned().unwrap_or_default();
        (mode != Mode::Withheld).then_some(mode)
    };
    wait::until("the release of an answer", mode).map_err(io::Error::other)
}

impl World {
    /// The path that was asked for, what is to be answered, and how. The question goes into the account.
    fn answer(&mut self, request: Seen) -> (String, document::Reply, Mode) {
        let mut asked = Asked {
            request,
            at: crate::wait::now(),
            status: None,
        };
        let path = asked.path();
        let resource = self.resources.get(&path).or_else(|| self.resources.get(""));
        let mut mode = self.modes.get(&path).cloned().unwrap_or_default();
        let reply = match resource {
            Some(Resource::Document(document)) => document.reply(&asked.request),
            Some(Resource::Introspection(introspection)) => introspection.reply(&asked.request),
            Some(Resource::Rules(name, upstreams)) => {
                by_rules(upstreams.serve(name, &question(&asked.request))).unwrap_or_else(|failure| {
                    mode = failure;
                    document::Reply::empty(404)
                })
            }
            None => document::Reply::empty(404),
        };
        asked.status = mode.status(reply.status);
        self.asked.push(asked);
        (path, reply, mode)
    }
}

fn question(request: &Seen) -> Question<'_> {
    Question {
        method: &request.method,
        path: &request.path,
        headers: &request.headers,
        body: &request.body,
    }
}

/// The answer, or how there is none.
fn by_rules(served: Served) -> Result<document::Reply, Mode> {
    match served {
        Served::Answer {
            status,
            headers,
            body,
        } => Ok(document::Reply {
            status,
            headers,
            body,
        }),
        Served::Broken => Err(Mode::Reset),
        Served::Silent => Err(Mode::Hang),
    }
}

#[cfg(test)]
mod tests;
