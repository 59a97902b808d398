/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for the `xenbus` crate: the Xen headers, the constants that C writes as casts, and the
 * prototypes of helpers.c, file.c, file_disk.c, file_disk_queue.c, file_watch.c, zlib.c and uevent.c.
 */

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/llist.h>
#include <linux/timer.h>
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
static const unsigned int XENBUS_REQ_OP_FLUSH = (__force unsigned int)REQ_OP_FLUSH;
static const unsigned int XENBUS_REQ_OP_DISCARD = (__force unsigned int)REQ_OP_DISCARD;
static const unsigned int XENBUS_REQ_OP_SECURE_ERASE = (__force unsigned int)REQ_OP_SECURE_ERASE;
static const unsigned int XENBUS_REQ_OP_WRITE_ZEROES = (__force unsigned int)REQ_OP_WRITE_ZEROES;
static const unsigned int XENBUS_REQ_OP_MASK = (__force unsigned int)REQ_OP_MASK;
static const unsigned int XENBUS_REQ_NOUNMAP = (__force unsigned int)REQ_NOUNMAP;
static const unsigned int XENBUS_REQ_NOMERGE = (__force unsigned int)REQ_NOMERGE;
static const unsigned int XENBUS_REQ_PREFLUSH = (__force unsigned int)REQ_PREFLUSH;
static const unsigned int XENBUS_REQ_FUA = (__force unsigned int)REQ_FUA;
static const unsigned int XENBUS_REQ_SYNC = (__force unsigned int)REQ_SYNC;
static const unsigned int XENBUS_REQ_IDLE = (__force unsigned int)REQ_IDLE;
static const int XENBUS_GNTST_OKAY = GNTST_okay;
static const int XENBUS_GNTST_EAGAIN = GNTST_eagain;
static const int XENBUS_GNTST_NO_DEVICE_SPACE = GNTST_no_device_space;
static const int XENBUS_GNTST_NO_SPACE = GNTST_no_space;
static const unsigned int XENBUS_EOI_SPURIOUS = XEN_EOI_FLAG_SPURIOUS;
static const unsigned int XENBUS_WQ_UNBOUND = WQ_UNBOUND;
static const long XENBUS_EIOCBQUEUED = EIOCBQUEUED;
static const int XENBUS_S_IFREG = S_IFREG;
static const int XENBUS_S_IFBLK = S_IFBLK;

/* One doorbell: a thread sleeps on it, anyone may ring it, also from interrupts. */
struct xenbus_doorbell {
	struct task_struct *sleeper;
	atomic_t rung;
};

void xenbus_helper_doorbell_init(struct xenbus_doorbell *bell);
void xenbus_helper_doorbell_ring(struct xenbus_doorbell *bell);
void xenbus_helper_doorbell_wait(struct xenbus_doorbell *bell);
bool xenbus_helper_doorbell_rung(struct xenbus_doorbell *bell);

/* One alarm: a timer that rings a doorbell. */
struct xenbus_alarm {
	struct timer_list timer;
	struct xenbus_doorbell *bell;
	bool rang;
};

void xenbus_helper_alarm_init(struct xenbus_alarm *alarm, struct xenbus_doorbell *bell);
void xenbus_helper_alarm_set(struct xenbus_alarm *alarm, unsigned long milliseconds);
bool xenbus_helper_alarm_take(struct xenbus_alarm *alarm);
void xenbus_helper_alarm_shutdown(struct xenbus_alarm *alarm);

/* One shrinker: the kernel rings a doorbell when memory is short. */
struct xenbus_shrinker {
	struct shrinker *shrinker;
	struct xenbus_doorbell *bell;
	/* Pages that could be given back. */
	unsigned long spare;
	bool rang;
};

int xenbus_helper_shrinker_init(struct xenbus_shrinker *ours, struct xenbus_doorbell *bell);
void xenbus_helper_shrinker_free(struct xenbus_shrinker *ours);

unsigned int xenbus_helper_shared_lock(void);
void xenbus_helper_shared_unlock(unsigned int flags);

