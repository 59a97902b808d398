/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The markers between which count.c counts: long no-operations with an operand that no compiler emits,
 * executed by mark.c. A processor ignores them, also in a paravirtual guest; the plugin sees them.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_START 0x78626401
#define MARK_STOP 0x78626402

/* nopl OPERAND(%rax,%rax,1): eight bytes, the operand the last four. */
#define MARK_BYTES 0x0f, 0x1f, 0x84, 0x00

#endif
