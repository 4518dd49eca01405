//! CPUID: which processor a guest believes to have.
//!
//! It is the machine's own, less what the hypervisor keeps to itself or does not carry from one exit
//! to the next: what is not on a list here is not there. A guest that keeps to what CPUID says meets no
//! fault that this processor would not give.
//!
//! Intel SDM vol. 2, "CPUID—CPU Identification"; AMD64 APM vol. 3, appendix E.

use core::arch::x86_64::__cpuid_count;

use hv_abi::pc;
use spin::Once;
use x86_64::registers::control::Cr4Flags;

use crate::hardware::Lack;

/// Bits of a physical address that a guest's tables may have at most. The nested tables cover 48, and a
/// shadow needs one of 52 that is reserved.
const PHYSICAL_BITS_MAX: u32 = 46;

/// The registers of an answer, in the order EAX, EBX, ECX, EDX.
pub type Answer = [u32; 4];

/// Leaf 1, ECX: SSE3, PCLMULQDQ, SSSE3, FMA, CMPXCHG16B, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE,
/// AVX, F16C, RDRAND.
const LEAF_1_ECX: u32 = bits(&[0, 1, 9, 12, 13, 17, 19, 20, 22, 23, 25, 26, 28, 29, 30]);
/// Leaf 1, ECX: OSXSAVE, which is CR4's.
const OSXSAVE: u32 = 1 << 27;
/// Leaf 1, EDX: FPU, DE, PSE, TSC, MSR, PAE, CX8, APIC, SEP, PGE, CMOV, PAT, PSE-36, CLFSH, MMX, FXSR, SSE,
/// SSE2.
const LEAF_1_EDX: u32 = bits(&[0, 2, 3, 4, 5, 6, 8, 9, 11, 13, 15, 16, 17, 19, 23, 24, 25, 26]);
/// Leaf 1, EBX: the brand and the size of a cache line; the rest numbers processors, and there is one.
const LEAF_1_EBX: u32 = 0xffff;
/// Leaf 1, EBX: one logical processor.
const ONE_PROCESSOR: u32 = 1 << 16;
/// Leaf 7, EBX: FSGSBASE, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB, SHA.
const LEAF_7_EBX: u32 = bits(&[0, 3, 5, 7, 8, 9, 10, 18, 19, 20, 23, 24, 29]);
/// Leaf 7, ECX: UMIP, GFNI, VAES, VPCLMULQDQ.
const LEAF_7_ECX: u32 = bits(&[2, 8, 9, 10]);
/// Leaf 8000_0001, ECX: LAHF, ABM, SSE4A, misaligned SSE, PREFETCHW.
const EXTENDED_1_ECX: u32 = bits(&[0, 5, 6, 7, 8]);
/// Leaf 8000_0001, EDX: those of leaf 1 that AMD repeats, SYSCALL, NX, MMXEXT, FFXSR, Page1GB, RDTSCP, LM.
const EXTENDED_1_EDX: u32 = LEAF_1_EDX | bits(&[11, 20, 22, 26, 27, 29]) & !FFXSR;
/// Leaf 8000_0001, EDX: FFXSR, which EFER would have to offer.
const FFXSR: u32 = 1 << 25;
/// Leaf 8000_0001, EDX: 1 GiB pages.
const GIGABYTE_PAGES: u32 = 1 << 26;
/// Leaf 8000_0007, EDX: the time-stamp counter's rate does not change.
const INVARIANT_TSC: u32 = 1 << 8;
/// Leaf D: components of XSAVE that a guest may have: x87, SSE, AVX.
const COMPONENTS: u32 = 0b111;
/// Leaf D, subleaf 1, EAX: XSAVEOPT, XSAVEC.
const LEAF_D_1: u32 = bits(&[0, 1]);
/// Leaf 4, EAX: how many processors share a cache, and how many cores there are.
const SHARING: u32 = 0xffff_c000;
/// Leaf 8000_0008, EAX: bits of linear addresses.
const LINEAR_BITS: u32 = 48 << 8;

