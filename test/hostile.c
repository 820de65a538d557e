/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may do to segued's socket, and what of it segued notices afterwards: nothing. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "node/api.h"
#include "node/client.h"
#include "node/http.h"
#include "sandbox.h"
#include "swap/paths.h"
#include "test.h"

#define SOCKET_PATH "/run/segue/test.sock"
#define LIMIT_US    ((int64_t)20 * 1000000)
#define LOOKERS     12345 /* a group that may look */
#define OPERATORS   12346 /* a group that may check and swap */

static sd_event *event;
static Api *api;
static Config config;
static Permit permit_list[] = {
	{LOOKERS, CONFIG_VERBS_READ},
	{OPERATORS, 1U << CONFIG_VERB_CHECK | 1U << CONFIG_VERB_SWAP},
};
static const Permits permits = {permit_list, 2};

/* ---- a client beside the server, in one thread ---- */

static int connected(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Until nothing is left to do. */
static void server_run(void)
{
	for (int idle = 0; idle < 3;)
		idle = sd_event_run(event, 0) > 0 ? 0 : idle + 1;
}

static void sent(int fd, const char *bytes, size_t size)
{
	int stalls = 0;

	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		/* It has its answer, or was thrown out. */
		if (n < 0 && errno != EAGAIN)
			return;
		/* It takes no more, and is not done. */
		if (n < 0 && stalls++ > 10)
			return;
		server_run();
		if (n > 0) {
			stalls = 0;
			bytes += n;
			size -= (size_t)n;
		}
	}
}

