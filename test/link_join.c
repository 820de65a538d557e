/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming a node, with what can be wrong about it: tokens, authorities, clocks, certificates. */
#include "link/join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/authority.h"
#include "hub/db.h"
#include "hub/join_token.h"
#include "link/paths.h"
#include "link_fixture.h"
#include "test.h"

#define YEAR_S ((int64_t)365 * AUTHORITY_DAY_S)

static HubFixture hub;

/* ---- the clock of this process, and of links that it starts ---- */

static int64_t clock_ahead_s;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	long r = syscall(SYS_clock_gettime, clock, ret);

	if (r == 0 && clock == CLOCK_REALTIME)
		ret->tv_sec += clock_ahead_s;
	return (int)r;
}

time_t time(time_t *ret)
{
	time_t now_s = (time_t)(clock_realtime_us() / 1000000);

	if (ret)
		*ret = now_s;
	return now_s;
}

/* ---- the hub ---- */

static int hub_make(void **state)
{
	Error err = {0};

	if (hub_fixture_make(&hub, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

static int hub_remove(void **state)
{
	hub_fixture_remove(&hub);
	return 0;
}

static void hub_change(const char *sql)
{
	Error err = {0};

	if (hub_fixture_change(&hub, sql, &err) < 0)
		fail_msg("%s", err.text);
}

/* The hub has no such node. */
static bool hub_forgot(const char *name)
{
	_cleanup_free_ char *path = text_format("/v1/nodes/%s", name);
	_cleanup_json_ json_object *answer = NULL;

	return hub_fixture_ask(&hub, NULL, "GET", path, NULL, &answer) == 404;
}

/* ---- joining ---- */

static void expect_refused(int code, const char *part, const char *token, const char *authority,
			   const Digest *fingerprint)
{
	Node *node = node_new(&hub, "refused");
	Error err = {0};
	int r = node_join(node, token, authority, fingerprint, &err);

	if (r != code || !strstr(err.text, part))
		fail_msg("expected %d and \"%s\", got %d: %s", code, part, r, err.text);
	node_free(node);
}

static void test_wrong_tokens(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1), *other = strdup(token);
	_cleanup_free_ char *used = hub_fixture_token(&hub, 1), *foreign = strdup(token);
	char *secret = strchr(strchr(other, '.') + 1, '.') + 1;
	char *authority = strrchr(foreign, '.') + 1;
	Node *node = node_new(&hub, "user");

	*secret = *secret == '0' ? '1' : '0';
	*authority = *authority == '0' ? '1' : '0';
	assert_int_equal(node_join(node, used, NULL, NULL, NULL), 0);
	expect_refused(-EINVAL, "no join token", "segue1.abc", NULL, NULL);
	expect_refused(-EKEYREJECTED, "not known here", other, NULL, NULL);
	expect_refused(-EKEYREJECTED, "used already", used, NULL, NULL);
	expect_refused(-EKEYREJECTED, "nothing was sent", foreign, NULL, NULL);
	node_free(node);
}

static void test_expired_token(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);

	hub_change("UPDATE tokens SET expires_s = 1767225600");
	expect_refused(-EKEYREJECTED, "expired on 2026-01-01", token, NULL, NULL);
	expect_refused(-EKEYREJECTED, "segue hub token makes a new one", token, NULL, NULL);
}

static void test_wrong_authorities(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1), *pem = NULL;
	_cleanup_free_ char *path = text_format("%s/ca.pem", hub.directory);
	_cleanup_authority_ Authority *other = NULL;
	const Digest wrong = {{1}};
	Node *node = node_new(&hub, "right");
	TokenParts parts;
	Error err = {0};

	assert_int_equal(authority_make("x", clock_realtime_us() / 1000000, &other, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &pem, NULL, &err), 0);
	assert_int_equal(token_parse(token, &parts, &err), 0);
	expect_refused(-EKEYREJECTED, "not that of the hub", token, NULL, &wrong);
	expect_refused(-EKEYREJECTED, "nothing was sent", token, authority_pem(other), NULL);
	expect_refused(-EBADMSG, "Not a certificate", token, "x", NULL);
	if (node_join(node, token, pem, &parts.authority, &err) < 0)
		fail_msg("%s", err.text);
	node_free(node);
}

static void test_unreachable(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	Node *node = node_new(&hub, "alone");
	Error err = {0};

	free(node->node.hub);
	node->node.hub = strdup("127.0.0.1:1");
	assert_int_equal(node_join(node, token, NULL, NULL, &err), -EHOSTUNREACH);
	assert_non_null(strstr(err.text, "127.0.0.1:1"));
	node_free(node);
}

