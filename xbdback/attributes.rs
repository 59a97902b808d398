// SPDX-License-Identifier: GPL-2.0

//! A disk's files in sysfs, below `/sys/bus/xen-backend/devices/vbd-<domain>-<handle>/`.
//!
//! Names and contents are those of xen-blkback, which xentop and others read; `access` and `errors_…` are ours.

use crate::{
    named::What,
    statistics::{
        ErrorClass,
        QueueStatistics, //
    },
    Bound, //
};
use core::fmt::{
    self,
    Write, //
};
use xenbus::file::Way;
use xenbus_proto::{
    device::Mode,
    text::Escaped, //
};

xenbus::attribute_groups! {
    /// The files of a disk.
    pub(crate) static ATTRIBUTES for Bound = {
        c"" => {
            c"physical_device" => physical_device,
            c"mode" => mode,
            c"access" => access,
        },
        c"statistics" => {
            c"oo_req" => |disk, text| total(disk, text, |queue| queue.waits.get()),
            c"rd_req" => |disk, text| total(disk, text, |queue| queue.reads.get()),
            c"wr_req" => |disk, text| total(disk, text, |queue| queue.writes.get()),
            c"f_req" => |disk, text| total(disk, text, |queue| queue.flushes.get()),
            c"ds_req" => |disk, text| total(disk, text, |queue| queue.discards.get()),
            c"rd_sect" => |disk, text| total(disk, text, |queue| queue.sectors_read.get()),
            c"wr_sect" => |disk, text| total(disk, text, |queue| queue.sectors_written.get()),
            c"errors_invalid" => |disk, text| errors(disk, text, ErrorClass::Invalid),
            c"errors_unsupported" => |disk, text| errors(disk, text, ErrorClass::Unsupported),
            c"errors_grant" => |disk, text| errors(disk, text, ErrorClass::Grant),
            c"errors_device" => |disk, text| errors(disk, text, ErrorClass::Device),
        },
    };
}

fn total(disk: &Bound, text: &mut dyn Write, of: fn(&QueueStatistics) -> u64) -> fmt::Result {
    writeln!(text, "{}", disk.vbd.statistics.sum(of))
}

fn errors(disk: &Bound, text: &mut dyn Write, class: ErrorClass) -> fmt::Result {
    let sum = disk.vbd.statistics.sum(|queue| queue.errors(class));
    writeln!(text, "{sum}")
}

/// The number of the device that is open, or the path of the file; an empty line when none is.
fn physical_device(disk: &Bound, text: &mut dyn Write) -> fmt::Result {
    match disk.vbd.opened().as_ref().map(|open| &open.named.what) {
        Some(What::Device(number)) => writeln!(text, "{:x}:{:x}", number.major, number.minor),
        Some(What::File(path) | What::Image(path)) => {
            writeln!(text, "{}", Escaped(path.to_bytes()))
        }
        None => writeln!(text),
    }
}

/// How it is open, as the toolstack writes it; an empty line when it is not.
fn mode(disk: &Bound, text: &mut dyn Write) -> fmt::Result {
    let mode = match disk.vbd.opened().map(|open| open.named.mode) {
        Some(Mode::ReadOnly) => "r",
        Some(Mode::Exclusive) => "w",
        Some(Mode::Shared) => "w!",
        None => "",
    };
    writeln!(text, "{mode}")
}

/// How data gets to a file: `direct`, with the unit in bytes, `buffered`, or `uncompressed`, with the size of blocks;
/// `device` for a block device, an empty line when nothing is open.
fn access(disk: &Bound, text: &mut dyn Write) -> fmt::Result {
    match disk.vbd.opened().map(|open| open.way) {
        Some(Some(Way::Direct(unit))) => writeln!(text, "direct {unit}"),
        Some(Some(Way::Buffered)) => writeln!(text, "buffered"),
        Some(Some(Way::Uncompressed(block_size))) => writeln!(text, "uncompressed {block_size}"),
        Some(None) => writeln!(text, "device"),
        None => writeln!(text),
    }
}
