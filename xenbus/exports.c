// SPDX-License-Identifier: GPL-2.0
/*
 * Exports the Rust symbols of the crates in this module that drivers use.
 *
 * The list is made by Kbuild from what the drivers' objects leave undefined, as long as the kernel's build
 * system has no way to export a Rust symbol of a module.
 */

#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports_generated.h"
