/* SPDX-License-Identifier: Apache-2.0 */
#include "node/answer.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include "node/metrics.h"
#include "node/request.h"
#include "swap/kept.h"
#include "swap/reboot.h"
#include "swap/rehearsal.h"
#include "swap/swap.h"
#include "swap/unit.h"

#define JUMP_AWAY_MAX_S 600

static int object_new(json_object **ret, Error *err)
{
	*ret = json_object_new_object();
	return *ret ? 0 : error_errno(err, -ENOMEM, "Answering");
}

static json_object *allow_describe(const ConfigAllow *allow)
{
	json_object *o = json_object_new_object(), *verbs = json_object_new_array();

	for (ConfigVerb verb = 0; verb < CONFIG_VERBS; verb++)
		if (allow->verbs & 1U << verb)
			(void)json_object_array_add(verbs,
						    json_object_new_string(config_verb_name(verb)));
	json_put_string(o, "group", allow->group);
	(void)json_object_object_add(o, "verbs", verbs);
	return o;
}

static json_object *config_describe(const Config *config)
{
	json_object *o = json_object_new_object(), *allow = json_object_new_array();

	for (size_t i = 0; i < config->n_allow; i++)
		(void)json_object_array_add(allow, allow_describe(&config->allow[i]));
	json_put_string(o, "store", config_store_name(config->store));
	json_put_string(o, "store_path", config->store_path);
	json_put_string(o, "group", config->group);
	(void)json_object_object_add(o, "allow", allow);
	json_put_string(o, "on_new_kernel", config_new_kernel_name(config->on_new_kernel));
	json_put_int(o, "health_timeout_s", config->health_timeout_s);
	json_put_string(o, "kexec_append", config->kexec_append);
	return o;
}

int answer_status(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_kept_list_ char **kept = NULL;
	json_object *units, *body;
	struct utsname name;
	int r = kept_list(&kept, err);

	if (r < 0)
		return r;
	r = object_new(&body, err);
	if (r < 0)
		return r;
	(void)uname(&name);
	json_put_string(body, "version", SEGUE_VERSION);
	json_put_string(body, "kernel", name.release);
	json_put_bool(body, "swapping", question->swapping);
	json_put_bool(body, "unconfirmed", swap_unfinished());
	units = json_object_new_array();
	for (char **p = kept; *p; p++)
		(void)json_object_array_add(units, json_object_new_string(*p));
	(void)json_object_object_add(body, "kept", units);
	(void)json_object_object_add(body, "config", config_describe(question->config));
	json_put_string(body, "config_error", question->config_error);
	*ret_body = body;
	return 0;
}

/* A number that systemd may not know: then it says the greatest there is. */
static void put_counter(json_object *o, const char *key, const Unit *unit, const char *property)
{
	_cleanup_free_ char *text = NULL;
	unsigned long long value;

	if (unit_get_property_string(unit, property, &text, NULL) < 0)
		return;
	value = strtoull(text, NULL, 10);
	if (value < INT64_MAX)
		json_put_int(o, key, (int64_t)value);
}

static json_object *unit_describe(const char *name)
{
	json_object *o = json_object_new_object();
	_cleanup_unit_ Unit unit = {0};
	Error err = {0};

	json_put_string(o, "unit", name);
	if (unit_query(name, &unit, &err) < 0) {
		json_put_string(o, "state", "unknown");
		json_put_string(o, "error", err.text);
		return o;
	}
	json_put_string(o, "state", unit.active_state);
	json_put_string(o, "sub_state", unit.sub_state);
	json_put_string(o, "type", *unit.type ? unit.type : "scope");
	json_put_int(o, "main_pid", unit.main_pid);
	json_put_bool(o, "transient", unit.transient);
	put_counter(o, "processes", &unit, "TasksCurrent");
	put_counter(o, "memory_bytes", &unit, "MemoryCurrent");
	json_put_string(o, "health_check", unit.options.health_check);
	return o;
}

int answer_units(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_kept_list_ char **kept = NULL;
	json_object *units, *body;
	int r = 0;

	if (!question->swapping && !swap_unfinished())
		r = kept_prune(err);
	if (r >= 0)
		r = kept_list(&kept, err);
	if (r >= 0)
		r = object_new(&body, err);
	if (r < 0)
		return r;
	units = json_object_new_array();
	for (char **p = kept; *p; p++)
		(void)json_object_array_add(units, unit_describe(*p));
	(void)json_object_object_add(body, "units", units);
	*ret_body = body;
	return 0;
}

int answer_unkeep(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_free_ char *name = NULL;
	bool changed = false;
	int r = unit_name_normalize(question->name, &name, err);

	if (r >= 0)
		r = kept_remove(name, err);
	if (r >= 0)
		r = unit_unadapt(name, &changed, err);
	if (r >= 0)
		r = object_new(ret_body, err);
	if (r < 0)
		return r;
	json_put_string(*ret_body, "unit", name);
	json_put_bool(*ret_body, "restart_needed", changed);
	return 0;
}

