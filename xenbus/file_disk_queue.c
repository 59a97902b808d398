// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to disks on files, for Rust: what stands between the block layer and blk/file_disk/request.rs.
 */

#include <linux/blk-mq.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include "file_disk.h"

/* Bytes of a stack that a file system, and the driver of its disk, may want. */
#define STACK_TO_START 8192

/* In blk/file_disk.rs: starts a request, by a helper of the file's if @deep. Fails only for want of memory. */
blk_status_t xenbus_file_disk_start(struct request *rq, bool deep);

/*
 * What a task is in the middle of. A request is started by whoever submits it, perhaps in a transaction of the file
 * system above, or in a list of bios that is submitted one by one: the file system below must not take these for its
 * own, and memory that it allocates must not be waited for above.
 */
struct aside {
	void *journal_info;
	struct bio_list *bio_list;
	struct blk_plug *plug;
	const struct cred *cred;
	unsigned int noio;
};

static struct aside put_aside(const struct xenbus_file_disk *ours)
{
	struct aside aside = {
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
	aside.cred = ours->file ? override_creds(ours->file->f_cred) : NULL;
	return aside;
}

static void take_up(const struct aside *aside)
{
	if (aside->cred)
		revert_creds(aside->cred);
	current->plug = aside->plug;
	current->bio_list = aside->bio_list;
	current->journal_info = aside->journal_info;
	memalloc_noio_restore(aside->noio);
}

/* Whether too little of the stack is left, as when disks lie on each other. */
static bool stack_is_deep(void)
{
	return current_stack_pointer - (unsigned long)task_stack_page(current) < STACK_TO_START;
}

static blk_status_t queue_one(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *data)
{
	struct aside aside = put_aside(hctx->queue->queuedata);
	blk_status_t status = xenbus_file_disk_start(data->rq, stack_is_deep());

	take_up(&aside);
	return status;
}

/* Leaves in @requests what could not be started. */
static void queue_several(struct rq_list *requests)
{
	struct aside aside = put_aside(rq_list_peek(requests)->q->queuedata);
	struct rq_list left = {};
	struct blk_plug plug;
	struct request *rq;

	blk_start_plug(&plug);
	while ((rq = rq_list_pop(requests))) {
		if (xenbus_file_disk_start(rq, stack_is_deep()) != BLK_STS_OK)
			rq_list_add_tail(&left, rq);
	}
	blk_finish_plug(&plug);
	take_up(&aside);
	*requests = left;
}

const struct blk_mq_ops xenbus_file_disk_queue = {
	.queue_rq = queue_one,
	.queue_rqs = queue_several,
};

/* Who serves the disk of a request; nobody, perhaps. */
const void *xenbus_helper_file_disk_server(struct request *rq)
{
	const struct xenbus_file_disk *ours = rq->q->queuedata;

	return ours->server;
}

void *xenbus_helper_file_disk_room(struct request *rq)
{
	return blk_mq_rq_to_pdu(rq);
}

struct request *xenbus_helper_file_disk_request(void *room)
{
	return blk_mq_rq_from_pdu(room);
}

static u32 task_of(struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return XENBUS_TASK_READ;
	case REQ_OP_WRITE:
		return XENBUS_TASK_WRITE;
	case REQ_OP_FLUSH:
		return XENBUS_TASK_FLUSH;
	case REQ_OP_DISCARD:
		return XENBUS_TASK_PUNCH;
	case REQ_OP_WRITE_ZEROES:
		return rq->cmd_flags & REQ_NOUNMAP ? XENBUS_TASK_ZERO : XENBUS_TASK_PUNCH;
	default:
		return XENBUS_TASK_NONE;
	}
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
 * What a request asks for; a task with data has memory. Returns a table that was made for it, or NULL if none was
 * needed, or an error.
 */
struct bio_vec *xenbus_helper_file_disk_describe(struct request *rq, u32 *task,
						 struct xenbus_file_transfer *what)
{
	struct bio *bio = rq->bio;

	*task = task_of(rq);
	what->pos = (u64)blk_rq_pos(rq) << SECTOR_SHIFT;
	what->bytes = blk_rq_bytes(rq);
	what->ioprio = req_get_ioprio(rq);
	if (*task == XENBUS_TASK_FLUSH) {
		what->pos = 0;
		what->bytes = 0;
	}
	if (*task != XENBUS_TASK_READ && *task != XENBUS_TASK_WRITE)
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
	what->parts = what->offset + what->bytes <= what->table->bv_len ? 1 : blk_rq_nr_bvec(rq);
	return NULL;
}

void xenbus_helper_file_disk_end(struct request *rq, struct bio_vec *table, int err)
{
	kfree(table);
	blk_mq_end_request(rq, errno_to_blk_status(err));
}
