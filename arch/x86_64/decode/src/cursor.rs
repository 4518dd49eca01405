//! The bytes of an instruction, one after another.
