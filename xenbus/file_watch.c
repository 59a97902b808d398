// SPDX-License-Identifier: GPL-2.0
/*
 * Watching the size of a file, for Rust.
 */

#include <linux/export.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/slab.h>

#include "bindings_helper.h"

/* fsnotify frees it, when nobody looks at it any more. */
struct size_mark {
	struct fsnotify_mark mark;
	loff_t size;
	void (*resized)(void *context);
	void *context;
};

static int file_was_modified(struct fsnotify_mark *mark, u32 mask, struct inode *inode,
			     struct inode *dir, const struct qstr *name, u32 cookie)
{
	struct size_mark *ours = container_of(mark, struct size_mark, mark);
	loff_t size = inode ? i_size_read(inode) : ours->size;

	/* Most changes are of the contents. */
	if (size != READ_ONCE(ours->size)) {
		WRITE_ONCE(ours->size, size);
		ours->resized(ours->context);
	}
	return 0;
}

static void free_mark(struct fsnotify_mark *mark)
{
	kfree(container_of(mark, struct size_mark, mark));
}

static const struct fsnotify_ops size_ops = {
	.handle_inode_event = file_was_modified,
	.free_mark = free_mark,
};

/* Calls @resized when the file has got another size, until the watch is ended. */
int xenbus_helper_file_watch(struct xenbus_file_watch *watch, struct file *file,
			     void (*resized)(void *context), void *context)
{
	struct inode *inode = file_inode(file);
	struct fsnotify_group *group;
	struct size_mark *ours;
	int err;

	group = fsnotify_alloc_group(&size_ops, 0);
	if (IS_ERR(group))
		return PTR_ERR(group);
	ours = kzalloc(sizeof(*ours), GFP_KERNEL);
	if (!ours) {
		fsnotify_put_group(group);
		return -ENOMEM;
	}
	fsnotify_init_mark(&ours->mark, group);
	ours->mark.mask = FS_MODIFY;
	ours->size = i_size_read(inode);
	ours->resized = resized;
	ours->context = context;
	err = fsnotify_add_inode_mark(&ours->mark, inode, 0);
	if (err) {
		fsnotify_put_mark(&ours->mark);
		fsnotify_put_group(group);
		return err;
	}
	watch->group = group;
	watch->mark = &ours->mark;
	return 0;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_watch);

void xenbus_helper_file_unwatch(struct xenbus_file_watch *watch)
{
	if (!watch->group)
		return;
	fsnotify_destroy_mark(watch->mark, watch->group);
	fsnotify_put_mark(watch->mark);
	/* Nobody is in a callback after this, and nothing of ours is left to be freed. */
	fsnotify_wait_marks_destroyed();
	fsnotify_put_group(watch->group);
	watch->group = NULL;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_unwatch);
