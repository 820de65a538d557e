/* SPDX-License-Identifier: Apache-2.0 */
#include "link_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "link/join.h"
#include "link/link.h"
#include "link/paths.h"
#include "link/state.h"
#include "test.h"

#define LIMIT_US ((int64_t)20 * 1000000)
#define LOOK_MS  10
#define QUIET_MS 3000

Node *node_new(HubFixture *hub, const char *name)
{
	Node *node = calloc(1, sizeof(*node));
	Error err = {0};

	node->hub = hub;
	(void)snprintf(node->directory, sizeof(node->directory), "/tmp/segue-test-link-XXXXXX");
	assert_non_null(mkdtemp(node->directory));
	(void)snprintf(node->config, sizeof(node->config), "%s/link.conf", node->directory);
	(void)snprintf(node->status, sizeof(node->status), "%s/status", node->directory);
	(void)snprintf(node->socket, sizeof(node->socket), "%s/segued", node->directory);
	node->node.hub = text_format("127.0.0.1:%u", hub->port);
	node->node.name = strdup(name);
	if (segued_fake_start(node->socket, &node->segued, &err) < 0)
		fail_msg("%s", err.text);
	return node;
}

Node *node_joined(HubFixture *hub, const char *name)
{
	_cleanup_free_ char *token = hub_fixture_token(hub, 1);
	Node *node = node_new(hub, name);
	Error err = {0};

	if (node_join(node, token, NULL, NULL, &err) < 0 ||
	    link_config_write(node->config, &node->node, &err) < 0)
		fail_msg("%s", err.text);
	return node;
}

void node_free(Node *node)
{
	link_kill(node);
	segued_fake_stop(&node->segued);
	link_config_release(&node->node);
	(void)directory_remove(AT_FDCWD, node->directory, NULL);
	free(node);
}

int node_join(const Node *node, const char *token, const char *authority, const Digest *fingerprint,
	      Error *err)
{
	const JoinRequest request = {
		.node = node->node,
		.token = token,
		.authority = authority,
		.fingerprint = fingerprint,
		.directory = node->directory,
	};

	return join_enrol(&request, err);
}

void link_start(Node *node, int64_t renew_after_s)
{
	const LinkOptions options = {
		.config = node->config,
		.directory = node->directory,
		.status = node->status,
		.socket = node->socket,
		.relay = getenv("SEGUE_RELAY"), /* NOLINT(concurrency-mt-unsafe) */
		.trust = node->directory,
		.policy = &node->policy,
		.address = *node->address ? node->address : NULL,
		.quiet_ms = QUIET_MS,
		.backoff = {.first_ms = 50, .most_ms = 200},
		.look_ms = LOOK_MS,
		.renew_after_s = renew_after_s,
	};

	node->link = fork();
	if (node->link == 0) {
		const struct rlimit limit = {(rlim_t)node->size_max, (rlim_t)node->size_max};

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)signal(SIGXFSZ, SIG_IGN);
		if (node->size_max)
			(void)setrlimit(RLIMIT_FSIZE, &limit);
		_exit(link_run(&options, NULL) == -EKEYREJECTED ? 77 : 1);
	}
}

void link_kill(Node *node)
{
	if (node->link > 0 && kill(node->link, SIGKILL) == 0)
		(void)waitpid(node->link, NULL, 0);
	node->link = 0;
}

int link_wait(Node *node)
{
	int status = 0;

	assert_int_equal(waitpid(node->link, &status, 0), node->link);
	node->link = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void await(Condition *condition, Node *node, const char *what)
{
	int64_t until_us = clock_monotonic_us() + LIMIT_US;

	while (!condition(node, what)) {
		if (clock_monotonic_us() > until_us)
			fail_msg("It did not come to this: %s", what);
		(void)poll(NULL, 0, 5);
	}
}

bool hub_says(Node *node, const char *what)
{
	_cleanup_free_ char *path = text_format("/v1/nodes/%s", node->node.name);
	_cleanup_json_ json_object *answer = NULL;

	return hub_fixture_ask(node->hub, NULL, "GET", path, NULL, &answer) == 200 &&
	       strstr(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN), what);
}

json_object *link_told(const Node *node)
{
	json_object *told = NULL;

	return link_state_read(node->status, &told, NULL) == 0 ? told : NULL;
}

bool link_says(Node *node, const char *what)
{
	_cleanup_json_ json_object *told = link_told(node);

	return told && !strcmp(json_opt_string(told, "state", ""), what);
}

char *node_certificate(const Node *node)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_CERTIFICATE, node->directory);
	char *pem = NULL;

	return file_read(AT_FDCWD, path, &pem, NULL, NULL) == 0 ? pem : NULL;
}

bool certificate_is_another(Node *node, const char *before)
{
	_cleanup_free_ char *now = node_certificate(node);

	return now && strcmp(now, before) != 0;
}
