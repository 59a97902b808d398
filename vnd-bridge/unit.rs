// SPDX-License-Identifier: GPL-2.0

//! One disk, `/dev/vndN`, with a file or without.
//!
//! All that programs ask of it is done under its lock, one after the other. The way of data does not come by here.

use crate::{
    program,
    units, //
};
use kernel::{
    impl_has_work, new_mutex, new_work,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    sync::{
        Arc,
        ArcBorrow,
        Mutex, //
    },
    workqueue::{
        Work,
        WorkItem, //
    },
};
use vnd_proto::{
    ioctl::{
        flags,
        request,
        Setting,
        User, //
    },
    shape::Shape,
};
use xenbus::{
    blk::{
        file_disk::{
            self,
            FileDisk,
            Range, //
        },
        Claim, //
    },
    file::{
        File,
        Listener,
        NamedBy,
        SizeWatch,
        Users,
        Way, //
    },
    work,
};

/// A disk.
#[pin_data]
pub(crate) struct Unit {
    number: u32,
    #[pin]
    state: Mutex<State>,
    #[pin]
    size_work: Work<Self, FOLLOW_SIZE>,
    #[pin]
    close_work: Work<Self, CLEAN_UP>,
}

/// The number of the work item that follows the file's size.
const FOLLOW_SIZE: u64 = 0;

/// The number of the one that removes a unit that nobody wants.
const CLEAN_UP: u64 = 1;

impl_has_work! {
    impl HasWork<Self, FOLLOW_SIZE> for Unit { self.size_work }
    impl HasWork<Self, CLEAN_UP> for Unit { self.close_work }
}

/// What is under the lock.
struct State {
    disk: FileDisk<Unit>,
    shape: Shape,
    /// Of [`flags`], as the file was configured.
    flags: u32,
    /// While there is a file.
    watch: Option<Pin<KBox<SizeWatch<Changed>>>>,
    stay: Stay,
}

/// What becomes of a unit without a file when it is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It stays: somebody asked for it by its number, or for any.
    Wanted,
    /// It goes.
    UntilClosed,
}

impl Unit {
    /// Makes the disk, and shows it.
    pub(crate) fn new(number: u32, range: Range, stay: Stay) -> Result<Arc<Self>> {
        let disk = FileDisk::new()?;
        let unit = Arc::pin_init(
            pin_init!(Self {
                number,
                state <- new_mutex!(State {
                    disk,
                    shape: Shape::default(),
                    flags: 0,
                    watch: None,
                    stay,
                }),
                size_work <- new_work!("vnd::size"),
                close_work <- new_work!("vnd::close"),
            }),
            GFP_KERNEL,
        )?;
        let name = CString::try_from_fmt(fmt!("vnd{number}"))?;
        let mut state = unit.state.lock();
        state.disk.show(&name, range, number, unit.clone())?;
        drop(state);
        Ok(unit)
    }

    /// Has it stay until it is removed, if it has no file and nobody has it open. Returns whether that is so.
    pub(crate) fn take_if_free(&self) -> bool {
        let mut state = self.state.lock();
        let free = state.disk.file().is_none() && state.disk.is_unused();
        if free {
            state.stay = Stay::Wanted;
        }
        free
    }