/// The leaves.
mod leaf {
    pub(super) const VENDOR: u32 = 0;
    pub(super) const FEATURES: u32 = 1;
    pub(super) const CACHES: u32 = 2;
    pub(super) const CACHE: u32 = 4;
    pub(super) const MORE_FEATURES: u32 = 7;
    pub(super) const EXTENDED_STATE: u32 = 0xd;
    pub(super) const LAST: u32 = EXTENDED_STATE;
    pub(super) const EXTENDED: u32 = 0x8000_0000;
    pub(super) const EXTENDED_FEATURES: u32 = 0x8000_0001;
    pub(super) const BRAND_FIRST: u32 = 0x8000_0002;
    pub(super) const BRAND_LAST: u32 = 0x8000_0004;
    pub(super) const CACHES_1: u32 = 0x8000_0005;
    pub(super) const CACHES_2: u32 = 0x8000_0006;
    pub(super) const POWER: u32 = 0x8000_0007;
    pub(super) const ADDRESSES: u32 = 0x8000_0008;
}

/// A number with the bits of a list.
const fn bits(list: &[u32]) -> u32 {
    let (mut all, mut place) = (0, 0);
    while place < list.len() {
        all |= 1 << list[place];
        place += 1;
    }
    all
}

/// What is asked for at every turn.
#[derive(Clone, Copy, Debug)]
struct Facts {
    physical_bits: u32,
    gigabyte_pages: bool,
    cr4: Cr4Flags,
    components: u64,
}

static FACTS: Once<Facts> = Once::new();

