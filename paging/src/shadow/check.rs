//! The engine's invariants, checked in full: for tests.
