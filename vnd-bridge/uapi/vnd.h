/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * How programs talk to vnd(4): the requests of NetBSD's that configure files as disks, and the control node.
 *
 * /dev/vndN is a disk, a unit. It takes VNDIOCSET and VNDIOCCLR, which need it open for writing, and VNDIOCGET.
 * /dev/vnd-control makes and removes units, and takes VNDIOCGET as well.
 *
 * Every number and every structure is the same for programs of 32 bits. What is reserved is zero; the kernel refuses
 * anything else there.
 */
#ifndef _UAPI_VND_H
#define _UAPI_VND_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* A geometry, as programs for old disks want one. What counts is the size of sectors, and that all of it is in the file. */
struct vnd_geom {
	__u32 vng_secsize;	/* bytes of a sector: a power of two from 512 to 4096 */
	__u32 vng_nsectors;	/* sectors of a track */
	__u32 vng_ntracks;	/* tracks of a cylinder */
	__u32 vng_ncylinders;	/* cylinders; 0: as many as the file has room for */
};

/* What VNDIOCSET and VNDIOCCLR are given. */
struct vnd_ioctl {
	__aligned_u64 vnd_file;	/* set: address of the file's name, which ends with a zero byte */
	__u32 vnd_flags;	/* set: HASGEOM, READONLY, FILEIO, COMP; clear: FORCE */
	__u32 vnd_reserved;
	struct vnd_geom vnd_geom;	/* set: with HASGEOM */
	__aligned_u64 vnd_size;	/* set, returned: bytes of the disk */
};

#define VNDIOF_HASGEOM	0x00001	/* use this geometry */
#define VNDIOF_READONLY	0x00002	/* the disk cannot be written, and the file need not be */
#define VNDIOF_FORCE	0x00004	/* clear the unit although it is in use */
#define VNDIOF_FILEIO	0x00008	/* go through the page cache */
#define VNDIOF_COMP	0x00400	/* the file is a compressed image; implies READONLY */

/* Only returned. */
#define VNDIOF_CONFIGURED	0x10000	/* there is a file */
#define VNDIOF_DIRECT	0x20000	/* its data goes past the page cache */

/* What VNDIOCGET is given: which unit, and where its file's name goes; and what it returns, zeroes without a file. */
struct vnd_user {
	__s32 vnu_unit;	/* which; -1: the one that is open. Returned: which it was */
	__u32 vnu_flags;	/* returned: VNDIOF_… */
	__aligned_u64 vnu_dev;	/* returned: the file system's device, as makedev(3) has it */
	__aligned_u64 vnu_ino;	/* returned: the file's inode */
	__aligned_u64 vnu_size;	/* returned: bytes of the disk */
	struct vnd_geom vnu_geom;	/* returned */
	__aligned_u64 vnu_path;	/* address of room for the file's name; 0: it is not wanted */
	__u32 vnu_pathlen;	/* bytes of the room. Returned: of the name, with its zero byte; 0: too long to be told */
	__u32 vnu_reserved;
};

/*
 * Makes the file the unit's disk. EBADF: not open for writing; EBUSY: the unit has a file, or somebody else has this one;
 * EOPNOTSUPP: no regular file; EINVAL: the geometry, the flags, or the compressed image; ELOOP: the file lies on this
 * unit, or on too many others; and whatever opening the file gives, e.g. ENOENT, EACCES, EROFS.
 */
#define VNDIOCSET	_IOWR('F', 0, struct vnd_ioctl)

/*
 * Takes the file away. EBADF: not open for writing; ENXIO: there is none; EBUSY: somebody else has the unit open.
 * What was written is waited for, and whoever opens the unit meanwhile gets ENXIO.
 */
#define VNDIOCCLR	_IOW('F', 1, struct vnd_ioctl)

/*
 * What a unit is. One without a file has inode 0, whether it exists or not. ENXIO: neither it nor any after it exists,
 * so a list of all units is made by asking for 0, 1, 2, … until then. ERANGE: the name does not fit: vnu_pathlen is
 * what it needs, and everything else is returned too.
 */
#define VNDIOCGET	_IOWR('F', 3, struct vnd_user)

/*
 * The control node's own. The argument is a unit's number, not an address; the result is one, too. A unit that is made
 * here stays until it is removed, or cleared and closed. One that is made by opening a node of that number goes when it
 * is closed without a file.
 */
#define VND_CTL_ADD	_IO('F', 0x80)	/* make this unit, or any with -1. EEXIST: it exists */
#define VND_CTL_REMOVE	_IO('F', 0x81)	/* remove it. ENODEV: it does not exist; EBUSY: it has a file, or is open */
#define VND_CTL_GET_FREE	_IO('F', 0x82)	/* a unit without a file that nobody has open, made if there is none */

/* No unit has a higher number. */
#define VND_UNIT_MAX	65535

#ifdef __cplusplus
#define VND_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), "layout of " #type)
#else
#define VND_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), "layout of " #type)
#endif

VND_ASSERT_SIZE(struct vnd_geom, 16);
VND_ASSERT_SIZE(struct vnd_ioctl, 40);
VND_ASSERT_SIZE(struct vnd_user, 64);

#endif /* _UAPI_VND_H */
