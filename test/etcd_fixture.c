/* SPDX-License-Identifier: Apache-2.0 */
#include "etcd_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "hub/etcd.h"
#include "hub_fixture.h"

#define PROGRAM  "/usr/bin/etcd"
#define READY_US ((int64_t)60 * 1000000)
#define LOOK_MS  50

enum { ARGUMENTS_MAX = 24 };

bool etcd_is_there(void)
{
	return access(PROGRAM, X_OK) == 0;
}

static _Noreturn void member_become(const EtcdFixture *fixture, size_t i)
{
	_cleanup_free_ char *name = text_format("m%zu", i);
	_cleanup_free_ char *data = text_format("%s/%s", fixture->directory, name);
	_cleanup_free_ char *client = text_format("http://127.0.0.1:%u", fixture->client[i]);
	_cleanup_free_ char *peer = text_format("http://127.0.0.1:%u", fixture->peer[i]);
	_cleanup_free_ char *log = text_format("%s/%s.log", fixture->directory, name);
	_cleanup_free_ char *cluster =
		text_format("m0=http://127.0.0.1:%u,m1=http://127.0.0.1:%u,m2=http://127.0.0.1:%u",
			    fixture->peer[0], fixture->peer[1], fixture->peer[2]);
	const char *argv[ARGUMENTS_MAX] = {PROGRAM, "--name",
					   name,    "--data-dir",
					   data,    "--listen-client-urls",
					   client,  "--advertise-client-urls",
					   client,  "--listen-peer-urls",
					   peer,    "--initial-advertise-peer-urls",
					   peer,    "--initial-cluster",
					   cluster, "--initial-cluster-state",
					   "new"};
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	(void)execv(PROGRAM, (char *const *)(uintptr_t)argv);
	_exit(127);
}

int etcd_fixture_start(EtcdFixture *fixture, size_t member, Error *err)
{
	fixture->pids[member] = fork();
	if (fixture->pids[member] == 0)
		member_become(fixture, member);
	return fixture->pids[member] > 0 ? 0 : error_errno(err, -errno, "Starting etcd");
}

void etcd_fixture_kill(EtcdFixture *fixture, size_t member)
{
	if (fixture->pids[member] > 0 && kill(fixture->pids[member], SIGKILL) == 0)
		(void)waitpid(fixture->pids[member], NULL, 0);
	fixture->pids[member] = 0;
}

static int ready_wait(const EtcdFixture *fixture, Error *err)
{
	const EtcdOptions options = {.members = fixture->members};
	int64_t until_us = clock_monotonic_us() + READY_US;
	_cleanup_etcd_ Etcd *etcd = NULL;
	int r = etcd_open(&options, &etcd, err);

	while (r == 0) {
		_cleanup_etcd_values_ EtcdValues none = {0};

		/* A read that all agree on. */
		if (etcd_get(etcd, "ready", &none, err) == 0)
			return 0;
		if (clock_monotonic_us() > until_us)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, LOOK_MS);
	}
	return r;
}

int etcd_fixture_make(EtcdFixture *ret, Error *err)
{
	int r = 0;

	*ret = (EtcdFixture){.directory = "/tmp/segue-test-etcd-XXXXXX"};
	if (!mkdtemp(ret->directory))
		return error_errno(err, -errno, "Making a directory");
	for (size_t i = 0; i < ETCD_MEMBERS; i++) {
		ret->client[i] = port_free();
		ret->peer[i] = port_free();
	}
	(void)snprintf(ret->members, sizeof(ret->members),
		       "http://127.0.0.1:%u,http://127.0.0.1:%u,http://127.0.0.1:%u",
		       ret->client[0], ret->client[1], ret->client[2]);
	for (size_t i = 0; r == 0 && i < ETCD_MEMBERS; i++)
		r = etcd_fixture_start(ret, i, err);
	return r < 0 ? r : ready_wait(ret, err);
}

void etcd_fixture_remove(EtcdFixture *fixture)
{
	for (size_t i = 0; i < ETCD_MEMBERS; i++)
		etcd_fixture_kill(fixture, i);
	(void)directory_remove(AT_FDCWD, fixture->directory, NULL);
}
