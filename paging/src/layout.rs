//! What stands behind each guest-physical address.

use crate::addr::{Frame, Gpa, GuestPhys, HostPhys, Hpa, Level};

/// A VM's physical address space: one contiguous piece of RAM, registers of emulated devices, and
/// nothing elsewhere.
///
/// RAM is contiguous in the host too, so the two addresses of a byte differ by a constant and large
/// blocks map it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    ram: Frame<GuestPhys>,
    frames: u64,
    backing: Frame<HostPhys>,
}

/// What a block of guest-physical addresses holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// RAM alone, contiguous and aligned in the host as the block demands.
    Ram(Frame<HostPhys>),
    /// No RAM: devices or nothing.
    Device,
    /// RAM and something else, or RAM that no block of this size can map.
    Mixed,
}

impl Layout {
    /// The layout of `frames` frames of RAM from `ram` on that stand at `backing`.
    #[must_use]
    pub const fn new(ram: Frame<GuestPhys>, frames: u64, backing: Frame<HostPhys>) -> Self {
        Self { ram, frames, backing }
    }

    /// The part of it that addresses of `output_bits` bits reach.
    #[must_use]
    pub const fn within(&self, output_bits: u32) -> Self {
        let reached = 1_u64 << output_bits >> crate::addr::PAGE_SHIFT;
        let reached = reached.saturating_sub(self.ram.number());
        let frames = if self.frames < reached { self.frames } else { reached };
        Self { frames, ..*self }
    }

    /// The first frame of RAM.
    #[must_use]
    pub const fn ram(&self) -> Frame<GuestPhys> {
        self.ram
    }

    /// How many frames of RAM there are.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Where RAM stands in the host.
    #[must_use]
    pub const fn backing(&self) -> Frame<HostPhys> {
        self.backing
    }

    /// How many bytes, modulo 2^64, a byte of RAM stands in the host behind its own address.
    #[must_use]
    #[inline]
    pub const fn distance(&self) -> u64 {
        self.backing.start().bits().wrapping_sub(self.ram.start().bits())
    }

    /// Which frame of RAM this is, counted from the first, unless it is none.
    #[must_use]
    #[inline]
    pub const fn ram_index(&self, frame: Frame<GuestPhys>) -> Option<usize> {
        let index = frame.number().wrapping_sub(self.ram.number());
        if index < self.frames { Some(index as usize) } else { None }
    }

    /// The RAM behind one frame.
    #[must_use]
    #[inline]
    pub const fn resolve(&self, frame: Frame<GuestPhys>) -> Option<Frame<HostPhys>> {
        match self.ram_index(frame) {
            Some(index) => Some(Frame::from_number(self.backing.number() + index as u64)),
            None => None,
        }
    }

    /// What the block of `level`'s size at `frame` holds.
    #[must_use]
    pub const fn block(&self, frame: Frame<GuestPhys>, level: Level) -> Backing {
        let frames = level.size() / crate::addr::PAGE_SIZE;
        let first = frame.number();
        let (ram, end) = (self.ram.number(), self.ram.number() + self.frames);
        if first >= end || first + frames <= ram {
            return Backing::Device;
        }
        if first < ram || first + frames > end {
            return Backing::Mixed;
        }
        let to = self.backing.number() + (first - ram);
        if to & (frames - 1) == 0 { Backing::Ram(Frame::from_number(to)) } else { Backing::Mixed }
    }

    /// The guest's address of a byte of its RAM.
    #[must_use]
    pub const fn guest_address(&self, at: Hpa) -> Option<Gpa> {
        let index = at.frame().number().wrapping_sub(self.backing.number());
        if index < self.frames {
            let frame = Frame::<GuestPhys>::from_number(self.ram.number() + index);
            frame.start().checked_add(at.page_offset())
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(Frame::from_number(0x40000), 0x40000, Frame::from_number(0x80000))
    }

    #[test]
    fn a_block_is_ram_a_device_or_mixed() {
        let block = |number, level| layout().block(Frame::from_number(number), level);
        assert_eq!(block(0x40000, Level::BLOCK_1G), Backing::Ram(Frame::from_number(0x80000)));
        assert_eq!(block(0x40200, Level::BLOCK_2M), Backing::Ram(Frame::from_number(0x80200)));
        assert_eq!(block(0, Level::BLOCK_1G), Backing::Device);
        assert_eq!(block(0, Level::TOP), Backing::Mixed);
        let shifted = Layout::new(Frame::from_number(0x40000), 0x200, Frame::from_number(0x80100));
        assert_eq!(shifted.block(Frame::from_number(0x40000), Level::BLOCK_2M), Backing::Mixed);
    }

    #[test]
    fn small_addresses_reach_a_part() {
        let wide = Layout::new(Frame::from_number(0x40000), 0x80000, Frame::from_number(0));
        assert_eq!(wide.within(36).frames(), 0x80000);
        assert_eq!(wide.within(31).frames(), 0x40000);
        assert_eq!(wide.within(30).frames(), 0);
    }

    #[test]
    fn guest_and_host_addresses_are_inverse_on_ram_and_nowhere_else() {
        let last = Frame::from_number(0x7ffff);
        let host = layout().resolve(last).unwrap();
        assert_eq!(layout().guest_address(host.start()), Some(last.start()));
        assert_eq!(layout().resolve(Frame::from_number(0x80000)), None);
        assert_eq!(layout().resolve(Frame::from_number(0x3ffff)), None);
        assert_eq!(layout().guest_address(Hpa::from_bits(0x7fff_f000)), None);
    }
}
