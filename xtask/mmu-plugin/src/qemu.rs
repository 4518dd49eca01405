//! The plugin interface of QEMU, version 4: what of it is used here.
//!
//! "QEMU TCG Plugins" in QEMU's documentation describes it. The functions are in the emulator that loads this
//! library, with the array type of GLib that some of them fill. All is called on the thread of the one vCPU,
//! but for `qemu_plugin_install`, before there is one, and the end of the run, which `lib.rs` has more about.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::marker::{PhantomData, PhantomPinned};

/// The version of the interface that is wanted. QEMU looks for it by name.
#[unsafe(no_mangle)]
pub(crate) static qemu_plugin_version: c_int = 4;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub(crate) struct $name {
            _data: [u8; 0],
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )*};
}

opaque! {
    /// A block of instructions that is translated.
    Block;
    /// An instruction of such a block.
    Instruction;
    /// A register of the vCPU.
    Register;
    /// Where an access went.
    Address;
    /// Memory of one entry for each vCPU, which translated code reads and writes.
    Scoreboard;
}

/// What QEMU says of itself (`qemu_info_t`).
#[repr(C)]
pub struct Info {
    /// The instruction set.
    pub(crate) target: *const c_char,
    /// The least version of the interface that QEMU knows.
    pub(crate) least: c_int,
    /// The current one.
    pub(crate) current: c_int,
    /// Whether a whole machine is emulated.
    pub(crate) system: bool,
    /// How many vCPUs there are.
    pub(crate) vcpus: c_int,
    /// How many there may be.
    pub(crate) most_vcpus: c_int,
}

/// A place in a scoreboard (`qemu_plugin_u64`).
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Counter {
    board: *mut Scoreboard,
    offset: usize,
}

/// A register's name and handle (`qemu_plugin_reg_descriptor`).
#[repr(C)]
struct Descriptor {
    handle: *mut Register,
    name: *const c_char,
    feature: *const c_char,
}

/// GLib's `GArray` and `GByteArray`.
#[repr(C)]
struct Array {
    data: *mut u8,
    length: c_uint,
}

/// An access (`qemu_plugin_meminfo_t`).
pub(crate) type AccessInfo = u32;
/// Called when a block or an instruction is executed.
pub(crate) type Executed = unsafe extern "C" fn(vcpu: c_uint, data: *mut c_void);
/// Called after an access.
pub(crate) type Accessed =
    unsafe extern "C" fn(vcpu: c_uint, info: AccessInfo, at: u64, data: *mut c_void);

