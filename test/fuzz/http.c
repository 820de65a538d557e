/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sends to the socket: the server answers or closes, and has forgotten it then. */
#include "node/http.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"

#define TURNS_MOST 1000

static sd_event *event;
static Http *http;
static const Permits nobody;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void on_call(HttpCall *call, void *data)
{
	(void)data;
	require(call->method && call->path && call->body);
	require(call->body_size <= HTTP_BODY_MAX && call->body[call->body_size] == '\0');
	http_answer(call, 200, "text/plain", call->path);
}

static void server_end(void)
{
	http_close(http);
	(void)sd_event_unref(event);
}

static void server_make(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* Of no filesystem (unix(7), abstract). */
	(void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "segue-fuzz-%d",
		       (int)getpid());
	require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	require(listen(fd, 8) == 0 && sd_event_default(&event) >= 0);
	require(http_open(event, fd, &nobody, on_call, NULL, &http, NULL) == 0);
	(void)atexit(server_end);
}

static unsigned descriptors_count(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void server_run(void)
{
	for (int idle = 0, turns = 0; idle < 2; turns++) {
		require(turns < TURNS_MOST);
		idle = sd_event_run(event, 0) == 0 ? idle + 1 : 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	unsigned before;
	int client;

	if (!http)
		server_make();
	before = descriptors_count();
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(client >= 0 && connect(client, (struct sockaddr *)&address, sizeof(address)) == 0);
	require(size == 0 || send(client, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
	server_run();
	(void)close(client);
	for (int turns = 0; descriptors_count() > before; turns++) {
		require(turns < TURNS_MOST);
		(void)sd_event_run(event, 1000);
	}
	return 0;
}
