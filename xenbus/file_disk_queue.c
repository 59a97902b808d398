// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to disks on files, for Rust: what stands between the block layer and blk/file_disk/request.rs.
 */

#include <linux/blk-cgroup.h>
#include <linux/blk-mq.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include "file_disk.h"

/* Bytes of a stack that a file system, and the driver of its disk, may want. */
#define STACK_TO_START 8192

/*
 * In blk/file_disk/request.rs: what makes the driver's part of a request, once; and what hands over a request, or has a
 * helper do it, which fails only for want of memory.
 */
void xenbus_file_disk_init_pdu(void *pdu);
blk_status_t xenbus_file_disk_start(struct request *rq, void *pdu, const void *server);
blk_status_t xenbus_file_disk_have_helped(struct request *rq, void *pdu, const void *server);

/*
 * What a task is in the middle of. A request is started by whoever submits it, perhaps in a transaction of the file
 * system above, or in a list of bios that is submitted one by one: the file system below must not take these for its
 * own, and memory that it allocates must not be waited for above.
 */
struct task_context {
	void *journal_info;
	struct bio_list *bio_list;
	struct blk_plug *plug;
	const struct cred *cred;
	unsigned int noio;
};

static struct task_context save_task_context(const struct xenbus_file_disk *ours)
{
	struct task_context saved = {
		.journal_info = current->journal_info,
		.bio_list = current->bio_list,
		.plug = current->plug,
		.noio = memalloc_noio_save(),
	};

	current->journal_info = NULL;
	current->bio_list = NULL;
	/* The scheduler looks for the plug's time as long as it is valid. */
	blk_plug_invalidate_ts();
	current->plug = NULL;
	/* It is the file's opener who writes. */
	saved.cred = ours->cred ? override_creds(ours->cred) : NULL;
	return saved;
}

static void restore_task_context(const struct task_context *saved)
{
	if (saved->cred)
		revert_creds(saved->cred);
	current->plug = saved->plug;
	current->bio_list = saved->bio_list;
	current->journal_info = saved->journal_info;
	memalloc_noio_restore(saved->noio);
}

/* Starts a request, unless too little of the stack is left for it, as when disks lie on each other. */
static blk_status_t start_here(struct request *rq)
{
	unsigned long left = current_stack_pointer - (unsigned long)task_stack_page(current);
	const struct xenbus_file_disk *ours = rq->q->queuedata;
	void *pdu = blk_mq_rq_to_pdu(rq);

	if (left < STACK_TO_START)
		return xenbus_file_disk_have_helped(rq, pdu, ours->server);
	return xenbus_file_disk_start(rq, pdu, ours->server);
}

/* Whether the submitter is a thread of the kernel's that writes for all, and does not itself say for whom, as helpers do. */
static bool writes_for_all(void)
{
	return (current->flags & (PF_KTHREAD | PF_LOCAL_THROTTLE)) == PF_KTHREAD;
}

/* Starts a request as a part of the I/O of the cgroup whose it is: so limits of the disk below hold for it. */
static noinline blk_status_t start_for_cgroup(struct request *rq)
{
	struct cgroup_subsys_state *blkcg;
	blk_status_t status;
	struct bio own;

	/* The thread may have been told whom it writes for, as btrfs does: a bio of its own would show it. */
	bio_init(&own, rq->q->disk->part0, NULL, 0, REQ_OP_WRITE);
	blkcg = bio_blkcg_css(&own);
	kthread_associate_blkcg(bio_blkcg_css(rq->bio));
	status = start_here(rq);
	kthread_associate_blkcg(blkcg == blkcg_root_css ? NULL : blkcg);
	bio_uninit(&own);
	return status;
}

static blk_status_t start(struct request *rq)
{
	return writes_for_all() ? start_for_cgroup(rq) : start_here(rq);
}

static blk_status_t queue_one(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *data)
{
	struct task_context saved = save_task_context(hctx->queue->queuedata);
	blk_status_t status = start(data->rq);

	restore_task_context(&saved);
	return status;
}

/* Leaves in @requests what could not be started. */
static void queue_several(struct rq_list *requests)
{
	struct task_context saved = save_task_context(rq_list_peek(requests)->q->queuedata);
	struct rq_list left = {};
	struct blk_plug plug;
	struct request *rq;

	blk_start_plug(&plug);
	while ((rq = rq_list_pop(requests))) {
		if (start(rq) != BLK_STS_OK)
			rq_list_add_tail(&left, rq);
	}
	blk_finish_plug(&plug);
	restore_task_context(&saved);
	*requests = left;
}

static int init_request(struct blk_mq_tag_set *tags, struct request *rq, unsigned int queue, int node)
{
	xenbus_file_disk_init_pdu(blk_mq_rq_to_pdu(rq));
	return 0;
}

const struct blk_mq_ops xenbus_file_disk_queue = {
	.init_request = init_request,
	.queue_rq = queue_one,
	.queue_rqs = queue_several,
};

struct request *xenbus_helper_file_disk_request(void *pdu)
{
	return blk_mq_rq_from_pdu(pdu);
}

/* Of several bios, whose tables are not one, or NULL. */
static struct bio_vec *table_of_all(struct request *rq, u32 parts)
{
	struct bio_vec *table = kmalloc_array(parts, sizeof(*table), GFP_NOIO | __GFP_NOWARN);
	struct req_iterator iter;
	struct bio_vec part;
	u32 at = 0;

	if (table)
		rq_for_each_bvec(part, rq, iter)
			table[at++] = part;
	return table;
}

/*
 * Where a request goes, and its memory if it has data. Returns a table that was made for it, or NULL if none was needed,
 * or an error.
 */
struct bio_vec *xenbus_helper_file_disk_describe(struct request *rq, struct xenbus_file_transfer *what)
{
	struct bio *bio = rq->bio;

	/* All of it: the request before this one has left its own. */
	*what = (struct xenbus_file_transfer){
		.pos = (u64)blk_rq_pos(rq) << SECTOR_SHIFT,
		.bytes = blk_rq_bytes(rq),
		.ioprio = req_get_ioprio(rq),
		.blkcg = bio_blkcg_css(bio),
	};
	if (!bio_has_data(bio))
		return NULL;
	if (bio != rq->biotail) {
		struct bio_vec *table;

		what->parts = blk_rq_nr_bvec(rq);
		table = table_of_all(rq, what->parts);
		what->table = table;
		return table ?: ERR_PTR(-ENOMEM);
	}
	what->table = __bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter);
	what->offset = bio->bi_iter.bi_offset;
	/* The disk's limits make each part one segment, and these are counted. */
	what->parts = blk_rq_nr_phys_segments(rq);
	return NULL;
}

/* What the file system turns out not to have is not asked for again, until there is another file: no reason to complain. */
static void give_up(struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_DISCARD:
		blk_queue_disable_discard(rq->q);
		break;
	case REQ_OP_WRITE_ZEROES:
		blk_queue_disable_write_zeroes(rq->q);
		break;
	default:
		return;
	}
	rq->rq_flags |= RQF_QUIET;
}

void xenbus_helper_file_disk_end(struct request *rq, struct bio_vec *table, int err)
{
	kfree(table);
	if (err == -EOPNOTSUPP)
		give_up(rq);
	blk_mq_end_request(rq, errno_to_blk_status(err));
}
