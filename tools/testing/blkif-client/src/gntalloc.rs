// SPDX-License-Identifier: GPL-2.0

//! Pages shared with another domain, by `/dev/xen/gntalloc`.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use anyhow::{Context, Result};

/// The size of a page and of a grant.
pub const PAGE_SIZE: usize = 4096;

const fn ioctl_number(number: u64, size: usize) -> u64 {
    // _IOC(_IOC_NONE, 'G', number, size)
    ((size as u64) << 16) | ((b'G' as u64) << 8) | number
}

#[repr(C)]
struct AllocGref {
    domid: u16,
    flags: u16,
    count: u32,
    index: u64,
    gref: u32,
    pad: u32,
}

#[repr(C)]
struct DeallocGref {
    index: u64,
    count: u32,
    pad: u32,
}

const ALLOC_GREF: u64 = ioctl_number(5, size_of::<AllocGref>());
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

    /// Allocates one zeroed page and grants it to domain 0.
    pub fn page(&self, access: Access) -> Result<Page> {
        let mut request = AllocGref {
            domid: 0,
            flags: if access == Access::ReadWrite {
                FLAG_WRITABLE
            } else {
                0
            },
            count: 1,
            index: 0,
            gref: 0,
            pad: 0,
        };
        // SAFETY: ALLOC_GREF reads and writes one `AllocGref` with room for `count` = 1 reference.
        let status = unsafe { libc::ioctl(self.file.as_raw_fd(), ALLOC_GREF, &raw mut request) };
        if status < 0 {
            return Err(std::io::Error::last_os_error())
                .context("cannot allocate a grant (gntalloc's limit?)");
        }
        let offset = libc::off_t::try_from(request.index)?;
        // SAFETY: A new shared mapping at an address the kernel chooses touches no existing memory.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGE_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.file.as_raw_fd(),
                offset,
            )
        };
        let mapped = NonNull::new(address.cast::<u8>()).filter(|_| address != libc::MAP_FAILED);
        let address = mapped.context("cannot map a granted page")?;
        Ok(Page {
            address,
            gref: request.gref,
            index: request.index,
            device: self.clone(),
        })
    }
}

/// One page of our memory that a peer may map.
///
/// # Invariants
///
/// `address` is a mapping of `PAGE_SIZE` bytes that lives as long as the value. The peer may change the bytes at any
/// time, so they are only accessed by volatile operations.
pub struct Page {
    address: NonNull<u8>,
    gref: u32,
    index: u64,
    device: GrantDevice,
}

impl Page {
    /// The grant reference the peer maps the page by.
    pub fn gref(&self) -> u32 {
        self.gref
    }

    /// The start of the page.
    pub fn address(&self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// Copies the page's bytes from `offset` on into `bytes`.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE);
        for (at, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: `offset + at` is inside the page by the assertion above.
            let from = unsafe { self.address().add(offset + at) };
            // SAFETY: `from` is a valid byte by the type's invariants.
            *byte = unsafe { from.read_volatile() };
        }
    }

    /// Copies `bytes` into the page from `offset` on.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE);
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: `offset + at` is inside the page by the assertion above.
            let to = unsafe { self.address().add(offset + at) };
            // SAFETY: `to` is a valid byte by the type's invariants.
            unsafe { to.write_volatile(*byte) };
        }
    }

    /// Fills the whole page with `byte`.
    pub fn fill(&self, byte: u8) {
        self.write(0, &[byte; PAGE_SIZE]);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let mut request = DeallocGref {
            index: self.index,
            count: 1,
            pad: 0,
        };
        // SAFETY: The mapping is ours and no reference into it is left: `self` is being dropped.
        unsafe { libc::munmap(self.address().cast(), PAGE_SIZE) };
        // SAFETY: DEALLOC_GREF reads one `DeallocGref`.
        unsafe { libc::ioctl(self.device.file.as_raw_fd(), DEALLOC_GREF, &raw mut request) };
    }
}
