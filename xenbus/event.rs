// SPDX-License-Identifier: GPL-2.0

//! Event channels: the interrupts between two domains.
//!
//! C header: [`include/xen/events.h`](srctree/include/xen/events.h)

use crate::{
    bindings,
    device::Device, //
};
use kernel::{
    error::to_result,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        rcu,
        Arc, //
    },
};

/// What is called when the other end sends an event.
pub trait EventHandler: Send + Sync + 'static {
    /// An event came. Runs in a hard interrupt.
    ///
    /// The channel stays masked until [`EventChannel::end_of_interrupt`] is called for it: so a peer that
    /// sends events without pause costs one interrupt for each time its ring is looked at.
    fn event(&self);
}

/// Whether an event led to work, for [`EventChannel::end_of_interrupt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was something to do.
    Work,
    /// There was nothing to do: the kernel delays the next event of a peer that goes on like this.
    Spurious,
}

/// One end of an interdomain event channel, closed when this is dropped.
///
/// # Invariants
///
/// `irq` is bound to the channel with `handler` as its cookie.
pub struct EventChannel<H: EventHandler> {
    irq: c_uint,
    port: u32,
    handler: Arc<H>,
    /// The kernel counts the channel's events in it.
    _dev: ARef<Device>,
    /// What `/proc/interrupts` shows; the kernel keeps a pointer to it.
    _name: CString,
}

impl<H: EventHandler> EventChannel<H> {
    /// Binds to `remote_port` of the other end of `dev`. `name` is shown in `/proc/interrupts`.
    ///
    /// Events may come before this returns.
    pub fn bind(
        dev: ARef<Device>,
        remote_port: u32,
        name: CString,
        handler: Arc<H>,
    ) -> Result<Self> {
        let cookie: *const H = &*handler;
        // SAFETY: The device is valid. The handler gets the cookie, which `handler` keeps alive until the
        // interrupt is unbound by `drop`; the device and the name likewise.
        let irq = unsafe {
            bindings::bind_interdomain_evtchn_to_irqhandler_lateeoi(
                dev.as_raw(),
                remote_port,
                Some(Self::event_callback),
                0,
                name.as_char_ptr(),
                cookie.cast_mut().cast(),
            )
        };
        to_result(irq)?;
        // INVARIANT: The call succeeded.
        let mut this = Self {
            // CAST: not negative.
            irq: irq as c_uint,
            port: 0,
            handler,
            _dev: dev,
            _name: name,
        };
        this.port = this.find_port();
        Ok(this)
    }

    /// The local port: what messages and other tools call the event channel.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Looks the local port up, which the kernel knows but does not tell: ports are given out from the
    /// lowest free one, so it is found early.
    fn find_port(&self) -> u32 {
        // SAFETY: Takes no arguments.
        let ports = unsafe { bindings::xen_evtchn_nr_channels() };
        (1..ports)
            .find(|&port| {
                // What the kernel knows of another's port may be freed at any time, after a grace period.
                let _guard = rcu::read_lock();
                // SAFETY: Any port below the number of channels may be asked for, in a read section.
                unsafe { bindings::irq_from_evtchn(port) == self.irq }
            })
            .unwrap_or(0)
    }

    /// Sends an event to the other end.
    pub fn notify(&self) {
        // SAFETY: May be called for any port.
        unsafe { bindings::xenbus_helper_notify(self.port) };
    }

    /// Forgets an event that came since the handler was last called, or since the last call of this. It does
    /// not get to the handler any more.
    ///
    /// To be used only before the end of the interrupt, which keeps the handler from being called.
    pub fn forget(&self) {
        // SAFETY: By the type invariant `irq` is bound to an event channel.
        unsafe { bindings::xen_clear_irq_pending(self.irq as c_int) };
    }

    /// Waits in Xen for an event that was not forgotten, or until anything else happens on this processor.
    ///
    /// Unlike a sleep, this takes the processor from the other tasks of this domain, but it costs a
    /// fraction of the way to sleep and back. Other domains get the processor meanwhile.
    pub fn poll(&self) {
        // SAFETY: May be called for any port, by a thread.
        unsafe { bindings::xenbus_helper_poll(self.port) };
    }

    /// Lets the next event come, once for each call of the handler.
    pub fn end_of_interrupt(&self, outcome: Outcome) {
        let flags = match outcome {
            Outcome::Work => 0,
            Outcome::Spurious => bindings::XENBUS_EOI_SPURIOUS,
        };
        // SAFETY: By the type invariant `irq` is bound to an event channel, as one with late EOI.
        unsafe { bindings::xen_irq_lateeoi(self.irq, flags) };
    }

    extern "C" fn event_callback(
        _irq: c_int,
        cookie: *mut c_void,
    ) -> kernel::bindings::irqreturn_t {
        // SAFETY: The cookie is the handler that `bind` passed, alive until the interrupt is unbound.
        let handler = unsafe { &*cookie.cast::<H>() };
        handler.event();
        kernel::bindings::irqreturn::IRQ_HANDLED
    }
}

impl<H: EventHandler> Drop for EventChannel<H> {
    fn drop(&mut self) {
        let cookie: *const H = &*self.handler;
        // SAFETY: By the type invariant. The call waits for a handler that runs.
        unsafe { bindings::unbind_from_irqhandler(self.irq, cookie.cast_mut().cast()) };
    }
}
