// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files, for Rust: what it cannot call by itself, one step each.
 *
 * The methods of the file are called directly, as the kernel's other block drivers over files do: who watches the file
 * is not told of every write of a guest.
 */

#include <linux/export.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/kthread.h>
#include <linux/namei.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/stat.h>
#include <linux/uio.h>

#include "bindings_helper.h"

/* Where there is no such scope, paths of kernel threads start where those of init do. */
#ifndef scoped_with_init_fs
#define scoped_with_init_fs()
#endif

static int look_up(const char *name, struct path *path)
{
	int err = -ENOENT;

	scoped_with_init_fs()
		err = kern_path(name, LOOKUP_FOLLOW, path);
	return err;
}

/* What kind of thing has this name: the type bits of its mode. @device is set if it is a device's node. */
int xenbus_helper_file_kind(const char *name, dev_t *device)
{
	struct inode *inode;
	struct path path;
	int kind;

	kind = look_up(name, &path);
	if (kind)
		return kind;
	inode = d_backing_inode(path.dentry);
	kind = inode->i_mode & S_IFMT;
	*device = inode->i_rdev;
	path_put(&path);
	return kind;
}

static int may_open(const struct path *path, bool write)
{
	struct inode *inode = d_backing_inode(path->dentry);

	if (!S_ISREG(inode->i_mode))
		return S_ISDIR(inode->i_mode) ? -EISDIR : -EMEDIUMTYPE;
	if (IS_SWAPFILE(inode) || IS_SWAPFILE(d_real_inode(path->dentry)))
		return -ETXTBSY;
	if (write && IS_APPEND(inode))
		return -EPERM;
	return inode_permission(mnt_idmap(path->mnt), inode, MAY_READ | (write ? MAY_WRITE : 0));
}

/* What the kernel makes up, as in /proc, looks like a file, but many of it cannot be read or written into pages. */
static bool can_transfer(struct file *file, bool write)
{
	const struct file_operations *ops = file->f_op;

	return ops->read_iter && (!write || (ops->write_iter && ops->fsync));
}

/*
 * The file system makes a work queue when it first needs it to end direct I/O. That would be in the middle of a request,
 * and takes memory for which others may be waiting with the locks of work queues, until that very request is done.
 */
static int get_ready(struct file *file)
{
	struct super_block *sb = d_real_inode(file_dentry(file))->i_sb;

	if (!(file->f_mode & FMODE_CAN_ODIRECT) || sb->s_dio_done_wq)
		return 0;
	return sb_init_dio_done_wq(sb);
}

/* Nothing but a regular file is opened: opening a device or a FIFO would do something. */
static struct file *open_path(const struct path *path, bool write)
{
	/* To note the time of each read would be to write, perhaps in the middle of a file system's work above. */
	int flags = O_LARGEFILE | O_NOATIME | (write ? O_RDWR : O_RDONLY);
	int err = may_open(path, write);
	struct file *file;

	file = err ? ERR_PTR(err) : dentry_open(path, flags, current_cred());
	if (IS_ERR(file))
		return file;
	err = can_transfer(file, write) ? get_ready(file) : -EMEDIUMTYPE;
	if (!err)
		return file;
	fput(file);
	return ERR_PTR(err);
}

/* Opens what was looked up, unless that failed. */
static struct file *open_found(int err, struct path *path, bool write)
{
	struct file *file;

	if (err)
		return ERR_PTR(err);
	file = open_path(path, write);
	path_put(path);
	return file;
}

/* @name is what the first process means by it. */
struct file *xenbus_helper_file_open_for_init(const char *name, bool write)
{
	struct path path;

	return open_found(look_up(name, &path), &path, write);
}

/* @name is what the calling program means by it. */
struct file *xenbus_helper_file_open_for_caller(const char *name, bool write)
{
	struct path path;

	return open_found(kern_path(name, LOOKUP_FOLLOW, &path), &path, write);
}

