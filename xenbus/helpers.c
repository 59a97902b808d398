// SPDX-License-Identifier: GPL-2.0
/*
 * Static inlines and macros of the kernel that Rust cannot call, one function each.
 *
 * Those that generic or inlined Rust code calls are exported, because that code is compiled into the
 * drivers' modules.
 */

#include <linux/cdrom.h>
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/wait.h>

#include <asm/xen/hypercall.h>

#include "bindings_helper.h"

/*
 * How often it was rung is not kept: work is looked for after every wait, so once is
 * enough. The exchange orders the caller's stores before the wake-up, and the sleeper's reset before it looks for work.
 */
void xenbus_helper_doorbell_init(struct xenbus_doorbell *bell)
{
	init_waitqueue_head(&bell->queue);
	atomic_set(&bell->rung, 0);
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_init);

void xenbus_helper_doorbell_ring(struct xenbus_doorbell *bell)
{
	if (!atomic_xchg(&bell->rung, 1))
		wake_up(&bell->queue);
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_ring);

void xenbus_helper_doorbell_wait(struct xenbus_doorbell *bell)
{
	wait_event_idle(bell->queue, atomic_read(&bell->rung));
	atomic_xchg(&bell->rung, 0);
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_wait);

/* Xen reads and writes @ops by address; they are ordinary kernel memory on every kind of domain. */
int xenbus_helper_grant_copy(struct gnttab_copy *ops, unsigned int count)
{
	return HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, count);
}

unsigned long xenbus_helper_page_to_gfn(struct page *page)
{
	return xen_page_to_gfn(page);
}

bool xenbus_helper_xen_domain(void)
{
	return xen_domain();
}

/* A barrier against another domain: unlike smp_mb(), it stays in a kernel for one processor. */
void xenbus_helper_virt_mb(void)
{
	virt_mb();
}
EXPORT_SYMBOL_GPL(xenbus_helper_virt_mb);

u64 xenbus_helper_local_clock(void)
{
	return local_clock();
}
EXPORT_SYMBOL_GPL(xenbus_helper_local_clock);

/*
 * The core serves all watches in one thread, which has no other mark than its name. A process of that name
 * deceives nobody but itself.
 */
bool xenbus_helper_in_xenwatch(void)
{
	return strcmp(current->comm, "xenwatch") == 0;
}
EXPORT_SYMBOL_GPL(xenbus_helper_in_xenwatch);

void xenbus_helper_unregister(struct xenbus_device *dev)
{
	if (xenbus_helper_in_xenwatch() && device_is_registered(&dev->dev))
		device_unregister(&dev->dev);
}
EXPORT_SYMBOL_GPL(xenbus_helper_unregister);

struct block_device *xenbus_helper_file_bdev(struct file *file)
{
	return file_bdev(file);
}

int xenbus_helper_bdev_name(struct block_device *bdev, char *buffer, size_t size)
{
	return scnprintf(buffer, size, "%pg", bdev);
}

u64 xenbus_helper_bdev_sectors(struct block_device *bdev)
{
	return bdev_nr_sectors(bdev);
}

unsigned int xenbus_helper_bdev_logical_block_size(struct block_device *bdev)
{
	return bdev_logical_block_size(bdev);
}

unsigned int xenbus_helper_bdev_physical_block_size(struct block_device *bdev)
{
	return bdev_physical_block_size(bdev);
}

bool xenbus_helper_bdev_write_cache(struct block_device *bdev)
{
	return bdev_write_cache(bdev);
}

bool xenbus_helper_bdev_read_only(struct block_device *bdev)
{
	return bdev_read_only(bdev);
}

bool xenbus_helper_bdev_removable(struct block_device *bdev)
{
	return bdev->bd_disk->flags & GENHD_FL_REMOVABLE;
}

bool xenbus_helper_bdev_cdrom(struct block_device *bdev)
{
	return disk_to_cdi(bdev->bd_disk) != NULL;
}

int xenbus_helper_bio_status_to_errno(struct bio *bio)
{
	return blk_status_to_errno(bio->bi_status);
}
EXPORT_SYMBOL_GPL(xenbus_helper_bio_status_to_errno);

/* For a kernel thread whose work is done: sleeps until kthread_stop(), or a stray wake-up. */
void xenbus_helper_sleep_until_stopped(void)
{
	set_current_state(TASK_IDLE);
	if (!kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
}
EXPORT_SYMBOL_GPL(xenbus_helper_sleep_until_stopped);

void xenbus_helper_cond_resched(void)
{
	cond_resched();
}
EXPORT_SYMBOL_GPL(xenbus_helper_cond_resched);

unsigned int xenbus_helper_online_cpus(void)
{
	return num_online_cpus();
}

/* For the rest of the current task's life: no allocation starts I/O. */
void xenbus_helper_memalloc_noio(void)
{
	memalloc_noio_save();
}
EXPORT_SYMBOL_GPL(xenbus_helper_memalloc_noio);

bool xenbus_helper_llist_add(struct llist_node *node, struct llist_head *head)
{
	return llist_add(node, head);
}
EXPORT_SYMBOL_GPL(xenbus_helper_llist_add);

/* Oldest first, which llist_del_all() alone does not give. */
struct llist_node *xenbus_helper_llist_take(struct llist_head *head)
{
	if (llist_empty(head))
		return NULL;
	return llist_reverse_order(llist_del_all(head));
}
EXPORT_SYMBOL_GPL(xenbus_helper_llist_take);
