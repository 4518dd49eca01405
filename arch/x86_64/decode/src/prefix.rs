//! Prefixes.
