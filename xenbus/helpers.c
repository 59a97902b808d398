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
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/sched/stat.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/unaligned.h>

#include <asm/xen/hypercall.h>

#include "bindings_helper.h"

/*
 * How often it was rung is not kept: work is looked for after every wait, so once is
 * enough. The exchange orders the caller's stores before the wake-up, and the sleeper's reset before it looks for work.
 *
 * There is one sleeper, so there is no queue of them (compare rcuwait).
 */
void xenbus_helper_doorbell_init(struct xenbus_doorbell *bell)
{
	bell->sleeper = NULL;
	atomic_set(&bell->rung, 0);
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_init);

void xenbus_helper_doorbell_ring(struct xenbus_doorbell *bell)
{
	struct task_struct *sleeper;

	if (atomic_xchg(&bell->rung, 1))
		return;
	/* A task is freed after a grace period. */
	rcu_read_lock();
	sleeper = READ_ONCE(bell->sleeper);
	if (sleeper)
		wake_up_process(sleeper);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_ring);

void xenbus_helper_doorbell_wait(struct xenbus_doorbell *bell)
{
	WRITE_ONCE(bell->sleeper, current);
	for (;;) {
		/* Orders the sleeper's name before the look at the bell. */
		set_current_state(TASK_IDLE);
		if (atomic_read(&bell->rung))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(bell->sleeper, NULL);
	atomic_xchg(&bell->rung, 0);
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_wait);

bool xenbus_helper_doorbell_rung(struct xenbus_doorbell *bell)
{
	return atomic_read(&bell->rung);
}
EXPORT_SYMBOL_GPL(xenbus_helper_doorbell_rung);

static void alarm_rings(struct timer_list *timer)
{
	struct xenbus_alarm *alarm = container_of(timer, struct xenbus_alarm, timer);

	WRITE_ONCE(alarm->rang, true);
	xenbus_helper_doorbell_ring(alarm->bell);
}

void xenbus_helper_alarm_init(struct xenbus_alarm *alarm, struct xenbus_doorbell *bell)
{
	alarm->bell = bell;
	alarm->rang = false;
	timer_setup(&alarm->timer, alarm_rings, 0);
}

/* Timers are coarse on purpose: several fire together. */
void xenbus_helper_alarm_set(struct xenbus_alarm *alarm, unsigned long milliseconds)
{
	if (!timer_pending(&alarm->timer))
		mod_timer(&alarm->timer, round_jiffies_up(jiffies + msecs_to_jiffies(milliseconds)));
}

bool xenbus_helper_alarm_take(struct xenbus_alarm *alarm)
{
	if (!READ_ONCE(alarm->rang))
		return false;
	WRITE_ONCE(alarm->rang, false);
	return true;
}

void xenbus_helper_alarm_shutdown(struct xenbus_alarm *alarm)
{
	timer_shutdown_sync(&alarm->timer);
}

/* Xen reads and writes @ops by address; they are ordinary kernel memory on every kind of domain. */
int xenbus_helper_grant_copy(struct gnttab_copy *ops, unsigned int count)
{
	return HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, count);
}

unsigned long xenbus_helper_page_to_gfn(struct page *page)
{
	return xen_page_to_gfn(page);
}

void xenbus_helper_set_map_op(struct gnttab_map_grant_ref *op, struct page *page, bool readonly,
			      u32 ref, u16 domain)
{
	gnttab_set_map_op(op, (unsigned long)page_address(page),
			  GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), ref, domain);
}

void xenbus_helper_set_unmap_op(struct gnttab_unmap_grant_ref *op, struct page *page, u32 handle)
{
	gnttab_set_unmap_op(op, (unsigned long)page_address(page), GNTMAP_host_map, handle);
}

bool xenbus_helper_page_busy(struct page *page)
{
	return page_count(page) > 1;
}

u8 *xenbus_helper_page_address(struct page *page)
{
	return page_address(page);
}
EXPORT_SYMBOL_GPL(xenbus_helper_page_address);

