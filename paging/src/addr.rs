//! The four address spaces, four types that cannot be confused.
//!
//! An address is a number only through [`Addr::from_bits`] and [`Addr::bits`]. No function turns a
//! guest-physical address into a host-physical one but [`Layout`](crate::layout::Layout), and none
//! turns a guest-virtual into a guest-physical one but a [walk](crate::walk).

use core::fmt;
use core::marker::PhantomData;

/// Bytes of a page, log2. Every format here has the 4 KiB granule.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes of a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// Entries of a table, log2.
pub const INDEX_BITS: u32 = 9;
/// Entries of a table.
pub const ENTRIES: usize = 1 << INDEX_BITS;

/// An address space.
pub trait Space: Copy + Eq + Ord + fmt::Debug + 'static {
    /// What stands before an address of it when it is printed.
    const NAME: &'static str;
}

macro_rules! spaces {
    ($($(#[$doc:meta])* $space:ident $name:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $space {}
        impl Space for $space {
            const NAME: &'static str = $name;
        }
    )*};
}

spaces! {
    /// What a guest's program uses.
    GuestVirt "gva";
    /// What a guest takes for physical memory.
    GuestPhys "gpa";
    /// What the hypervisor's own program uses.
    HostVirt "hva";
    /// What the memory bus uses.
    HostPhys "hpa";
    /// What stage 1 of a shadowed Arm guest puts out. It is not a guest-physical address: see
    /// [`vmsa_shadow`](crate::format::vmsa_shadow).
    Window "ipa";
}

/// An address in the space `S`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr<S: Space>(u64, PhantomData<S>);

/// A guest-virtual address.
pub type Gva = Addr<GuestVirt>;
/// A guest-physical address.
pub type Gpa = Addr<GuestPhys>;
/// A host-virtual address.
pub type Hva = Addr<HostVirt>;
/// A host-physical address.
pub type Hpa = Addr<HostPhys>;

impl<S: Space> Addr<S> {
    /// The address that `bits` spell.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits, PhantomData)
    }

    /// The address as a number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The address `offset` bytes on, unless that is beyond the space.
    #[must_use]
    pub const fn checked_add(self, offset: u64) -> Option<Self> {
        match self.0.checked_add(offset) {
            Some(bits) => Some(Self::from_bits(bits)),
            None => None,
        }
    }

    /// How many bytes this address lies behind `base`, unless it lies before it.
    #[must_use]
    pub const fn offset_from(self, base: Self) -> Option<u64> {
        self.0.checked_sub(base.0)
    }

    /// The first address of the block of `level`'s size that holds this one.
    #[must_use]
    pub const fn align_down(self, level: Level) -> Self {
        Self::from_bits(self.0 & !(level.size() - 1))
    }

    /// Whether a block of `level`'s size can begin here.
    #[must_use]
    pub const fn is_aligned(self, level: Level) -> bool {
        self.0 & (level.size() - 1) == 0
    }

    /// The frame that holds this address.
    #[must_use]
    pub const fn frame(self) -> Frame<S> {
        Frame(self.0 >> PAGE_SHIFT, PhantomData)
    }

    /// Bytes from the start of the frame.
    #[must_use]
    pub const fn page_offset(self) -> u64 {
        self.0 & (PAGE_SIZE - 1)
    }
}

impl<S: Space> fmt::Debug for Addr<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#x}", S::NAME, self.0)
    }
}

/// A page-aligned 4 KiB of the space `S`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame<S: Space>(u64, PhantomData<S>);

impl<S: Space> Frame<S> {
    /// The frame with this number: its address divided by 4 KiB.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number, PhantomData)
    }

    /// Its address divided by 4 KiB.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Its first address.
    #[must_use]
    pub const fn start(self) -> Addr<S> {
        Addr::from_bits(self.0 << PAGE_SHIFT)
    }
}

impl<S: Space> fmt::Debug for Frame<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start().fmt(f)
    }
}

/// How far above the 4 KiB leaf a table or block stands: 0 is the leaf level in every format.
///
/// Arm counts the other way round (its level 3 is our 0) and x86 from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Level(u8);

impl Level {
    /// Leaf tables; 4 KiB pages.
    pub const PAGE: Self = Self(0);
    /// Tables of leaf tables; 2 MiB blocks.
    pub const BLOCK_2M: Self = Self(1);
    /// Tables above those; 1 GiB blocks.
    pub const BLOCK_1G: Self = Self(2);
    /// The top table of a 48-bit space.
    pub const TOP: Self = Self(3);

    /// The level whose number is `number`, if a table can stand there.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::TOP.0 { Some(Self(number)) } else { None }
    }

    /// Its number, 0 to 3.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0 as usize
    }

    /// Bytes that one entry of this level spans, log2.
    #[must_use]
    pub const fn shift(self) -> u32 {
        PAGE_SHIFT + INDEX_BITS * self.0 as u32
    }

    /// Bytes that one entry of this level spans.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << self.shift()
    }

    /// The next level towards the leaf.
    #[must_use]
    pub const fn below(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

/// The place of an entry in its table, below [`ENTRIES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Index(u32);

impl Index {
    /// The entry of a table at `level` that the address `bits` selects.
    #[must_use]
    #[inline]
    pub const fn of(bits: u64, level: Level) -> Self {
        Self((bits >> level.shift()) as u32 & (ENTRIES as u32 - 1))
    }

    /// The entry whose place is the low bits of `place`.
    #[must_use]
    #[inline]
    pub const fn wrapping(place: u32) -> Self {
        Self(place & (ENTRIES as u32 - 1))
    }

    /// The place as a number below [`ENTRIES`].
    #[must_use]
    #[inline]
    pub const fn get(self) -> usize {
        (self.0 & (ENTRIES as u32 - 1)) as usize
    }

    /// Every place of a table, in order.
    #[inline]
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ENTRIES as u32).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_take_an_address_apart_and_put_it_together() {
        let at = 0x0000_8123_4567_89ab_u64;
        let together = (0..4).map(Level).fold(at & (PAGE_SIZE - 1), |sum, level| {
            sum | (Index::of(at, level).get() as u64) << level.shift()
        });
        assert_eq!(together, at);
        assert_eq!(Index::of(0x0000_0080_4020_1000, Level::PAGE).get(), 1);
        assert_eq!(Index::of(0x0000_0080_4020_1000, Level::TOP).get(), 1);
    }

    #[test]
    fn addresses_do_not_wrap() {
        let last = Gpa::from_bits(u64::MAX);
        assert_eq!(last.checked_add(1), None);
        assert_eq!(Gpa::from_bits(0).offset_from(last), None);
        assert_eq!(last.align_down(Level::BLOCK_2M).bits(), 0xffff_ffff_ffe0_0000);
        assert_eq!(alloc::format!("{:?}", Hpa::from_bits(0x4000)), "hpa:0x4000");
    }
}
