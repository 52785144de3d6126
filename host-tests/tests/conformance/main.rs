//! What a module sees of this host is what it sees of a real Envoy: transcripts of a module that calls every host
//! function with edge arguments, held against those that Envoy made of the same cases.

#[cfg(test)]
mod diff;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod envoy;
#[cfg(test)]
mod profiles;
