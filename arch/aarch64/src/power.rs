//! Turning the machine off: PSCI, by SMC, since the hypervisor is at EL2.

/// Turns the machine off.
pub fn off() -> ! {
    // It only returns where there is no such firmware; then waiting is all that is left.
    let _ = smccc::psci::system_off::<smccc::Smc>();
    loop {
        aarch64_cpu::asm::wfi();
    }
}
