/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for the `xenbus` crate: the Xen headers, the constants that C writes as casts, and the
 * prototypes of helpers.c.
 */

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/llist.h>
#include <linux/workqueue.h>

#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/io/xenbus.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "trace_types.h"

/* bindgen evaluates no casts and no enumerators with flags: give it plain constants. */
static const unsigned int XENBUS_BLK_OPEN_READ = (__force unsigned int)BLK_OPEN_READ;
static const unsigned int XENBUS_BLK_OPEN_WRITE = (__force unsigned int)BLK_OPEN_WRITE;
static const unsigned int XENBUS_REQ_OP_READ = (__force unsigned int)REQ_OP_READ;
static const unsigned int XENBUS_REQ_OP_WRITE = (__force unsigned int)REQ_OP_WRITE;
static const unsigned int XENBUS_REQ_PREFLUSH = (__force unsigned int)REQ_PREFLUSH;
static const unsigned int XENBUS_REQ_FUA = (__force unsigned int)REQ_FUA;
static const unsigned int XENBUS_REQ_SYNC = (__force unsigned int)REQ_SYNC;
static const unsigned int XENBUS_REQ_IDLE = (__force unsigned int)REQ_IDLE;
static const int XENBUS_GNTST_OKAY = GNTST_okay;
static const int XENBUS_GNTST_EAGAIN = GNTST_eagain;
static const unsigned int XENBUS_EOI_SPURIOUS = XEN_EOI_FLAG_SPURIOUS;
static const unsigned int XENBUS_WQ_UNBOUND = WQ_UNBOUND;

/* One doorbell: a thread sleeps on it, anyone may ring it, also from interrupts. */
struct xenbus_doorbell {
	struct wait_queue_head queue;
	atomic_t rung;
};

void xenbus_helper_doorbell_init(struct xenbus_doorbell *bell);
void xenbus_helper_doorbell_ring(struct xenbus_doorbell *bell);
void xenbus_helper_doorbell_wait(struct xenbus_doorbell *bell);

void xenbus_helper_sleep_until_stopped(void);
void xenbus_helper_memalloc_noio(void);
void xenbus_helper_cond_resched(void);
unsigned int xenbus_helper_online_cpus(void);

bool xenbus_helper_llist_add(struct llist_node *node, struct llist_head *head);
struct llist_node *xenbus_helper_llist_take(struct llist_head *head);

int xenbus_helper_grant_copy(struct gnttab_copy *ops, unsigned int count);
unsigned long xenbus_helper_page_to_gfn(struct page *page);

bool xenbus_helper_xen_domain(void);
bool xenbus_helper_in_xenwatch(void);
void xenbus_helper_unregister(struct xenbus_device *dev);

void xenbus_helper_virt_mb(void);
u64 xenbus_helper_local_clock(void);

struct block_device *xenbus_helper_file_bdev(struct file *file);
int xenbus_helper_bdev_name(struct block_device *bdev, char *buffer, size_t size);
u64 xenbus_helper_bdev_sectors(struct block_device *bdev);
unsigned int xenbus_helper_bdev_logical_block_size(struct block_device *bdev);
unsigned int xenbus_helper_bdev_physical_block_size(struct block_device *bdev);
bool xenbus_helper_bdev_write_cache(struct block_device *bdev);
bool xenbus_helper_bdev_read_only(struct block_device *bdev);
bool xenbus_helper_bdev_removable(struct block_device *bdev);
bool xenbus_helper_bdev_cdrom(struct block_device *bdev);
int xenbus_helper_bio_status_to_errno(struct bio *bio);
