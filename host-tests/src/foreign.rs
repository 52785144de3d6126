//! Foreign functions: what a proxy offers beside the ABI, scripted by the test.

use std::collections::BTreeMap;

use crate::abi::Status;
use crate::host::{Host, length};
use crate::module::AbiVersion;
use crate::vm::Trap;

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

impl Host {
    /// Calls back into the root context, as an extension of a proxy may: `proxy_on_foreign_function`, with an argument
    /// that the module reads from the buffer `CallData`. ABI 0.1.0 knows no such callback.
    ///
    /// # Errors
    /// The module failed.
    pub fn call_foreign(&mut self, function: u32, argument: impl AsRef<[u8]>) -> Result<(), Trap> {
        let root = self.root;
        let state = self.vm.state_mut();
        if state.abi != AbiVersion::V0_1_0 {
            state.call_data = argument.as_ref().to_vec();
            let args = [root, function, length(state.call_data.len())];
            self.vm.call(root, "proxy_on_foreign_function", &args);
            self.deliver();
        }
        self.alive()
    }
}
