//! The subcommands, one file each.

pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod decide;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod mutate;
mod publish;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod test;
