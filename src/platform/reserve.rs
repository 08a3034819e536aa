//! What the library allocates when the system has no memory left: a reserve, so that a call under way ends with its outcome
//! instead of ending the process.
//!
//! Few of the allocations of a call are the library's own. HTTP, TLS and the runtime allocate in hundreds of places that
//! cannot report a failure, and Rust aborts the process there. So the libraries for C have an allocator that falls back on
//! the reserve (feature `capi`), and nothing begins while the reserve is low (`is_low`). A Rust program chooses its own
//! allocator, so the crate has none for it.

#![cfg_attr(not(feature = "capi"), allow(dead_code, reason = "a Rust program allocates with its own allocator"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[cfg(feature = "capi")]
#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator(System, &RESERVE);

// No page of it is resident before it is used.
static RESERVE: Reserve = Reserve::new();

thread_local! {
    static HAS_CALLED: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the system has no memory left, and either so much of the reserve is in use that the rest is kept for calls
/// under way, or this thread has not called before: glibc ends a process whose thread cannot register the destructor of a
/// thread-local, which is what a thread's first call does several times.
pub(crate) fn is_low() -> bool {
    // The buffers of idle connections may keep the reserve in use for long after a shortage.
    let is_low = RESERVE.is_low() && !has_memory(Layout::new::<[u8; 1 << 20]>());
    if !is_low && !HAS_CALLED.get() {
        HAS_CALLED.set(has_memory(Layout::new::<[u8; 4096]>()));
    }
    is_low || !HAS_CALLED.get()
}

fn has_memory(layout: Layout) -> bool {
    // The compiler would remove an allocation that nobody uses.
    // SAFETY: the size is not 0.
    let place = black_box(unsafe { System.alloc(layout) });
    if !place.is_null() {
        // SAFETY: `System` has just allocated it with this layout.
        unsafe { System.dealloc(place, layout) };
    }
    !place.is_null()
}

/// Allocates with `S`, and from the reserve where that fails.
struct Allocator<'a, S>(S, &'a Reserve);

/// 19 MiB, of which a call with a small response takes about 100 KiB. The large blocks are for larger responses: an HTTP
/// connection reads them into a buffer that grows to 512 KiB and stays with the connection.
struct Reserve {
    small: Zone<64, 256>,
    medium: Zone<2048, 16>,
    large: Zone<32768, 8>,
}

/// What needs more blocks gets larger ones, where there are any. Longer than 16 of the largest are only payloads and
/// responses, whose allocation may fail: the reserve is not for them.
const MOST_BLOCKS: usize = 16;

/// Memory in words of 64 blocks. An allocation takes neighbouring blocks of one word. There is no lock, which another thread
/// could hold at the time of a fork.
#[repr(C, align(4096))]
struct Zone<const BLOCK: usize, const WORDS: usize> {
    memory: UnsafeCell<[[[u8; BLOCK]; 64]; WORDS]>,
    /// A bit for each block in use.
    used: [AtomicU64; WORDS],
    blocks_used: AtomicUsize,
}

// SAFETY: `used` gives each part of the memory to one owner at a time.
unsafe impl<const BLOCK: usize, const WORDS: usize> Sync for Zone<BLOCK, WORDS> {}

impl<const BLOCK: usize, const WORDS: usize> Zone<BLOCK, WORDS> {
    const fn new() -> Self {
        const { assert!(BLOCK.is_power_of_two(), "blocks are aligned to their size") };
        Self {
            memory: UnsafeCell::new([[[0; BLOCK]; 64]; WORDS]),
            used: [const { AtomicU64::new(0) }; WORDS],
            blocks_used: AtomicUsize::new(0),
        }
    }

    fn is_low(&self) -> bool {
        self.blocks_used.load(Ordering::Relaxed) > WORDS * 64 / 2
    }

    /// Returns NULL if it would need more than [`MOST_BLOCKS`], or no word has enough free neighbours.
    fn allocate(&self, layout: Layout) -> *mut u8 {
        let blocks = layout.size().div_ceil(BLOCK);
        if blocks > MOST_BLOCKS || layout.align() > BLOCK.min(align_of::<Self>()) {
            return std::ptr::null_mut();
        }
        for (word, used) in self.used.iter().enumerate() {
            let mut at = 0;
            let take = |used: u64| {
                at = first_run(!used, blocks)?;
                Some(used | mask(at, blocks))
            };
            if used.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_ok() {
                self.blocks_used.fetch_add(blocks, Ordering::Relaxed);
                // SAFETY: the block is inside the memory, and the bits make it the caller's alone.
                return unsafe { self.memory.get().cast::<u8>().add((word * 64 + at) * BLOCK) };
            }
        }
        std::ptr::null_mut()
    }

