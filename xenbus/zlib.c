// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's zlib, for Rust.
 */

#include <linux/export.h>
#include <linux/limits.h>
#include <linux/zlib.h>

#include "bindings_helper.h"

/* Bytes of memory that zlib works in. */
size_t xenbus_helper_inflate_workspace_size(void)
{
	return zlib_inflate_workspacesize();
}
EXPORT_SYMBOL_GPL(xenbus_helper_inflate_workspace_size);

/* Uncompresses a whole stream. The bytes it came to, or an error number. */
long xenbus_helper_inflate(void *workspace, const u8 *from, size_t length, u8 *to, size_t room)
{
	struct z_stream_s stream = {
		.workspace = workspace,
		.next_in = from,
		.avail_in = length,
		.next_out = to,
		.avail_out = room,
	};
	int end;

	if (length > INT_MAX || room > INT_MAX || zlib_inflateInit(&stream) != Z_OK)
		return -EINVAL;
	end = zlib_inflate(&stream, Z_FINISH);
	zlib_inflateEnd(&stream);
	return end == Z_STREAM_END ? stream.total_out : -EBADMSG;
}
EXPORT_SYMBOL_GPL(xenbus_helper_inflate);
