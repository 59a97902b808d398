// SPDX-License-Identifier: GPL-2.0

//! Reading and writing xenstore.
//!
//! Values are bytes that somebody else wrote, often a guest: they come back as they are, to be parsed by
//! `xenbus_proto`.
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

use crate::bindings;
use core::{
    fmt,
    ops::Deref,
    ptr::NonNull, //
};
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

/// The number that stands for no transaction (`XBT_NIL`).
const NO_TRANSACTION: u32 = 0;

fn raw(id: u32) -> bindings::xenbus_transaction {
    bindings::xenbus_transaction { id }
}

/// The value of a node.
///
/// # Invariants
///
/// `bytes` is an allocation of `kmalloc` owned by this value, of at least `len` initialised bytes.
pub struct Value {
    bytes: NonNull<u8>,
    len: usize,
}

impl Value {
    /// The value as a C string.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is a NUL in it.
    pub fn to_c_string(&self) -> Result<CString> {
        let mut bytes = KVec::with_capacity(self.len.saturating_add(1), GFP_KERNEL)?;
        bytes.extend_from_slice(self, GFP_KERNEL)?;
        bytes.push(0, GFP_KERNEL)?;
        let string = CStr::from_bytes_with_nul(&bytes).map_err(|_| EINVAL)?;
        Ok(CString::try_from(string)?)
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: By the type invariants `bytes` is valid for `len` bytes as long as `self`.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr(), self.len) }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the allocation is ours and came from `kmalloc`.
        unsafe { kernel::bindings::kfree(self.bytes.as_ptr().cast()) };
    }
}

/// Reads `dir/node`. `Ok(None)` when there is no such node.
pub fn read(dir: &CStr, node: &CStr) -> Result<Option<Value>> {
    read_in(NO_TRANSACTION, dir, node)
}

fn read_in(transaction: u32, dir: &CStr, node: &CStr) -> Result<Option<Value>> {
    let mut len: c_uint = 0;
    // SAFETY: Both are C strings, `len` is valid for a write.
    let bytes = from_err_ptr(unsafe {
        bindings::xenbus_read(
            raw(transaction),
            dir.as_char_ptr(),
            node.as_char_ptr(),
            &raw mut len,
        )
    });
    match bytes {
        // INVARIANT: `xenbus_read` returns an allocation of `kmalloc` that holds `len` bytes and a NUL, and
        // gives it away.
        Ok(bytes) => Ok(NonNull::new(bytes.cast::<u8>()).map(|bytes| Value {
            bytes,
            len: len as usize,
        })),
        Err(e) if e == ENOENT => Ok(None),
        Err(e) => Err(e),
    }
}

/// Removes `dir/node`.
pub fn remove(dir: &CStr, node: &CStr) -> Result {
    // SAFETY: Both are C strings.
    to_result(unsafe {
        bindings::xenbus_rm(raw(NO_TRANSACTION), dir.as_char_ptr(), node.as_char_ptr())
    })
}

/// Several reads and writes, as if nobody else did anything in between.
pub struct Transaction(u32);

impl Transaction {
    /// Reads `dir/node`. `Ok(None)` when there is no such node.
    pub fn read(&self, dir: &CStr, node: &CStr) -> Result<Option<Value>> {
        read_in(self.0, dir, node)
    }

    /// Writes `dir/node`.
    pub fn write(&self, dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
        write_in(self.0, dir, node, value)
    }
}

/// Writes `dir/node`.
pub fn write(dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    write_in(NO_TRANSACTION, dir, node, value)
}

fn write_in(transaction: u32, dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    let value = CString::try_from_fmt(value)?;
    // SAFETY: All are C strings.
    to_result(unsafe {
        bindings::xenbus_write(
            raw(transaction),
            dir.as_char_ptr(),
            node.as_char_ptr(),
            value.as_char_ptr(),
        )
    })
}

/// How often a transaction is tried before somebody else's writes are taken for an attack.
const TRANSACTION_TRIES: u32 = 100;

/// Runs `writes` in a transaction, again when somebody else's writes got in between.
pub fn transaction(mut writes: impl FnMut(&Transaction) -> Result) -> Result {
    for _ in 0..TRANSACTION_TRIES {
        let mut started = raw(NO_TRANSACTION);
        // SAFETY: `started` is valid for a write.
        to_result(unsafe { bindings::xenbus_transaction_start(&raw mut started) })?;

        let transaction = Transaction(started.id);
        let written = writes(&transaction);

        // SAFETY: The transaction was started above and is ended once.
        let ended = to_result(unsafe {
            bindings::xenbus_transaction_end(raw(started.id), written.is_err())
        });
        written?;
        match ended {
            Err(e) if e == EAGAIN => continue,
            other => return other,
        }
    }
    Err(EAGAIN)
}
