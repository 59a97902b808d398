// SPDX-License-Identifier: GPL-2.0

//! Pages shared with another domain, by `/dev/xen/gntalloc`.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use anyhow::{ensure, Context, Result};

/// The size of a page and of a grant.
pub const PAGE_SIZE: usize = 4096;

const fn ioctl_number(number: u64, size: usize) -> u64 {
    // _IOC(_IOC_NONE, 'G', number, size)
    ((size as u64) << 16) | ((b'G' as u64) << 8) | number
}

/// The most pages that are allocated together: twice the longest ring that any backend offers.
pub const MAX_PAGES: usize = 64;

const LIMIT: &str = "/sys/module/xen_gntalloc/parameters/limit";

/// What the ioctl's number says of the structure's size: room for one reference, and padding.
const ALLOC_GREF_SIZE: usize = 24;

#[repr(C)]
struct AllocGref {
    domid: u16,
    flags: u16,
    count: u32,
    index: u64,
    grefs: [u32; MAX_PAGES],
}

#[repr(C)]
struct DeallocGref {
    index: u64,
    count: u32,
    pad: u32,
}

const ALLOC_GREF: u64 = ioctl_number(5, ALLOC_GREF_SIZE);
const DEALLOC_GREF: u64 = ioctl_number(6, size_of::<DeallocGref>());
const FLAG_WRITABLE: u16 = 1;

/// What the peer may do with a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The peer may only read.
    ReadOnly,
    /// The peer may read and write.
    ReadWrite,
}

/// The grant allocation device.
#[derive(Clone)]
pub struct GrantDevice {
    file: Arc<File>,
}

impl GrantDevice {
    /// Opens the device.
    pub fn open() -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/xen/gntalloc")
            .context("cannot open /dev/xen/gntalloc: is the module xen-gntalloc loaded?")?;
        Ok(Self {
            file: Arc::new(file),
        })
    }

    /// Lets `count` pages be granted at once by all users of the device, if fewer could be.
    pub fn allow(count: u32) -> Result<()> {
        let now: u32 = fs::read_to_string(LIMIT)?.trim().parse()?;
        if now < count {
            fs::write(LIMIT, count.to_string()).with_context(|| format!("cannot set {LIMIT}"))?;
        }
        Ok(())
    }

    /// Allocates one zeroed page and grants it to domain 0.
    pub fn page(&self, access: Access) -> Result<Pages> {
        self.pages(1, access)
    }

    /// Allocates `count` zeroed pages, one after another in our memory, and grants them to domain 0.
    pub fn pages(&self, count: usize, access: Access) -> Result<Pages> {
        ensure!(
            (1..=MAX_PAGES).contains(&count),
            "{count} pages are not allocated together"
        );
        let (index, grefs) = self.allocate(count, access)?;
        let address = self
            .map(index, count)
            .inspect_err(|_| self.free(index, count))?;
        Ok(Pages {
            address,
            grefs,
            index,
            device: self.clone(),
        })
    }

    fn allocate(&self, count: usize, access: Access) -> Result<(u64, Vec<u32>)> {
        let mut request = AllocGref {
            domid: 0,
            flags: if access == Access::ReadWrite {
                FLAG_WRITABLE
            } else {
                0
            },
            count: u32::try_from(count)?,
            index: 0,
            grefs: [0; MAX_PAGES],
        };
        // SAFETY: ALLOC_GREF reads and writes one `AllocGref` with room for `count` references.
        let status = unsafe { libc::ioctl(self.file.as_raw_fd(), ALLOC_GREF, &raw mut request) };
        if status < 0 {
            return Err(std::io::Error::last_os_error())
                .context("cannot allocate grants (gntalloc's limit?)");
        }
        Ok((request.index, request.grefs[..count].to_vec()))
    }

    fn map(&self, index: u64, count: usize) -> Result<NonNull<u8>> {
        let offset = libc::off_t::try_from(index)?;
        // SAFETY: A new shared mapping at an address the kernel chooses touches no existing memory.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                count * PAGE_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.file.as_raw_fd(),
                offset,
            )
        };
        let mapped = NonNull::new(address.cast::<u8>()).filter(|_| address != libc::MAP_FAILED);
        mapped.context("cannot map granted pages")
    }

    fn free(&self, index: u64, count: usize) {
        let mut request = DeallocGref {
            index,
            count: count as u32,
            pad: 0,
        };
        // SAFETY: DEALLOC_GREF reads one `DeallocGref`.
        unsafe { libc::ioctl(self.file.as_raw_fd(), DEALLOC_GREF, &raw mut request) };
    }
}

/// Pages of our memory that a peer may map, most often one.
///
/// # Invariants
///
/// `address` is a mapping of one page for each of `grefs` that lives as long as the value. The peer may change the bytes at any
/// time, so they are only accessed by volatile operations.
pub struct Pages {
    address: NonNull<u8>,
    grefs: Vec<u32>,
    index: u64,
    device: GrantDevice,
}

// SAFETY: The bytes are shared with a peer anyway and only accessed by volatile operations; races are the purpose.
unsafe impl Sync for Pages {}

impl Pages {
    /// The grant reference the peer maps the first page by.
    pub fn gref(&self) -> u32 {
        self.grefs[0]
    }

    /// The grant references the peer maps the pages by.
    pub fn grefs(&self) -> &[u32] {
        &self.grefs
    }

    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.grefs.len() * PAGE_SIZE
    }

    /// The start of the pages.
    pub fn address(&self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// Copies the bytes from `offset` on into `bytes`.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(offset + bytes.len() <= self.size());
        for (at, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: `offset + at` is inside the pages by the assertion above.
            let from = unsafe { self.address().add(offset + at) };
            // SAFETY: `from` is a valid byte by the type's invariants.
            *byte = unsafe { from.read_volatile() };
        }
    }

    /// Copies `bytes` into the pages from `offset` on.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.size());
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: `offset + at` is inside the pages by the assertion above.
            let to = unsafe { self.address().add(offset + at) };
            // SAFETY: `to` is a valid byte by the type's invariants.
            unsafe { to.write_volatile(*byte) };
        }
    }

    /// Fills everything with `byte`.
    pub fn fill(&self, byte: u8) {
        self.write(0, &vec![byte; self.size()]);
    }

    /// Whether every byte is `byte`.
    pub fn holds_only(&self, byte: u8) -> bool {
        let mut bytes = vec![0; self.size()];
        self.read(0, &mut bytes);
        bytes.iter().all(|other| *other == byte)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: The mapping is ours and no reference into it is left: `self` is being dropped.
        unsafe { libc::munmap(self.address().cast(), self.size()) };
        self.device.free(self.index, self.grefs.len());
    }
}
