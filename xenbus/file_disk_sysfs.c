// SPDX-License-Identifier: GPL-2.0
/*
 * What sysfs shows of a disk on a file while it has one, beside what it shows of every disk.
 */

#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "file_disk.h"

/* The name that the file has now, as for a loop device. */
static ssize_t backing_file_show(struct device *dev, struct device_attribute *attribute, char *buffer)
{
	struct xenbus_file_disk *ours = dev_to_disk(dev)->private_data;
	char *name = ERR_PTR(-ENXIO);

	mutex_lock(&xenbus_file_disk_serving);
	if (ours->file)
		name = file_path(ours->file, buffer, PAGE_SIZE - 1);
	mutex_unlock(&xenbus_file_disk_serving);
	if (IS_ERR(name))
		return PTR_ERR(name);
	/* It is at the end of the buffer, and stays whole when it is copied to the beginning. */
	memmove(buffer, name, strlen(name) + 1);
	strcat(buffer, "\n");
	return strlen(buffer);
}
static DEVICE_ATTR_RO(backing_file);

static struct attribute *attributes[] = {
	&dev_attr_backing_file.attr,
	NULL,
};

int xenbus_file_disk_show_attributes(struct xenbus_file_disk *ours)
{
	ours->attributes = (struct attribute_group){
		.name = ours->methods.name,
		.attrs = attributes,
	};
	return sysfs_create_group(&disk_to_dev(ours->disk)->kobj, &ours->attributes);
}

void xenbus_file_disk_hide_attributes(struct xenbus_file_disk *ours)
{
	sysfs_remove_group(&disk_to_dev(ours->disk)->kobj, &ours->attributes);
}
