//! Tests in a real Envoy.

#[cfg(test)]
mod bundles;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod common;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod example;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hours;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod normalising;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod replacement;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod workers;
