/* SPDX-License-Identifier: Apache-2.0 */
/* PUT /v1/units/NAME: keeping a unit, and adapting what of it cannot be carried. */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include "node/answer.h"
#include "node/request.h"
#include "swap/inspect.h"
#include "swap/kept.h"
#include "swap/tasks.h"
#include "swap/unit.h"

/* What stands in the way, by the resource that check names, and the directive that takes it away.
 */
static const struct Adaptation {
	const char *resource;
	const char *directive, *value;
	const char *gives_up;
} adaptations[] = {
	{"user namespace", "PrivateUsers", "no",
	 "the unit's processes will see the host's users, and capabilities that they have will be "
	 "the host's"},
	{"System V shared memory", "PrivateIPC", "yes",
	 "the unit's processes will share no System V memory, semaphores or queues with other "
	 "programs"},
};

static bool findings_refuse_resource(json_object *findings, const char *resource)
{
	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *finding = json_object_array_get_idx(findings, i);

		if (!strcmp(json_opt_string(finding, "severity", ""), "refusal") &&
		    !strcmp(json_opt_string(finding, "resource", ""), resource))
			return true;
	}
	return false;
}

/* Changes the unit where it must be, and adds what was changed to `changes`. */
static int keep_adapt(const Unit *unit, json_object *changes, Error *err)
{
	_cleanup_json_ json_object *findings = json_object_new_array();
	TaskList tasks = {0};
	int r = findings ? tasks_read(unit->control_group, &tasks, err)
			 : error_errno(err, -ENOMEM, "Adapting %s", unit->id);

	if (r < 0)
		return r;
	inspect_tasks(unit->id, &tasks, findings);
	tasks_free(&tasks);
	for (size_t i = 0; i < sizeof(adaptations) / sizeof(*adaptations); i++) {
		const struct Adaptation *a = &adaptations[i];
		json_object *change;

		if (!findings_refuse_resource(findings, a->resource))
			continue;
		r = unit_adapt(unit, a->directive, a->value, err);
		if (r < 0)
			return r;
		change = json_object_new_object();
		json_put_string(change, "directive", a->directive);
		json_put_string(change, "value", a->value);
		json_put_string(change, "gives_up", a->gives_up);
		(void)json_object_array_add(changes, change);
	}
	return 0;
}

int answer_keep(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *body = NULL, *changes = json_object_new_array();
	_cleanup_json_ json_object *answer = json_object_new_object();
	_cleanup_unit_ Unit unit = {0};
	KeepRequest request;
	bool running;
	int r;

	if (!changes || !answer)
		return error_errno(err, -ENOMEM, "Keeping %s", question->name);
	if ((r = body_parse(question->body, question->body_size, &body, err)) < 0 ||
	    (r = request_parse_keep(body, &request, err)) < 0 ||
	    (r = unit_query(question->name, &unit, err)) < 0 ||
	    (r = unit_require_keepable(&unit, err)) < 0)
		return r;
	running = unit_require_running(&unit, err) == 0;
	if (!running && !request.stopped)
		return error_hint(err, "or keep it all the same: segue keep --stopped %s", unit.id);
	if (running && request.adapt && (r = keep_adapt(&unit, changes, err)) < 0)
		return r;
	r = kept_add(unit.id, unit.transient && text_has_prefix(unit.id, "run-segue-"), err);
	if (r < 0)
		return r;
	json_put_string(answer, "unit", unit.id);
	json_put_bool(answer, "running", running);
	json_put_bool(answer, "restart_needed", json_length(changes) > 0);
	(void)json_object_object_add(answer, "changes", steal_ptr(&changes));
	*ret_body = steal_ptr(&answer);
	return 0;
}
