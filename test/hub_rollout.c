/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts by a hub over nodes whose links and relays are processes; their swaps are made up. */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "fleet_fixture.h"

#define NODES    3
#define LIMIT_MS 90000

static HubFixture hub;
static Node *nodes[NODES];

static Node *node_make(size_t i)
{
	Node *node = node_trusting(&hub, i, ALICE);

	node->segued.state->answer = FAKE_SWAPS;
	link_start(node, 0);
	await(hub_says, node, "\"kernel\":\"6.12.1\"");
	return node;
}

/* Runs "segue COMMAND --socket PATH", whose quotes are the shell's; what it prints has this in it.
 */
static void segue(bool well, const char *command, const char *part)
{
	/* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *program = getenv("SEGUE_PROGRAM");
	_cleanup_free_ char *line =
		text_format("exec %s %s --socket %s", program, command, hub.socket);
	_cleanup_free_ char *output = NULL;
	const char *const argv[] = {"sh", "-c", line, NULL};
	int r = process_run(argv, LIMIT_MS, &output, NULL);

	if ((r == 0) != well || !strstr(output, part))
		fail_msg("segue %s: expected \"%s\", got %d: %s", command, part, r, output);
}

/* In "hooks": what they did, a line each. */
static char *hooks_done(void)
{
	_cleanup_free_ char *path = in_top("hooks");
	char *text = NULL;

	return file_read(AT_FDCWD, path, &text, NULL, NULL) < 0 ? strdup("") : text;
}

static int set_up(void **state)
{
	_cleanup_free_ char *depot = NULL, *push = NULL;
	Error err = {0};

	if (top_make(state) < 0 || hub_fixture_make(&hub, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	trust_put("owner", ALICE);
	release_put("owner", &(Spec){.name = "r"}, ALICE);
	for (size_t i = 0; i < NODES; i++)
		nodes[i] = node_make(i);
	depot = in_top("owner");
	push = text_format("push r --node n0 --dir %s", depot);
	segue(true, push, "done");
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < NODES; i++) {
		if (nodes[i])
			node_free(nodes[i]);
		nodes[i] = NULL;
	}
	hub_fixture_remove(&hub);
	return top_remove(state);
}

static void assert_moved(size_t i)
{
	assert_string_equal(nodes[i]->segued.state->kernel, FAKE_KERNEL);
	assert_int_equal(nodes[i]->segued.state->asked, 1);
	assert_true(nodes[i]->segued.state->checked > 0);
}

static void assert_untouched(size_t i)
{
	assert_string_equal(nodes[i]->segued.state->kernel, "6.12.1");
	assert_int_equal(nodes[i]->segued.state->asked, 0);
}

/* Each was back before the next was taken out. */
static void assert_in_turn(void)
{
	_cleanup_free_ char *done = hooks_done();
	char *rest = done, *line;
	size_t n = 0;

	for (; (line = strsep(&rest, "\n")) && *line; n++) {
		const char *back = strsep(&rest, "\n");

		if (!text_has_prefix(line, "drain ") || !back || !text_has_prefix(back, "back ") ||
		    strcmp(line + 6, back + 5) != 0)
			fail_msg("after \"%s\" came \"%s\"", line, back ? back : "");
	}
	assert_int_equal(n, NODES);
}

/* One after the other, each taken out of service before and put back behind. */
static void test_all_are_moved(void **state)
{
	_cleanup_free_ char *file = in_top("hooks");
	_cleanup_free_ char *start = text_format(
		"rollout start r --soak 0 --wait --gate 'test $RELEASE = r' --drain 'echo drain "
		"$NODE >>%s' --undrain 'echo back $NODE >>%s'",
		file, file);

	segue(true, start, "3 of 3 nodes done");
	for (size_t i = 0; i < NODES; i++)
		assert_moved(i);
	assert_in_turn();
	segue(true, "rollout status", "3/3");
	segue(true, "why n1", "n1");
	segue(false, "why nobody", "no node and no rollout");
	/* There is nothing left to be done. */
	segue(true, "rollout start r --wait", "done");
	for (size_t i = 0; i < NODES; i++)
		assert_moved(i);
}

static void test_it_stops_at_the_canary(void **state)
{
	nodes[0]->segued.state->answer = FAKE_RETURNS;
	segue(false, "rollout start r --soak 0 --wait", "stopped");
	assert_int_equal(nodes[0]->segued.state->asked, 1);
	assert_untouched(1);
	assert_untouched(2);
	segue(true, "why 1", "1 ");
	segue(true, "why n0", "went back");
	segue(true, "rollout status 1", "returned");
}

/* What happened, a line each. */
static void assert_told(const char *part)
{
	_cleanup_free_ char *told = hooks_done();

	if (!strstr(told, part))
		fail_msg("\"%s\" is not in what was told: %s", part, told);
}

static void test_what_happens_is_told(void **state)
{
	_cleanup_free_ char *file = in_top("hooks");
	_cleanup_free_ char *start =
		text_format("rollout start r --soak 0 --wait --event 'echo \"$EVENT\" >>%s'", file);

	nodes[1]->segued.state->answer = FAKE_REFUSES;
	/* Who was not touched is no failure. */
	segue(true, start, "2 of 3 nodes done");
	assert_told("\"event\":\"rollout\",\"rollout\":\"1\",\"release\":\"r\",\"node\":null,"
		    "\"state\":\"running\"");
	assert_told("\"node\":\"n0\",\"state\":\"done\"");
	assert_told("\"node\":\"n1\",\"state\":\"refused\"");
}

/* Answers one request after the other, with that status, and notes what came. */
static pid_t web_hook_serve(unsigned port, const char *status)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_free_ char *file = in_top("hooks");
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	pid = fork();
	for (int client; pid == 0 && (client = accept(listener, NULL, NULL)) >= 0;) {
		char text[4096] = "";
		ssize_t n = 0, more;
		FILE *to = fopen(file, "ae");

		/* The body is the end of it. */
		while (!strchr(text, '}') &&
		       (more = read(client, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
			n += more;
		(void)fprintf(to, "%s\n", text);
		(void)fclose(to);
		(void)dprintf(client,
			      "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
			      status);
		(void)close(client);
	}
	if (pid == 0)
		_exit(0);
	(void)close(listener);
	return pid;
}

static void web_hook_end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static bool web_hook_was_asked(Node *node, const char *what)
{
	_cleanup_free_ char *told = hooks_done();

	return strstr(told, "POST /gate");
}

/* A URL in place of a command is asked, and its status counts. */
static void test_web_hooks(void **state)
{
	unsigned port = port_free();
	_cleanup_free_ char *start = text_format(
		"rollout start r --soak 0 --gate-before http://127.0.0.1:%u/gate", port);
	_cleanup_free_ char *again = text_format("%s --wait", start);
	pid_t server = web_hook_serve(port, "503 Not Now");

	segue(true, start, "Rollout 1");
	await(web_hook_was_asked, nodes[0], "the web hook is asked");
	segue(true, "rollout abort 1", "Rollout 1");
	segue(false, "rollout status 1 --watch", "aborted");
	web_hook_end(server);
	for (size_t i = 0; i < NODES; i++)
		assert_untouched(i);
	server = web_hook_serve(port, "204 Well");
	segue(true, again, "3 of 3 nodes done");
	web_hook_end(server);
	assert_told("\"hook\":\"gate-before\",\"node\":\"n0\"");
}

static bool is_rebooted(Node *node, const char *what)
{
	return node->segued.state->rebooted > 0;
}

/* Programs that cannot be carried are not asked about, or the answer leads there. */
static void test_some_are_rebooted(void **state)
{
	segue(true, "rollout start r --soak 0 --mode reboot", "Rollout 1");
	await(is_rebooted, nodes[0], "the canary is rebooted");
	assert_int_equal(nodes[0]->segued.state->checked, 0);
	assert_non_null(strstr(nodes[0]->segued.state->request, FAKE_KERNEL));
	for (size_t i = 0; i < NODES; i++)
		assert_untouched(i);
}

static void test_whose_programs_stay_is_rebooted(void **state)
{
	nodes[0]->segued.state->answer = FAKE_REFUSES;
	segue(true, "rollout start r --soak 0 --mode auto", "Rollout 1");
	await(is_rebooted, nodes[0], "it is rebooted");
	assert_true(nodes[0]->segued.state->checked > 0);
}

/* All are ready before the first jumps, and jump within a second of each other. */
static void test_all_at_once(void **state)
{
	int64_t first = INT64_MAX, last = 0;

	segue(true, "rollout start r --all-at-once --soak 0 --wait", "3 of 3 nodes done");
	for (size_t i = 0; i < NODES; i++) {
		int64_t asked = nodes[i]->segued.state->asked_us;

		assert_moved(i);
		assert_non_null(strstr(nodes[i]->segued.state->request, "jump_at_s"));
		first = asked < first ? asked : first;
		last = asked > last ? asked : last;
	}
	assert_in_range(last - first, 0, 1000000);
}

static void test_all_at_once_or_none(void **state)
{
	nodes[1]->segued.state->answer = FAKE_REFUSES;
	segue(false, "rollout start r --all-at-once --soak 0 --wait", "stopped");
	for (size_t i = 0; i < NODES; i++)
		assert_untouched(i);
	segue(true, "rollout status 1", "refused");
}

static void test_a_gate_keeps_it(void **state)
{
	segue(false, "rollout start r --soak 0 --wait --gate-before 'test $NODE = n1'", "refused");
	assert_untouched(0);
	assert_moved(1);
	assert_untouched(2);
}

static bool one_is_asked(Node *node, const char *what)
{
	return nodes[0]->segued.state->asked > 0;
}

/* Killed wherever it is, again and again; nobody is asked twice. */
static void test_it_outlives_the_hub(void **state)
{
	Error err = {0};

	segue(true, "rollout start r --soak 0", "Rollout 1");
	for (int i = 0; i < 4; i++) {
		(void)usleep((useconds_t)(400000 + i * 250000));
		(void)kill(hub.pid, SIGKILL);
		(void)hub_fixture_stop(&hub);
		if (hub_fixture_start(&hub, &err) < 0)
			fail_msg("%s", err.text);
	}
	segue(true, "rollout status 1 --watch", "3 of 3 nodes done");
	for (size_t i = 0; i < NODES; i++)
		assert_moved(i);
}

static void test_wishes(void **state)
{
	segue(true, "rollout start r --soak 0", "Rollout 1");
	segue(true, "rollout pause 1", "paused");
	segue(false, "rollout pause 1", "paused");
	segue(false, "rollout start r", "Rollout 2 is refused: rollout 1 is under way");
	segue(true, "rollout resume 1", "running");
	await(one_is_asked, nodes[0], "the canary is asked");
	segue(true, "rollout abort 1 --send-back", "Rollout 1");
	segue(false, "rollout status 1 --watch", "aborted");
	for (size_t i = 0; i < NODES; i++)
		assert_string_equal(nodes[i]->segued.state->kernel, "6.12.1");
	segue(false, "rollout abort 1", "aborted");
	segue(true, "hub audit", "POST /v1/rollouts/1/resume");
	segue(true, "hub audit", "rollout 1 is under way");
}

static size_t on_answer(char *data, size_t size, size_t n, void *to)
{
	return fwrite(data, size, n, to);
}

/* Asks for a slot, or gives it back; what is answered has this in it. */
static void fleetlock(const char *path, const char *id, const char *header, long status,
		      const char *part)
{
	_cleanup_free_ char *url = text_format("http://127.0.0.1:%u%s", hub.fleetlock_port, path);
	_cleanup_free_ char *body =
		text_format("{\"client_params\":{\"id\":\"%s\",\"group\":\"default\"}}", id);
	struct curl_slist *headers = curl_slist_append(NULL, header);
	CURL *curl = curl_easy_init();
	char text[1024] = "";
	FILE *to = fmemopen(text, sizeof(text), "w");
	long answered = 0;

	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answered);
	(void)fclose(to);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	if (answered != status || !strstr(text, part))
		fail_msg("%s of %s: expected %ld \"%s\", got %ld %s", path, id, status, part,
			 answered, text);
}

#define TRUE_HEADER "fleet-lock-protocol: true"
#define TAKE        "/v1/pre-reboot"
#define GIVE        "/v1/steady-state"

/* Others take part under the same limits, and their slots outlive the hub. */
static void test_fleetlock(void **state)
{
	Error err = {0};

	fleetlock(TAKE, "n0", TRUE_HEADER, 200, "{");
	fleetlock(TAKE, "n0", TRUE_HEADER, 200, "{");
	fleetlock(TAKE, "n1", TRUE_HEADER, 409, "no more than 1 may be");
	(void)kill(hub.pid, SIGKILL);
	(void)hub_fixture_stop(&hub);
	if (hub_fixture_start(&hub, &err) < 0)
		fail_msg("%s", err.text);
	fleetlock(TAKE, "n1", TRUE_HEADER, 409, "not_now");
	fleetlock(GIVE, "n0", TRUE_HEADER, 200, "{");
	fleetlock(TAKE, "n1", TRUE_HEADER, 200, "{");
	/* A rollout waits for it. */
	segue(true, "rollout start r --soak 0", "Rollout 1");
	(void)usleep(3000000);
	for (size_t i = 0; i < NODES; i++)
		assert_untouched(i);
	fleetlock(GIVE, "n1", TRUE_HEADER, 200, "{");
	segue(true, "rollout status 1 --watch", "3 of 3 nodes done");
	fleetlock(TAKE, "", TRUE_HEADER, 400, "wrong_body");
	fleetlock(TAKE, "../x", TRUE_HEADER, 400, "wrong_body");
	fleetlock(TAKE, "n1", "fleet-lock-protocol: no", 400, "wrong_header");
	fleetlock("/v1/x", "n1", TRUE_HEADER, 404, "not_found");
}

static void test_mistakes(void **state)
{
	segue(false, "rollout start s", "no release s");
	segue(false, "rollout start r --max-unavailable 0", "0");
	segue(false, "rollout start r --group nobody", "no node");
	segue(false, "rollout start r --drain true", "go together");
	segue(false, "rollout start r --canary many", "canary");
	segue(false, "rollout status 7", "no rollout 7");
	segue(false, "rollout pause ../1", "is no rollout");
	segue(true, "rollout status", "");
	for (size_t i = 0; i < NODES; i++)
		assert_untouched(i);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_are_moved),
		TEST(test_it_stops_at_the_canary),
		TEST(test_all_at_once),
		TEST(test_all_at_once_or_none),
		TEST(test_a_gate_keeps_it),
		TEST(test_it_outlives_the_hub),
		TEST(test_what_happens_is_told),
		TEST(test_web_hooks),
		TEST(test_some_are_rebooted),
		TEST(test_whose_programs_stay_is_rebooted),
		TEST(test_fleetlock),
		TEST(test_wishes),
		TEST(test_mistakes),
	};
	int r;

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	r = people_make(NULL) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
	(void)people_free(NULL);
	return r;
}
