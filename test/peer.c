/* SPDX-License-Identifier: Apache-2.0 */
#include "node/peer.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "test.h"

#define SOMEBODY 65534

/* What a user who is not root may, in a process of its own. */
static unsigned verbs_of_user(uid_t user, uid_t link)
{
	const Permits permits = {.link = link};
	int fds[2], status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned verbs = ~0U;

		if (geteuid() == 0 &&
		    (setgroups(0, NULL) < 0 || setgid(user) < 0 || setuid(user) < 0))
			_exit(255);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 ||
		    peer_verbs(fds[0], &permits, &verbs, NULL) < 0)
			_exit(255);
		/* An exit status has eight bits. */
		_exit(verbs == PEER_LINK_VERBS ? 1 : verbs == 0 ? 0 : 254);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

static void test_link_may_what_orders_need(void **state)
{
	uid_t user = geteuid() ? geteuid() : SOMEBODY;

	assert_int_equal(verbs_of_user(user, user), 1);
	assert_int_equal(verbs_of_user(user, user + 1), 0);
	assert_int_equal(verbs_of_user(user, 0), 0);
	assert_true(PEER_LINK_VERBS & 1U << CONFIG_VERB_SWAP);
	assert_false(PEER_LINK_VERBS & (1U << CONFIG_VERB_RUN | 1U << CONFIG_VERB_KEEP |
					1U << CONFIG_VERB_UNKEEP | 1U << CONFIG_VERB_RETURN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_may_what_orders_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
