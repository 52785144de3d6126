//! A module as an OCI image, in the two forms that proxies' control planes take.
//!
//! Here are the forms ([`Image`]), images as a folder ([`layout`]) and images in a registry ([`Registry`]). What a module
//! holds is not known here: a module is bytes, and what is said of it are annotations that the caller gives.
//!
//! The forms are those of the Wasm Image Specification v0.0.0, as Istio's agent and Envoy Gateway read them; both look at
//! the media types of the layers and at nothing else.

#![forbid(unsafe_code)]

mod credentials;
mod digest;
mod image;
mod layer;
pub mod layout;
mod registry;

pub use digest::Blob;
pub use image::{Annotations, Form, Image};
pub use registry::{Pushed, Registry, RegistryError};
