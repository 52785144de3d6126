//! Shared queues of one host: registered by name, found by token.

use std::collections::VecDeque;

use crate::abi::Status;

/// The queues of one host.
#[derive(Debug, Default)]
pub(crate) struct Queues(Vec<Queue>);

#[derive(Debug)]
struct Queue {
    vm_id: String,
    name: Vec<u8>,
    items: VecDeque<Vec<u8>>,
    notify: u32,
}

impl Queues {
    /// Registers a queue. Doing so again keeps its items and redirects the notification.
    pub(crate) fn register(&mut self, vm_id: &str, name: &[u8], root: u32) -> u32 {
        if let Some(token) = self.resolve(vm_id, name) {
            if let Ok(queue) = self.find(token) {
                queue.notify = root;
            }
            return token;
        }
        self.0.push(Queue {
            vm_id: vm_id.to_owned(),
            name: name.to_vec(),
            items: VecDeque::new(),
            notify: root,
        });
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn resolve(&self, vm_id: &str, name: &[u8]) -> Option<u32> {
        let index = self
            .0
            .iter()
            .position(|queue| queue.vm_id == vm_id && queue.name == name)?;
        u32::try_from(index + 1).ok()
    }

    /// Adds an item, and says which root context is to be told.
    pub(crate) fn enqueue(&mut self, token: u32, item: &[u8]) -> Result<u32, Status> {
        let queue = self.find(token)?;
        queue.items.push_back(item.to_vec());
        Ok(queue.notify)
    }

    pub(crate) fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        self.find(token)?.items.pop_front().ok_or(Status::Empty)
    }

    fn find(&mut self, token: u32) -> Result<&mut Queue, Status> {
        let index = (token as usize).checked_sub(1).ok_or(Status::NotFound)?;
        self.0.get_mut(index).ok_or(Status::NotFound)
    }
}
