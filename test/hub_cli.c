/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of a hub, against one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "hub/db.h"
#include "hub_fixture.h"
#include "test.h"

#define LIMIT_MS  60000
#define WORDS_MAX 12

static HubFixture hub;

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

/* Runs "segue WORDS... --socket PATH", where the words are parted by blanks; what it prints must
 * have this in it.  The caller frees what it printed. */
static char *run(bool well, const char *words, const char *part)
{
	const char *argv[WORDS_MAX + 4] = {getenv("SEGUE_PROGRAM")};
	_cleanup_free_ char *copy = strdup(words);
	char *rest = copy, *output = NULL;
	int n = 1, r;

	for (char *word; (word = strsep(&rest, " ")) && n <= WORDS_MAX;)
		argv[n++] = word;
	argv[n++] = "--socket";
	argv[n] = hub.socket;
	r = process_run(argv, LIMIT_MS, &output, NULL);
	if ((r == 0) != well || !strstr(output, part))
		fail_msg("segue %s: expected \"%s\", got %d: %s", words, part, r, output);
	return output;
}

static void tell(bool well, const char *words, const char *part)
{
	free(run(well, words, part));
}

static void join(const char *token, const char *name)
{
	_cleanup_json_ json_object *body = hub_fixture_enrolment(&hub, name, token), *answer = NULL;

	assert_int_equal(hub_fixture_ask(&hub, "", "POST", "/v1/enrol", body, &answer), 201);
	assert_int_equal(hub_fixture_keep(&hub, name, answer, NULL), 0);
}

static void test_tokens(void **state)
{
	_cleanup_free_ char *token =
		run(true, "hub token --uses 3 --label rack=r3 --note x", "segue1.");
	char id[17] = "", words[64];

	tell(true, "hub token --list", "rack");
	memcpy(id, token + strlen("segue1."), 16);
	token[strcspn(token, "\n")] = '\0';
	join(token, "a");
	(void)snprintf(words, sizeof(words), "hub token --revoke %s", id);
	tell(true, words, "");
	tell(false, words, "that can still be used");
	tell(true, "hub token --list", "There is no token");
	tell(true, "nodes", "rack=r3");
	tell(true, "nodes --label rack=r4", "There is no such node");
	tell(false, "hub token --label rack", "KEY=VALUE");
	tell(false, "hub token --uses 0", "uses");
	tell(false, "hub token --list --revoke x", "exclude each other");
}

static void test_nodes(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1), *none = NULL;

	tell(true, "nodes", "There is no such node");
	tell(true, "hub status", "Nodes: 0");
	join(token, "a");
	tell(true, "nodes", "never");
	tell(true, "node show a", "Node: a");
	tell(false, "node show b", "no node b");
	tell(false, "node show ../a", "is no name of a node");
	tell(true, "node swap a --kernel 6.13 --detach", "Order 1");
	tell(false, "node swap a --detach", "segue node cancel");
	tell(true, "node show a", "swap 6.13: queued");
	tell(true, "node cancel a 1", "");
	tell(false, "node cancel a 1", "is final");
	tell(true, "node show a --json", "\"cancelled\"");
	tell(false, "node swap a --kernel 6.13 --release r", "exclude each other");
	tell(true, "node revoke a", "is none any more");
	none = run(true, "nodes --json", "[");
	assert_null(strchr(none, '{'));
}

static void test_no_hub(void **state)
{
	assert_int_equal(hub_fixture_stop(&hub), 0);
	tell(false, "hub status", "systemctl start segue-hub");
}

/* With the hub at work, and without. */
static void test_backup(void **state)
{
	_cleanup_free_ char *file = text_format("%s/backup", hub.directory);
	_cleanup_free_ char *again = text_format("%s/again", hub.directory);
	_cleanup_free_ char *first = text_format("hub backup %s", file);
	_cleanup_free_ char *second =
		text_format("hub backup --directory %s/state %s", hub.directory, again);

	tell(true, first, "as a secret");
	assert_int_equal(db_check_file(file, NULL), 0);
	tell(false, first, "is there already");
	assert_int_equal(hub_fixture_stop(&hub), 0);
	tell(true, second, "as a secret");
	assert_int_equal(db_check_file(again, NULL), 0);
}

static void test_operator(void **state)
{
	_cleanup_free_ char *before = getcwd(NULL, 0);

	assert_int_equal(chdir(hub.directory), 0);
	tell(true, "hub operator alice", "alice.key");
	assert_int_equal(hub_fixture_ask(&hub, "alice", "GET", "/v1/status", NULL, NULL), 200);
	tell(false, "hub operator alice", "alice.key");
	tell(true, "hub operator --revoke alice", "");
	assert_int_equal(hub_fixture_ask(&hub, "alice", "GET", "/v1/status", NULL, NULL), 401);
	assert_int_equal(chdir(before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, hub_make, hub_remove)
		TEST(test_tokens), TEST(test_nodes),    TEST(test_no_hub),
		TEST(test_backup), TEST(test_operator),
	};

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
