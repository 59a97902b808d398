// SPDX-License-Identifier: GPL-2.0

//! One disk, `/dev/vndN`, with a file or without.
//!
//! What programs have done to it is done under its lock, one after the other. That may take long: what is still to be
//! written is waited for. So what it is can be asked without that lock. The way of data does not come by here.

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
    /// While there is a file: held briefly, also under the lock of `state`.
    #[pin]
    medium: Mutex<Option<Medium>>,
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
    /// While there is a file.
    watch: Option<Pin<KBox<SizeWatch<Changed>>>>,
    stay: Stay,
}

/// The file, and what the disk makes of it.
struct Medium {
    file: Arc<File>,
    shape: Shape,
    /// Of [`flags`], as the file was configured.
    flags: u32,
}

impl Medium {
    /// The size of the disk, as it is now.
    fn bytes(&self) -> u64 {
        self.shape.bytes(self.file.bytes())
    }
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
    /// Makes the disk, which nobody sees yet.
    pub(crate) fn new(number: u32, stay: Stay) -> Result<Arc<Self>> {
        let disk = FileDisk::new()?;
        Arc::pin_init(
            pin_init!(Self {
                number,
                state <- new_mutex!(State {
                    disk,
                    watch: None,
                    stay,
                }),
                medium <- new_mutex!(None),
                size_work <- new_work!("vnd::size"),
                close_work <- new_work!("vnd::close"),
            }),
            GFP_KERNEL,
        )
    }

    /// Enters it, and shows the disk.
    ///
    /// # Errors
    ///
    /// `EEXIST` when there is another one with its number.
    pub(crate) fn show(self: ArcBorrow<'_, Self>, range: Range) -> Result {
        let name = CString::try_from_fmt(fmt!("vnd{}", self.number))?;
        let mut state = self.state.lock();
        // Whoever finds it, or opens the disk and has it leave, waits for the lock.
        units::enter(self)?;
        let shown = state.disk.show(&name, range, self.number, self.into());
        shown.inspect_err(|_| {
            state.disk.delete();
            units::forget(self.number);
        })
    }

    /// Has it stay until it is removed, if it has no file and nobody has it open. Returns whether that is so. One whose
    /// lock somebody has is in use.
    pub(crate) fn take_if_free(&self) -> bool {
        let state = self.state.try_lock();
        state.is_some_and(|mut state| state.take_if_free())
    }

    /// The same for one that would go: somebody asks for its number again.
    pub(crate) fn take_if_leaving(&self) -> bool {
        let mut state = self.state.lock();
        state.stay == Stay::UntilClosed && state.take_if_free()
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it has a file, or somebody has it open; `ENODEV` when it was removed meanwhile.
    pub(crate) fn remove(&self) -> Result {
        let mut state = self.state.lock();
        if state.disk.has_file() {
            return Err(EBUSY);
        }
        state.disk.delete_unused()?;
        units::forget(self.number);
        Ok(())
    }

    /// Deletes the disk, whatever it is used for.
    pub(crate) fn delete(&self) {
        let mut state = self.state.lock();
        state.disk.delete();
        self.forget_medium(&mut state);
    }

    /// Closes the file, which the disk has no more.
    fn forget_medium(&self, state: &mut State) {
        state.watch = None;
        let medium = self.medium.lock().take();
        // Not under its lock: what the file's helpers still do is waited for.
        drop(medium);
    }

    /// `VNDIOCSET`.
    fn set(self: ArcBorrow<'_, Self>, address: usize) -> Result {
        let mut setting: Setting = program::read(address)?;
        if setting.flags & !flags::OF_SET != 0 || setting.reserved != 0 {
            return Err(EINVAL);
        }
        if self.medium.lock().is_some() {
            return Err(EBUSY);
        }
        // Without the lock: where the file lies may not answer, nor what the program has put there as its memory.
        let file = open(&setting)?;
        // Whatever the page cache holds is in the way of what goes past it.
        file.sync()?;
        let shape = match setting.flags & flags::HASGEOM {
            0 => Shape::default(),
            _ => Shape::new(&setting.geom, file.bytes()).map_err(|_| EINVAL)?,
        };
        setting.size = shape.bytes(file.bytes());
        program::write(address, &setting)?;
        let watch = SizeWatch::new(&file, Changed(self.into()))?;
        let medium = Medium {
            file: Arc::new(file, GFP_KERNEL)?,
            shape,
            flags: setting.flags,
        };
        let mut state = self.state.lock();
        if state.disk.has_file() {
            return Err(EBUSY);
        }
        // The size as it is now. When it changes from here on, whoever follows it waits for the lock.
        let (file, bytes) = (medium.file.clone(), medium.bytes());
        // Whoever is told of the disk's change asks what it is.
        *self.medium.lock() = Some(medium);
        state.watch = Some(watch);
        let served = state.disk.serve(&file, bytes, shape.secsize());
        served.inspect_err(|_| self.forget_medium(&mut state))
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
                state.disk.delete();
                units::forget(self.number);
            }
            result => result?,
        }
        self.forget_medium(&mut state);
        state.stay = Stay::UntilClosed;
        Ok(())
    }

    /// Fills in what the unit is, and returns the name of its file, in `buffer`, if there is one. The name of a file that
    /// lies too deep is none.
    pub(crate) fn describe<'a>(
        &self,
        user: &mut User,
        buffer: &'a mut [u8],
    ) -> Result<Option<&'a CStr>> {
        let medium = self.medium.lock();
        let Some(Medium { file, shape, flags }) = medium.as_ref() else {
            return Ok(None);
        };
        let bytes = shape.bytes(file.bytes());
        (user.dev, user.ino) = file.identity()?;
        user.size = bytes;
        user.geom = shape.geom(bytes);
        user.flags = flags::CONFIGURED | flags;
        if !file.writable() {
            user.flags |= flags::READONLY;
        }
        if matches!(file.way(), Way::Direct(_)) {
            user.flags |= flags::DIRECT;
        }
        match file.current_name(buffer) {
            Err(error) if error == ENAMETOOLONG => Ok(None),
            name => name.map(Some),
        }
    }

    /// The unit's number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl State {
    fn take_if_free(&mut self) -> bool {
        let free = !self.disk.has_file() && self.disk.is_unused();
        if free {
            self.stay = Stay::Wanted;
        }
        free
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
        let leaves = state.stay == Stay::UntilClosed && !state.disk.has_file();
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
        let mut state = this.state.lock();
        let bytes = this.medium.lock().as_ref().map(Medium::bytes);
        if let Some(bytes) = bytes {
            state.disk.resize(bytes);
        }
    }
}
