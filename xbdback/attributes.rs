// SPDX-License-Identifier: GPL-2.0

//! A disk's files in sysfs, below `/sys/bus/xen-backend/devices/vbd-<domain>-<handle>/`.
//!
//! Names and contents are those of xen-blkback, which xentop and others read; `errors_…` are ours.

use crate::{
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
use xenbus_proto::device::Mode;

xenbus::attribute_groups! {
    /// The files of a disk.
    pub(crate) static ATTRIBUTES for Bound = {
        c"" => {
            c"physical_device" => physical_device,
            c"mode" => mode,
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

/// The device that is open; an empty line when none is.
fn physical_device(disk: &Bound, text: &mut dyn Write) -> fmt::Result {
    match disk.vbd.open_device() {
        Some(open) => writeln!(text, "{:x}:{:x}", open.number.major, open.number.minor),
        None => writeln!(text),
    }
}

/// How it is open, as the toolstack writes it; an empty line when it is not.
fn mode(disk: &Bound, text: &mut dyn Write) -> fmt::Result {
    let mode = match disk.vbd.open_device().map(|open| open.mode) {
        Some(Mode::ReadOnly) => "r",
        Some(Mode::Exclusive) => "w",
        Some(Mode::Shared) => "w!",
        None => "",
    };
    writeln!(text, "{mode}")
}
