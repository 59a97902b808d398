// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of trace.h, and a function for each that Rust can call.
 *
 * Both are exported: what decides whether a tracepoint is on is inlined into the drivers' modules.
 */

#include <linux/export.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#define XENBUS_TRACE(name, type)						\
	void xenbus_trace_##name(const struct xenbus_trace_##type *type)	\
	{									\
		trace_xbdback_##name(type);					\
	}									\
	EXPORT_SYMBOL_GPL(xenbus_trace_##name);					\
	EXPORT_TRACEPOINT_SYMBOL_GPL(xbdback_##name)

XENBUS_TRACE(request_taken, request);
XENBUS_TRACE(request_submitted, request);
XENBUS_TRACE(request_completed, request);
XENBUS_TRACE(request_answered, request);
XENBUS_TRACE(drain, drain);