    /// Returns the block that begins at a place. `None`: the place is not in this zone.
    fn block_at(&self, place: *mut u8) -> Option<usize> {
        let block = place.addr().wrapping_sub(self.memory.get().addr()) / BLOCK;
        (block < WORDS * 64).then_some(block)
    }

    /// Frees what `allocate` has returned for the same layout. Returns false if that was not this zone.
    fn free(&self, place: *mut u8, layout: Layout) -> bool {
        let Some(block) = self.block_at(place) else { return false };
        let blocks = layout.size().div_ceil(BLOCK);
        self.used[block / 64].fetch_and(!mask(block % 64, blocks), Ordering::Release);
        self.blocks_used.fetch_sub(blocks, Ordering::Relaxed);
        true
    }
}

/// Returns the lowest bit that begins a run of so many set bits.
fn first_run(free: u64, length: usize) -> Option<usize> {
    // Each step leaves the bits that begin a run that is longer by one.
    let begins = (1..length).fold(free, |begins, further| begins & (free >> further));
    (begins != 0).then_some(begins.trailing_zeros() as usize)
}

fn mask(at: usize, length: usize) -> u64 {
    (u64::MAX >> (64 - length)) << at
}

impl Reserve {
    const fn new() -> Self {
        Self { small: Zone::new(), medium: Zone::new(), large: Zone::new() }
    }

    fn is_low(&self) -> bool {
        self.small.is_low() || self.medium.is_low() || self.large.is_low()
    }

    fn allocate(&self, layout: Layout) -> *mut u8 {
        let small = self.small.allocate(layout);
        if !small.is_null() {
            return small;
        }
        let medium = self.medium.allocate(layout);
        if medium.is_null() { self.large.allocate(layout) } else { medium }
    }

    /// One comparison: every free of the library asks.
    fn contains(&self, place: *mut u8) -> bool {
        place.addr().wrapping_sub(std::ptr::from_ref(self).addr()) < size_of::<Self>()
    }

    fn free(&self, place: *mut u8, layout: Layout) -> bool {
        self.contains(place)
            && (self.small.free(place, layout) || self.medium.free(place, layout) || self.large.free(place, layout))
    }
}

