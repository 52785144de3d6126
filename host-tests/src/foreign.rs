//! Foreign functions: what a proxy offers beside the ABI, scripted by the test.

use std::collections::BTreeMap;

use crate::abi::Status;

/// A scripted foreign function: from its argument to its result.
pub(crate) type Foreign = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync>;

/// The foreign functions of a host, by name.
#[derive(Default)]
pub(crate) struct ForeignFunctions(pub(crate) BTreeMap<Vec<u8>, Foreign>);

impl ForeignFunctions {
    pub(crate) fn call(&self, name: &[u8], argument: &[u8]) -> Result<Vec<u8>, Status> {
        self.0.get(name).ok_or(Status::NotFound)?(argument)
    }

    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        self.0.contains_key(name)
    }
}