/* The units of direct I/O; nothing if the file has none. */
static void direct_units(struct file *file, struct xenbus_file_facts *facts)
{
	struct block_device *bdev = file_inode(file)->i_sb->s_bdev;
	struct kstat stat;

	if (!(file->f_mode & FMODE_CAN_ODIRECT))
		return;
	if (!vfs_getattr(&file->f_path, &stat, STATX_DIOALIGN, AT_STATX_DONT_SYNC) &&
	    (stat.result_mask & STATX_DIOALIGN)) {
		facts->direct_unit = stat.dio_offset_align;
		facts->direct_memory_unit = stat.dio_mem_align;
	} else {
		/* Few file systems say. */
		facts->direct_unit = bdev ? bdev_logical_block_size(bdev) : SECTOR_SIZE;
		facts->direct_memory_unit = bdev ? bdev_dma_alignment(bdev) + 1 : SECTOR_SIZE;
	}
}

void xenbus_helper_file_facts(struct file *file, struct xenbus_file_facts *facts)
{
	struct inode *inode = file_inode(file);

	*facts = (struct xenbus_file_facts){
		.block_size = i_blocksize(inode),
		.can_start = file->f_mode & FMODE_NOWAIT,
		.can_punch = file->f_op->fallocate,
	};
	direct_units(file, facts);
}

u64 xenbus_helper_file_size(struct file *file)
{
	return i_size_read(file_inode(file));
}

/* How many have the file open to write. */
int xenbus_helper_file_writers(struct file *file)
{
	return atomic_read(&file_inode(file)->i_writecount);
}

/* The inode with the data: there may be a file system over it. */
struct inode *xenbus_helper_file_inode(struct file *file)
{
	return d_real_inode(file_dentry(file));
}

static long transfer(struct kiocb *iocb, struct iov_iter *iter)
{
	const struct file_operations *ops = iocb->ki_filp->f_op;

	return iov_iter_rw(iter) == WRITE ? ops->write_iter(iocb, iter) : ops->read_iter(iocb, iter);
}

static int transfer_flags(const struct xenbus_file_transfer *what, loff_t pos, size_t bytes)
{
	bool direct = what->direct_unit && !((pos | bytes) & (what->direct_unit - 1));

	return (direct ? IOCB_DIRECT : 0) | (what->write ? IOCB_WRITE : 0);
}

static void set_memory(struct iov_iter *iter, const struct xenbus_file_transfer *what)
{
	iov_iter_bvec(iter, what->write ? ITER_SOURCE : ITER_DEST, what->table, what->parts,
		      what->bytes);
	iter->iov_offset = what->offset;
}

/*
 * Few file systems can be asked to write to the page cache without waiting; the others call that invalid. And what a
 * task may write to files of its own is no limit for a disk: the file system would send it a signal.
 */
static bool can_start(const struct kiocb *iocb, size_t bytes)
{
	if (!(iocb->ki_flags & IOCB_WRITE))
		return true;
	if (iocb->ki_pos + bytes > rlimit(RLIMIT_FSIZE))
		return false;
	return (iocb->ki_flags & IOCB_DIRECT) ||
	       (iocb->ki_filp->f_op->fop_flags & FOP_BUFFER_WASYNC);
}

/*
 * Starts a transfer, without waiting for anything, and returns what has become of it: -EIOCBQUEUED if @done will be
 * called, -EAGAIN if it cannot be started like this.
 */
