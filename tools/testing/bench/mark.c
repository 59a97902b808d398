// SPDX-License-Identifier: GPL-2.0
// Executes a marker for the counting plugin: mark start [TIME] | mark stop [TIME]
//
// With a TIME, in seconds since 1970, it waits until then, before it starts or after it stops: so guests,
// which have one clock, begin together, and who is done first does nothing more while others are measured.

#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define mark(operand) asm volatile("nopl %c0(%%rax,%%rax,1)" : : "i"(operand))

static void sleep_until(const char *seconds)
{
	struct timespec time = { .tv_sec = atoll(seconds) };

	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";
	const char *time = argc >= 3 ? argv[2] : "0";

	if (!strcmp(what, "start")) {
		sleep_until(time);
		mark(MARK_START);
	} else if (!strcmp(what, "stop")) {
		mark(MARK_STOP);
		sleep_until(time);
	} else {
		fprintf(stderr, "Usage: mark start|stop [TIME]\n");
		return 2;
	}
	return 0;
}
