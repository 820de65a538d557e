/* SPDX-License-Identifier: Apache-2.0 */
#include "link/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "http/transfer.h"

#define LOOK_MS         10000L
#define SWAP_MS         120000L
#define INSTALL_MS      1800000L /* hooks make an initramfs, which a slow machine takes minutes for */
#define CHECK_MS        1800000L
#define KEPT_MAX        256   /* as many as the hub takes */
#define SWAP_DETAIL_MAX 32768 /* of what a report tells of a swap: the hub takes 64 KiB in all */

static int segued_ask(const char *socket, const char *method, const char *path, json_object *body,
		      long limit_ms, json_object **ret, Error *err)
{
	const TransferTarget target = {
		.name = "segued",
		.socket = socket,
		.who = "only root and the user segue-link may; systemctl restart segued",
		.limit_ms = limit_ms,
	};

	return transfer_ask(&target, method, path, body, ret, err);
}

static int look(const char *socket, const char *path, json_object **ret, Error *err)
{
	return segued_ask(socket, "GET", path, NULL, LOOK_MS, ret, err);
}

/* Whether what is kept here works. */
static const char *health_of(json_object *node, json_object *units)
{
	json_object *list = json_opt_array(units, "units");

	if (!list)
		return "unknown";
	for (size_t i = 0; i < json_length(list); i++) {
		json_object *unit = json_object_array_get_idx(list, i);

		if (strcmp(json_opt_string(unit, "state", ""), "active") != 0)
			return "failing";
	}
	return json_opt_string(node, "config_error", NULL) ? "failing" : "ok";
}

static json_object *kept_of(json_object *node)
{
	json_object *kept = json_object_new_array(), *all = json_opt_array(node, "kept");

	for (size_t i = 0; i < json_length(all) && i < KEPT_MAX; i++)
		(void)json_object_array_add(kept,
					    json_object_get(json_object_array_get_idx(all, i)));
	return kept;
}

int machine_boot(char ret[ORDER_TEXT_MAX + 1], Error *err)
{
	_cleanup_free_ char *boot = NULL;
	int r = file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, err);

	if (r == 0)
		(void)snprintf(ret, ORDER_TEXT_MAX + 1, "%s", boot);
	return r;
}

int machine_report(const char *socket, const char *follows, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *node = NULL, *units = NULL, *swap = NULL;
	_cleanup_json_ json_object *report = json_object_new_object();
	char boot[ORDER_TEXT_MAX + 1];
	int r;

	if ((r = look(socket, "/v1/status", &node, err)) < 0 ||
	    (r = look(socket, "/v1/swap", &swap, err)) < 0 || (r = machine_boot(boot, err)) < 0)
		return r;
	(void)look(socket, "/v1/units", &units, NULL);
	json_put_string(report, "kernel", json_opt_string(node, "kernel", ""));
	json_put_string(report, "version", json_opt_string(node, "version", ""));
	json_put_string(report, "boot_id", boot);
	json_put_string(report, "health", health_of(node, units));
	(void)json_object_object_add(report, "kept", kept_of(node));
	if (follows)
		json_put_string(report, "follows", follows);
	if (swap &&
	    strlen(json_object_to_json_string_ext(swap, JSON_C_TO_STRING_PLAIN)) < SWAP_DETAIL_MAX)
		(void)json_object_object_add(report, "swap", steal_ptr(&swap));
	*ret = steal_ptr(&report);
	return 0;
}

static void id_copy(char to[ORDER_TEXT_MAX + 1], json_object *swap)
{
	(void)snprintf(to, ORDER_TEXT_MAX + 1, "%s", json_opt_string(swap, "id", ""));
}

int machine_last_swap(const char *socket, char ret[ORDER_TEXT_MAX + 1], Error *err)
{
	_cleanup_json_ json_object *swap = NULL;
	int r = look(socket, "/v1/swap", &swap, err);

	if (r == 0)
		id_copy(ret, swap);
	return r;
}

int machine_last_kernels(const char *socket, char ret_from[ORDER_TEXT_MAX + 1],
			 char ret_to[ORDER_TEXT_MAX + 1], Error *err)
{
	_cleanup_json_ json_object *swap = NULL;
	int r = look(socket, "/v1/swap", &swap, err);

	if (r < 0)
		return r;
	(void)snprintf(ret_from, ORDER_TEXT_MAX + 1, "%s", json_opt_string(swap, "from", ""));
	(void)snprintf(ret_to, ORDER_TEXT_MAX + 1, "%s", json_opt_string(swap, "to", ""));
	return 0;
}

int machine_swap(const char *socket, LinkOrder *order, Error *err)
{
	_cleanup_json_ json_object *body = link_order_request(order), *answer = NULL;
	int r;

	if (order->jump_at_s)
		json_put_int(body, "jump_at_s", order->jump_at_s);
	r = segued_ask(socket, "POST", "/v1/swap", body, SWAP_MS, &answer, err);
	if (r == 0)
		id_copy(order->swap, answer);
	return r;
}

int machine_reboot(const char *socket, LinkOrder *order, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	int r;

	if (*order->kernel)
		json_put_string(body, "kernel", order->kernel);
	r = segued_ask(socket, "POST", "/v1/reboot", body, SWAP_MS, &answer, err);
	if (r == 0)
		(void)snprintf(order->kernel, sizeof(order->kernel), "%s",
			       json_opt_string(answer, "kernel", ""));
	return r;
}

int machine_install(const char *socket, LinkOrder *order, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	int r;

	json_put_string(body, "release", order->release);
	r = segued_ask(socket, "POST", "/v1/install", body, INSTALL_MS, &answer, err);
	if (r == 0)
		(void)snprintf(order->kernel, sizeof(order->kernel), "%s",
			       json_opt_string(answer, "kernel", ""));
	return r;
}

/* The first refusal; the others are seen on the node. */
static int refusal_tell(json_object *result, Error *err)
{
	json_object *findings = json_opt_array(result, "findings");

	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *finding = json_object_array_get_idx(findings, i);

		if (!strcmp(json_opt_string(finding, "severity", ""), "refusal"))
			return error_set(err, -ECANCELED, ORDER_NOT_CARRIED "%s: %s",
					 json_opt_string(finding, "subject", ""),
					 json_opt_string(finding, "message", ""));
	}
	return error_set(err, -ECANCELED, ORDER_NOT_CARRIED "segue check on the node tells why");
}

int machine_check(const char *socket, const LinkOrder *order, Error *err)
{
	_cleanup_json_ json_object *body = link_order_request(order), *result = NULL;
	int r = segued_ask(socket, "POST", "/v1/check", body, CHECK_MS, &result, err);

	if (r < 0 || json_opt_bool(result, "ok", false))
		return r;
	return refusal_tell(result, err);
}

int machine_judge(const char *socket, LinkOrder *order, bool patient, Error *err)
{
	_cleanup_json_ json_object *node = NULL, *swap = NULL, *log = NULL;
	char boot[ORDER_TEXT_MAX + 1];
	int r = look(socket, "/v1/status", &node, err);

	if (r < 0)
		return r;
	if (order->reboot)
		return (r = machine_boot(boot, err)) < 0
			       ? r
			       : link_order_judge_reboot(order, json_opt_string(node, "kernel", ""),
							 boot, patient);
	if ((r = look(socket, "/v1/swap", &swap, err)) < 0 ||
	    (r = look(socket, "/v1/log", &log, err)) < 0)
		return r;
	return link_order_judge(order, node, swap,
				json_object_is_type(log, json_type_array) ? log : NULL, patient);
}
