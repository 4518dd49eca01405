//! What firmware gave becomes owned memory, and the bundle a machine to make.
//!
//! Firmware describes the machine in its own way: [`devicetree`] on Arm, [`multiboot`] on a PC.

pub mod devicetree;
pub mod multiboot;

#[cfg(test)]
mod tests;

use hv_abi::bundle::{self, Device, Header, Segment};
use paging::addr::{Frame, Hpa, Level, PAGE_SIZE};
use paging::layout::Layout;
use paging::shadow;
use zerocopy::FromBytes;

/// A range of host-physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its first byte.
    pub start: u64,
    /// The byte behind its last.
    pub end: u64,
}

impl Range {
    /// The range of `size` bytes from `start` on, unless it reaches beyond the last address.
    #[must_use]
    pub const fn new(start: u64, size: u64) -> Option<Self> {
        match start.checked_add(size) {
            Some(end) => Some(Self { start, end }),
            None => None,
        }
    }

    /// Whether the two have a byte in common.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.end - self.start
    }
}

/// Why no machine can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// The device tree cannot be read.
    DeviceTree,
    /// The machine lacks something, or its description does.
    Lacks(&'static str),
    /// There is no bundle behind the image, or one of another version.
    NoBundle,
    /// The bundle's fields contradict each other.
    BadBundle(&'static str),
    /// The machine has too little memory for the guest.
    TooLittleMemory,
    /// The pool of table frames is too small.
    TooFewFrames,
    /// The bundle's devices cannot be made.
    BadDevices,
}

impl BootError {
    /// What to tell a person.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::DeviceTree => "the device tree that firmware gave cannot be read",
            Self::Lacks(what) => what,
            Self::NoBundle => {
                "no bundle of this version stands behind the image: make it with xtask"
            }
            Self::BadBundle(what) => what,
            Self::TooLittleMemory => {
                "the machine has too little memory for the guest: give it more, or the guest less"
            }
            Self::TooFewFrames => "the manifest's table-frames are too few for this paging mode",
            Self::BadDevices => "the bundle's devices cannot be made",
        }
    }
}

/// A bundle, checked.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'a> {
    bytes: &'a [u8],
    /// The machine.
    pub header: &'a Header,
    /// Its devices.
    pub devices: &'a [Device],
    /// What to copy into its RAM.
    pub segments: &'a [Segment],
    /// The largest leaf that may map its RAM.
    pub largest: Level,
}

impl<'a> Bundle<'a> {
    /// Checks what stands behind the image. `bytes` begin with the bundle and may go on behind it.
    ///
    /// # Errors
    ///
    /// [`BootError::NoBundle`] and [`BootError::BadBundle`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, BootError> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| BootError::NoBundle)?;
        if header.magic != bundle::MAGIC || header.version != bundle::VERSION {
            return Err(BootError::NoBundle);
        }
        let length = usize::try_from(header.length).map_err(|_| BootError::NoBundle)?;
        let bytes = bytes.get(..length).ok_or(BootError::BadBundle("the bundle is cut off"))?;
        let lists = BootError::BadBundle("the bundle's lists reach beyond its end");
        let (devices, rest) = <[Device]>::ref_from_prefix_with_elems(rest, header.devices as usize)
            .map_err(|_| lists)?;
        let (segments, _) = <[Segment]>::ref_from_prefix_with_elems(rest, header.segments as usize)
            .map_err(|_| lists)?;
        let largest = match header.block_shift {
            12 => Level::PAGE,
            21 => Level::BLOCK_2M,
            30 => Level::BLOCK_1G,
            _ => return Err(BootError::BadBundle("the bundle's block size is none")),
        };
        let whole = Level::BLOCK_2M.size() - 1;
        if (header.ram_base | header.ram_size) & whole != 0 || header.ram_size == 0 {
            return Err(BootError::BadBundle("the guest's RAM is no whole number of 2 MiB"));
        }
        if header.cpus != 1 {
            return Err(BootError::BadBundle("machines have one CPU"));
        }
        let bundle = Self { bytes, header, devices, segments, largest };
        if bundle.contents().any(|content| content.is_none()) {
            return Err(BootError::BadBundle("a segment lies outside the bundle or the RAM"));
        }
        Ok(bundle)
    }

    /// What goes where in the guest's RAM: offsets from its first byte. `None` for a segment that
    /// lies outside the bundle or the RAM.
    pub fn contents(&self) -> impl Iterator<Item = Option<(usize, &'a [u8])>> + '_ {
        self.segments.iter().map(|segment| {
            let start = usize::try_from(segment.offset).ok()?;
            let length = usize::try_from(segment.length).ok()?;
            let bytes = self.bytes.get(start..start.checked_add(length)?)?;
            let to = segment.gpa.checked_sub(self.header.ram_base)?;
            (to.checked_add(segment.length)? <= self.header.ram_size)
                .then_some((usize::try_from(to).ok()?, bytes))
        })
    }

    /// How many frames page tables may take: the manifest's number, or enough for the leaf tables of
    /// all RAM twice and a thousand more.
    #[must_use]
    pub fn table_frames(&self) -> u64 {
        match self.header.table_frames {
            0 => 2 * (self.header.ram_size >> Level::BLOCK_2M.shift()) + 1024,
            frames => u64::from(frames),
        }
    }
}

