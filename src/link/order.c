/* SPDX-License-Identifier: Apache-2.0 */
#include "link/order.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include "link/paths.h"
#include "release/document.h"

static int text_take(const char *text, const char *key, char ret[ORDER_TEXT_MAX + 1], Error *err)
{
	if (strlen(text) > ORDER_TEXT_MAX)
		return error_set(err, -EINVAL, "\"%s\" is longer than %d bytes", key,
				 ORDER_TEXT_MAX);
	(void)snprintf(ret, ORDER_TEXT_MAX + 1, "%s", text);
	return 0;
}

static int kind_take(const char *kind, LinkOrder *order, Error *err)
{
	order->stage = !strcmp(kind, "stage");
	if (!order->stage && strcmp(kind, "swap") != 0)
		return error_set(err, -EINVAL, "This node knows no orders of the kind \"%.32s\"",
				 kind);
	return 0;
}

int link_order_take(json_object *given, LinkOrder *ret, Error *err)
{
	const char *kind = "", *kernel = "", *release = "";
	LinkOrder order = {.id = json_opt_int(given, "id", 0)};
	int64_t id = 0;
	const BodyMember members[] = {
		{"id", json_type_int, &id},
		{"kind", json_type_string, &kind},
		{"kernel", json_type_string, &kernel},
		{"release", json_type_string, &release},
		{"allow_one_way", json_type_boolean, &order.allow_one_way},
		{"no_trial", json_type_boolean, &order.no_trial},
		{"reboot", json_type_boolean, &order.reboot},
		{"jump_at_s", json_type_int, &order.jump_at_s},
	};
	int r;

	*ret = (LinkOrder){.id = order.id > 0 ? order.id : 0};
	if ((r = body_take(given, BODY_MEMBERS(members), err)) < 0 ||
	    (r = text_take(kernel, "kernel", order.kernel, err)) < 0 ||
	    (r = text_take(release, "release", order.release, err)) < 0 ||
	    (r = kind_take(kind, &order, err)) < 0)
		return r;
	if (id <= 0)
		return error_set(err, -EINVAL, "An order has no id");
	if (*release && (*kernel || !name_is_valid(release)))
		return error_set(err, -EINVAL,
				 "\"release\" must be a name, and excludes \"kernel\"");
	*ret = order;
	return 0;
}

bool link_order_is_raw(const LinkOrder *order)
{
	return order->stage || (*order->release && !*order->kernel);
}

json_object *link_order_request(const LinkOrder *order)
{
	json_object *body = json_object_new_object();

	if (*order->kernel)
		json_put_string(body, "kernel", order->kernel);
	json_put_bool(body, "allow_one_way", order->allow_one_way);
	json_put_bool(body, "no_trial", order->no_trial);
	return body;
}

void link_order_end(LinkOrder *order, const char *state, const char *message)
{
	if (*order->state)
		return;
	(void)snprintf(order->state, sizeof(order->state), "%s", state);
	(void)snprintf(order->message, sizeof(order->message), "%s", message);
}

/* ---- what became of it ---- */

/* Ids of swaps are their times, so that the later one is the greater. */
static bool is_of_order(const LinkOrder *order, json_object *swap)
{
	const char *id = json_opt_string(swap, "id", "");

	return *order->swap ? strcmp(id, order->swap) == 0 : strcmp(id, order->before) > 0;
}

static json_object *swap_find(const LinkOrder *order, json_object *swap, json_object *log)
{
	if (swap && is_of_order(order, swap))
		return swap;
	for (size_t i = 0; i < json_length(log); i++) {
		json_object *entry = json_object_array_get_idx(log, i);

		if (is_of_order(order, entry))
			return entry;
	}
	return NULL;
}

static bool is_final(const char *state)
{
	static const char *const finals[] = {"done", "refused", "called-off", "returned", "failed"};

	for (size_t i = 0; i < sizeof(finals) / sizeof(*finals); i++) {
		if (!strcmp(finals[i], state))
			return true;
	}
	return false;
}