/* The status of the first answer; 0 if the server closes without one. */
static int answered(int fd)
{
	int64_t end = clock_monotonic_us() + LIMIT_US;
	char text[64] = "";
	size_t used = 0;

	while (used < 12) {
		ssize_t n = recv(fd, text + used, sizeof(text) - 1 - used, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return 0;
		used += n > 0 ? (size_t)n : 0;
		assert_true(clock_monotonic_us() < end);
		(void)sd_event_run(event, 10000);
	}
	return (int)strtol(text + strlen("HTTP/1.1 "), NULL, 10);
}

static int asked(const char *request)
{
	_cleanup_close_ int fd = connected();

	if (fd < 0)
		return -1;
	sent(fd, request, strlen(request));
	return answered(fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: segued\r\n\r\n"

static void require_serving(const char *after)
{
	int status = asked(GET("/v1/status"));

	if (status != 200)
		fail_msg("after %s: %d", after, status);
}

static unsigned descriptors(void)
{
	unsigned n = 0;

	server_run();
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t memory(void)
{
	server_run();
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
						       : mallinfo2().uordblks;
}

/* ---- requests ---- */

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: segued\r\n"
#define BLANKS             "                "
#define CHUNKED            "Transfer-Encoding: chunked\r\n\r\n"

/* `begin`, then `times` times `fill`, then `end`; its length goes into "%zu" of `begin`. */
static const struct Hostile {
	const char *name, *begin, *fill;
	size_t times;
	const char *end;
	bool may_wait; /* for the rest, until its time is over */
} hostiles[] = {
	{"a header line without an end", HEAD("GET", "/v1/status") "A: ", "a", 60000, "\r\n\r\n"},
	{"header lines without an end", HEAD("GET", "/v1/status"), "A: b\r\n", 10000, "\r\n"},
	{"a path without an end", "GET /v1/units/", "a", 60000, " HTTP/1.1\r\n\r\n"},
	{"a method without an end", "", "A", 60000, " / HTTP/1.1\r\n\r\n"},
	{"a unit's name of 5000 bytes", "DELETE /v1/units/", "a", 5000,
	 " HTTP/1.1\r\nHost: segued\r\n\r\n"},
	{"a large body", HEAD("POST", "/v1/check") "Content-Length: 70000\r\n\r\n", " ", 70000, ""},
	{"a large body in chunks", HEAD("POST", "/v1/check") CHUNKED,
	 "80\r\n" BLANKS BLANKS BLANKS BLANKS BLANKS BLANKS BLANKS BLANKS "\r\n", 600, "0\r\n\r\n"},
	{"a length of 2^64",
	 HEAD("POST", "/v1/check") "Content-Length: 18446744073709551616\r\n\r\n", "{", 1, ""},
	{"a length below zero", HEAD("POST", "/v1/check") "Content-Length: -1\r\n\r\n", "{", 1, ""},
	{"a length that is no number", HEAD("POST", "/v1/check") "Content-Length: 2x\r\n\r\n", "{}",
	 1, ""},
	{"a length and chunks", HEAD("POST", "/v1/check") "Content-Length: 2\r\n" CHUNKED, "", 0,
	 "1\r\n{\r\n0\r\n\r\n"},
	{"a chunk of 2^64", HEAD("POST", "/v1/check") CHUNKED, "", 0, "10000000000000000\r\n{"},
	{"a chunk that is no number", HEAD("POST", "/v1/check") CHUNKED, "", 0,
	 "zz\r\n{}\r\n0\r\n\r\n"},
	{"chunk extensions without an end", HEAD("POST", "/v1/check") CHUNKED "1;", "a", 60000,
	 "\r\n", true},
	{"a body that is cut off", HEAD("POST", "/v1/check") "Content-Length: 100\r\n\r\n", "{", 1,
	 "", true},
	{"chunks that are cut off", HEAD("POST", "/v1/check") CHUNKED "5\r\n{", "", 0, "", true},
	{"a head that is cut off", HEAD("GET", "/v1/status") "A", "", 0, "", true},
	{"nothing at all", "", "", 0, "", true},
	{"empty lines", "", "\r\n", 5000, "", true},
	{"another protocol", "\x16\x03\x01\x02", "", 0, "\x01\x01\xfc\x03\x03 \r\n\r\n", true},
	{"another version", "GET /v1/status HTTP/9.9\r\n\r\n", "", 0, ""},
	{"no such method", HEAD("BREW", "/v1/status"), "", 0, "\r\n"},
	{"no such path", HEAD("GET", "/v1/../v1/status"), "", 0, "\r\n"},
	{"a unit's name that leads away", HEAD("DELETE", "/v1/units/..%2f..%2fswap%2fjournal.json"),
	 "", 0, "\r\n"},
	{"a unit's name with a NUL byte", HEAD("DELETE", "/v1/units/a.service%00b"), "", 0, "\r\n"},
	{"a unit's name with a line's end", HEAD("DELETE", "/v1/units/a%0ab.service"), "", 0,
	 "\r\n"},
	{"a template", HEAD("DELETE", "/v1/units/a@.service"), "", 0, "\r\n"},
	{"a body that is no JSON", HEAD("POST", "/v1/check") "Content-Length: %zu\r\n\r\n", "\"", 9,
	 ""},
	{"a body that is no object", HEAD("POST", "/v1/swap") "Content-Length: %zu\r\n\r\n", "[]",
	 1, ""},
	{"a body with more behind it", HEAD("POST", "/v1/run") "Content-Length: %zu\r\n\r\n", "{}",
	 2, ""},
	{"deep nesting", HEAD("POST", "/v1/run") "Content-Length: %zu\r\n\r\n", "{\"a\":", 10000,
	 ""},
	{"a type that is wrong", HEAD("POST", "/v1/check") "Content-Length: %zu\r\n\r\n",
	 "{\"kernel\":[\"6.12\"]}", 1, ""},
	{"a huge number", HEAD("POST", "/v1/check") "Content-Length: %zu\r\n\r\n",
	 "{\"no_trial\":99999999999999999999999999e999}", 1, ""},
	{"a member twice", HEAD("PUT", "/v1/units/a") "Content-Length: %zu\r\n\r\n",
	 "{\"adapt\":true,\"adapt\":\"\"}", 1, ""},
	{"a member that is not known", HEAD("POST", "/v1/swap") "Content-Length: %zu\r\n\r\n",
	 "{\"force\":true}", 1, ""},
	{"a NUL byte in a text", HEAD("POST", "/v1/check") "Content-Length: %zu\r\n\r\n",
	 "{\"kernel\":\"6.12\\u0000/../x\"}", 1, ""},
	{"a kernel that leads away", HEAD("POST", "/v1/check") "Content-Length: %zu\r\n\r\n",
	 "{\"kernel\":\"../../etc\"}", 1, ""},
	{"bytes that are no UTF-8", HEAD("POST", "/v1/check") "Content-Length: %zu\r\n\r\n",
	 "{\"kernel\":\"\xc0\xaf\"}", 1, ""},
	{"a unit that leads away", HEAD("POST", "/v1/run") "Content-Length: %zu\r\n\r\n",
	 "{\"command\":[\"/bin/true\"],\"unit\":\"../../x.service\"}", 1, ""},
	{"a variable that is two", HEAD("POST", "/v1/run") "Content-Length: %zu\r\n\r\n",
	 "{\"command\":[\"/bin/true\"],\"environment\":{\"A=1\\nB\":\"2\"}}", 1, ""},
	{"too many members", HEAD("POST", "/v1/run") "Content-Length: %zu\r\n\r\n{\"command\":[",
	 "\"\",", 9000, "\"\"]}"},
	{"many requests at once", HEAD("BREW", "/v1/status") "\r\n", HEAD("BREW", "/") "\r\n", 200,
	 ""},
};

/* The caller frees. */
static char *hostile_text(const struct Hostile *h, size_t *ret_size)
{
	const char *body = strstr(h->begin, "\r\n\r\n"), *length = strstr(h->begin, "%zu");
	size_t fill = strlen(h->fill), end = strlen(h->end), size;
	char *text = malloc(strlen(h->begin) + 32 + fill * h->times + end);

	assert_non_null(text);
	size = (body ? strlen(body + 4) : 0) + fill * h->times + end;
	if (length)
		size = (size_t)sprintf(text, "%.*s%zu%s", (int)(length - h->begin), h->begin, size,
				       length + strlen("%zu"));
	else
		size = (size_t)sprintf(text, "%s", h->begin);
	for (size_t i = 0; i < h->times; i++, size += fill)
		memcpy(text + size, h->fill, fill);
	memcpy(text + size, h->end, end);
	*ret_size = size + end;
	return text;
}

static void hostile_try(const struct Hostile *h)
{
	_cleanup_close_ int fd = connected();
	_cleanup_free_ char *text = NULL;
	size_t size;
	int status;

	text = hostile_text(h, &size);
	sent(fd, text, size);
	if (h->may_wait)
		return;
	status = answered(fd);
	if (status != 0 && status != 505 && (status < 400 || status > 499))
		fail_msg("%s: answered with %d", h->name, status);
}

static void test_hostile_requests(void **state)
{
	size_t n = sizeof(hostiles) / sizeof(*hostiles), after_first = 0;
	unsigned before = descriptors();

	assert_true(n >= 24);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++) {
			hostile_try(&hostiles[i]);
			require_serving(hostiles[i].name);
			if (descriptors() != before)
				fail_msg("%s: a descriptor was left open", hostiles[i].name);
		}
		if (round == 0)
			after_first = memory();
	}
	assert_in_range(memory(), 0, after_first + 4096);
}

/* ---- connections ---- */

static void test_answers_that_nobody_takes(void **state)
{
	unsigned before = descriptors();
	int fd = connected();

	for (int i = 0; i < 300; i++)
		(void)send(fd, GET("/v1/status"), strlen(GET("/v1/status")), MSG_NOSIGNAL);
	server_run();
	require_serving("answers that nobody takes");
	(void)close(fd);
	assert_int_equal(descriptors(), before);
}

/* Connects as another user, if that can be. */
static int connected_as(uid_t uid, gid_t gid)
{
	int fd;

	if (setegid(gid) < 0 || seteuid(uid) < 0) {
		(void)setegid(0);
		return -2;
	}
	fd = connected();
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	return fd;
}

static int asked_as(uid_t uid, gid_t gid, const char *request)
{
	_cleanup_close_ int fd = connected_as(uid, gid);

	if (fd == -2)
		skip();
	if (fd < 0)
		return -1;
	sent(fd, request, strlen(request));
	return answered(fd);
}

#define BAD_SWAP HEAD("POST", "/v1/swap") "Content-Length: 2\r\n\r\n[]"
#define BAD_RUN  HEAD("POST", "/v1/run") "Content-Length: 2\r\n\r\n[]"

static void test_who_may_what(void **state)
{
	assert_int_equal(asked(BAD_SWAP), 400);
	assert_int_equal(asked(BAD_RUN), 400);
	assert_int_equal(asked_as(1000, LOOKERS, GET("/v1/status")), 200);
	assert_int_equal(asked_as(1000, LOOKERS, GET("/metrics")), 200);
	assert_int_equal(asked_as(1000, LOOKERS, BAD_SWAP), 403);
	assert_int_equal(asked_as(1000, LOOKERS, HEAD("DELETE", "/v1/units/a") "\r\n"), 403);
	assert_int_equal(asked_as(1000, OPERATORS, BAD_SWAP), 400);
	assert_int_equal(asked_as(1000, OPERATORS, BAD_RUN), 403);
	assert_int_equal(asked_as(1000, OPERATORS, GET("/v1/log")), 403);
	assert_int_equal(asked_as(1000, 1000, GET("/v1/status")), -1);
}

static void test_who_takes_all_connections(void **state)
{
	int fds[CLIENTS_OF_USER + 20];
	unsigned before = descriptors(), thrown_out = 0;
	char byte;

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		fds[i] = connected_as(1000, LOOKERS);
		if (fds[i] == -2)
			skip();
		server_run();
		thrown_out += fds[i] >= 0 && recv(fds[i], &byte, 1, 0) == 0;
	}
	assert_int_equal(thrown_out, 20);
	require_serving("many connections");
	assert_int_equal(asked_as(1001, LOOKERS, GET("/v1/status")), 200);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		(void)close(fds[i]);
	assert_int_equal(descriptors(), before);
}

static void test_a_connection_for_each_slot(void **state)
{
	int fds[CLIENTS_MOST + 40];
	unsigned before = descriptors();

	/* Those above the limit wait to be accepted. */
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		fds[i] = connected();
		server_run();
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		(void)close(fds[i]);
	require_serving("more connections than there are slots");
	assert_int_equal(descriptors(), before);
}

/* ---- time ---- */

static void on_call(HttpCall *call, void *data)
{
	*(HttpCall **)data = call;
}

/* A byte now and then keeps no connection open; who waits for an answer is not thrown out. */
static void test_slow_clients(void **state)
{
	HttpCall *waiting = NULL;
	int listener, slow, patient;
	char byte;
	Http *http;

	assert_int_equal(http_listen("/run/segue/slow.sock", &permits, &listener, NULL), 0);
	assert_int_equal(rename("/run/segue/slow.sock", SOCKET_PATH), 0);
	assert_int_equal(http_open(event, listener, &permits, on_call, &waiting, &http, NULL), 0);
	patient = connected();
	sent(patient, GET("/"), strlen(GET("/")));
	assert_non_null(waiting);
	slow = connected();
	for (size_t i = 0; i < 20; i++) {
		sent(slow, &GET("/")[i], 1);
		http_expire(http, clock_monotonic_us() + CLIENT_LIMIT_US / 2);
	}
	assert_int_equal(recv(slow, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	http_expire(http, clock_monotonic_us() + CLIENT_LIMIT_US);
	server_run();
	assert_int_equal(recv(slow, &byte, 1, 0), 0);
	http_answer(waiting, 200, "text/plain", "late");
	assert_int_equal(answered(patient), 200);
	http_expire(http, clock_monotonic_us() + CLIENT_LIMIT_US);
	server_run();
	(void)close(slow);
	(void)close(patient);
	http_close(http);
}

static int setup(void **state)
{
	sigset_t mask;
	int fd;

	if (!sandbox_enter())
		return 0;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	return directory_make(AT_FDCWD, SEGUE_RUN_DIR, 0755, NULL) < 0 ||
	       directory_make(AT_FDCWD, SEGUE_SWAP_DIR, 0700, NULL) < 0 ||
	       config_parse("", 0, "", &config, NULL) < 0 || sd_event_default(&event) < 0 ||
	       http_listen(SOCKET_PATH, &permits, &fd, NULL) < 0 ||
	       api_open(event, fd, &config, &permits, NULL, &api, NULL) < 0;
}

static int teardown(void **state)
{
	api_close(api);
	(void)sd_event_unref(event);
	config_release(&config);
	return 0;
}

/* Where there are no private mounts, there is nothing to try: the machine's own is not. */
static int need_server(void **state)
{
	if (!api)
		skip();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hostile_requests, need_server),
		cmocka_unit_test_setup(test_answers_that_nobody_takes, need_server),
		cmocka_unit_test_setup(test_who_may_what, need_server),
		cmocka_unit_test_setup(test_who_takes_all_connections, need_server),
		cmocka_unit_test_setup(test_a_connection_for_each_slot, need_server),
		cmocka_unit_test_setup(test_slow_clients, need_server),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
