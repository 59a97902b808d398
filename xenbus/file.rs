// SPDX-License-Identifier: GPL-2.0

//! Regular files, for a driver that serves them as disks.
//!
//! A [`File`] is open and claimed, and has helpers: a bounded number of threads that do what may have to be waited for.
//! How one request gets to it is in `file/request.rs`; those who have requests are in [`crate::blk`].

mod claims;
mod image;
mod request;
mod size;

pub use image::Refusal;
pub(crate) use request::{
    Owner,
    Request,
    Task, //
};
pub use size::{
    Listener,
    SizeWatch, //
};

use self::{
    claims::{
        Claimed,
        Identity, //
    },
    image::Image, //
};
use crate::{
    bindings,
    blk::Claim, //
};
use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    str::{
        CStr,
        CString, //
    },
};
use xenbus_proto::{
    blkif::{
        whole_sectors,
        SECTOR_SIZE, //
    },
    device::DeviceNumber, //
};

/// How many requests to a file may be waited for at a time. More of them wait for these.
const HELPERS: c_int = 16;

/// What has a name in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A block device's node.
    BlockDevice(DeviceNumber),
    /// Anything else.
    Other,
}

impl Kind {
    /// Of what has this name.
    pub fn of(path: &CStr) -> Result<Self> {
        let mut device = 0;
        // SAFETY: The path is a C string.
        let kind = unsafe { bindings::xenbus_helper_file_kind(path.as_char_ptr(), &mut device) };
        to_result(kind)?;
        Ok(match kind {
            bindings::XENBUS_S_IFREG => Self::File,
            // `MAJOR` and `MINOR`: the kernel's own encoding of a device number.
            bindings::XENBUS_S_IFBLK => Self::BlockDevice(DeviceNumber {
                major: device >> 20,
                minor: device & 0xf_ffff,
            }),
            _ => Self::Other,
        })
    }
}

/// How data gets to a file, chosen when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Past the page cache; requests are multiples of so many bytes.
    Direct(u32),
    /// Through the page cache.
    Buffered,
    /// Uncompressed, of blocks of so many bytes.
    Uncompressed(u32),
}

/// Whose name of a file it is, where namespaces or roots differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The system's first process.
    Init,
    /// The program that calls.
    Caller,
}

/// Who a file is opened for.
pub struct Users {
    /// They write.
    pub write: bool,
    /// Who else may use it.
    pub claim: Claim,
    /// Bytes that their requests are multiples of; 0 if the page cache is to be used in any case.
    pub unit: u32,
    /// They mean the file by its name, or somebody for them.
    pub named_by: NamedBy,
}

/// An open regular file. It is closed when this is dropped, and what the helpers do is waited for.
///
/// # Invariants
///
/// - `file` is an open regular file, of which this owns a reference.
/// - `helpers` is a work queue that this owns.
/// - An image is not writable.
pub struct File {
    file: NonNull<kernel::bindings::file>,
    helpers: NonNull<kernel::bindings::workqueue_struct>,
    path: CString,
    facts: bindings::xenbus_file_facts,
    writable: bool,
    /// What it uncompresses to, if that is served.
    image: Option<Pin<KBox<Image>>>,
    /// Given up when the file is closed.
    _claimed: Claimed,
}

// SAFETY: A file may be used and closed from any thread, a work queue too.
unsafe impl Send for File {}
// SAFETY: The methods on a shared reference may be called at the same time.
unsafe impl Sync for File {}

impl File {
    /// Opens the file with this name, to be written when `write`. Anything else than a regular file is not touched.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody has a claim that excludes this one, or a program or a loop device writes it; `EISDIR` for a
    /// directory, `EMEDIUMTYPE` for anything else that is no regular file, `ETXTBSY` for a swap file in use, and whatever
    /// opening it gives.
    pub fn open(path: &CStr, write: bool, claim: Claim) -> Result<Self> {
        let users = Users {
            write,
            claim,
            unit: SECTOR_SIZE,
            named_by: NamedBy::Init,
        };
        Self::open_for(path, &users)
    }

    /// The same, for these users.
    pub fn open_for(path: &CStr, users: &Users) -> Result<Self> {
        let Users { write, claim, .. } = *users;
        let name = CString::try_from(path)?;
        let opened = Opened::new(path, write, users.named_by)?;
        let claimed = Claimed::new(opened.identity(), claim)?;
        let writers = if write { 1 } else { 0 };
        if claim != Claim::Shared && opened.writers() > writers {
            return Err(EBUSY);
        }
        let facts = opened.facts(users.unit);
        let helpers = new_helpers()?;
        // INVARIANT: Both were made above.
        Ok(Self {
            file: opened.keep(),
            helpers,
            path: name,
            facts,
            writable: write,
            image: None,
            _claimed: claimed,
        })
    }

