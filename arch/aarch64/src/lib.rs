//! Arm.
#![no_std]
