/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What file_disk.c, file_disk_queue.c and file_disk_sysfs.c share.
 */

#ifndef XENBUS_FILE_DISK_H
#define XENBUS_FILE_DISK_H

#include <linux/blk-mq.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>

#include "bindings_helper.h"

struct xenbus_file_disk {
	/* Not to be used when it was deleted. */
	struct gendisk *disk;
	struct blk_mq_tag_set tags;
	struct block_device_operations operations;
	struct xenbus_file_disk_methods methods;
	void *owner;
	/* What it lies on while it is served, for others to see: changed under xenbus_file_disk_serving. */
	struct file *file;
	/* What serves requests, by Rust's name for it, and as whom: changed while the queue is frozen. */
	const void *server;
	const struct cred *cred;
	/* What sysfs shows while it is served. */
	struct attribute_group attributes;
	/*
	 * Nobody may open it: its file is being taken away, or it is going away itself. Changed under its open_mutex,
	 * or when it is deleted whoever has it open.
	 */
	bool shut;
	/* The block layer knows it: set once. */
	bool shown;
};

/* Protects every disk's file from going while somebody looks at it. */
extern struct mutex xenbus_file_disk_serving;

extern const struct blk_mq_ops xenbus_file_disk_queue;

int xenbus_file_disk_show_attributes(struct xenbus_file_disk *ours);
void xenbus_file_disk_hide_attributes(struct xenbus_file_disk *ours);

#endif