    /// Serves what the file uncompresses to, instead of its own bytes. That cannot be written.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is no compressed image.
    pub fn uncompressed(mut self) -> Result<Self, Refusal> {
        self.image = Some(Image::of(&self)?);
        // INVARIANT: Its blocks cannot be written.
        self.writable = false;
        Ok(self)
    }

    /// The name that it was opened by.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// The size in bytes of what is served, as it is now.
    pub fn bytes(&self) -> u64 {
        let image = self.image.as_ref().map(|image| image.bytes());
        image.unwrap_or_else(|| self.own_bytes())
    }

    /// The size in whole sectors of 512 bytes, as it is now.
    pub fn sectors(&self) -> u64 {
        whole_sectors(self.bytes())
    }

    /// The size of the file itself in bytes, as it is now.
    fn own_bytes(&self) -> u64 {
        // SAFETY: By the type invariant the file is open.
        unsafe { bindings::xenbus_helper_file_size(self.raw()) }
    }

    /// Which file it is, as `stat` says: the file system's device, and the inode.
    pub fn identity(&self) -> Result<(u64, u64)> {
        let (mut device, mut inode) = (0, 0);
        // SAFETY: By the type invariant the file is open.
        to_result(unsafe {
            bindings::xenbus_helper_file_identity(self.raw(), &mut device, &mut inode)
        })?;
        Ok((device, inode))
    }

    /// The name that it has now, for the calling program, written into `buffer`.
    pub fn current_name<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a CStr> {
        let size = c_int::try_from(buffer.len())?;
        // SAFETY: By the type invariant the file is open. The buffer has as many bytes.
        let name = from_err_ptr(unsafe {
            bindings::xenbus_helper_file_name(self.raw(), buffer.as_mut_ptr().cast(), size)
        })?;
        // SAFETY: It is a C string in the buffer.
        Ok(unsafe { CStr::from_char_ptr(name) })
    }

    /// Bytes of the unit that the file system reads and writes without waste.
    pub fn block_size(&self) -> u32 {
        // What a file system says that has no blocks may be less than any disk has, or more.
        self.facts.block_size.clamp(SECTOR_SIZE, 1 << 16)
    }

    /// How data gets there.
    pub fn way(&self) -> Way {
        match (&self.image, self.facts.direct_unit) {
            (Some(image), _) => Way::Uncompressed(image.block_size()),
            (None, 0) => Way::Buffered,
            (None, unit) => Way::Direct(unit),
        }
    }

    /// Whether it may be possible to give room in it back. Whether it is is seen at the first try.
    pub fn can_punch(&self) -> bool {
        self.facts.can_punch && self.writable
    }

    /// Whether it was opened to be written.
    pub fn writable(&self) -> bool {
        self.writable
    }

    /// Whether transfers can be started without waiting.
    pub(crate) fn can_start(&self) -> bool {
        self.facts.can_start && self.image.is_none()
    }

    /// Bytes of the unit of direct I/O, 0 if there is none.
    pub(crate) fn direct_unit(&self) -> u32 {
        self.facts.direct_unit
    }

    /// Bytes that the memory of direct I/O is aligned to, 0 if there is none.
    pub(crate) fn direct_memory_unit(&self) -> u32 {
        match self.facts.direct_unit {
            0 => 0,
            _ => self.facts.direct_memory_unit,
        }
    }

    /// Makes durable what was written. Waits.
    pub fn sync(&self) -> Result {
        // What finds the data again is made durable with it, times are not.
        //
        // SAFETY: By the type invariant the file is open.
        to_result(unsafe { bindings::xenbus_helper_file_sync(self.raw()) })
    }

    /// Gives back the room of some bytes, which read as zeroes then. Waits.
    pub(crate) fn punch(&self, pos: u64, bytes: u32) -> Result {
        let pos = i64::try_from(pos)?;
        // SAFETY: By the type invariant the file is open.
        to_result(unsafe { bindings::xenbus_helper_file_punch(self.raw(), pos, bytes.into()) })
    }

    /// Makes some bytes zeroes, which keep their room where the file system can do that. Waits.
    pub(crate) fn zero(&self, pos: u64, bytes: u32) -> Result {
        let pos = i64::try_from(pos)?;
        // SAFETY: By the type invariant the file is open.
        to_result(unsafe { bindings::xenbus_helper_file_zero(self.raw(), pos, bytes.into()) })
    }

