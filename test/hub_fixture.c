/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/hub.h"

#define READY_MS  20000
#define ANSWER_MS 60000L

enum { ARGUMENTS_MAX = 24 };

static int state_make(const HubFixture *fixture, Error *err)
{
	_cleanup_free_ char *state = text_format("%s/state", fixture->directory);
	_cleanup_free_ char *ca = text_format("%s/ca.pem", fixture->directory);
	const char *const names[] = {"127.0.0.1", NULL};
	_cleanup_authority_ Authority *authority = NULL;
	_cleanup_db_ Db *db = NULL;
	int64_t now_s = clock_realtime_us() / 1000000;
	int r;

	if ((r = authority_make("test", now_s, &authority, err)) < 0 ||
	    (r = db_create(state, &db, err)) < 0 ||
	    (r = identity_init(db, authority, names, now_s, err)) < 0)
		return r;
	return file_write_new(AT_FDCWD, ca, authority_pem(authority),
			      strlen(authority_pem(authority)), 0600, err);
}

int hub_fixture_place(HubFixture *ret, Error *err)
{
	*ret = (HubFixture){.directory = "/tmp/segue-test-hub-XXXXXX"};
	if (!mkdtemp(ret->directory))
		return error_errno(err, -errno, "Making a directory");
	(void)snprintf(ret->socket, sizeof(ret->socket), "%s/hub.sock", ret->directory);
	return 0;
}

int hub_fixture_make(HubFixture *ret, Error *err)
{
	int r = hub_fixture_place(ret, err);

	if (r < 0)
		return r;
	if ((r = state_make(ret, err)) < 0 || (r = hub_fixture_start(ret, err)) < 0)
		hub_fixture_remove(ret);
	return r;
}

/* Where it says that it is ready, as sd_notify(3) describes. */
static int notify_open(const char *path, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, -errno, "Listening on %s", path);
	return fd;
}

static int ready_wait(int fd, unsigned *ret_port, Error *err)
{
	static const char begin[] = "READY=1\nSTATUS=Listening on port ";
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[256] = "";

	if (poll(&p, 1, READY_MS) != 1 || recv(fd, text, sizeof(text) - 1, 0) < 0 ||
	    strncmp(text, begin, strlen(begin)) != 0)
		return error_set(err, -ETIMEDOUT, "segue-hub was not ready: %s", text);
	*ret_port = (unsigned)strtoul(text + strlen(begin), NULL, 10);
	return 0;
}

unsigned port_free(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return 0;
	return ntohs(address.sin_port);
}

