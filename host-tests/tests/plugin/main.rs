//! The real module, as it is shipped, in the host: whatever is done to it, nothing passes that should not.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod artifact;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod common;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod feeds;
#[cfg(test)]
mod fetch_faults;
#[cfg(test)]
mod host_signatures;
mod hostile;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod nginx;
#[cfg(test)]
mod nginx_waiting;
#[cfg(test)]
mod records;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod status_list_faults;
#[cfg(test)]
mod status_lists;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod workers;
#[cfg(test)]
mod worst;
