// SPDX-License-Identifier: GPL-2.0
/*
 * Disks on files, for Rust: their life, from made to freed. Requests are in file_disk_queue.c,
 * and what sysfs shows in file_disk_sysfs.c.
 *
 * A disk is made, shown, given a file and freed of it by turns, and deleted; blk/file_disk.rs calls all of this for a
 * disk under the lock of its unit. Below that come a frozen queue and xenbus_file_disk_serving, never one within the
 * other. Apart from these there is the block layer's open_mutex, under which it calls us.
 */

#include <linux/blk-mq.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "file_disk.h"

/* More processors than this share queues: a tag takes some hundred bytes. */
#define MAX_QUEUES 4
#define TAGS_OF_QUEUE 128

/* As much at once as the block layer likes to see. */
#define MAX_SECTORS 2560

/* A table of a request's parts fits into a page, which whoever cleans memory gets. */
#define MAX_PARTS (PAGE_SIZE / sizeof(struct bio_vec))

/* Three disks, each on a file on the next one, are enough. */
#define MAX_STACKED 3

DEFINE_MUTEX(xenbus_file_disk_serving);

static int open_disk(struct gendisk *disk, blk_mode_t mode)
{
	struct xenbus_file_disk *ours = disk->private_data;

	return ours->shut ? -ENXIO : 0;
}

static void close_disk(struct gendisk *disk)
{
	struct xenbus_file_disk *ours = disk->private_data;

	if (!disk_openers(disk) && !ours->shut)
		ours->methods.closed(ours->owner);
}

static int control_disk(struct block_device *bdev, blk_mode_t mode, unsigned int request,
			unsigned long argument)
{
	struct xenbus_file_disk *ours = bdev->bd_disk->private_data;

	/* A partition is not the disk. */
	if (bdev_is_partition(bdev))
		return -ENOTTY;
	return ours->methods.control(ours->owner, mode & BLK_OPEN_WRITE, request, argument);
}

/* The last reference to the disk is gone. */
static void free_disk(struct gendisk *disk)
{
	struct xenbus_file_disk *ours = disk->private_data;

	/* This may free it. */
	if (ours->shown)
		ours->methods.free(ours->owner);
}

/* Makes a disk that nobody sees yet, whose requests have @pdu_size bytes of the driver's. */
struct xenbus_file_disk *xenbus_helper_file_disk_new(unsigned int pdu_size)
{
	struct queue_limits limits = {
		.max_hw_sectors = MAX_SECTORS,
		.max_segments = MAX_PARTS,
		/* A part of a bio is never more than one segment: see file_disk_queue.c. */
		.max_segment_size = UINT_MAX,
		.seg_boundary_mask = ULONG_MAX,
	};
	struct xenbus_file_disk *ours = kzalloc(sizeof(*ours), GFP_KERNEL);
	int err;

	if (!ours)
		return ERR_PTR(-ENOMEM);
	ours->tags.ops = &xenbus_file_disk_queue;
	ours->tags.nr_hw_queues = min(num_online_cpus(), MAX_QUEUES);
	ours->tags.queue_depth = TAGS_OF_QUEUE;
	ours->tags.numa_node = NUMA_NO_NODE;
	ours->tags.cmd_size = pdu_size;
	ours->tags.flags = BLK_MQ_F_BLOCKING | BLK_MQ_F_STACKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	err = blk_mq_alloc_tag_set(&ours->tags);
	if (err)
		goto free;
	ours->disk = blk_mq_alloc_disk(&ours->tags, &limits, ours);
	if (!IS_ERR(ours->disk)) {
		ours->disk->private_data = ours;
		/* What is written in the background is held back by the disk that the file lies on. */
		blk_queue_flag_set(QUEUE_FLAG_DISABLE_WBT_DEF, ours->disk->queue);
		return ours;
	}
	err = PTR_ERR(ours->disk);
	blk_mq_free_tag_set(&ours->tags);
free:
	kfree(ours);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_new);

