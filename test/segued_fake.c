/* SPDX-License-Identifier: Apache-2.0 */
#include "segued_fake.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#define REQUEST_MAX 4096

static void swap_set(FakeState *state, const char *what, int running)
{
	(void)snprintf(state->swap, sizeof(state->swap),
		       "{\"id\":\"" FAKE_SWAP "\",\"state\":\"%s\",\"running\":%s,"
		       "\"message\":\"as it is\",\"error\":null}",
		       what, running ? "true" : "false");
}

/* Head and body, as far as they come; the body, or NULL. */
static char *request_read(int fd, char text[REQUEST_MAX])
{
	size_t size = 0;
	char *body = NULL;

	while (size + 1 < REQUEST_MAX) {
		const char *length = strcasestr(text, "content-length:");
		ssize_t n;

		body = strstr(text, "\r\n\r\n");
		body = body ? body + 4 : NULL;
		if (body && strlen(body) >= (length ? strtoul(length + 15, NULL, 10) : 0))
			return body;
		n = read(fd, text + size, REQUEST_MAX - 1 - size);
		if (n <= 0)
			return NULL;
		size += (size_t)n;
		text[size] = '\0';
	}
	return NULL;
}

static void answer(int fd, const char *status, const char *body)
{
	_cleanup_free_ char *text =
		text_format("HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
			    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			    status, strlen(body), body);

	(void)file_write_all(fd, text, strlen(text), NULL);
}

/* To that which was asked for. */
static void kernel_set(FakeState *state, const char *body)
{
	_cleanup_json_ json_object *asked = json_tokener_parse(body);

	(void)snprintf(state->kernel, sizeof(state->kernel), "%s",
		       json_opt_string(asked, "kernel", "newest"));
}

static void answer_swap(int fd, FakeState *state, const char *body)
{
	(void)snprintf(state->request, sizeof(state->request), "%s", body);
	state->asked_us = clock_monotonic_us();
	if (state->answer == FAKE_BEGINS || state->answer == FAKE_SILENT)
		swap_set(state, "warm", 1);
	if (state->answer == FAKE_RETURNS)
		swap_set(state, "returned", 0);
	if (state->answer == FAKE_SWAPS) {
		kernel_set(state, body);
		swap_set(state, "done", 0);
	}
	state->asked++;
	if (state->answer != FAKE_REFUSES && state->answer != FAKE_SILENT)
		answer(fd, "202 Accepted", "{\"id\":\"" FAKE_SWAP "\"}");
	else if (state->answer == FAKE_REFUSES)
		answer(fd, "409 Conflict",
		       "{\"error\":{\"code\":\"refused\",\"message\":\"The store is full\"}}");
}

static void answer_install(int fd, FakeState *state, const char *body)
{
	if (!strstr(body, "\"" FAKE_RELEASE "\""))
		answer(fd, "404 Not Found",
		       "{\"error\":{\"code\":\"not-found\",\"message\":\"It is not here\"}}");
	else if (state->installed++ == 0)
		answer(fd, "409 Conflict",
		       "{\"error\":{\"code\":\"busy\",\"message\":\"Another is at work\"}}");
	else
		answer(fd, "200 OK",
		       "{\"release\":\"" FAKE_RELEASE "\",\"kernel\":\"" FAKE_KERNEL
		       "\",\"was_there\":true}");
}

static void answer_reboot(int fd, FakeState *state, const char *body)
{
	(void)snprintf(state->request, sizeof(state->request), "%s", body);
	state->rebooted++;
	answer(fd, "202 Accepted", "{\"kernel\":\"" FAKE_KERNEL "\"}");
}

static void answer_check(int fd, FakeState *state, const char *body)
{
	(void)snprintf(state->request, sizeof(state->request), "%s", body);
	state->checked++;
	answer(fd, "200 OK",
	       state->answer == FAKE_REFUSES
		       ? "{\"ok\":false,\"findings\":[{\"severity\":\"note\"},{\"severity\":"
			 "\"refusal\",\"subject\":\"a.service\",\"message\":\"It has a device\"}]}"
		       : "{\"ok\":true,\"findings\":[]}");
}

static void serve(int fd, FakeState *state)
{
	char text[REQUEST_MAX] = "";
	const char *body = request_read(fd, text);
	_cleanup_free_ char *node =
		text_format("{\"version\":\"0\",\"kernel\":\"%s\",\"swapping\":false,"
			    "\"unconfirmed\":false,\"kept\":[\"a.service\"],\"config_error\":null}",
			    state->kernel);
	_cleanup_free_ char *units = text_format(
		"{\"units\":[{\"unit\":\"a.service\",\"state\":\"%s\"}]}", state->unit_state);

	if (body && text_has_prefix(text, "POST /v1/swap "))
		answer_swap(fd, state, body);
	else if (body && text_has_prefix(text, "POST /v1/reboot "))
		answer_reboot(fd, state, body);
	else if (body && text_has_prefix(text, "POST /v1/install "))
		answer_install(fd, state, body);
	else if (body && text_has_prefix(text, "POST /v1/check "))
		answer_check(fd, state, body);
	else if (body && text_has_prefix(text, "GET /v1/swap "))
		answer(fd, "200 OK", state->swap);
	else if (body && text_has_prefix(text, "GET /v1/log "))
		answer(fd, "200 OK", "[]");
	else if (body && text_has_prefix(text, "GET /v1/units "))
		answer(fd, "200 OK", units);
	else if (body && text_has_prefix(text, "GET /v1/status "))
		answer(fd, "200 OK", node);
}

static void run(int fd, FakeState *state)
{
	for (;;) {
		_cleanup_close_ int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			_exit(1);
		serve(client, state);
	}
}

int segued_fake_start(const char *socket_path, SeguedFake *ret, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FakeState *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	if (state == MAP_FAILED || fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0)
		return error_errno(err, -errno, "Listening on %s", socket_path);
	*ret = (SeguedFake){.socket = socket_path, .state = state};
	(void)snprintf(state->swap, sizeof(state->swap), "null");
	(void)snprintf(state->unit_state, sizeof(state->unit_state), "active");
	(void)snprintf(state->kernel, sizeof(state->kernel), "6.12.1");
	ret->pid = fork();
	if (ret->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		run(fd, state);
	}
	return 0;
}

void segued_fake_stop(SeguedFake *fake)
{
	if (fake->pid > 0 && kill(fake->pid, SIGKILL) == 0)
		(void)waitpid(fake->pid, NULL, 0);
	(void)munmap(fake->state, sizeof(*fake->state));
}

void segued_fake_swap(SeguedFake *fake, const char *state, int running)
{
	swap_set(fake->state, state, running);
}

void segued_fake_kernels(SeguedFake *fake, const char *from, const char *to)
{
	(void)snprintf(fake->state->swap, sizeof(fake->state->swap),
		       "{\"id\":\"" FAKE_SWAP "\",\"state\":\"done\",\"running\":false,"
		       "\"from\":\"%s\",\"to\":\"%s\",\"error\":null}",
		       from, to);
}
