// SPDX-License-Identifier: GPL-2.0

//! Memory that another domain has granted us: copied by Xen, or mapped.
//!
//! A copy moves the data between the other domain's page and one of ours in one go, and leaves nothing
//! behind. A mapping lets a device reach the page itself, and has to be taken back. Which is cheaper depends
//! on how much is moved, and how often the same page is.
//!
//! C header: [`include/xen/interface/grant_table.h`](srctree/include/xen/interface/grant_table.h)

mod copy;
mod map;

pub use self::copy::{
    Copied,
    CopyBatch,
    CopyBuffer,
    Local,
    Remote, //
};
pub use self::map::{
    Access,
    Mapped,
    Mapper,
    Mapping,
    NotMapped, //
};

/// What an operation says of itself until Xen has answered: a failure, so that one that was never carried
/// out is not taken for done.
const NOT_DONE: i16 = -1;
