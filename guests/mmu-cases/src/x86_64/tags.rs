//! Cases about process-context identifiers, where the processor has them.

use core::arch::asm;

use rt::check;
use rt::space::activate_kernel;

use super::access::{cr3, cr4, page_fault, read, set_cr3, set_cr4};
use super::bits::{CR3_KEEP, CR4_PCIDE, has_invpcid, has_pcid};
use crate::Case;
use crate::arena::{Arena, mark, page, set};

/// The group.
pub(crate) const CASES: &[Case] =
    &[("tags-apart", tags_apart), ("tags-kept", tags_kept), ("tags-invalidated", tags_invalidated)];

/// Does `work` with tags on, where there are some, the kernel's space being the current one before and
/// after.
fn with_tags(work: impl FnOnce()) {
    if !has_pcid() {
        return;
    }
    let old = cr4();
    activate_kernel();
    set_cr4(old | CR4_PCIDE);
    work();
    activate_kernel();
    set_cr4(old);
}

/// Two spaces under two tags, and each under the other's.
fn tags_apart() {
    let (first, second) = (Arena::new(1), Arena::new(2));
    let roots = [&first, &second].map(|arena| arena.space.root().address());
    let mut other = second;
    set(other.entry(0), other.value(5));
    with_tags(|| {
        for turn in 0..3 {
            set_cr3(roots[0] | 1);
            check!(read(page(0)) == Ok(mark(0)), "turn {turn}: the first space's page is not");
            check!(cr3() == roots[0] | 1, "CR3 reads {:#x}", cr3());
            set_cr3(roots[1] | 2);
            check!(read(page(0)) == Ok(mark(5)), "turn {turn}: the second space's page is not");
            // The same tag for another root: without the bit that keeps, nothing stays.
            set_cr3(roots[0] | 2);
            check!(read(page(0)) == Ok(mark(0)), "turn {turn}: a root's tag is older than it");
            set_cr3(roots[1] | 1);
            check!(read(page(0)) == Ok(mark(5)), "turn {turn}: a root's tag is older than it");
            set_cr3(roots[0]);
            check!(read(page(0)) == Ok(mark(0)), "turn {turn}: tag 0 is not a tag like others");
        }
    });
    first.space.destroy();
    other.space.destroy();
}

/// Roots that are loaded and kept show what their tables say; the bit that keeps is not in CR3.
fn tags_kept() {
    let mut arena = Arena::new(1);
    let root = arena.space.root().address();
    with_tags(|| {
        set_cr3(root | 7);
        check!(read(page(0)) == Ok(mark(0)), "a page is not there");
        for turn in 0..3 {
            set_cr3(root | 8);
            check!(read(page(20)) == page_fault(0, page(20)), "a page too many");
            // Made, in a table that both tags use.
            set(arena.entry(20), arena.value(turn));
            set_cr3(root | 7 | CR3_KEEP);
            check!(cr3() == root | 7, "CR3 reads {:#x}", cr3());
            check!(read(page(20)) == Ok(mark(turn)), "what was made does not count");
            // Cleared, and forgotten by each tag's load.
            set(arena.entry(20), 0);
            set_cr3(root | 7);
            check!(read(page(20)) == page_fault(0, page(20)), "what was cleared still counts");
        }
    });
    arena.space.destroy();
}

/// INVPCID of another tag's page, of all of its pages, and of all tags.
fn tags_invalidated() {
    if !has_invpcid() {
        return;
    }
    let mut arena = Arena::new(1);
    let root = arena.space.root().address();
    with_tags(|| {
        for kind in 0..4_u64 {
            set(arena.entry(0), arena.value(0));
            set_cr3(root | 5);
            check!(read(page(0)) == Ok(mark(0)), "type {kind}: a page is not there");
            set_cr3(root | 6);
            set(arena.entry(0), arena.value(3));
            let descriptor = [5, page(0)];
            // SAFETY: an invalidation.
            unsafe {
                asm!("invpcid {}, [{}]", in(reg) kind, in(reg) descriptor.as_ptr(),
                    options(nostack));
            }
            set_cr3(root | 5 | CR3_KEEP);
            check!(read(page(0)) == Ok(mark(3)), "type {kind}: a page is still the old one");
        }
    });
    arena.space.destroy();
}
