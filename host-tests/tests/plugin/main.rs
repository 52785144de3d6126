//! The real module, as it is shipped, in the host: whatever is done to it, nothing passes that should not.

#[cfg(test)]
mod artifact;
#[cfg(test)]
mod common;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod records;
