// SPDX-License-Identifier: GPL-2.0
// A QEMU plugin that counts what each processor executes between two markers.
//
// It counts how often each translation block begins: a straight piece of code, known by its address
// and its number of instructions. All else is computed from that afterwards: instructions by place or
// by function, and how often a function was entered, as a function's first instruction begins a block.
//
// Each stop marker writes a file, window-000 and so on, in the folder given as out=FOLDER, with a line
// for each block: processor, address, instructions, executions; the address in hexadecimal.
//
// To be used with -icount, under which QEMU runs all processors in one thread: nothing is locked here.

#include "qemu.h"
#include "../mark.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A power of two. A machine that boots and works for a while translates some 200000 blocks.
#define MAX_BLOCKS (1u << 19)
#define MAX_PROCESSORS 4
// Addresses of programs are below. Programs are not told apart: their blocks count as of address 0.
#define KERNEL_SPACE (1ull << 47)

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 4;

struct block {
	uint64_t address;
	uint32_t instructions; // 0: unused
};

static struct block blocks[MAX_BLOCKS];
static unsigned int block_count;
// For each processor, an array of counters, parallel to blocks[].
static uint64_t executions[MAX_PROCESSORS][MAX_BLOCKS];
static const char *folder;
static unsigned int windows;

static void give_up(const char *why)
{
	fprintf(stderr, "count: %s\n", why);
	exit(1);
}

// The place of a block in blocks[], a hash table with open addressing.
static size_t block_index(uint64_t address, uint32_t instructions)
{
	size_t index = ((address + instructions) * 0x9e3779b97f4a7c15ull) >> 32 & (MAX_BLOCKS - 1);

	for (;; index = (index + 1) & (MAX_BLOCKS - 1)) {
		struct block *block = &blocks[index];

		if (block->address == address && block->instructions == instructions)
			return index;
		if (!block->instructions) {
			if (++block_count > MAX_BLOCKS / 4 * 3)
				give_up("too many blocks, MAX_BLOCKS must grow");
			*block = (struct block){ address, instructions };
			return index;
		}
	}
}

static void start(unsigned int vcpu, void *data)
{
	(void)vcpu, (void)data;
	memset(executions, 0, sizeof(executions));
}

static void stop(unsigned int vcpu, void *data)
{
	char path[4096];
	FILE *file;

	(void)vcpu, (void)data;
	snprintf(path, sizeof(path), "%s/window-%03u", folder, windows++);
	file = fopen(path, "w");
	if (!file)
		give_up("cannot write to the folder out=");
	for (int i = 0; i < MAX_PROCESSORS; i++) {
		for (size_t j = 0; j < MAX_BLOCKS; j++) {
			if (executions[i][j])
				fprintf(file, "%d %llx %u %llu\n", i, (unsigned long long)blocks[j].address,
					blocks[j].instructions, (unsigned long long)executions[i][j]);
		}
	}
	if (fclose(file))
		give_up("cannot write to the folder out=");
}

// Not one of QEMU's inline additions, which are quicker: with them and two processors, QEMU 10.0 stops
// with "Bad icount read" as soon as Xen starts the second.
static void begun(unsigned int vcpu, void *data)
{
	executions[vcpu][(size_t)data]++;
}

static void look_for_markers(struct qemu_plugin_insn *insn)
{
	static const uint8_t opcode[4] = { MARK_BYTES };
	uint8_t bytes[16];
	uint32_t operand;

	if (qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) != 8 || memcmp(bytes, opcode, 4))
		return;
	memcpy(&operand, bytes + 4, 4);
	if (operand == MARK_START)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, start, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (operand == MARK_STOP)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, stop, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	size_t instructions = qemu_plugin_tb_n_insns(tb);
	bool program = address < KERNEL_SPACE;
	size_t index = block_index(program ? 0 : address, instructions);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, begun, QEMU_PLUGIN_CB_NO_REGS, (void *)index);
	for (size_t i = 0; program && i < instructions; i++)
		look_for_markers(qemu_plugin_tb_get_insn(tb, i));
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			folder = strdup(argv[i] + 4);
	}
	if (!folder)
		give_up("out=FOLDER is missing");
	if (info->smp_vcpus > MAX_PROCESSORS)
		give_up("too many processors");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