void xenbus_helper_sleep_until_stopped(void);
void xenbus_helper_memalloc_noio(void);
void xenbus_helper_cond_resched(void);
bool xenbus_helper_is_alone(void);
unsigned int xenbus_helper_online_cpus(void);

bool xenbus_helper_llist_add(struct llist_node *node, struct llist_head *head);
struct llist_node *xenbus_helper_llist_take(struct llist_head *head);

int xenbus_helper_grant_copy(struct gnttab_copy *ops, unsigned int count);
unsigned long xenbus_helper_page_to_gfn(struct page *page);
void xenbus_helper_set_map_op(struct gnttab_map_grant_ref *op, struct page *page, bool readonly,
			      u32 ref, u16 domain);
void xenbus_helper_set_unmap_op(struct gnttab_unmap_grant_ref *op, struct page *page, u32 handle);
bool xenbus_helper_page_busy(struct page *page);
u8 *xenbus_helper_page_address(struct page *page);
void xenbus_helper_read_page(struct page *page, size_t offset, u8 *to, size_t len);

bool xenbus_helper_xen_domain(void);
bool xenbus_helper_in_xenwatch(void);
bool xenbus_helper_is_registered(struct xenbus_device *dev);
void xenbus_helper_unregister(struct xenbus_device *dev);

void xenbus_helper_virt_mb(void);
void xenbus_helper_notify(u32 port);
void xenbus_helper_poll(u32 port);
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
void xenbus_helper_bio_rearm(struct bio *bio, struct block_device *bdev, u32 flags, u64 sector,
			     u32 bytes, struct bio_vec *table, u16 parts);
int xenbus_helper_bio_status_to_errno(struct bio *bio);
unsigned int xenbus_helper_bdev_max_discard_sectors(struct block_device *bdev);
unsigned int xenbus_helper_bdev_max_secure_erase_sectors(struct block_device *bdev);
unsigned int xenbus_helper_bdev_discard_granularity(struct block_device *bdev);
unsigned int xenbus_helper_bdev_discard_alignment(struct block_device *bdev);

/* What does not change while a file is open. */
struct xenbus_file_facts {
	/* Bytes of the unit of direct I/O, in the file and in memory; 0 if there is none. */
	u32 direct_unit;
	u32 direct_memory_unit;
	/* Bytes of the file system's blocks. */
	u32 block_size;
	/* Transfers can be started without waiting. */
	bool can_start;
	bool can_punch;
};

/* A transfer between a file and memory. */
struct xenbus_file_transfer {
	const struct bio_vec *table;
	u32 parts;
	/* Bytes of the first part that are not meant. */
	u32 offset;
	u32 bytes;
	u64 pos;
	/* 0: through the page cache. What does not fit the unit goes there as well. */
	u32 direct_unit;
	u16 ioprio;
	bool write;
	/* Whose I/O a helper does, if that is known. It stays as long as the request. */
	struct cgroup_subsys_state *blkcg;
};

/* What a request to a file needs. */
struct xenbus_file_request {
	struct kiocb iocb;
	struct work_struct work;
};

/* One watch on a file's size, in file_watch.c; no group, no watch. */
struct xenbus_file_watch {
	struct fsnotify_group *group;
	struct fsnotify_mark *mark;
};

int xenbus_helper_file_watch(struct xenbus_file_watch *watch, struct file *file,
			     void (*resized)(void *context), void *context);
void xenbus_helper_file_unwatch(struct xenbus_file_watch *watch);

int xenbus_helper_file_kind(const char *name, dev_t *device);
struct file *xenbus_helper_file_open_for_init(const char *name, bool write);
struct file *xenbus_helper_file_open_for_caller(const char *name, bool write);
void xenbus_helper_file_facts(struct file *file, struct xenbus_file_facts *facts);
u64 xenbus_helper_file_size(struct file *file);
int xenbus_helper_file_writers(struct file *file);
struct inode *xenbus_helper_file_inode(struct file *file);
long xenbus_helper_file_start(struct kiocb *iocb, struct file *file,
			      const struct xenbus_file_transfer *what,
			      void (*done)(struct kiocb *iocb, long result));