static void end_as(LinkOrder *order, json_object *swap)
{
	const char *state = json_opt_string(swap, "state", "");
	const char *message = json_opt_string(swap, "message", "");
	const char *why = json_opt_string(swap, "error", message);
	char text[ORDER_MESSAGE_MAX + 1];

	if (!strcmp(state, "done")) {
		link_order_end(order, "done", message);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.16s: %.1000s", state, why);
	link_order_end(order, "failed", text);
}

bool link_order_judge(LinkOrder *order, json_object *node, json_object *swap, json_object *log,
		      bool patient)
{
	json_object *found = swap_find(order, swap, log);

	if (found)
		(void)snprintf(order->swap, sizeof(order->swap), "%.*s", ORDER_TEXT_MAX,
			       json_opt_string(found, "id", ""));
	if (*order->state)
		return true;
	if (found && is_final(json_opt_string(found, "state", "")) &&
	    !json_opt_bool(found, "running", false)) {
		end_as(order, found);
		return true;
	}
	if (patient || json_opt_bool(node, "swapping", false) ||
	    json_opt_bool(node, "unconfirmed", false))
		return false;
	link_order_end(
		order, "failed",
		found ? "The swap was interrupted; segue status on the node tells how far it "
			"came"
		      : "No swap has come of it, and it is not known why; see journalctl -u "
			"segued on the node");
	return true;
}

bool link_order_judge_reboot(LinkOrder *order, const char *kernel, const char *boot, bool patient)
{
	char text[ORDER_MESSAGE_MAX + 1];

	if (*order->state)
		return true;
	if (strcmp(boot, order->boot) != 0) {
		(void)snprintf(text, sizeof(text), "%s runs", kernel);
		link_order_end(order,
			       !*order->kernel || !strcmp(kernel, order->kernel) ? "done"
										 : "failed",
			       text);
		return true;
	}
	if (patient)
		return false;
	link_order_end(order, "failed",
		       "The machine has not gone down; systemctl list-jobs on the node tells what "
		       "it waits for");
	return true;
}

/* ---- on the disk ---- */

/* Its texts, by the names that they have there. */
static const struct {
	const char *key;
	size_t offset, size;
} texts[] = {
#define TEXT(member)                                                                               \
	{                                                                                          \
#member, offsetof(LinkOrder, member), sizeof(((LinkOrder *)NULL)->member)          \
	}
	TEXT(release), TEXT(kernel), TEXT(before),  TEXT(swap),
	TEXT(boot),    TEXT(state),  TEXT(message),
};

int link_order_save(const char *directory, const LinkOrder *order, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_ORDER, directory);
	_cleanup_json_ json_object *object = json_object_new_object();

	if (!path)
		return error_errno(err, -ENOMEM, "Writing the order");
	json_put_int(object, "id", order->id);
	json_put_bool(object, "stage", order->stage);
	json_put_bool(object, "allow_one_way", order->allow_one_way);
	json_put_bool(object, "no_trial", order->no_trial);
	json_put_bool(object, "reboot", order->reboot);
	json_put_int(object, "jump_at_s", order->jump_at_s);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		json_put_string(object, texts[i].key, (const char *)order + texts[i].offset);
	return json_write(AT_FDCWD, path, object, err);
}

int link_order_load(const char *directory, LinkOrder *ret, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_ORDER, directory);
	_cleanup_json_ json_object *object = NULL;
	LinkOrder order = {0};
	int r = path ? json_read(AT_FDCWD, path, &object, err)
		     : error_errno(err, -ENOMEM, "Reading the order");

	if (r == -ENOENT)
		return 0;
	if (r < 0 || (r = json_get_int(object, "id", &order.id, err)) < 0)
		return r;
	order.stage = json_opt_bool(object, "stage", false);
	order.allow_one_way = json_opt_bool(object, "allow_one_way", false);
	order.no_trial = json_opt_bool(object, "no_trial", false);
	order.reboot = json_opt_bool(object, "reboot", false);
	order.jump_at_s = json_opt_int(object, "jump_at_s", 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		(void)snprintf((char *)&order + texts[i].offset, texts[i].size, "%s",
			       json_opt_string(object, texts[i].key, ""));
	*ret = order;
	return 1;
}

int link_order_forget(const char *directory, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_ORDER, directory);

	if (!path || (unlink(path) < 0 && errno != ENOENT))
		return error_errno(err, path ? -errno : -ENOMEM, "Removing the order");
	return 0;
}
