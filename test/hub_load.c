/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#define AT_ONCE  64 /* that enrol or connect */
#define LIMIT_US ((int64_t)300 * 1000000)

typedef struct LoadNode {
	char name[32];
	CURL *curl;
	char *text; /* what was answered */
	size_t size;
	FILE *memory;
	int64_t sent_us, answered_us; /* 0: not yet */
} LoadNode;

typedef struct Load {
	const HubFixture *fixture;
	LoadNode *nodes;
	size_t n;
	CURLM *multi;
	char *token;
} Load;

/* ---- the hub's process ---- */

static double cpu_of(pid_t pid)
{
	_cleanup_free_ char *path = text_format("/proc/%d/stat", (int)pid), *text = NULL;
	unsigned long user = 0, system = 0;
	const char *p;

	if (!path || file_read(AT_FDCWD, path, &text, NULL, NULL) < 0 ||
	    !(p = strrchr(text, ')')) ||
	    sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long rss_of(pid_t pid)
{
	_cleanup_free_ char *path = text_format("/proc/%d/status", (int)pid), *text = NULL;
	const char *p;

	if (!path || file_read(AT_FDCWD, path, &text, NULL, NULL) < 0 ||
	    !(p = strstr(text, "VmRSS:")))
		return 0;
	return strtol(p + strlen("VmRSS:"), NULL, 10);
}

/* ---- one node ---- */

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	LoadNode *node = userdata;

	return fwrite(data, size, n, node->memory);
}

static void node_end(LoadNode *node)
{
	curl_easy_cleanup(node->curl);
	if (node->memory)
		(void)fclose(node->memory);
	free(node->text);
	node->curl = NULL;
	node->memory = NULL;
	node->text = NULL;
}

static int node_ask(Load *load, LoadNode *node, const char *as, const char *method,
		    const char *path, const char *body, Error *err)
{
	node->answered_us = 0;
	node->memory = open_memstream(&node->text, &node->size);
	node->curl = hub_fixture_handle(load->fixture, as, method, path, body);
	if (!node->memory || !node->curl)
		return error_errno(err, -ENOMEM, "Asking as %s", node->name);
	(void)curl_easy_setopt(node->curl, CURLOPT_PRIVATE, node);
	(void)curl_easy_setopt(node->curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(node->curl, CURLOPT_WRITEDATA, node);
	(void)curl_easy_setopt(node->curl, CURLOPT_TIMEOUT_MS, 0L);
	(void)curl_multi_add_handle(load->multi, node->curl);
	return 0;
}

static int node_answered(Load *load, const CURLMsg *message, Error *err)
{
	LoadNode *node;
	long status = 0;

	(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&node);
	(void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_multi_remove_handle(load->multi, message->easy_handle);
	node->answered_us = clock_monotonic_us();
	(void)fflush(node->memory);
	if (message->data.result != CURLE_OK)
		return error_set(err, -EIO, "%s: %s", node->name,
				 curl_easy_strerror(message->data.result));
	if (status < 200 || status > 299)
		return error_set(err, -EIO, "%s: status %ld: %s", node->name, status, node->text);
	return 0;
}

/* Lets connections go on; *done: how many were answered. */
static int load_turn(Load *load, int64_t begun_us, size_t *done, Error *err)
{
	int running, left, r;
	CURLMsg *message;

	if (clock_monotonic_us() - begun_us > LIMIT_US)
		return error_set(err, -ETIMEDOUT, "%zu of %zu nodes were answered", *done, load->n);
	(void)curl_multi_poll(load->multi, NULL, 0, 100, NULL);
	if (curl_multi_perform(load->multi, &running) != CURLM_OK)
		return error_set(err, -EIO, "libcurl refused");
	while ((message = curl_multi_info_read(load->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		r = node_answered(load, message, err);
		if (r < 0)
			return r;
		(*done)++;
	}
	return 0;
}

/* ---- the phases ---- */

static int node_enrol(Load *load, LoadNode *node, Error *err)
{
	_cleanup_json_ json_object *body =
		hub_fixture_enrolment(load->fixture, node->name, load->token);

	return node_ask(load, node, "", "POST", "/v1/enrol", json_object_to_json_string(body), err);
}

static int load_enrol(Load *load, Error *err)
{
	int64_t begun_us = clock_monotonic_us();
	size_t begun = 0, done = 0;
	int r = 0;

	while (r == 0 && done < load->n) {
		while (r == 0 && begun < load->n && begun - done < AT_ONCE)
			r = node_enrol(load, &load->nodes[begun++], err);
		if (r == 0)
			r = load_turn(load, begun_us, &done, err);
	}
	for (size_t i = 0; r == 0 && i < load->n; i++) {
		_cleanup_json_ json_object *answer = json_tokener_parse(load->nodes[i].text);

		r = hub_fixture_keep(load->fixture, load->nodes[i].name, answer, err);
	}
	for (size_t i = 0; i < load->n; i++)
		node_end(&load->nodes[i]);
	return r;
}

static size_t waiting(const Load *load)
{
	_cleanup_json_ json_object *answer = NULL;

	(void)hub_fixture_ask(load->fixture, NULL, "GET", "/v1/status", NULL, &answer);
	return (size_t)json_opt_int(answer, "waiting", 0);
}

static int load_connect(Load *load, Error *err)
{
	int64_t begun_us = clock_monotonic_us();
	size_t begun = 0, done = 0, there = 0;
	int r = 0;

	while (r == 0 && (there = waiting(load)) < load->n) {
		while (r == 0 && begun < load->n && begun - there < AT_ONCE) {
			LoadNode *node = &load->nodes[begun++];

			r = node_ask(load, node, node->name, "GET", "/v1/orders?wait=300", NULL,
				     err);
		}
		if (r == 0)
			r = load_turn(load, begun_us, &done, err);
	}
	return r < 0 || done == 0 ? r
				  : error_set(err, -EIO, "%zu nodes did not wait for orders", done);
}

static int load_order(Load *load, LoadNode *node, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/nodes/%s/orders", node->name);
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	long status;

	json_put_string(body, "kind", "swap");
	json_put_string(body, "kernel", "6.13.1");
	node->sent_us = clock_monotonic_us();
	status = hub_fixture_ask(load->fixture, NULL, "POST", path, body, &answer);
	return status == 201 ? 0
			     : error_set(err, -EIO, "%s: status %ld: %s", node->name, status,
					 hub_fixture_message(answer));
}

static int load_orders(Load *load, Error *err)
{
	int64_t begun_us = clock_monotonic_us();
	size_t done = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < load->n; i++) {
		r = load_order(load, &load->nodes[i], err);
		if (r == 0)
			r = load_turn(load, begun_us, &done, err);
	}
	while (r == 0 && done < load->n)
		r = load_turn(load, begun_us, &done, err);
	for (size_t i = 0; r == 0 && i < load->n; i++)
		if (!strstr(load->nodes[i].text, "6.13.1"))
			r = error_set(err, -EIO, "%s was told %s", load->nodes[i].name,
				      load->nodes[i].text);
	return r;
}

static int double_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int load_latencies(const Load *load, HubLoad *ret, Error *err)
{
	_cleanup_free_ double *ms = calloc(load->n, sizeof(*ms));

	if (!ms)
		return error_errno(err, -ENOMEM, "Measuring");
	for (size_t i = 0; i < load->n; i++)
		ms[i] = (double)(load->nodes[i].answered_us - load->nodes[i].sent_us) / 1000;
	qsort(ms, load->n, sizeof(*ms), double_order);
	ret->order_ms_median = ms[load->n / 2];
	ret->order_ms_p99 = ms[load->n * 99 / 100];
	ret->order_ms_max = ms[load->n - 1];
	return 0;
}

typedef int Phase(Load *load, Error *err);

static int phase_run(Load *load, Phase *phase, double *ret_s, double *ret_cpu_s, Error *err)
{
	double cpu_s = cpu_of(load->fixture->pid);
	int64_t begun_us = clock_monotonic_us();
	int r = phase(load, err);

	*ret_s = (double)(clock_monotonic_us() - begun_us) / 1e6;
	*ret_cpu_s = cpu_of(load->fixture->pid) - cpu_s;
	return r;
}

static int load_run(Load *load, HubLoad *ret, Error *err)
{
	int r;

	ret->n = load->n;
	ret->rss_before_kib = rss_of(load->fixture->pid);
	if ((r = phase_run(load, load_enrol, &ret->enrol_s, &ret->cpu_enrol_s, err)) < 0 ||
	    (r = phase_run(load, load_connect, &ret->connect_s, &ret->cpu_connect_s, err)) < 0)
		return r;
	ret->rss_kib = rss_of(load->fixture->pid);
	r = phase_run(load, load_orders, &ret->orders_s, &ret->cpu_orders_s, err);
	return r < 0 ? r : load_latencies(load, ret, err);
}

int hub_load_run(const HubFixture *fixture, size_t n, HubLoad *ret, Error *err)
{
	Load load = {.fixture = fixture, .n = n};
	int r = -ENOMEM;

	load.nodes = calloc(n, sizeof(*load.nodes));
	load.token = hub_fixture_token(fixture, (int)n);
	load.multi = curl_multi_init();
	for (size_t i = 0; load.nodes && i < n; i++)
		(void)snprintf(load.nodes[i].name, sizeof(load.nodes[i].name), "node-%zu", i);
	/* A connection a node stays open. */
	(void)curl_multi_setopt(load.multi, CURLMOPT_MAXCONNECTS, (long)n);
	if (load.nodes && load.token && load.multi)
		r = load_run(&load, ret, err);
	else
		(void)error_errno(err, r, "Preparing the nodes");
	for (size_t i = 0; load.nodes && i < n; i++)
		node_end(&load.nodes[i]);
	(void)curl_multi_cleanup(load.multi);
	free(load.token);
	free(load.nodes);
	return r;
}