void xenbus_helper_file_end_write(struct kiocb *iocb);
int xenbus_helper_file_transfer(struct file *file, const struct xenbus_file_transfer *what);
int xenbus_helper_file_read(struct file *file, loff_t pos, u8 *to, size_t bytes);
void xenbus_helper_file_fill(const struct xenbus_file_transfer *what, u32 skip, const u8 *from,
			     u32 bytes);
int xenbus_helper_file_sync(struct file *file);
int xenbus_helper_file_punch(struct file *file, loff_t pos, loff_t bytes);
int xenbus_helper_file_zero(struct file *file, loff_t pos, loff_t bytes);
int xenbus_helper_file_identity(struct file *file, u64 *device, u64 *inode);
char *xenbus_helper_file_name(struct file *file, char *buffer, int size);
void xenbus_helper_file_work_init(struct work_struct *work, void (*function)(struct work_struct *work));
unsigned int xenbus_helper_file_work_begin(const struct xenbus_file_transfer *what);
void xenbus_helper_file_work_end(unsigned int flags);

size_t xenbus_helper_inflate_workspace_size(void);
long xenbus_helper_inflate(void *workspace, const u8 *from, size_t length, u8 *to, size_t room);

/* A disk on a file, in file_disk.c. */
struct xenbus_file_disk;

static const u8 XENBUS_STS_RESOURCE = (__force u8)BLK_STS_RESOURCE;

/* What it calls. The owner stays until it is freed, or could not be shown. */
struct xenbus_file_disk_methods {
	struct module *module;
	/* What such disks are called, for sysfs. */
	const char *name;
	/* An ioctl, by somebody who has it open, to write or not. */
	int (*control)(void *owner, bool writes, unsigned int request, unsigned long argument);
	/* Nobody has it open any more. Must not wait for the disk. */
	void (*closed)(void *owner);
	/* The last reference to the disk is gone. */
	void (*free)(void *owner);
};

/* What it is like. */
struct xenbus_file_disk_facts {
	u64 sectors;
	u32 logical_block_size;
	u32 physical_block_size;
	/* Bytes that requests' memory is aligned to; 0 if it does not matter. */
	u32 memory_unit;
	bool can_punch;
	bool read_only;
};

struct xenbus_file_disk *xenbus_helper_file_disk_new(unsigned int pdu_size);
int xenbus_helper_file_disk_show(struct xenbus_file_disk *ours, const char *name, unsigned int major,
				 unsigned int minor, const struct xenbus_file_disk_methods *methods,
				 void *owner);
int xenbus_helper_file_disk_serve(struct xenbus_file_disk *ours, struct file *file, const void *server,
				  const struct xenbus_file_disk_facts *facts);
int xenbus_helper_file_disk_clear(struct xenbus_file_disk *ours);
void xenbus_helper_file_disk_resize(struct xenbus_file_disk *ours, u64 sectors);
bool xenbus_helper_file_disk_is_open(struct xenbus_file_disk *ours);
int xenbus_helper_file_disk_retire(struct xenbus_file_disk *ours);
void xenbus_helper_file_disk_delete(struct xenbus_file_disk *ours);
void xenbus_helper_file_disk_free(struct xenbus_file_disk *ours);
struct request *xenbus_helper_file_disk_request(void *pdu);
struct bio_vec *xenbus_helper_file_disk_describe(struct request *rq,
						 struct xenbus_file_transfer *what);
void xenbus_helper_file_disk_end(struct request *rq, struct bio_vec *table, int err);

/* One listener to the kernel's uevents, in uevent.c. */
struct xenbus_uevents {
	struct socket *socket;
	/* Called when a message has come, from wherever it was sent: must not sleep. */
	void (*arrived)(void *context);
	void *context;
	/* What the socket did before. */
	void (*unheard)(struct sock *sk);
};

int xenbus_helper_uevents_open(struct xenbus_uevents *uevents);
void xenbus_helper_uevents_close(struct xenbus_uevents *uevents);
int xenbus_helper_uevents_receive(struct xenbus_uevents *uevents, u8 *buffer, size_t size);
