// SPDX-License-Identifier: GPL-2.0
/*
 * Hears the uevents of this kernel: what it tells user space of devices, over netlink.
 */

#include <linux/export.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "bindings_helper.h"

/* The group that the kernel sends to; udevd has another one for what it has made of it. */
#define KERNEL_GROUP 1

static void message_arrived(struct sock *sk)
{
	struct xenbus_uevents *uevents;

	read_lock_bh(&sk->sk_callback_lock);
	uevents = sk->sk_user_data;
	if (uevents)
		uevents->arrived(uevents->context);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void listen(struct sock *sk, struct xenbus_uevents *uevents)
{
	write_lock_bh(&sk->sk_callback_lock);
	uevents->unheard = sk->sk_data_ready;
	sk->sk_user_data = uevents;
	sk->sk_data_ready = message_arrived;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* A callback that runs is waited for. */
static void unlisten(struct sock *sk, struct xenbus_uevents *uevents)
{
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = uevents->unheard;
	sk->sk_user_data = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
}

int xenbus_helper_uevents_open(struct xenbus_uevents *uevents)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	int err;

	err = sock_create_kern(&init_net, AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT,
			       &uevents->socket);
	if (err)
		return err;
	listen(uevents->socket->sk, uevents);
	err = kernel_bind(uevents->socket, (struct sockaddr_unsized *)&address, sizeof(address));
	if (err)
		xenbus_helper_uevents_close(uevents);
	return err;
}
EXPORT_SYMBOL_GPL(xenbus_helper_uevents_open);

void xenbus_helper_uevents_close(struct xenbus_uevents *uevents)
{
	unlisten(uevents->socket->sk, uevents);
	sock_release(uevents->socket);
}
EXPORT_SYMBOL_GPL(xenbus_helper_uevents_close);

int xenbus_helper_uevents_receive(struct xenbus_uevents *uevents, u8 *buffer, size_t size)
{
	struct kvec part = { .iov_base = buffer, .iov_len = size };
	struct msghdr message = { };

	return kernel_recvmsg(uevents->socket, &message, &part, 1, size, MSG_DONTWAIT);
}
EXPORT_SYMBOL_GPL(xenbus_helper_uevents_receive);
