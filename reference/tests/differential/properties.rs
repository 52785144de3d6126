//! What must hold of any policy.
