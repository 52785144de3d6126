//! Every host function and callback of the host, with edge arguments, through small modules of its own.

#[cfg(test)]
mod buffers;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod callouts;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod contexts;
#[cfg(test)]
mod endless;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod guest;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod time;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod wasi;