long xenbus_helper_file_start(struct kiocb *iocb, struct file *file,
			      const struct xenbus_file_transfer *what,
			      void (*done)(struct kiocb *iocb, long result))
{
	struct super_block *sb = file_inode(file)->i_sb;
	struct iov_iter iter;
	long result;

	*iocb = (struct kiocb){
		.ki_filp = file,
		.ki_pos = what->pos,
		.ki_complete = done,
		.ki_flags = transfer_flags(what, what->pos, what->bytes) | IOCB_NOWAIT,
		.ki_ioprio = what->ioprio,
	};
	if (!can_start(iocb, what->bytes))
		return -EAGAIN;
	set_memory(&iter, what);
	if (!what->write)
		return transfer(iocb, &iter);

	/* Somebody may be freezing the file system. */
	if (!sb_start_write_trylock(sb))
		return -EAGAIN;
	/* For lockdep: another thread may end it. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	result = transfer(iocb, &iter);
	if (result != -EIOCBQUEUED)
		kiocb_end_write(iocb);
	return result;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_start);

/* To be called when a write that was queued is done. */
void xenbus_helper_file_end_write(struct kiocb *iocb)
{
	kiocb_end_write(iocb);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_end_write);

/* Transfers all of it, and waits as long as it takes. */
int xenbus_helper_file_transfer(struct file *file, const struct xenbus_file_transfer *what)
{
	struct iov_iter iter;
	struct kiocb iocb;
	size_t done = 0;
	long result = 0;

	if (what->write)
		file_start_write(file);
	while (done < what->bytes) {
		iocb = (struct kiocb){
			.ki_filp = file,
			.ki_pos = what->pos + done,
			.ki_flags = transfer_flags(what, what->pos + done, what->bytes - done),
			.ki_ioprio = what->ioprio,
		};
		/* Only the result counts: a file system that fails may have gone through all of the memory. */
		set_memory(&iter, what);
		iov_iter_advance(&iter, done);
		result = transfer(&iocb, &iter);
		if (result <= 0)
			break;
		done += result;
	}
	if (what->write)
		file_end_write(file);
	/* The file may have become shorter. */
	return done < what->bytes ? (result ?: -EIO) : 0;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_transfer);

/* Fills memory of our own, through the page cache. */
int xenbus_helper_file_read(struct file *file, loff_t pos, u8 *to, size_t bytes)
{
	ssize_t done;

	for (; bytes; bytes -= done, to += done) {
		done = kernel_read(file, to, bytes, &pos);
		if (done <= 0)
			return done ?: -EIO;
	}
	return 0;
}

/* Copies to the memory that a transfer is to fill, @skip bytes behind where that begins. */
void xenbus_helper_file_fill(const struct xenbus_file_transfer *what, u32 skip, const u8 *from,
			     u32 bytes)
{
	struct iov_iter iter;

	set_memory(&iter, what);
	iov_iter_advance(&iter, skip);
	/* It is the kernel's memory: all of it can be written. */
	WARN_ON_ONCE(copy_to_iter(from, bytes, &iter) != bytes);
}

/* Makes the file's data durable. What nobody can write needs nothing for it, and may have no function for it. */
int xenbus_helper_file_sync(struct file *file)
{
	return file->f_op->fsync ? vfs_fsync(file, 1) : 0;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_sync);

int xenbus_helper_file_punch(struct file *file, loff_t pos, loff_t bytes)
{
	return vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, bytes);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_punch);

/* Zeroes that keep their room, where the file system can do that. */
int xenbus_helper_file_zero(struct file *file, loff_t pos, loff_t bytes)
{
	int err = vfs_fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, pos, bytes);

	return err == -EOPNOTSUPP ? xenbus_helper_file_punch(file, pos, bytes) : err;
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_zero);

/* Which file it is, as stat(2) tells programs. */
int xenbus_helper_file_identity(struct file *file, u64 *device, u64 *inode)
{
	struct kstat stat;
	int err;

	err = vfs_getattr_nosec(&file->f_path, &stat, STATX_INO, AT_STATX_DONT_SYNC);
	if (err)
		return err;
	*device = new_encode_dev(stat.dev);
	*inode = stat.ino;
	return 0;
}

/* The name that the file has now, written to the end of @buffer; its beginning is returned. */
char *xenbus_helper_file_name(struct file *file, char *buffer, int size)
{
	return file_path(file, buffer, size);
}

void xenbus_helper_file_work_init(struct work_struct *work, void (*function)(struct work_struct *work))
{
	INIT_WORK(work, function);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_work_init);

/*
 * A thread that writes for others must not wait for memory that they hold, nor be slowed down as the one that makes
 * pages dirty: it cleans pages of the file system above. What it does is theirs, and held to the limits of their cgroup.
 */
unsigned int xenbus_helper_file_work_begin(const struct xenbus_file_transfer *what)
{
	unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;

	kthread_associate_blkcg(what->blkcg);
	current->flags |= PF_LOCAL_THROTTLE;
	return throttle | memalloc_noio_save();
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_work_begin);

void xenbus_helper_file_work_end(unsigned int flags)
{
	if (!(flags & PF_LOCAL_THROTTLE))
		current->flags &= ~PF_LOCAL_THROTTLE;
	memalloc_noio_restore(flags & ~PF_LOCAL_THROTTLE);
	kthread_associate_blkcg(NULL);
}
EXPORT_SYMBOL_GPL(xenbus_helper_file_work_end);
