// SPDX-License-Identifier: GPL-2.0

//! What the toolstack has named to hold a disk's data.

use kernel::{
    prelude::*,
    str::{
        CStr,
        CString, //
    },
};
use xenbus::{
    file::Kind,
    store, //
};
use xenbus_proto::device::{
    DeviceNumber,
    Format,
    Mode, //
};

/// What the toolstack has named, and what the guest may do with it.
#[derive(PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) what: What,
    pub(crate) mode: Mode,
}

/// What holds the data.
pub(crate) enum What {
    /// The block device of this number.
    Device(DeviceNumber),
    /// What has this path: a regular file, or nothing that can be served.
    File(CString),
    /// What the file of this path uncompresses to.
    Image(CString),
}

impl PartialEq for What {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Device(a), Self::Device(b)) => a == b,
            (Self::File(a), Self::File(b)) | (Self::Image(a), Self::Image(b)) => {
                a.to_bytes() == b.to_bytes()
            }
            _ => false,
        }
    }
}

impl Eq for What {}

/// Why what was named is nothing.
pub(crate) enum Unnamed {
    /// There is no node yet.
    NotYet,
    /// This node cannot be read.
    Failed { node: &'static CStr, error: Error },
    /// `physical-device` makes no sense.
    Invalid(store::Value),
    /// `physical-device-format` is not known.
    UnknownFormat(store::Value),
}

impl What {
    /// Reads what stands in the backend's directory now. A number comes first: toolstacks write the path of a device's
    /// node beside it.
    pub(crate) fn read(dir: &CStr) -> Result<Self, Unnamed> {
        if let Some(number) = read(dir, c"physical-device")? {
            return match DeviceNumber::parse(&number) {
                Ok(number) => Ok(Self::Device(number)),
                Err(_) => Err(Unnamed::Invalid(number)),
            };
        }
        let node = c"physical-device-path";
        let path = read(dir, node)?.ok_or(Unnamed::NotYet)?;
        let path = path.to_c_string().map_err(failed(node))?;
        // What is wrong with any of them is seen when it is opened.
        match (read_format(dir)?, Kind::of(&path)) {
            (Format::Cloop2, _) => Ok(Self::Image(path)),
            (Format::Raw, Ok(Kind::BlockDevice(number))) => Ok(Self::Device(number)),
            (Format::Raw, _) => Ok(Self::File(path)),
        }
    }

    /// The number of the device; none is 0.
    pub(crate) fn number(&self) -> DeviceNumber {
        match self {
            Self::Device(number) => *number,
            Self::File(_) | Self::Image(_) => DeviceNumber::decode(0),
        }
    }
}

fn read(dir: &CStr, node: &'static CStr) -> Result<Option<store::Value>, Unnamed> {
    store::read(dir, node).map_err(failed(node))
}

fn failed(node: &'static CStr) -> impl FnOnce(Error) -> Unnamed {
    move |error| Unnamed::Failed { node, error }
}

/// The format of the file. It is never guessed: a guest could make its own disk look like any.
fn read_format(dir: &CStr) -> Result<Format, Unnamed> {
    match read(dir, c"physical-device-format")? {
        None => Ok(Format::Raw),
        Some(node) => Format::parse(&node).ok_or(Unnamed::UnknownFormat(node)),
    }
}

impl Named {
    /// Reads what the toolstack has written now; `None` when it is not there, or makes no sense.
    pub(crate) fn read(dir: &CStr) -> Option<Self> {
        let mode = store::read(dir, c"mode").ok()??;
        Some(Self {
            what: What::read(dir).ok()?,
            mode: Mode::parse(&mode),
        })
    }
}
