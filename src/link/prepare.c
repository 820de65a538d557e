/* SPDX-License-Identifier: Apache-2.0 */
#include "link/prepare.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "link/machine.h"

#define BUSY_MS  1000 /* between attempts while segued works on something else, */
#define BUSY_MAX 60   /* such as what a link before this one has asked for */

typedef struct Work {
	const char *socket;
	LinkOrder order;
} Work;

static int install(const char *socket, LinkOrder *order, Error *err)
{
	int r = machine_install(socket, order, err);

	for (int i = 0; r == -EBUSY && i < BUSY_MAX; i++) {
		(void)poll(NULL, 0, BUSY_MS);
		r = machine_install(socket, order, err);
	}
	return r;
}

static int work(void *userdata, Error *err)
{
	Work *work = userdata;
	int r = *work->order.release ? install(work->socket, &work->order, err) : 0;

	return r == 0 && work->order.stage && !work->order.reboot
		       ? machine_check(work->socket, &work->order, err)
		       : r;
}

static int prepare_begin(Prepare *prepare, const char *socket, const LinkOrder *order, Error *err)
{
	Work given = {.socket = socket, .order = *order};

	if (*order->release)
		(void)fprintf(stderr, SD_NOTICE "Order %lld: install the kernel of release %s\n",
			      (long long)order->id, order->release);
	return worker_start(&prepare->worker, work, &given, err);
}

int prepare_follow(Prepare *prepare, const char *socket, LinkOrder *order, int ms, Error *err)
{
	struct pollfd answer = {.events = POLLIN};
	int r = prepare->worker.pid ? 0 : prepare_begin(prepare, socket, order, err);

	if (r < 0)
		return r;
	answer.fd = prepare->worker.answer;
	if (poll(&answer, 1, ms) <= 0)
		return 0;
	r = worker_finish(&prepare->worker, -1, err);
	prepare->worker = (Worker){0};
	/* Asked again, for the version: now that it is there the answer comes at once. */
	if (r == 0 && *order->release)
		r = machine_install(socket, order, err);
	return r < 0 ? r : 1;
}

void prepare_end(Prepare *prepare)
{
	if (prepare->worker.pid)
		(void)worker_finish(&prepare->worker, 0, NULL);
	prepare->worker = (Worker){0};
}
