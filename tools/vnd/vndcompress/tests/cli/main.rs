// SPDX-License-Identifier: GPL-2.0

//! The programs as a user meets them: run, killed, restarted, and given bad input.

mod bed;
mod durability;
mod options;
mod other_tools;
mod refusals;
mod restart;
mod round_trip;
mod signals;