/* Shows it: as @major:@minor, with a node of this name. The methods are called from here on. */
int xenbus_helper_file_disk_show(struct xenbus_file_disk *ours, const char *name, unsigned int major,
				 unsigned int minor, const struct xenbus_file_disk_methods *methods,
				 void *owner)
{
	struct gendisk *disk = ours->disk;
	int err;

	ours->methods = *methods;
	ours->owner = owner;
	ours->operations = (struct block_device_operations){
		.owner = methods->module,
		.open = open_disk,
		.release = close_disk,
		.ioctl = control_disk,
		.compat_ioctl = blkdev_compat_ptr_ioctl,
		.free_disk = free_disk,
	};
	disk->fops = &ours->operations;
	disk->major = major;
	disk->first_minor = minor;
	disk->minors = 1;
	strscpy(disk->disk_name, name, sizeof(disk->disk_name));
	err = add_disk(disk);
	ours->shown = !err;
	return err;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_show);

/* Nothing is in flight while this is done, but submitters may still be where forget_file waits for them. */
static void set_server(struct xenbus_file_disk *ours, const void *server, const struct cred *cred)
{
	unsigned int noio = blk_mq_freeze_queue(ours->disk->queue);

	ours->server = server;
	ours->cred = cred;
	blk_mq_unfreeze_queue(ours->disk->queue, noio);
}

static void set_file(struct xenbus_file_disk *ours, struct file *file)
{
	mutex_lock(&xenbus_file_disk_serving);
	ours->file = file;
	mutex_unlock(&xenbus_file_disk_serving);
}

/*
 * Nothing is handed to the server any more: waits until nobody uses it. A submitter may be in queue_one or queue_several
 * for a while after its request is done, waiting for who knows what: so the queue is not frozen meanwhile.
 */
static void forget_file(struct xenbus_file_disk *ours)
{
	blk_mq_wait_quiesce_done(&ours->tags);
	set_file(ours, NULL);
}

/* Whether @file lies on @ours, or on so many disks of ours that one more is too much. */
static bool is_stacked_too_high(const struct xenbus_file_disk *ours, const struct file *file)
{
	unsigned int height;

	for (height = 1; file; height++) {
		const struct block_device *bdev = d_real_inode(file_dentry(file))->i_sb->s_bdev;
		const struct xenbus_file_disk *below;

		if (!bdev || bdev->bd_disk->queue->mq_ops != &xenbus_file_disk_queue)
			return false;
		below = bdev->bd_disk->private_data;
		if (below == ours || height >= MAX_STACKED)
			return true;
		file = below->file;
	}
	return false;
}

/* Says that @ours lies on @file, unless that makes it too high. */
static int stack(struct xenbus_file_disk *ours, struct file *file)
{
	int err = 0;

	mutex_lock(&xenbus_file_disk_serving);
	if (is_stacked_too_high(ours, file))
		err = -ELOOP;
	else
		ours->file = file;
	mutex_unlock(&xenbus_file_disk_serving);
	return err;
}

static int set_limits(struct xenbus_file_disk *ours, const struct xenbus_file_disk_facts *facts,
		      struct file *file)
{
	struct request_queue *queue = ours->disk->queue;
	struct queue_limits limits = queue_limits_start_update(queue);
	struct block_device *below = file ? file_inode(file)->i_sb->s_bdev : NULL;

	limits.logical_block_size = facts->logical_block_size;
	limits.physical_block_size = max(facts->physical_block_size, facts->logical_block_size);
	limits.io_min = limits.physical_block_size;
	limits.dma_alignment = facts->memory_unit ? facts->memory_unit - 1 : SECTOR_SIZE - 1;
	limits.max_hw_discard_sectors = facts->can_punch ? UINT_MAX >> SECTOR_SHIFT : 0;
	limits.max_write_zeroes_sectors = limits.max_hw_discard_sectors;
	limits.discard_granularity = facts->can_punch ? limits.physical_block_size : 0;
	limits.features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_ROTATIONAL);
	if (!facts->read_only)
		limits.features |= BLK_FEAT_WRITE_CACHE;
	if (below && bdev_rot(below))
		limits.features |= BLK_FEAT_ROTATIONAL;
	return queue_limits_commit_update_frozen(queue, &limits);
}

/* Lets everybody know that there is another medium: partitions, and programs, which may open it again. */
static void show_change(struct xenbus_file_disk *ours)
{
	struct gendisk *disk = ours->disk;

	/* Partitions are not told of otherwise. */
	dev_set_uevent_suppress(disk_to_dev(disk), 0);
	mutex_lock(&disk->open_mutex);
	bdev_disk_changed(disk, false);
	ours->shut = false;
	mutex_unlock(&disk->open_mutex);
	kobject_uevent(&disk_to_dev(disk)->kobj, KOBJ_CHANGE);
}

