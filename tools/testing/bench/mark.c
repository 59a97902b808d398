// SPDX-License-Identifier: GPL-2.0
// Executes a marker for the counting plugin: mark start | mark stop

#include "mark.h"

#include <stdio.h>
#include <string.h>

#define mark(operand) asm volatile("nopl %c0(%%rax,%%rax,1)" : : "i"(operand))

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "start")) {
		mark(MARK_START);
	} else if (argc == 2 && !strcmp(argv[1], "stop")) {
		mark(MARK_STOP);
	} else {
		fprintf(stderr, "Usage: mark start|stop\n");
		return 2;
	}
	return 0;
}