    /// Transfers everything. Waits. What is not [writable](Self::writable) must not be written.
    ///
    /// # Safety
    ///
    /// The table has as many parts as it says, all in memory that stays until this returns, `bytes` together.
    pub(crate) unsafe fn transfer(&self, what: &bindings::xenbus_file_transfer) -> Result {
        match &self.image {
            // SAFETY: As is required of the caller.
            Some(image) => unsafe { image.read(self, what) },
            // SAFETY: By the type invariant the file is open; the rest is what is required of the caller.
            None => to_result(unsafe { bindings::xenbus_helper_file_transfer(self.raw(), what) }),
        }
    }

    /// Fills memory of our own from the file itself, through the page cache. Waits.
    fn read(&self, pos: u64, to: &mut [u8]) -> Result {
        let pos = i64::try_from(pos)?;
        // SAFETY: By the type invariant the file is open; the memory is as long.
        to_result(unsafe {
            bindings::xenbus_helper_file_read(self.raw(), pos, to.as_mut_ptr(), to.len())
            //
        })
    }

    pub(crate) fn raw(&self) -> *mut kernel::bindings::file {
        self.file.as_ptr()
    }

    /// Has a helper do some work.
    ///
    /// # Safety
    ///
    /// The work was initialised, is not queued, and stays until its function is called.
    pub(crate) unsafe fn have_done(&self, work: *mut kernel::bindings::work_struct) {
        let anywhere = kernel::bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;
        // SAFETY: By the type invariant the queue is ours; the rest is required of the caller.
        unsafe { kernel::bindings::queue_work_on(anywhere, self.helpers.as_ptr(), work) };
    }
}

/// A file that is being opened. It is closed when this is dropped.
///
/// # Invariants
///
/// It is an open file, of which this owns a reference.
struct Opened(NonNull<kernel::bindings::file>);

impl Opened {
    /// Opens the file with this name.
    fn new(path: &CStr, write: bool, named_by: NamedBy) -> Result<Self> {
        let open = match named_by {
            NamedBy::Init => bindings::xenbus_helper_file_open_for_init,
            NamedBy::Caller => bindings::xenbus_helper_file_open_for_caller,
        };
        // SAFETY: The path is a C string.
        let file = from_err_ptr(unsafe { open(path.as_char_ptr(), write) })?;
        // INVARIANT: The reference is ours.
        Ok(Self(NonNull::new(file).ok_or(ENOENT)?))
    }

    fn identity(&self) -> Identity {
        // SAFETY: By the type invariant the file is open.
        let inode = unsafe { bindings::xenbus_helper_file_inode(self.0.as_ptr()) };
        Identity(inode.addr())
    }

    /// How many have it open to write, this one included.
    fn writers(&self) -> c_int {
        // SAFETY: By the type invariant the file is open.
        unsafe { bindings::xenbus_helper_file_writers(self.0.as_ptr()) }
    }

    /// What is known of it, for requests that are multiples of `unit` bytes.
    fn facts(&self, unit: u32) -> bindings::xenbus_file_facts {
        let mut facts = bindings::xenbus_file_facts::default();
        // SAFETY: By the type invariant the file is open.
        unsafe { bindings::xenbus_helper_file_facts(self.0.as_ptr(), &mut facts) };
        // A request is any of these units, and starts at any sector of a page. It is all or nothing: a file that is
        // written past the page cache and through it at the same time can lose writes.
        if facts.direct_memory_unit > SECTOR_SIZE || facts.direct_unit > unit {
            facts.direct_unit = 0;
        }
        facts
    }

    /// Gives it away.
    fn keep(self) -> NonNull<kernel::bindings::file> {
        core::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Closed here and now: whoever unmounts the file system next finds it unused.
        //
        // SAFETY: By the type invariant the reference is ours. Nobody who drops files holds a lock that closing one
        // needs.
        unsafe { kernel::bindings::__fput_sync(self.0.as_ptr()) };
    }
}

/// A work queue for what has to be waited for.
fn new_helpers() -> Result<NonNull<kernel::bindings::workqueue_struct>> {
    // SAFETY: The format consumes one C string.
    let helpers = unsafe {
        kernel::bindings::alloc_workqueue_noprof(
            c"%s".as_char_ptr(),
            // As for loop devices: one with a rescuer may not wait for the file systems' own that have none.
            bindings::XENBUS_WQ_UNBOUND,
            HELPERS,
            c"xbd-file".as_char_ptr(),
        )
    };
    NonNull::new(helpers).ok_or(ENOMEM)
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is ours. The call waits for helpers that are about to end: what they did
        // they have handed back.
        unsafe { kernel::bindings::destroy_workqueue(self.helpers.as_ptr()) };
        // INVARIANT: The reference is given away.
        drop(Opened(self.file));
    }
}