/// `QEMU_PLUGIN_CB_NO_REGS` and `QEMU_PLUGIN_CB_R_REGS`: whether the callback reads registers.
const NO_REGISTERS: c_int = 0;
const READS_REGISTERS: c_int = 1;
/// `QEMU_PLUGIN_COND_NE`.
const NOT_EQUAL: c_int = 3;
/// `QEMU_PLUGIN_INLINE_ADD_U64`.
const ADD: c_int = 0;
/// `QEMU_PLUGIN_MEM_R` and `QEMU_PLUGIN_MEM_W`.
const READS: c_int = 1;
const WRITES: c_int = 2;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_init_cb(id: u64, call: extern "C" fn(id: u64, vcpu: c_uint));
    fn qemu_plugin_register_vcpu_tb_trans_cb(
        id: u64,
        call: unsafe extern "C" fn(id: u64, block: *mut Block),
    );
    fn qemu_plugin_register_atexit_cb(
        id: u64,
        call: extern "C" fn(id: u64, data: *mut c_void),
        data: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    fn qemu_plugin_insn_data(instruction: *const Instruction, to: *mut u8, length: usize) -> usize;
    fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_insn_haddr(instruction: *const Instruction) -> *mut c_void;
    fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut Block,
        call: Executed,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_tb_exec_cond_cb(
        block: *mut Block,
        call: Executed,
        flags: c_int,
        condition: c_int,
        entry: Counter,
        value: u64,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        call: Executed,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
        instruction: *mut Instruction,
        operation: c_int,
        entry: Counter,
        value: u64,
    );
    fn qemu_plugin_register_vcpu_mem_cb(
        instruction: *mut Instruction,
        call: Accessed,
        flags: c_int,
        kinds: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_mem_size_shift(info: AccessInfo) -> c_uint;
    fn qemu_plugin_get_hwaddr(info: AccessInfo, at: u64) -> *mut Address;
    fn qemu_plugin_hwaddr_phys_addr(address: *const Address) -> u64;
    fn qemu_plugin_scoreboard_new(size: usize) -> *mut Scoreboard;
    fn qemu_plugin_scoreboard_find(board: *mut Scoreboard, vcpu: c_uint) -> *mut c_void;
    fn qemu_plugin_get_registers() -> *mut Array;
    fn qemu_plugin_read_register(register: *mut Register, to: *mut Array) -> c_int;
    fn g_byte_array_new() -> *mut Array;
    fn g_array_free(array: *mut Array, with_data: c_int) -> *mut c_char;
}

/// A plugin, as QEMU knows it.
#[derive(Clone, Copy)]
pub(crate) struct Plugin(pub(crate) u64);

impl Plugin {
    /// Calls `call` when the vCPU is made, on its thread.
    pub(crate) fn at_start(self, call: extern "C" fn(id: u64, vcpu: c_uint)) {
        // SAFETY: QEMU keeps the function, which lives as long as the library.
        unsafe { qemu_plugin_register_vcpu_init_cb(self.0, call) };
    }

    /// Calls `call` when a block is translated.
    pub(crate) fn at_translation(self, call: unsafe extern "C" fn(id: u64, block: *mut Block)) {
        // SAFETY: as above.
        unsafe { qemu_plugin_register_vcpu_tb_trans_cb(self.0, call) };
    }

    /// Calls `call` when the emulator ends.
    pub(crate) fn at_end(self, call: extern "C" fn(id: u64, data: *mut c_void)) {
        // SAFETY: as above.
        unsafe { qemu_plugin_register_atexit_cb(self.0, call, std::ptr::null_mut()) };
    }
}

impl Block {
    /// Its instructions.
    pub(crate) fn instructions(&self) -> impl Iterator<Item = &mut Instruction> {
        // SAFETY: the block is being translated.
        let count = unsafe { qemu_plugin_tb_n_insns(self) };
        (0..count).map(move |index| {
            // SAFETY: the index is below their number.
            let instruction = unsafe { qemu_plugin_tb_get_insn(self, index) };
            // SAFETY: it lives as long as the block, and each is handed out once a turn.
            unsafe { &mut *instruction }
        })
    }

    /// Calls `call` with `data` whenever it is executed.
    ///
    /// # Safety
    ///
    /// `call` may be called with `data` as long as the emulator runs.
    pub(crate) unsafe fn at_execution(&mut self, call: Executed, data: *mut c_void) {
        // SAFETY: by the caller.
        unsafe { qemu_plugin_register_vcpu_tb_exec_cb(self, call, READS_REGISTERS, data) };
    }

    /// The same where `entry` does not hold `value`.
    ///
    /// # Safety
    ///
    /// As of [`at_execution`](Self::at_execution).
    pub(crate) unsafe fn at_execution_unless(
        &mut self,
        entry: Counter,
        value: u64,
        call: Executed,
        data: *mut c_void,
    ) {
        let (flags, condition) = (READS_REGISTERS, NOT_EQUAL);
        // SAFETY: by the caller.
        unsafe {
            qemu_plugin_register_vcpu_tb_exec_cond_cb(
                self, call, flags, condition, entry, value, data,
            )
        };
    }
}

/// The most bytes of an instruction.
pub(crate) const LONGEST: usize = 16;

impl Instruction {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> ([u8; LONGEST], usize) {
        let mut bytes = [0; LONGEST];
        // SAFETY: QEMU writes no more bytes than it is told there is room for.
        let length = unsafe { qemu_plugin_insn_data(self, bytes.as_mut_ptr(), LONGEST) };
        (bytes, length.min(LONGEST))
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> usize {
        // SAFETY: the instruction is being translated.
        unsafe { qemu_plugin_insn_size(self) }
    }

    /// Its virtual address, when it is translated.
    pub(crate) fn virtual_address(&self) -> u64 {
        // SAFETY: as above.
        unsafe { qemu_plugin_insn_vaddr(self) }
    }

    /// Where it stands in the emulator's own memory, unless it is not in the machine's.
    pub(crate) fn host_address(&self) -> Option<usize> {
        // SAFETY: as above.
        let address = unsafe { qemu_plugin_insn_haddr(self) };
        (!address.is_null()).then_some(address as usize)
    }

    /// Calls `call` with `data` whenever it is about to be executed.
    ///
    /// # Safety
    ///
    /// `call` may be called with `data` as long as the emulator runs.
    pub(crate) unsafe fn at_execution(&mut self, call: Executed, data: *mut c_void) {
        // SAFETY: by the caller.
        unsafe { qemu_plugin_register_vcpu_insn_exec_cb(self, call, READS_REGISTERS, data) };
    }

    /// Counts how often it is about to be executed, `index` places on from `counter`.
    pub(crate) fn count(&mut self, counter: Counter, index: usize) {
        let counter = counter.behind(index);
        // SAFETY: the counter is one of a scoreboard's.
        unsafe { qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(self, ADD, counter, 1) };
    }

    /// Calls `load` after each load that it made, and `store` after each store, with no data.
    ///
    /// # Safety
    ///
    /// Both may be called so as long as the emulator runs.
    pub(crate) unsafe fn at_accesses(&mut self, load: Accessed, store: Accessed) {
        let data = std::ptr::null_mut();
        // SAFETY: by the caller.
        unsafe { qemu_plugin_register_vcpu_mem_cb(self, load, NO_REGISTERS, READS, data) };
        // SAFETY: by the caller.
        unsafe { qemu_plugin_register_vcpu_mem_cb(self, store, NO_REGISTERS, WRITES, data) };
    }
}

/// How many bytes an access has.
pub(crate) fn size(info: AccessInfo) -> u64 {
    // SAFETY: it takes a number apart.
    1 << unsafe { qemu_plugin_mem_size_shift(info) }
}

/// The physical address that the access at hand has reached.
pub(crate) fn physical(info: AccessInfo, at: u64) -> Option<u64> {
    // SAFETY: asked within the callback of that access, as its callers do.
    let address = unsafe { qemu_plugin_get_hwaddr(info, at) };
    // SAFETY: the address is the one that QEMU gave.
    (!address.is_null()).then(|| unsafe { qemu_plugin_hwaddr_phys_addr(address) })
}

impl Counter {
    /// The first of `count` places of a new scoreboard.
    pub(crate) fn new(count: usize) -> Self {
        // SAFETY: QEMU makes it, with zeros.
        let board = unsafe { qemu_plugin_scoreboard_new(count * size_of::<u64>()) };
        Self { board, offset: 0 }
    }

    /// The place `index` places on.
    const fn behind(self, index: usize) -> Self {
        Self { board: self.board, offset: self.offset + index * size_of::<u64>() }
    }

    /// Where that place of the one vCPU is. It stays there, since there is no second.
    pub(crate) fn place(self, index: usize) -> *mut u64 {
        // SAFETY: there is a vCPU 0 from its start on.
        let first = unsafe { qemu_plugin_scoreboard_find(self.board, 0) };
        first.cast::<u8>().wrapping_add(self.behind(index).offset).cast()
    }
}

/// The registers of the vCPU, by name. Asked on its thread.
pub(crate) fn registers() -> Vec<(String, *mut Register)> {
    // SAFETY: called at the vCPU's start, on its thread.
    let array = unsafe { qemu_plugin_get_registers() };
    // SAFETY: QEMU has just made it.
    let Array { data, length } = unsafe { std::ptr::read(array) };
    // SAFETY: it holds so many descriptors.
    let all = unsafe { std::slice::from_raw_parts(data.cast::<Descriptor>(), length as usize) };
    let named = all.iter().map(|one| {
        // SAFETY: a name is a string that lives as long as the vCPU.
        (unsafe { CStr::from_ptr(one.name) }.to_string_lossy().into_owned(), one.handle)
    });
    let named = named.collect();
    // SAFETY: the array is ours to free, and nobody refers to it.
    unsafe { g_array_free(array, 1) };
    named
}

/// What register values are read into: one array for all, since QEMU allocates none that is there.
pub(crate) struct Reader(*mut Array);

impl Reader {
    /// An empty one.
    pub(crate) fn new() -> Self {
        // SAFETY: GLib makes it.
        Self(unsafe { g_byte_array_new() })
    }

    /// A register's value, of which the low 64 bits count, if the emulator tells it.
    pub(crate) fn read(&mut self, register: *mut Register) -> Option<u64> {
        // SAFETY: the array is this reader's own, and without the bytes it had it is a shorter one.
        unsafe { (*self.0).length = 0 };
        // SAFETY: the handle is the vCPU's, and this runs in one of its callbacks.
        let read = unsafe { qemu_plugin_read_register(register, self.0) };
        // SAFETY: the array is this reader's own.
        let Array { data, length } = unsafe { std::ptr::read(self.0) };
        let mut bytes = [0; size_of::<u64>()];
        let count = bytes.len().min(length as usize);
        if read <= 0 || count == 0 {
            return None;
        }
        // SAFETY: so many bytes were read.
        bytes[..count].copy_from_slice(unsafe { std::slice::from_raw_parts(data, count) });
        Some(u64::from_le_bytes(bytes))
    }
}
