/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/link.h"

#include <errno.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/worker.h"
#include "cli/user.h"
#include "link/config.h"
#include "link/paths.h"
#include "link/state.h"

#define SYSTEMCTL_MS 60000
#define WORK_MS      120000

json_object *link_describe(void)
{
	_cleanup_link_config_ LinkConfig node = {0};
	_cleanup_json_ json_object *state = NULL;
	Error err = {0};
	int r = link_config_read(LINK_CONFIG, &node, &err);

	if (r == -ENOENT)
		return NULL;
	if (r == 0 && link_state_read(LINK_STATUS, &state, NULL) == 0)
		return steal_ptr(&state);
	state = json_object_new_object();
	json_put_string(state, "hub", node.hub);
	json_put_string(state, "name", node.name);
	json_put_string(state, "state", "stopped");
	json_put_string(state, "message",
			r < 0 ? err.text : "systemctl start segue-link connects it");
	return steal_ptr(&state);
}

int link_systemctl(const char *verb, const char *option, Error *err)
{
	const char *const argv[] = {"systemctl",          "--quiet", verb,
				    "segue-link.service", option,    NULL};
	int r = process_run(argv, SYSTEMCTL_MS, NULL, err);

	return r < 0 ? error_prefix(err, "systemctl %s segue-link.service", verb) : 0;
}

typedef struct Work {
	int (*work)(void *data, Error *err);
	void *data;
} Work;

static int work_as_user(void *data, Error *err)
{
	const Work *work = data;
	int r = user_become(LINK_USER, LINK_DIRECTORY, err);

	return r < 0 ? r : work->work(work->data, err);
}

int link_as_user(int (*work)(void *data, Error *err), void *data, Error *err)
{
	Work as_user = {work, data};
	Worker worker = {0};
	int r = worker_start(&worker, work_as_user, &as_user, err);

	if (r < 0)
		return r;
	r = worker_finish(&worker, WORK_MS, err);
	/* It may have been said by whoever answers. */
	if (r < 0 && err)
		text_make_plain(err->text);
	return r;
}