fn facts() -> &'static Facts {
    FACTS.call_once(|| {
        let [_, _, ecx, edx] = masked(leaf::FEATURES, 0);
        let [_, ebx, ecx_7, _] = masked(leaf::MORE_FEATURES, 0);
        let [_, _, _, extended] = masked(leaf::EXTENDED_FEATURES, 0);
        let [components, ..] = masked(leaf::EXTENDED_STATE, 0);
        let mut cr4 = Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE | Cr4Flags::TIMESTAMP_DISABLE;
        cr4 |= Cr4Flags::PERFORMANCE_MONITOR_COUNTER | Cr4Flags::MACHINE_CHECK_EXCEPTION;
        let offered = [
            (edx, 2, Cr4Flags::DEBUGGING_EXTENSIONS),
            (edx, 3, Cr4Flags::PAGE_SIZE_EXTENSION),
            (edx, 6, Cr4Flags::PHYSICAL_ADDRESS_EXTENSION),
            (edx, 13, Cr4Flags::PAGE_GLOBAL),
            (ecx, 17, Cr4Flags::PCID),
            (ecx, 26, Cr4Flags::OSXSAVE),
            (ebx, 0, Cr4Flags::FSGSBASE),
            (ebx, 7, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
            (ebx, 20, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
            (ecx_7, 2, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        ];
        for (register, bit, flag) in offered {
            cr4.set(flag, register & 1 << bit != 0);
        }
        Facts {
            physical_bits: host(leaf::ADDRESSES, 0)[0] & 0xff,
            gigabyte_pages: extended & GIGABYTE_PAGES != 0,
            cr4,
            components: u64::from(components),
        }
    })
}

/// Bits of the guest's physical addresses.
#[must_use]
pub fn physical_bits() -> u32 {
    facts().physical_bits.min(PHYSICAL_BITS_MAX)
}

/// Whether the machine's table entries have a reserved bit, by which a shadow marks its own.
///
/// # Errors
///
/// [`Lack::ReservedBit`].
pub fn check_reserved_bit() -> Result<(), Lack> {
    const ADDRESS_BITS_MAX: u32 = 52;
    if facts().physical_bits < ADDRESS_BITS_MAX { Ok(()) } else { Err(Lack::ReservedBit) }
}

/// Whether the guest's tables may have leaves of 1 GiB.
#[must_use]
pub fn has_gigabyte_pages() -> bool {
    facts().gigabyte_pages
}

/// The bits of CR4 that the guest may set.
#[must_use]
pub fn cr4() -> Cr4Flags {
    facts().cr4
}

/// Whether XSETBV may load `value` into XCR0: components that are there, x87 always, and AVX not
/// without SSE ("XSETBV—Set Extended Control Register").
#[must_use]
pub fn is_extended_control(value: u64) -> bool {
    const X87: u64 = 1 << 0;
    const SSE: u64 = 1 << 1;
    const AVX: u64 = 1 << 2;
    value & !facts().components == 0 && value & X87 != 0 && (value & AVX == 0 || value & SSE != 0)
}

/// The answer about the hypervisor's name.
pub const NAME: Answer = [pc::LEAF_CALL, pc::NAME[0], pc::NAME[1], pc::NAME[2]];

/// What the machine's own processor answers.
fn host(leaf: u32, subleaf: u32) -> Answer {
    let answer = __cpuid_count(leaf, subleaf);
    [answer.eax, answer.ebx, answer.ecx, answer.edx]
}

/// What the guest's processor answers, apart from what its registers and the hypervisor add.
fn masked(leaf: u32, subleaf: u32) -> Answer {
    let [eax, ebx, ecx, edx] = host(leaf, subleaf);
    match leaf {
        leaf::VENDOR => [eax.min(leaf::LAST), ebx, ecx, edx],
        leaf::FEATURES => {
            [eax, ebx & LEAF_1_EBX | ONE_PROCESSOR, ecx & LEAF_1_ECX, edx & LEAF_1_EDX]
        }
        leaf::CACHE => [eax & !SHARING, ebx, ecx, edx],
        leaf::MORE_FEATURES if subleaf == 0 => [0, ebx & LEAF_7_EBX, ecx & LEAF_7_ECX, 0],
        leaf::EXTENDED_STATE => match subleaf {
            0 => [eax & COMPONENTS, ebx, ecx, 0],
            1 => [eax & LEAF_D_1, 0, 0, 0],
            2 => [eax, ebx, ecx, edx],
            _ => [0; 4],
        },
        leaf::EXTENDED => [eax.min(leaf::ADDRESSES), ebx, ecx, edx],
        leaf::EXTENDED_FEATURES => [eax, ebx, ecx & EXTENDED_1_ECX, edx & EXTENDED_1_EDX],
        leaf::BRAND_FIRST..=leaf::BRAND_LAST | leaf::CACHES | leaf::CACHES_1 | leaf::CACHES_2 => {
            [eax, ebx, ecx, edx]
        }
        leaf::POWER => [0, 0, 0, edx & INVARIANT_TSC],
        leaf::ADDRESSES => [eax & 0xff | LINEAR_BITS, 0, 0, 0],
        _ => [0; 4],
    }
}

/// The answer to the guest, whose CR4 holds `cr4` and which is to make hypercalls by `call`.
#[must_use]
pub fn answer(leaf: u32, subleaf: u32, cr4: Cr4Flags, call: u32) -> Answer {
    match leaf {
        pc::LEAF_NAME => NAME,
        pc::LEAF_CALL => [call, 0, 0, 0],
        leaf::FEATURES => {
            let [eax, ebx, ecx, edx] = masked(leaf, subleaf);
            let mut own = pc::HYPERVISOR_BIT;
            if cr4.contains(Cr4Flags::OSXSAVE) {
                own |= OSXSAVE;
            }
            [eax, ebx, ecx | own, edx]
        }
        leaf::ADDRESSES => {
            let [_, ebx, ecx, edx] = masked(leaf, subleaf);
            [physical_bits() | LINEAR_BITS, ebx, ecx, edx]
        }
        _ => masked(leaf, subleaf),
    }
}
