/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Rust hands to the tracepoints of trace.h.
 */

#ifndef XENBUS_TRACE_TYPES_H
#define XENBUS_TRACE_TYPES_H

#include <linux/types.h>

/* A queue of a disk of a guest. */
struct xenbus_trace_queue {
	u16 domain;
	u16 index;
	u32 handle;
};

/* A request; it has a status once it is answered. */
struct xenbus_trace_request {
	struct xenbus_trace_queue queue;
	u64 id;
	u64 sector;
	u32 sectors;
	u8 operation;
	s16 status;
};

/* One round of a queue's thread. */
struct xenbus_trace_drain {
	struct xenbus_trace_queue queue;
	u32 taken;
	u32 answered;
	bool notified;
};

#ifdef CONFIG_TRACEPOINTS
#include <linux/tracepoint-defs.h>

extern struct tracepoint __tracepoint_xbdback_request_taken;
extern struct tracepoint __tracepoint_xbdback_request_submitted;
extern struct tracepoint __tracepoint_xbdback_request_completed;
extern struct tracepoint __tracepoint_xbdback_request_answered;
extern struct tracepoint __tracepoint_xbdback_drain;
#endif

void xenbus_trace_request_taken(const struct xenbus_trace_request *request);
void xenbus_trace_request_submitted(const struct xenbus_trace_request *request);
void xenbus_trace_request_completed(const struct xenbus_trace_request *request);
void xenbus_trace_request_answered(const struct xenbus_trace_request *request);
void xenbus_trace_drain(const struct xenbus_trace_drain *drain);

#endif