/* The other domain may be writing; each word is read once. */
void xenbus_helper_read_page(struct page *page, size_t offset, u8 *to, size_t len)
{
	const u8 *from = page_address(page);
	size_t at;

	if (offset > PAGE_SIZE || len > PAGE_SIZE - offset)
		return;
	for (at = 0; at + sizeof(u64) <= len; at += sizeof(u64))
		put_unaligned(READ_ONCE(*(const u64 *)(from + offset + at)), (u64 *)(to + at));
	for (; at < len; at++)
		to[at] = READ_ONCE(from[offset + at]);
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

/* By the port: to find it by the interrupt's number takes longer than the rest. */
void xenbus_helper_notify(u32 port)
{
	notify_remote_via_evtchn(port);
}
EXPORT_SYMBOL_GPL(xenbus_helper_notify);

/*
 * Waits in Xen until an event is pending on @port, or anything else comes for this processor; the timer's tick
 * does, at the latest. Other domains have the processor meanwhile.
 */
void xenbus_helper_poll(u32 port)
{
	evtchn_port_t ports[] = { port };
	struct sched_poll poll = { .nr_ports = 1 };

	set_xen_guest_handle(poll.ports, ports);
	HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}
EXPORT_SYMBOL_GPL(xenbus_helper_poll);

/*
 * The core serves all watches in one thread, which has no other mark than its name. A process of that name
 * deceives nobody but itself.
 */
bool xenbus_helper_in_xenwatch(void)
{
	return strcmp(current->comm, "xenwatch") == 0;
}
EXPORT_SYMBOL_GPL(xenbus_helper_in_xenwatch);

bool xenbus_helper_is_registered(struct xenbus_device *dev)
{
	return device_is_registered(&dev->dev);
}
EXPORT_SYMBOL_GPL(xenbus_helper_is_registered);

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

unsigned int xenbus_helper_bdev_max_discard_sectors(struct block_device *bdev)
{
	return bdev_max_discard_sectors(bdev);
}

unsigned int xenbus_helper_bdev_max_secure_erase_sectors(struct block_device *bdev)
{
	return bdev_max_secure_erase_sectors(bdev);
}

unsigned int xenbus_helper_bdev_discard_granularity(struct block_device *bdev)
{
	return bdev_discard_granularity(bdev);
}

unsigned int xenbus_helper_bdev_discard_alignment(struct block_device *bdev)
{
	return bdev_discard_alignment(bdev);
}

/*
 * Makes a bio that is done ready for another use. This is bio_init() less what stays: the cgroup is looked up
 * again, as the driver's thread may have been moved to another one.
 */
void xenbus_helper_bio_rearm(struct bio *bio, struct block_device *bdev, u32 flags, u64 sector,
			     u32 bytes, struct bio_vec *table, u16 parts)
{
	bio->bi_next = NULL;
	bio->bi_bdev = bdev;
	bio->bi_opf = (__force blk_opf_t)flags;
	bio->bi_flags = 0;
	bio->bi_status = BLK_STS_OK;
	bio->bi_bvec_gap_bit = 0;
	atomic_set(&bio->__bi_remaining, 1);
	bio->bi_iter.bi_sector = sector;
	bio->bi_iter.bi_size = bytes;
	bio->bi_iter.bi_idx = 0;
	bio->bi_iter.bi_offset = 0;
	bio->bi_cookie = BLK_QC_T_NONE;
	bio->bi_io_vec = table;
	bio->bi_vcnt = parts;
	bio->bi_max_vecs = parts;
	bio_associate_blkg(bio);
}
EXPORT_SYMBOL_GPL(xenbus_helper_bio_rearm);

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

bool xenbus_helper_is_alone(void)
{
	return single_task_running();
}
EXPORT_SYMBOL_GPL(xenbus_helper_is_alone);

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

static DEFINE_MUTEX(shared);

/* Memory is allocated under it without waiting for disks, whose threads may want it too. */
unsigned int xenbus_helper_shared_lock(void)
{
	mutex_lock(&shared);
	return memalloc_noio_save();
}
EXPORT_SYMBOL_GPL(xenbus_helper_shared_lock);

void xenbus_helper_shared_unlock(unsigned int flags)
{
	memalloc_noio_restore(flags);
	mutex_unlock(&shared);
}
EXPORT_SYMBOL_GPL(xenbus_helper_shared_unlock);