    /// The same for one that would go: somebody asks for its number again.
    pub(crate) fn take_if_leaving(&self) -> bool {
        self.state.lock().stay == Stay::UntilClosed && self.take_if_free()
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it has a file, or somebody has it open.
    pub(crate) fn remove(&self) -> Result {
        let mut state = self.state.lock();
        if state.disk.file().is_some() {
            return Err(EBUSY);
        }
        state.disk.delete_unused()?;
        units::forget(self.number);
        Ok(())
    }

    /// Deletes the disk, whatever it is used for.
    pub(crate) fn delete(&self) {
        self.state.lock().delete();
    }

    /// `VNDIOCSET`.
    fn set(self: ArcBorrow<'_, Self>, address: usize) -> Result {
        let mut setting: Setting = program::read(address)?;
        if setting.flags & !flags::OF_SET != 0 || setting.reserved != 0 {
            return Err(EINVAL);
        }
        let refuse_second = |state: &State| match state.disk.file() {
            None => Ok(()),
            Some(_) => Err(EBUSY),
        };
        refuse_second(&self.state.lock())?;
        // What may take long is done without the lock: finding the file, and writing to the program.
        let file = open(&setting)?;
        let shape = match setting.flags & flags::HASGEOM {
            0 => Shape::default(),
            _ => Shape::new(&setting.geom, file.bytes()).map_err(|_| EINVAL)?,
        };
        setting.size = shape.bytes(file.bytes());
        program::write(address, &setting)?;
        let watch = SizeWatch::new(&file, Changed(self.into()))?;
        let mut state = self.state.lock();
        refuse_second(&state)?;
        state.disk.serve(file, setting.size, shape.secsize())?;
        state.shape = shape;
        state.flags = setting.flags;
        state.watch = Some(watch);
        Ok(())
    }

    /// `VNDIOCCLR`.
    fn clear(&self, address: usize) -> Result {
        let setting: Setting = program::read(address)?;
        if setting.flags & !flags::OF_CLEAR != 0 || setting.reserved != 0 {
            return Err(EINVAL);
        }
        let mut state = self.state.lock();
        match state.disk.clear() {
            Err(error) if error == EBUSY && setting.flags & flags::FORCE != 0 => {
                // They keep a disk that is dead. The number is free for another one.
                state.delete();
                units::forget(self.number);
            }
            result => result?,
        }
        state.watch = None;
        state.stay = Stay::UntilClosed;
        Ok(())
    }

    /// Fills in what the unit is, and returns the name of its file, in `buffer`, if there is one.
    pub(crate) fn describe<'a>(
        &self,
        user: &mut User,
        buffer: &'a mut [u8],
    ) -> Result<Option<&'a CStr>> {
        let state = self.state.lock();
        let Some(file) = state.disk.file() else {
            return Ok(None);
        };
        let bytes = state.shape.bytes(file.bytes());
        (user.dev, user.ino) = file.identity()?;
        user.size = bytes;
        user.geom = state.shape.geom(bytes);
        user.flags = flags::CONFIGURED | state.flags;
        if !file.writable() {
            user.flags |= flags::READONLY;
        }
        if matches!(file.way(), Way::Direct(_)) {
            user.flags |= flags::DIRECT;
        }
        file.current_name(buffer).map(Some)
    }

    /// The unit's number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl State {
    fn delete(&mut self) {
        self.disk.delete();
        self.watch = None;
    }
}

/// Opens the file that a unit is to have.
///
/// # Errors
///
/// `EOPNOTSUPP` when it is no regular file, `EINVAL` when it should be a compressed image and is none, and whatever
/// opening it gives.
fn open(setting: &Setting) -> Result<File> {
    let write = setting.flags & (flags::READONLY | flags::COMP) == 0;
    let secsize = match setting.flags & flags::HASGEOM {
        0 => Shape::default().secsize(),
        _ => setting.geom.secsize,
    };
    let users = Users {
        write,
        claim: match write {
            true => Claim::Exclusive,
            false => Claim::Readers,
        },
        unit: match setting.flags & flags::FILEIO {
            0 => secsize,
            _ => 0,
        },
        named_by: NamedBy::Caller,
    };
    let mut name = program::Name::new()?;
    let file = File::open_for(name.read(setting.file)?, &users).map_err(|error| {
        match error == EISDIR || error == EMEDIUMTYPE {
            true => EOPNOTSUPP,
            false => error,
        }
    })?;
    match setting.flags & flags::COMP {
        0 => Ok(file),
        _ => file.uncompressed().map_err(|refusal| refusal.errno()),
    }
}

impl file_disk::Unit for Unit {
    fn control(unit: ArcBorrow<'_, Self>, writes: bool, request: u32, argument: usize) -> Result {
        match request {
            request::SET | request::CLEAR if !writes => Err(EBADF),
            request::SET => unit.set(argument),
            request::CLEAR => unit.clear(argument),
            request::GET => units::get(argument, Some(&unit)),
            _ => Err(ENOTTY),
        }
    }

    fn closed(unit: Arc<Self>) {
        if let Some(queue) = work::queue() {
            let _ = queue.enqueue::<_, CLEAN_UP>(unit);
        }
    }

    fn wanted(number: u32) {
        // Whoever opened the node is told that there is no disk.
        let _ = units::make(number, Stay::UntilClosed);
    }
}

impl WorkItem<CLEAN_UP> for Unit {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let mut state = this.state.lock();
        let leaves = state.stay == Stay::UntilClosed && state.disk.file().is_none();
        if leaves && state.disk.delete_unused().is_ok() {
            units::forget(this.number);
        }
    }
}

/// Hears that the file may have another size.
struct Changed(Arc<Unit>);

impl Listener for Changed {
    fn resized(&self) {
        if let Some(queue) = work::queue() {
            let _ = queue.enqueue::<_, FOLLOW_SIZE>(self.0.clone());
        }
    }
}

impl WorkItem<FOLLOW_SIZE> for Unit {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let state = &mut *this.state.lock();
        if let Some(file) = state.disk.file() {
            let bytes = state.shape.bytes(file.bytes());
            state.disk.resize(bytes);
        }
    }
}