// SAFETY: both `S` and the reserve hand out memory of the layout that is asked for, each to one owner, and what is freed or
// resized goes back to the one that it is from.
unsafe impl<S: GlobalAlloc> GlobalAlloc for Allocator<'_, S> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees it.
        let place = unsafe { self.0.alloc(layout) };
        if place.is_null() { self.1.allocate(layout) } else { place }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees it.
        let place = unsafe { self.0.alloc_zeroed(layout) };
        if !place.is_null() {
            return place;
        }
        let place = self.1.allocate(layout);
        if !place.is_null() {
            // SAFETY: fresh memory of this size.
            unsafe { place.write_bytes(0, layout.size()) };
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if !self.1.free(place, layout) {
            // SAFETY: not from the reserve, so from `S`; the caller guarantees the rest.
            unsafe { self.0.dealloc(place, layout) };
        }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !self.1.contains(place) {
            // SAFETY: not from the reserve, so from `S`; the caller guarantees the rest.
            let new = unsafe { self.0.realloc(place, layout, new_size) };
            if !new.is_null() {
                return new;
            }
        }
        // SAFETY: the caller guarantees that the new size makes a layout.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both have at least so many bytes, and the new memory is fresh.
            unsafe { new.copy_from_nonoverlapping(place, layout.size().min(new_size)) };
            // SAFETY: the caller guarantees it.
            unsafe { self.dealloc(place, layout) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system without memory.
    struct Nothing;

    // SAFETY: NULL is a failure.
    unsafe impl GlobalAlloc for Nothing {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            std::ptr::null_mut()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {
            panic!("it has returned nothing");
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn runs_are_found_wherever_they_are() {
        assert_eq!(first_run(u64::MAX, 64), Some(0));
        assert_eq!(first_run(u64::MAX - 1, 64), None);
        assert_eq!(first_run(0b0110_1110, 3), Some(1));
        assert_eq!(first_run(0b0110_1110, 4), None);
        assert_eq!(first_run(1 << 63, 1), Some(63));
        assert_eq!(mask(63, 1), 1 << 63);
        assert_eq!(mask(0, 64), u64::MAX);
    }

    /// Random allocations, resizings and frees: none overlaps another, contents are kept, and all comes back.
    #[test]
    fn allocations_do_not_overlap() {
        static RESERVE: Reserve = Reserve::new();
        let (reserve, mut random) = (&RESERVE, fastrand::Rng::with_seed(1));
        let allocator = Allocator(Nothing, reserve);
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let rounds = if cfg!(miri) { 30 } else { 20_000 };
        for round in 0..rounds {
            let fill = (round % 251) as u8;
            let of = layout(1 << random.u32(0..14), 1 << random.u32(0..7));
            match random.u32(0..4) {
                0 | 1 => {
                    // SAFETY: the size is not 0.
                    let place = unsafe { allocator.alloc_zeroed(of) };
                    if !place.is_null() {
                        assert_eq!(place.addr() % of.align(), 0);
                        // SAFETY: the allocation has so many bytes.
                        unsafe {
                            assert!(std::slice::from_raw_parts(place, of.size()).iter().all(|byte| *byte == 0));
                            place.write_bytes(fill, of.size());
                        }
                        held.push((place, of, fill));
                    }
                }
                _ if held.is_empty() => {}
                change => {
                    let (place, old, filled) = held.swap_remove(random.usize(0..held.len()));
                    // SAFETY: it is live, and of this layout.
                    unsafe {
                        assert!(std::slice::from_raw_parts(place, old.size()).iter().all(|byte| *byte == filled));
                        let resized = if change == 2 { allocator.realloc(place, old, of.size()) } else { place };
                        if change == 3 || resized.is_null() {
                            allocator.dealloc(place, old);
                        } else {
                            let kept = old.size().min(of.size());
                            assert!(std::slice::from_raw_parts(resized, kept).iter().all(|byte| *byte == filled));
                            resized.write_bytes(fill, of.size());
                            held.push((resized, layout(of.size(), old.align()), fill));
                        }
                    }
                }
            }
        }
        for (place, of, _) in held {
            // SAFETY: it is live, and of this layout.
            unsafe { allocator.dealloc(place, of) };
        }
        let mut used = reserve.small.used.iter().chain(&reserve.medium.used).chain(&reserve.large.used);
        assert!(used.all(|word| word.load(Ordering::Relaxed) == 0));
        assert_eq!(reserve.small.blocks_used.load(Ordering::Relaxed), 0);
        assert_eq!(reserve.medium.blocks_used.load(Ordering::Relaxed), 0);
        assert_eq!(reserve.large.blocks_used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn it_is_low_when_half_of_it_is_in_use() {
        static RESERVE: Reserve = Reserve::new();
        let (reserve, of) = (&RESERVE, layout(64 * 1024, 8));
        let held: Vec<_> = (0..129).map(|_| reserve.allocate(of)).collect();
        assert!(held.iter().all(|place| !place.is_null()) && reserve.is_low());
        assert!(reserve.free(held[0], of) && !reserve.is_low());
        assert!(reserve.allocate(layout((512 << 10) + 1, 8)).is_null());
    }

    #[test]
    fn threads_share_it() {
        static RESERVE: Reserve = Reserve::new();
        let reserve = &RESERVE;
        std::thread::scope(|scope| {
            for number in 0..4_u8 {
                scope.spawn(move || {
                    for round in 0..if cfg!(miri) { 5 } else { 20_000 } {
                        let of = layout(1 + round % 700, 8);
                        let place = reserve.allocate(of);
                        assert!(!place.is_null());
                        // SAFETY: the allocation has so many bytes, which are this thread's alone.
                        unsafe {
                            place.write_bytes(number, of.size());
                            assert!(std::slice::from_raw_parts(place, of.size()).iter().all(|byte| *byte == number));
                        }
                        assert!(reserve.free(place, of));
                    }
                });
            }
        });
        assert!(!reserve.is_low());
    }
}