/// Where everything stands in the host's memory.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The guest's RAM, aligned to the largest block that fits in it.
    pub guest: Range,
    /// The frames for page tables.
    pub pool: Range,
    /// The hypervisor's heap: records of guest frames, and descriptions of table frames.
    pub heap: Range,
}

/// Bytes of the heap beside the records: descriptions of table frames and what is of fixed size.
const HEAP_FIXED: u64 = 512 << 10;
/// Bytes that describe one table frame.
const HEAP_FOR_FRAME: u64 = 64;
/// Bytes that describe one frame of guest RAM, with those of its blocks.
const HEAP_FOR_RAM: u64 = 17;

/// Finds room for the guest, the pool and the heap in `ram` beside what is `taken`: the
/// hypervisor's image with the bundle, and the device tree.
///
/// The guest stands as high as it can, where a 1 GiB block may map it if there is such a place; the rest
/// as low as it can, below `reach`.
///
/// # Errors
///
/// [`BootError::TooLittleMemory`], [`BootError::TooFewFrames`].
pub fn plan(
    ram: &[Range],
    taken: &[Range],
    reach: u64,
    bundle: &Bundle<'_>,
) -> Result<Plan, BootError> {
    let size = bundle.header.ram_size;
    let frames = bundle.table_frames();
    if frames < shadow::MIN_FRAMES as u64 {
        return Err(BootError::TooFewFrames);
    }
    let free = |range: &Range| {
        ram.iter().any(|ram| range.start >= ram.start && range.end <= ram.end)
            && taken.iter().all(|other| !other.overlaps(range))
    };
    let highest = |align: Level| {
        ram.iter()
            .filter_map(|ram| ram.end.checked_sub(size))
            .filter_map(|start| Range::new(start & !(align.size() - 1), size))
            .filter(free)
            .max_by_key(|range| range.start)
    };
    let guest = Some(Level::BLOCK_1G)
        .filter(|block| size >= block.size())
        .and_then(highest)
        .or_else(|| highest(Level::BLOCK_2M))
        .ok_or(BootError::TooLittleMemory)?;

    let pool_size = frames * PAGE_SIZE;
    let records = size / PAGE_SIZE * HEAP_FOR_RAM;
    let heap_size = (HEAP_FIXED + frames * HEAP_FOR_FRAME + records).next_multiple_of(PAGE_SIZE);
    let both = pool_size + heap_size;
    // The first fit, at the start of memory or behind anything that is taken, aligned so that 2 MiB
    // blocks of stage 2 show the pool to a walk of shadow tables.
    let place = ram
        .iter()
        .map(|range| range.start)
        .chain(taken.iter().map(|range| range.end))
        .map(|start| start.next_multiple_of(Level::BLOCK_2M.size()))
        .filter_map(|start| Range::new(start, both))
        .filter(|range| range.end <= reach && free(range) && !range.overlaps(&guest))
        .min_by_key(|range| range.start)
        .ok_or(BootError::TooLittleMemory)?;
    let pool = Range { start: place.start, end: place.start + pool_size };
    Ok(Plan { guest, pool, heap: Range { start: pool.end, end: place.end } })
}

/// The guest's physical addresses, its RAM standing where the plan says.
#[must_use]
pub const fn layout(header: &Header, plan: &Plan) -> Layout {
    Layout::new(
        Frame::from_number(header.ram_base / PAGE_SIZE),
        header.ram_size / PAGE_SIZE,
        Hpa::from_bits(plan.guest.start).frame(),
    )
}