/* Gives an open disk what serves it. The module stays until that is taken away. */
int xenbus_helper_file_disk_serve(struct xenbus_file_disk *ours, struct file *file, const void *server,
				  const struct xenbus_file_disk_facts *facts)
{
	struct gendisk *disk = ours->disk;
	int err;

	err = stack(ours, file);
	if (err)
		return err;
	err = xenbus_file_disk_show_attributes(ours);
	if (err)
		goto unstack;
	err = set_limits(ours, facts, file);
	if (err)
		goto hide;
	set_server(ours, server, file->f_cred);
	__module_get(ours->methods.module);
	dev_set_uevent_suppress(disk_to_dev(disk), 1);
	disk_force_media_change(disk);
	set_disk_ro(disk, facts->read_only);
	set_capacity(disk, facts->sectors);
	show_change(ours);
	return 0;

hide:
	xenbus_file_disk_hide_attributes(ours);
unstack:
	set_file(ours, NULL);
	return err;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_serve);

/* Lets nobody open it any more, unless more than @most have it open. */
static int shut(struct xenbus_file_disk *ours, unsigned int most)
{
	struct gendisk *disk = ours->disk;
	int err = 0;

	mutex_lock(&disk->open_mutex);
	if (disk_openers(disk) > most)
		err = -EBUSY;
	else
		ours->shut = true;
	mutex_unlock(&disk->open_mutex);
	return err;
}

/*
 * Takes away what serves an open disk, unless others have it open. Nobody opens it meanwhile, which may take long: what
 * he meant for this file would go to the next.
 */
int xenbus_helper_file_disk_clear(struct xenbus_file_disk *ours)
{
	static const struct xenbus_file_disk_facts nothing = { .logical_block_size = SECTOR_SIZE };
	struct gendisk *disk = ours->disk;
	int err;

	err = shut(ours, 1);
	if (err)
		return err;
	/* What the caller has not waited for. */
	sync_blockdev(disk->part0);
	xenbus_file_disk_hide_attributes(ours);
	set_server(ours, NULL, NULL);
	forget_file(ours);
	dev_set_uevent_suppress(disk_to_dev(disk), 1);
	invalidate_disk(disk);
	/* Also what the caller has mapped: it is not the next file's. */
	truncate_inode_pages(disk->part0->bd_mapping, 0);
	set_limits(ours, &nothing, NULL);
	disk_force_media_change(disk);
	set_disk_ro(disk, false);
	show_change(ours);
	module_put(ours->methods.module);
	return 0;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_clear);

/* Says what size the disk has. */
void xenbus_helper_file_disk_resize(struct xenbus_file_disk *ours, u64 sectors)
{
	struct gendisk *disk = ours->disk;

	if (get_capacity(disk) != sectors && !set_capacity_and_notify(disk, sectors))
		kobject_uevent(&disk_to_dev(disk)->kobj, KOBJ_CHANGE);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_resize);

/* Whether somebody has it open. */
bool xenbus_helper_file_disk_is_open(struct xenbus_file_disk *ours)
{
	return disk_openers(ours->disk);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_is_open);

/* Lets nobody open it any more, for good, unless somebody has it open. */
int xenbus_helper_file_disk_retire(struct xenbus_file_disk *ours)
{
	return shut(ours, 0);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_retire);

/*
 * Deletes the disk, also while others have it open: what is in flight is waited for, and they get errors from here
 * on, file systems too.
 */
void xenbus_helper_file_disk_delete(struct xenbus_file_disk *ours)
{
	struct gendisk *disk = ours->disk;

	ours->shut = true;
	if (!ours->shown) {
		/* This ends its queue, which needs the tags. */
		put_disk(disk);
		blk_mq_free_tag_set(&ours->tags);
		return;
	}
	del_gendisk(disk);
	/* Nothing comes any more. */
	if (ours->server)
		module_put(ours->methods.module);
	ours->server = NULL;
	forget_file(ours);
	blk_mq_free_tag_set(&ours->tags);
	put_disk(disk);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_delete);

void xenbus_helper_file_disk_free(struct xenbus_file_disk *ours)
{
	kfree(ours);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_disk_free);