static void test_files(void **state)
{
	static const char *const files[] = {LINK_KEY, LINK_CERTIFICATE, LINK_AUTHORITY};
	Node *node = node_joined(&hub, "files");
	LinkConfig read = {0};
	struct stat st;

	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *path = text_format("%s/%s", node->directory, files[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(link_config_read(node->config, &read, NULL), 0);
	assert_string_equal(read.hub, node->node.hub);
	assert_string_equal(read.name, "files");
	link_config_release(&read);
	node_free(node);
}

static void test_leaving(void **state)
{
	Node *node = node_joined(&hub, "leaver");

	assert_int_equal(join_leave(&node->node, node->directory, NULL), 0);
	assert_true(hub_forgot("leaver"));
	assert_int_equal(join_leave(&node->node, node->directory, NULL), -EKEYREJECTED);
	node_free(node);
}

static void test_damaged_files(void **state)
{
	static const char *const files[] = {LINK_KEY, LINK_CERTIFICATE, LINK_AUTHORITY};

	for (size_t i = 0; i < 3; i++) {
		Node *node = node_joined(&hub, files[i]);
		_cleanup_free_ char *path = text_format("%s/%s", node->directory, files[i]);
		Error err = {0};

		assert_int_equal(truncate(path, 40), 0);
		assert_int_equal(join_leave(&node->node, node->directory, &err), -EBADMSG);
		assert_non_null(strstr(err.text, path));
		assert_non_null(strstr(err.text, "segue leave --force"));
		node_free(node);
	}
}

/* ---- clocks ---- */

static void expect_clock_named(const char *how, const char *token)
{
	_cleanup_free_ char *path = text_format("%s/ca.pem", hub.directory), *pem = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, &pem, NULL, NULL), 0);
	expect_refused(-EPROTO, how, token, NULL, NULL);
	expect_refused(-EPROTO, how, token, pem, NULL);
}

/* Nothing is lost by it: the token serves when the clock is right. */
static void test_clock_of_another_year(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	Node *node = node_new(&hub, "late");

	clock_ahead_s = YEAR_S;
	expect_clock_named("365 days ahead of the hub's: set it", token);
	clock_ahead_s = -YEAR_S;
	expect_clock_named("365 days behind the hub's: set it", token);
	clock_ahead_s = 0;
	assert_int_equal(node_join(node, token, NULL, NULL, NULL), 0);
	node_free(node);
}

static void test_link_names_the_clock(void **state)
{
	Node *node = node_joined(&hub, "slow");
	_cleanup_json_ json_object *told = NULL;

	clock_ahead_s = -YEAR_S;
	link_start(node, 0);
	clock_ahead_s = 0;
	await(link_says, node, "offline");
	told = link_told(node);
	assert_non_null(strstr(json_opt_string(told, "message", ""), "365 days behind the hub's"));
	node_free(node);
}

/* It gets a certificate that is old at once by its clock, and leaves it at that. */
static void test_clock_ahead_of_renewal(void **state)
{
	Node *node = node_joined(&hub, "hasty");
	_cleanup_free_ char *first = node_certificate(node), *second = NULL;

	clock_ahead_s = AUTHORITY_NODE_S * 3 / 4;
	link_start(node, 0);
	clock_ahead_s = 0;
	await(certificate_is_another, node, first);
	second = node_certificate(node);
	await(hub_says, node, "\"health\":\"ok\"");
	(void)snprintf(node->segued.state->unit_state, sizeof(node->segued.state->unit_state),
		       "failed");
	await(hub_says, node, "\"health\":\"failing\"");
	assert_false(certificate_is_another(node, second));
	node_free(node);
}

/* ---- certificates that ended while the node was off ---- */

static void test_certificate_ended(void **state)
{
	Node *node = node_joined(&hub, "back"), *leaver = node_joined(&hub, "gone");
	_cleanup_free_ char *first = node_certificate(node);

	hub_change("UPDATE certificates SET expires_s = strftime('%s', 'now') - 86400 WHERE node "
		   "NOT NULL");
	link_start(node, 0);
	await(certificate_is_another, node, first);
	await(link_says, node, "connected");
	assert_int_equal(join_leave(&leaver->node, leaver->directory, NULL), 0);
	assert_true(hub_forgot("gone"));
	node_free(leaver);
	node_free(node);
}

static void test_certificate_ended_long_ago(void **state)
{
	Node *node = node_joined(&hub, "lost");
	_cleanup_json_ json_object *told = NULL;
	const char *message;

	hub_change("UPDATE certificates SET expires_s = strftime('%s', 'now') - 31 * 86400 "
		   "WHERE node NOT NULL");
	link_start(node, 0);
	assert_int_equal(link_wait(node), 77);
	told = link_told(node);
	message = json_opt_string(told, "message", "");
	assert_string_equal(json_opt_string(told, "state", ""), "refused");
	assert_non_null(strstr(message, "segue join"));
	assert_non_null(strstr(message, "segue leave comes first"));
	node_free(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_tokens),
		cmocka_unit_test(test_expired_token),
		cmocka_unit_test(test_wrong_authorities),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_clock_of_another_year),
		cmocka_unit_test(test_link_names_the_clock),
		cmocka_unit_test(test_clock_ahead_of_renewal),
		cmocka_unit_test(test_certificate_ended),
		cmocka_unit_test(test_certificate_ended_long_ago),
	};

	return cmocka_run_group_tests(tests, hub_make, hub_remove);
}