int answer_run(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_run_request_ RunRequest request = {0};
	_cleanup_json_ json_object *body = NULL;
	_cleanup_free_ char *unit = NULL;
	int r = body_parse(question->body, question->body_size, &body, err);

	if (r >= 0)
		r = request_parse_run(body, &request, err);
	if (r >= 0)
		r = transient_start(&request.transient, &unit, err);
	if (r >= 0)
		r = object_new(ret_body, err);
	if (r >= 0)
		json_put_string(*ret_body, "unit", unit);
	return r;
}

/* A swap with other settings than those that were asked for could lose what it was to protect. */
static int require_config(const Question *question, Error *err)
{
	if (question->config_error)
		return error_set(err, -EINVAL, "%s; correct it, then: systemctl restart segued",
				 question->config_error);
	return 0;
}

typedef int ParseSwap(json_object *body, SwapRequest *ret, Error *err);

static int swap_question(const Question *question, ParseSwap *parse, json_object **ret_body,
			 SwapRequest *ret_request, Error *err)
{
	int r = require_config(question, err);

	if (r >= 0)
		r = body_parse(question->body, question->body_size, ret_body, err);
	if (r >= 0)
		r = parse(*ret_body, ret_request, err);
	if (r >= 0 && swap_unfinished())
		return error_set(
			err, -EBUSY,
			"The last swap is not confirmed yet; segue status shows how far it is");
	if (r >= 0)
		r = kept_prune(err);
	return r;
}

int answer_check(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *body = NULL;
	SwapRequest request;
	int r = swap_question(question, request_parse_check, &body, &request, err);

	if (r < 0)
		return r;
	rehearsal_mind_signals();
	return swap_check(&request, ret_body, err);
}

int answer_check_progress(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_free_ char *told = question->swapping ? rehearsal_told() : NULL;
	int r = object_new(ret_body, err);

	if (r < 0)
		return r;
	json_put_string(*ret_body, "message", told);
	return 0;
}

/* A clock that is far off is found now, and not when the others have jumped. */
static int time_check(const SwapRequest *request, Error *err)
{
	int64_t away_s = request->jump_at_s - clock_realtime_us() / 1000000;

	return away_s <= JUMP_AWAY_MAX_S
		       ? 0
		       : error_set(
				 err, -EINVAL,
				 "\"jump_at_s\": that is %lld s away by the clock of this machine, "
				 "and may be %d; set the clock",
				 (long long)away_s, JUMP_AWAY_MAX_S);
}

int answer_swap(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *body = NULL;
	SwapRequest request;
	int r = swap_question(question, request_parse_swap, &body, &request, err);

	*ret_body = NULL;
	if (r == 0)
		r = time_check(&request, err);
	return r < 0 ? r : swap_run(&request, err);
}

int answer_reboot(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *body = NULL;
	_cleanup_free_ char *loaded = NULL;
	const char *kernel = NULL;
	int r;

	if (question->config_error)
		return error_set(err, -ECANCELED, "%s", question->config_error);
	if ((r = body_parse(question->body, question->body_size, &body, err)) < 0 ||
	    (r = request_parse_reboot(body, &kernel, err)) < 0)
		return r;
	/* What a swap has begun is to be finished first. */
	if (swap_unfinished())
		return error_set(err, -EBUSY,
				 "The last swap is not confirmed yet; segue status tells how far "
				 "it is");
	if ((r = reboot_start(question->config, kernel, &loaded, err)) < 0 ||
	    (r = object_new(ret_body, err)) < 0)
		return r;
	json_put_string(*ret_body, "kernel", loaded);
	return 0;
}

int answer_return(const Question *question, json_object **ret_body, Error *err)
{
	*ret_body = NULL;
	return swap_return(err);
}

int answer_swap_status(const Question *question, json_object **ret_body, Error *err)
{
	json_object *status = NULL;
	int r = swap_status(&status, err);

	if (r < 0)
		return r;
	/* Who works on a swap holds a lock.  A status that nobody works on any more is not running,
	 * whatever it says: its process died, and could not write so. */
	if (status && json_opt_bool(status, "running", false) && !question->swapping) {
		json_put_bool(status, "running", false);
		json_put_string(status, "state", "failed");
		json_put_string(status, "error",
				"The process that did the swap died; see journalctl -u segued");
	}
	*ret_body = status;
	return 0;
}

int answer_log(const Question *question, json_object **ret_body, Error *err)
{
	return swap_log(ret_body, err);
}

int answer_metrics(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_kept_list_ char **kept = NULL;
	_cleanup_json_ json_object *log = NULL;
	_cleanup_free_ char *text = NULL;
	size_t n_kept = 0;
	int r;

	if ((r = swap_log(&log, err)) < 0 || (r = kept_list(&kept, err)) < 0)
		return r;
	while (kept[n_kept])
		n_kept++;
	r = metrics_format(log, n_kept, question->swapping, &text, err);
	if (r < 0)
		return r;
	*ret_body = json_object_new_string(text);
	return *ret_body ? 0 : error_errno(err, -ENOMEM, "Answering");
}