static _Noreturn void hub_become(const HubFixture *fixture, const char *notify)
{
	_cleanup_free_ char *state = text_format("%s/state", fixture->directory);
	_cleanup_free_ char *listen = text_format("127.0.0.1:%u", fixture->port);
	_cleanup_free_ char *where = text_format("127.0.0.1:%u", fixture->relay_port);
	_cleanup_free_ char *locks = text_format("127.0.0.1:%u", fixture->fleetlock_port);
	_cleanup_free_ char *rate = text_format("%lld", (long long)fixture->relay_rate);
	const char *program = getenv("SEGUE_HUB"); /* NOLINT(concurrency-mt-unsafe) */
	const char *relay = getenv("SEGUE_RELAY"); /* NOLINT(concurrency-mt-unsafe) */
	const char *argv[ARGUMENTS_MAX] = {program,
					   "--directory",
					   state,
					   "--listen",
					   listen,
					   "--socket",
					   fixture->socket,
					   "--relay",
					   where,
					   "--relay-program",
					   relay ? relay : "/usr/bin/false",
					   "--relay-rate",
					   rate,
					   "--fleetlock",
					   locks};
	size_t n = 15;

	if (fixture->etcd) {
		argv[n++] = "--etcd";
		argv[n++] = fixture->etcd;
		argv[n++] = "--address";
		argv[n++] = listen;
	}
	if (fixture->publish)
		argv[n] = "--etcd-publish";
	(void)setenv("NOTIFY_SOCKET", notify, 1); /* NOLINT(concurrency-mt-unsafe) */
	if (program)
		(void)execv(program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

int hub_fixture_start(HubFixture *fixture, Error *err)
{
	_cleanup_free_ char *notify = text_format("%s/notify", fixture->directory);
	_cleanup_close_ int fd = notify_open(notify, err);

	if (fd < 0)
		return fd;
	if (fixture->relay_port == 0)
		fixture->relay_port = port_free();
	if (fixture->fleetlock_port == 0)
		fixture->fleetlock_port = port_free();
	/* Others are told where it is before it is there. */
	if (fixture->etcd && fixture->port == 0)
		fixture->port = port_free();
	fixture->pid = fork();
	if (fixture->pid == 0)
		hub_become(fixture, notify);
	if (fixture->pid < 0)
		return error_errno(err, -errno, "Starting segue-hub");
	fixture->publish = false;
	return ready_wait(fd, &fixture->port, err);
}

int hub_fixture_stop(HubFixture *fixture)
{
	int status;

	if (fixture->pid == 0)
		return 0;
	(void)kill(fixture->pid, SIGTERM);
	while (waitpid(fixture->pid, &status, 0) < 0 && errno == EINTR)
		;
	fixture->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
}

static int state_change(const HubFixture *fixture, const char *sql, Error *err)
{
	_cleanup_free_ char *state = text_format("%s/state", fixture->directory);
	_cleanup_db_ Db *db = NULL;
	int r;

	if ((r = db_open(state, &db, err)) < 0 || (r = db_begin(db, DB_DURABLE, err)) < 0)
		return r;
	return db_end(db, db_run(db, NULL, err, sql, ""), err);
}

int hub_fixture_change(HubFixture *fixture, const char *sql, Error *err)
{
	int r;

	(void)hub_fixture_stop(fixture);
	r = state_change(fixture, sql, err);
	return r < 0 ? r : hub_fixture_start(fixture, err);
}

void hub_fixture_remove(HubFixture *fixture)
{
	(void)hub_fixture_stop(fixture);
	(void)directory_remove(AT_FDCWD, fixture->directory, NULL);
}

/* ---- asking ---- */

static void use_tls(const HubFixture *fixture, CURL *curl, const char *as)
{
	_cleanup_free_ char *ca = text_format("%s/ca.pem", fixture->directory);
	_cleanup_free_ char *certificate = text_format("%s/%s.pem", fixture->directory, as);
	_cleanup_free_ char *key = text_format("%s/%s.key", fixture->directory, as);

	(void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
	/* It would read all the certificates of the system, for each connection. */
	(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	if (!*as)
		return;
	(void)curl_easy_setopt(curl, CURLOPT_SSLCERT, certificate);
	(void)curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
}

CURL *hub_fixture_handle(const HubFixture *fixture, const char *as, const char *method,
			 const char *path, const char *body)
{
	CURL *curl = curl_easy_init();
	_cleanup_free_ char *url = as ? text_format("https://127.0.0.1:%u%s", fixture->port, path)
				      : text_format("http://hub%s", path);

	if (!curl)
		return NULL;
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
	(void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	if (body)
		(void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body);
	else if (!strcmp(method, "POST"))
		(void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, "");
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	if (as)
		use_tls(fixture, curl, as);
	else
		(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, fixture->socket);
	return curl;
}

static size_t on_data(char *data, size_t size, size_t n, void *memory)
{
	return fwrite(data, size, n, memory);
}

long hub_fixture_ask(const HubFixture *fixture, const char *as, const char *method,
		     const char *path, json_object *body, json_object **ret)
{
	CURL *curl = hub_fixture_handle(fixture, as, method, path,
					body ? json_object_to_json_string(body) : NULL);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	long status = 0;

	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, memory);
	if (curl_easy_perform(curl) == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	(void)fclose(memory);
	if (ret)
		*ret = status && text ? json_tokener_parse(text) : NULL;
	return status;
}

const char *hub_fixture_message(json_object *answer)
{
	json_object *error;

	if (!answer || json_get_object(answer, "error", &error, NULL) < 0)
		return "";
	return json_opt_string(error, "message", "");
}

/* ---- nodes ---- */

char *hub_fixture_token(const HubFixture *fixture, int uses)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	const char *token;

	json_put_int(body, "uses", uses);
	(void)hub_fixture_ask(fixture, NULL, "POST", "/v1/tokens", body, &answer);
	token = json_opt_string(answer, "token", NULL);
	return token ? strdup(token) : NULL;
}

json_object *hub_fixture_enrolment(const HubFixture *fixture, const char *name, const char *token)
{
	_cleanup_free_ char *path = text_format("%s/%s.key", fixture->directory, name);
	_cleanup_free_ char *key = NULL, *csr = NULL;
	json_object *body = json_object_new_object();

	if (key_request_make(name, &key, &csr, NULL) == 0)
		(void)file_write_atomic(AT_FDCWD, path, key, strlen(key), 0600, NULL);
	json_put_string(body, "token", token);
	json_put_string(body, "csr", csr);
	return body;
}

int hub_fixture_keep(const HubFixture *fixture, const char *name, json_object *answer, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/%s.pem", fixture->directory, name);
	const char *pem;
	int r = json_get_string(answer, "certificate", &pem, err);

	return r < 0 ? r : file_write_atomic(AT_FDCWD, path, pem, strlen(pem), 0600, err);
}
