// SPDX-License-Identifier: GPL-2.0

//! Directories and files in debugfs, for whoever wants to look inside a driver.
//!
//! The kernel crate has this too, but its files have no owner: one that is held open while the driver's module
//! is unloaded would run code that is gone. Ours belong to `xenbus-rs`, which such a file keeps loaded. The
//! driver's part runs only while the file exists.
//!
//! That a file cannot be made is never an error, as nothing depends on debugfs: it is just not there.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use core::fmt;
use kernel::{
    bindings,
    prelude::*,
    seq_file::SeqFile,
    str::CStr,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

/// What a file shows.
pub trait Show: Send + Sync {
    /// Writes it. It may sleep, but not wait for the file to be removed.
    fn show(&self, text: &mut dyn fmt::Write) -> fmt::Result;
}

/// A file or a directory, removed when this is dropped.
///
/// # Invariants
///
/// `dentry` is what `debugfs_create_…` returned, an error perhaps, and it has not been removed.
struct Entry {
    dentry: *mut bindings::dentry,
    /// Removed later than this.
    _parent: Option<Arc<Entry>>,
}

// SAFETY: Entries may be used and removed from any thread.
unsafe impl Send for Entry {}
// SAFETY: Entries may be used from any thread.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; the function takes an error too. It waits for those who read.
        unsafe { bindings::debugfs_remove(self.dentry) };
    }
}

/// A directory, removed once it and all that is in it is dropped.
#[derive(Clone)]
pub struct Directory(Arc<Entry>);

impl Directory {
    fn new(name: &CStr, parent: Option<&Arc<Entry>>) -> Result<Self> {
        let above = parent.map_or(core::ptr::null_mut(), |parent| parent.dentry);
        // SAFETY: The name is copied; by the type invariant `above` may be used, and null is the top.
        let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), above) };
        // INVARIANT: Just created.
        let entry = Entry {
            dentry,
            _parent: parent.cloned(),
        };
        Ok(Self(Arc::new(entry, GFP_KERNEL)?))
    }

    /// Makes a file in this directory.
    pub fn file(&self, name: &CStr, content: Arc<dyn Show>) -> Result<File> {
        let content = KBox::new(content, GFP_KERNEL)?;
        // SAFETY:
        // - The name is copied, and the directory may be used by the type invariant.
        // - `OPERATIONS` expects such a content, which stays where it is until the file is gone.
        let dentry = unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                0o400,
                self.0.dentry,
                core::ptr::from_ref(&*content).cast_mut().cast(),
                core::ptr::null(),
                &raw const OPERATIONS.0,
            )
        };
        // INVARIANT: Just created.
        let entry = Entry {
            dentry,
            _parent: Some(self.0.clone()),
        };
        Ok(File {
            _entry: entry,
            _content: content,
        })
    }
}

/// A file, removed when this is dropped.
pub struct File {
    // Fields are dropped in this order: nobody reads the content once the entry is gone.
    _entry: Entry,
    _content: KBox<Arc<dyn Show>>,
}

/// A driver's directory, there as long as the module is loaded: `module_xenbus_backend!` makes it.
pub struct Root(SetOnce<Directory>);

impl Root {
    /// Not there yet.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self(SetOnce::new())
    }

    /// Makes a directory in the driver's.
    pub fn directory(&self, name: &CStr) -> Result<Directory> {
        let root = self.0.as_ref().ok_or(ENOENT)?;
        Directory::new(name, Some(&root.0))
    }
}

/// Has a driver's directory made, and removed when this is dropped.
///
/// # Invariants
///
/// There is one for a [`Root`], a static of the module.
#[doc(hidden)]
pub struct Made(&'static Root);

impl Made {
    /// Makes the directory.
    ///
    /// # Safety
    ///
    /// It is called once for this `root`. When what it returns is dropped, nothing uses `root` any more.
    pub unsafe fn new(root: &'static Root, name: &CStr) -> Result<Self> {
        root.0.populate(Directory::new(name, None)?);
        // INVARIANT: By the safety requirement.
        Ok(Self(root))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(directory) = self.0 .0.as_ref() {
            // SAFETY: Nothing drops a static, nor uses this one from now on.
            drop(unsafe { core::ptr::read(directory) });
        }
    }
}

/// What the kernel calls for a file.
#[repr(transparent)]
struct Operations(bindings::file_operations);

// SAFETY: It is never written.
unsafe impl Sync for Operations {}

static OPERATIONS: Operations = {
    let mut operations: bindings::file_operations = pin_init::zeroed();
    operations.owner = &raw mut bindings::__this_module;
    operations.open = Some(open);
    operations.read = Some(bindings::seq_read);
    operations.llseek = Some(bindings::seq_lseek);
    operations.release = Some(bindings::single_release);
    Operations(operations)
};

/// Opens a file.
///
/// # Safety
///
/// debugfs calls it for an inode of a [`File`].
unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: debugfs keeps what the file was created with in the inode.
    let content = unsafe { (*inode).i_private };
    // SAFETY: `show` is given the content. debugfs calls it only while the file is not yet removed.
    unsafe { bindings::single_open(file, Some(show), content) }
}

/// Shows a file.
///
/// # Safety
///
/// It is called for a file opened by [`open`], and the file is not yet removed.
unsafe extern "C" fn show(file: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: `single_open` was given the content, which lives as long as the file.
    let content = unsafe { &*(*file).private.cast::<Arc<dyn Show>>() };
    // SAFETY: The file is ours for this call.
    let file = unsafe { SeqFile::from_raw(file) };
    // What does not fit is noticed by the kernel, which calls again with more room.
    let _ = content.show(&mut Text(file));
    0
}

/// The text of a file.
struct Text<'a>(&'a SeqFile);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.call_printf(format_args!("{text}"));
        Ok(())
    }
}
