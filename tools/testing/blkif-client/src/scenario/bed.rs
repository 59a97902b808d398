// SPDX-License-Identifier: GPL-2.0

//! What a scenario stands on: a backing device, the peer's name, and disks with numbers of their own.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use anyhow::{bail, ensure, Context, Result};

use crate::backing::Disk;
use crate::features::Features;
use crate::frontend::Frontend;
use crate::grants;
use crate::ktap::Skip;
use crate::load::{Direction, Load};
use crate::pattern;
use crate::peer::Peer;
use crate::vbd::{Spec, Vbd};
use crate::wait::{patience, wait_for};
use crate::wire::{state, Abi};
use crate::xenstore::XenStore;

/// Numbers of test disks start here, away from those of real ones.
const FIRST_HANDLE: u32 = 50_000;

/// The surroundings of a scenario.
pub struct Bed {
    store: Arc<XenStore>,
    /// The backend under test.
    pub peer: Peer,
    /// The layout to use.
    pub abi: Abi,
    /// What frontends ask for.
    pub features: Features,
    /// The device behind the disks; its contents are overwritten.
    pub disk: Disk,
    check_grants: bool,
    next_handle: Cell<u32>,
    used: RefCell<Vec<u32>>,
}

impl Bed {
    /// Makes a bed; with `check_grants` the hypervisor is asked for mapped grants by [`Bed::verify_grants`].
    pub fn new(peer: Peer, disk: Disk, check_grants: bool) -> Result<Self> {
        Ok(Self {
            store: Arc::new(XenStore::open()?),
            peer,
            abi: Abi::X86_64,
            features: Features::default(),
            disk,
            check_grants,
            next_handle: Cell::new(FIRST_HANDLE),
            used: RefCell::default(),
        })
    }

    /// Forgets what earlier scenarios used.
    pub fn start(&self) {
        self.used.borrow_mut().clear();
    }

    /// The answer of the backend under test, where the two differ on purpose; `why` says for what purpose.
    pub fn differs<T: PartialEq>(&self, blkback: T, xbdback: T, why: &str) -> T {
        if blkback != xbdback {
            println!("# differs: {why}");
        }
        match self.peer {
            Peer::XenBlkback => blkback,
            Peer::Xbdback => xbdback,
        }
    }

    /// An unused disk number.
    pub fn handle(&self) -> u32 {
        let handle = self.next_handle.get();
        self.next_handle.set(handle + 1);
        self.used.borrow_mut().push(handle);
        handle
    }

    /// An ordinary writable disk, to be altered before it is made.
    pub fn spec(&self) -> Spec {
        Spec {
            handle: self.handle(),
            device: Some(self.disk.device),
            mode: "w",
            frontend_state: "1",
        }
    }

    /// Makes a disk's directories.
    pub fn vbd(&self, spec: &Spec) -> Result<Vbd> {
        Vbd::create(&self.store, spec)
    }

    /// Takes over the directories of a disk.
    pub fn adopt(&self, handle: u32) -> Vbd {
        Vbd::adopt(&self.store, handle)
    }

    /// Makes a disk and a frontend for it, which has not published anything.
    pub fn frontend(&self, spec: &Spec) -> Result<Frontend> {
        self.frontend_with(spec, self.features)
    }

    /// Makes a disk and a frontend for it, which has not published anything and will ask for `features`.
    pub fn frontend_with(&self, spec: &Spec, features: Features) -> Result<Frontend> {
        let layout = self.abi.layout(self.peer);
        Frontend::new(self.vbd(spec)?, self.abi, layout, features)
    }

    /// Makes a disk, and a frontend once its backend waits for one.
    pub fn waiting(&self) -> Result<Frontend> {
        let frontend = self.frontend(&self.spec())?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
        Ok(frontend)
    }

    /// Makes a disk and connects to it.
    pub fn attach(&self) -> Result<Frontend> {
        self.attach_spec(&self.spec())
    }

    /// Makes a disk and connects to it if the backend offers `features`; else skips the scenario.
    pub fn attach_with(&self, features: Features) -> Result<Frontend> {
        self.attach_spec_with(&self.spec(), features)
    }

    /// Makes a disk from `spec` and connects to it if the backend offers `features`; else skips the scenario.
    pub fn attach_spec_with(&self, spec: &Spec, features: Features) -> Result<Frontend> {
        let mut frontend = self.frontend_with(spec, features)?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
        frontend.need_rings()?;
        frontend.connect()?;
        frontend.need_requests()?;
        Ok(frontend)
    }

    /// Makes a disk from `spec` and connects to it.
    pub fn attach_spec(&self, spec: &Spec) -> Result<Frontend> {
        self.attach_spec_with(spec, self.features)
    }

    /// Fails unless a new disk on the same device connects, works and goes away: nothing before did lasting harm.
    pub fn expect_attachable(&self) -> Result<()> {
        let mut frontend = self.attach()?;
        frontend.expect_serving()?;
        frontend.detach()
    }

    /// Has `load` written and verified through the frontend, and detaches; then the device itself must hold the data.
    pub fn move_data(&self, mut frontend: Frontend, load: &Load) -> Result<()> {
        let sectors = load.run(&mut frontend, Direction::Write)?;
        load.run(&mut frontend, Direction::Verify)?;
        frontend.detach()?;
        self.disk
            .each_sector(load.start, sectors, |number, bytes| {
                pattern::check(load.seed, number, bytes)
            })
            .context("on the device")
    }

    /// Fails unless the backend closes an offline disk and lets go of its device, before xenstore forgets the disk.
    pub fn expect_released(&self, vbd: &Vbd) -> Result<()> {
        vbd.wait_backend(&[state::CLOSED])?;
        self.wait_free("when it is offline and closed")
    }

    fn wait_free(&self, when: &str) -> Result<()> {
        let free = wait_for(patience(), || Ok(self.disk.is_free().then_some(())))?;
        ensure!(
            free.is_some(),
            "{when} {} is still claimed",
            self.disk.path.display()
        );
        Ok(())
    }

    /// Fails if anything is left of the disks of the scenario that just ended.
    pub fn verify_clean(&self) -> Result<()> {
        for handle in self.used.borrow().iter() {
            if let Some(what) = Vbd::leftover(&self.store, *handle)? {
                bail!("afterwards {what}");
            }
        }
        self.wait_free("afterwards")
    }

    /// Fails if the backend still has a grant of ours mapped; skipped unless that is to be checked. Takes as long as a scenario.
    pub fn verify_grants(&self) -> Result<()> {
        if !self.check_grants {
            return Err(Skip("--check-grants is not given".to_owned()).into());
        }
        // A grant may be unmapped by a deferred work.
        let none = wait_for(patience(), || {
            Ok(grants::mapped()?.is_empty().then_some(()))
        })?;
        ensure!(
            none.is_some(),
            "afterwards grants are mapped: {:?}",
            grants::mapped()?
        );
        Ok(())
    }
}
