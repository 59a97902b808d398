/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of block backends, /sys/kernel/tracing/events/xbdback/: a request's way, and the drains that
 * move it on. Declared here for C; trace.rs is what drivers call.
 */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM xbdback

#if !defined(XENBUS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XENBUS_TRACE_H

#include <linux/tracepoint.h>

#include "trace_types.h"

DECLARE_EVENT_CLASS(xbdback_request,

	TP_PROTO(const struct xenbus_trace_request *request),

	TP_ARGS(request),

	TP_STRUCT__entry(
		__field(u16, domain)
		__field(u16, queue)
		__field(u32, handle)
		__field(u64, id)
		__field(u64, sector)
		__field(u32, sectors)
		__field(u8, operation)
		__field(s16, status)
	),

	TP_fast_assign(
		__entry->domain = request->queue.domain;
		__entry->queue = request->queue.index;
		__entry->handle = request->queue.handle;
		__entry->id = request->id;
		__entry->sector = request->sector;
		__entry->sectors = request->sectors;
		__entry->operation = request->operation;
		__entry->status = request->status;
	),

	TP_printk("xbdback%ui%u queue=%u id=%llu operation=%u sector=%llu sectors=%u status=%d",
		  __entry->domain, __entry->handle, __entry->queue, __entry->id, __entry->operation,
		  __entry->sector, __entry->sectors, __entry->status)
);

/* The request was copied off the ring, and is valid. */
DEFINE_EVENT(xbdback_request, xbdback_request_taken,
	TP_PROTO(const struct xenbus_trace_request *request), TP_ARGS(request));

/* It was handed to the disk. */
DEFINE_EVENT(xbdback_request, xbdback_request_submitted,
	TP_PROTO(const struct xenbus_trace_request *request), TP_ARGS(request));

/* The disk has done it, and its queue's thread has noticed. */
DEFINE_EVENT(xbdback_request, xbdback_request_completed,
	TP_PROTO(const struct xenbus_trace_request *request), TP_ARGS(request));

/* Its answer is on the ring; the guest sees it with the next push. */
DEFINE_EVENT(xbdback_request, xbdback_request_answered,
	TP_PROTO(const struct xenbus_trace_request *request), TP_ARGS(request));

/* A queue's thread has moved on all there was to move on. */
TRACE_EVENT(xbdback_drain,

	TP_PROTO(const struct xenbus_trace_drain *drain),

	TP_ARGS(drain),

	TP_STRUCT__entry(
		__field(u16, domain)
		__field(u16, queue)
		__field(u32, handle)
		__field(u32, taken)
		__field(u32, answered)
		__field(bool, notified)
	),

	TP_fast_assign(
		__entry->domain = drain->queue.domain;
		__entry->queue = drain->queue.index;
		__entry->handle = drain->queue.handle;
		__entry->taken = drain->taken;
		__entry->answered = drain->answered;
		__entry->notified = drain->notified;
	),

	TP_printk("xbdback%ui%u queue=%u taken=%u answered=%u notified=%d",
		  __entry->domain, __entry->handle, __entry->queue, __entry->taken, __entry->answered,
		  __entry->notified)
);

#endif

/* Found by way of the include path that Kbuild sets for trace.c. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
