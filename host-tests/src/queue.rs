//! Shared queues of the workers of one proxy: registered by name, found by token. Who registered a queue last is told
//! of what is put into it.

use std::collections::VecDeque;

use crate::abi::Status;

/// A root context of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) worker: u64,
    pub(crate) root: u32,
}

/// The queues of one proxy.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    all: Vec<Queue>,
    /// Who is to be told of which queue, in order.
    news: VecDeque<(Listener, u32)>,
}

#[derive(Debug)]
struct Queue {
    vm_id: String,
    name: Vec<u8>,
    items: VecDeque<Vec<u8>>,
    notify: Listener,
}

impl Queues {
    /// Registers a queue. Doing so again keeps its items and redirects the notification.
    pub(crate) fn register(&mut self, vm_id: &str, name: &[u8], listener: Listener) -> u32 {
        if let Some(token) = self.resolve(vm_id, name) {
            if let Ok(queue) = self.find(token) {
                queue.notify = listener;
            }
            return token;
        }
        self.all.push(Queue {
            vm_id: vm_id.to_owned(),
            name: name.to_vec(),
            items: VecDeque::new(),
            notify: listener,
        });
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn resolve(&self, vm_id: &str, name: &[u8]) -> Option<u32> {
        let index = self
            .all
            .iter()
            .position(|queue| queue.vm_id == vm_id && queue.name == name)?;
        u32::try_from(index + 1).ok()
    }

    /// Adds an item; who listens will be told.
    pub(crate) fn enqueue(&mut self, token: u32, item: &[u8]) -> Result<(), Status> {
        let queue = self.find(token)?;
        queue.items.push_back(item.to_vec());
        let listener = queue.notify;
        self.news.push_back((listener, token));
        Ok(())
    }

    /// The next that a worker is to be told of: the root context, and the queue.
    pub(crate) fn take_news(&mut self, worker: u64) -> Option<(u32, u32)> {
        let position = self
            .news
            .iter()
            .position(|(listener, _)| listener.worker == worker)?;
        let (listener, token) = self.news.remove(position)?;
        Some((listener.root, token))
    }

    pub(crate) fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        self.find(token)?.items.pop_front().ok_or(Status::Empty)
    }

    fn find(&mut self, token: u32) -> Result<&mut Queue, Status> {
        let index = (token as usize).checked_sub(1).ok_or(Status::NotFound)?;
        self.all.get_mut(index).ok_or(Status::NotFound)
    }
}
