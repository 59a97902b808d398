/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What count.c needs of QEMU's plugin interface, version 4. Debian ships the interface (QEMU exports
 * the functions) but no header for it; QEMU's documentation "TCG plugins" describes them.
 */
#ifndef BENCH_QEMU_H
#define BENCH_QEMU_H

#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	uint8_t system_emulation; /* a bool */
	int smp_vcpus;
	int max_vcpus;
};

enum {
	QEMU_PLUGIN_CB_NO_REGS = 0,
	QEMU_PLUGIN_CB_R_REGS = 1,
};

/* GLib's arrays, by which QEMU hands out registers. */
struct glib_array {
	void *data;
	unsigned int length;
};
struct glib_array *g_byte_array_new(void);
struct glib_array *g_byte_array_set_size(struct glib_array *array, unsigned int length);

struct qemu_register {
	void *handle;
	const char *name;
	const char *feature;
};
struct glib_array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(void *handle, struct glib_array *value);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, void (*made)(uint64_t id, unsigned int vcpu));
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*translated)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*begun)(unsigned int vcpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*executed)(unsigned int vcpu, void *data), int flags,
					    void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *bytes, size_t size);

#endif
