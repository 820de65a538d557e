/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/json.h"
#include "swap/findings.h"
#include "swap/inspect.h"
#include "swap/namespaces.h"
#include "swap/tasks.h"

#include "test.h"

/* The refusal of a resource, or NULL. */
static json_object *refusal_find(json_object *findings, const char *resource)
{
	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *finding = json_object_array_get_idx(findings, i);

		if (!strcmp(json_opt_string(finding, "resource", ""), resource) &&
		    !strcmp(json_opt_string(finding, "severity", ""), "refusal"))
			return finding;
	}
	return NULL;
}

static json_object *own_findings(pid_t other_root)
{
	Task tasks[] = {{.pid = getpid(), .root = getpid(), .state = 'R'},
			{.pid = getpid(), .root = other_root, .state = 'Z'}};
	TaskList list = {.tasks = tasks, .n = 2};
	json_object *findings = json_object_new_array();

	inspect_tasks("some.service", &list, findings);
	return findings;
}

static void *memory_attach(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	void *memory;

	assert_true(id >= 0);
	memory = shmat(id, NULL, 0);
	(void)shmctl(id, IPC_RMID, NULL); /* gone when it is detached */
	assert_true(memory != (void *)-1);
	return memory;
}

static void test_system_v_memory(void **state)
{
	_cleanup_json_ json_object *before = own_findings(getpid()), *with = NULL, *two = NULL,
				   *after = NULL;
	void *memory = memory_attach();
	bool of_host = !namespace_differs(getpid(), 1, "ipc");

	(void)state;
	with = own_findings(getpid());
	two = own_findings(1);
	assert_true(task_has_mapping(getpid(), SYSV_MEMORY));
	assert_int_equal(shmdt(memory), 0);
	after = own_findings(getpid());
	assert_null(refusal_find(before, "System V shared memory"));
	assert_null(refusal_find(after, "System V shared memory"));
	assert_null(refusal_find(with, "IPC namespace"));
	assert_non_null(refusal_find(two, "IPC namespace"));
	if (of_host)
		assert_non_null(strstr(
			json_opt_string(refusal_find(with, "System V shared memory"), "remedy", ""),
			"PrivateIPC=yes"));
	else
		assert_null(refusal_find(with, "System V shared memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_v_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
