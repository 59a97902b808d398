// SPDX-License-Identifier: GPL-2.0
// A QEMU plugin that counts what each processor executes between two markers, or, where several programs
// execute them, between the first that starts and the last that stops.
//
// It counts how often each translation block begins: a straight piece of code, known by its address
// and its number of instructions. All else is computed from that afterwards: instructions by place or
// by function, and how often a function was entered, as a function's first instruction begins a block.
//
// Each such window becomes a file, window-000 and so on, in the folder given as out=FOLDER, with a line
// for each block: processor, address, instructions, executions; the address in hexadecimal.
//
// To be used with -icount, under which QEMU runs all processors in one thread: nothing is locked here.
// QEMU 10.0 then tells a callback not the processor that executes a block but the one for which it was
// translated. For kernels and programs that does not matter, as each domain is pinned and has its memory
// for itself: only the processors of one guest are mixed up. Xen's code is shared but for the first
// instructions of a system call, by which hypercalls come, too: they are each processor's own, and lead
// to its stack. By that the processor is told. And QEMU's inline counters, which would be quicker, end
// such a machine with "Bad icount read".

#include "qemu.h"
#include "../mark.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A power of two. QEMU cuts blocks where a turn of a processor ends, so that there are many.
#define MAX_BLOCKS (1u << 20)
#define MAX_PROCESSORS 4
// Addresses of programs are below. Programs are not told apart: their blocks count as of address 0.
#define KERNEL_SPACE (1ull << 47)
// Xen has this part of the address space, and for each processor a stack of this size, aligned.
#define XEN_BEGIN 0xffff800000000000ull
#define XEN_END 0xffff880000000000ull
#define XEN_STACK_SHIFT 15
#define MAX_STACKS 8

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 4;

struct block {
	uint64_t address;
	uint32_t instructions; // 0: unused
};

static struct block blocks[MAX_BLOCKS];
static unsigned int block_count;
// Counters parallel to blocks[]: for each processor those of its domain, for each stack those of Xen.
static uint64_t executions[MAX_PROCESSORS][MAX_BLOCKS];
static uint64_t xen_executions[MAX_STACKS][MAX_BLOCKS];

// The stacks on which Xen was seen, and how often it got there from the way in of which processor. (QEMU
// changes processors anywhere, but seldom just there.)
static struct stack {
	uint64_t number;
	uint64_t entered_by[MAX_PROCESSORS];
} stacks[MAX_STACKS];
static unsigned int stack_count;
static int entering = -1; // the processor, when the block before was on its way in

static void *stack_pointer; // QEMU's handle of the register
static struct glib_array *register_value;
static const char *folder;
static unsigned int windows;
static unsigned int started; // programs, and not yet stopped

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

static bool is_xen(uint64_t address)
{
	return address >= XEN_BEGIN && address < XEN_END;
}

static uint64_t read_stack_pointer(void)
{
	uint64_t value;

	g_byte_array_set_size(register_value, 0);
	qemu_plugin_read_register(stack_pointer, register_value);
	memcpy(&value, register_value->data, sizeof(value));
	return value;
}

// The place in stacks[] of the stack with this pointer.
static unsigned int stack_of(uint64_t pointer)
{
	uint64_t number = pointer >> XEN_STACK_SHIFT;
	unsigned int i;

	for (i = 0; i < stack_count; i++) {
		if (stacks[i].number == number)
			return i;
	}
	if (i == MAX_STACKS)
		give_up("too many stacks, MAX_STACKS must grow");
	stacks[stack_count++].number = number;
	return i;
}

static unsigned int most_frequent(const struct stack *stack)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < MAX_PROCESSORS; i++) {
		if (stack->entered_by[i] > stack->entered_by[best])
			best = i;
	}
	return best;
}

// The processor of a stack; one that has no domain and only idles is counted as the last.
static unsigned int processor_of(const struct stack *stack)
{
	unsigned int best = most_frequent(stack);

	return stack->entered_by[best] ? best : MAX_PROCESSORS - 1;
}

static void domain_block(unsigned int vcpu, void *data)
{
	if (!started)
		return;
	executions[vcpu][(size_t)data]++;
	entering = -1;
}

static void xen_block(unsigned int vcpu, void *data)
{
	uint64_t pointer;
	unsigned int stack;

	if (!started)
		return;
	pointer = read_stack_pointer();
	// The way in begins on the domain's stack.
	if (!is_xen(pointer)) {
		executions[vcpu][(size_t)data]++;
		entering = vcpu;
		return;
	}
	stack = stack_of(pointer);
	xen_executions[stack][(size_t)data]++;
	if (entering >= 0)
		stacks[stack].entered_by[entering]++;
	entering = -1;
}

static void start(unsigned int vcpu, void *data)
{
	(void)vcpu, (void)data;
	if (started++)
		return;
	memset(executions, 0, sizeof(executions));
	memset(xen_executions, 0, sizeof(xen_executions));
}

static void write_counters(FILE *file, unsigned int processor, const uint64_t *counters)
{
	for (size_t i = 0; i < MAX_BLOCKS; i++) {
		if (counters[i])
			fprintf(file, "%u %llx %u %llu\n", processor, (unsigned long long)blocks[i].address,
				blocks[i].instructions, (unsigned long long)counters[i]);
	}
}

static void stop(unsigned int vcpu, void *data)
{
	char path[4096];
	FILE *file;

	(void)vcpu, (void)data;
	if (!started || --started)
		return;
	snprintf(path, sizeof(path), "%s/window-%03u", folder, windows++);
	file = fopen(path, "w");
	if (!file)
		give_up("cannot write to the folder out=");
	for (unsigned int i = 0; i < MAX_PROCESSORS; i++)
		write_counters(file, i, executions[i]);
	for (unsigned int i = 0; i < stack_count; i++)
		write_counters(file, processor_of(&stacks[i]), xen_executions[i]);
	if (fclose(file))
		give_up("cannot write to the folder out=");
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
	if (is_xen(address))
		qemu_plugin_register_vcpu_tb_exec_cb(tb, xen_block, QEMU_PLUGIN_CB_R_REGS, (void *)index);
	else
		qemu_plugin_register_vcpu_tb_exec_cb(tb, domain_block, QEMU_PLUGIN_CB_NO_REGS, (void *)index);
	for (size_t i = 0; program && i < instructions; i++)
		look_for_markers(qemu_plugin_tb_get_insn(tb, i));
}

// Registers can only be looked up when there is a processor.
static void processor_made(uint64_t id, unsigned int vcpu)
{
	struct glib_array *found = qemu_plugin_get_registers();
	const struct qemu_register *registers = found->data;

	(void)id, (void)vcpu;
	for (unsigned int i = 0; i < found->length; i++) {
		if (!strcmp(registers[i].name, "rsp"))
			stack_pointer = registers[i].handle;
	}
	if (!stack_pointer)
		give_up("this processor has no rsp");
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
	register_value = g_byte_array_new();
	qemu_plugin_register_vcpu_init_cb(id, processor_made);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
