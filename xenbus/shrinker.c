// SPDX-License-Identifier: GPL-2.0
/*
 * A shrinker that hands the work to a thread.
 *
 * It never waits and takes no lock, so it does not matter who asks for memory, and why.
 */

#include <linux/export.h>
#include <linux/shrinker.h>

#include "bindings_helper.h"

static unsigned long count(struct shrinker *shrinker, struct shrink_control *control)
{
	struct xenbus_shrinker *ours = shrinker->private_data;

	return READ_ONCE(ours->spare);
}

/* How much it will be is not known yet. What is there now is not counted again. */
static unsigned long scan(struct shrinker *shrinker, struct shrink_control *control)
{
	struct xenbus_shrinker *ours = shrinker->private_data;

	WRITE_ONCE(ours->spare, 0);
	WRITE_ONCE(ours->rang, true);
	xenbus_helper_doorbell_ring(ours->bell);
	return SHRINK_STOP;
}

int xenbus_helper_shrinker_init(struct xenbus_shrinker *ours, struct xenbus_doorbell *bell)
{
	ours->spare = 0;
	ours->rang = false;
	ours->bell = bell;
	ours->shrinker = shrinker_alloc(0, "xenbus-rs");
	if (!ours->shrinker)
		return -ENOMEM;
	ours->shrinker->count_objects = count;
	ours->shrinker->scan_objects = scan;
	ours->shrinker->private_data = ours;
	shrinker_register(ours->shrinker);
	return 0;
}

void xenbus_helper_shrinker_free(struct xenbus_shrinker *ours)
{
	shrinker_free(ours->shrinker);
}
