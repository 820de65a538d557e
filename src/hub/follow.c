/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/follow.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/json.h"
#include "hub/channel.h"

#define AGAIN_S 600

static const char *followed_by(json_object *node)
{
	json_object *report = NULL;

	(void)json_object_object_get_ex(node, "report", &report);
	return json_opt_string(report, "follows", "");
}

int follow_all(Hub *hub, const char *channel, int64_t now_s, Error *err)
{
	_cleanup_json_ json_object *all = NULL, *told = NULL;
	_cleanup_json_ json_object *followers = json_object_new_array();
	char release[DOCUMENT_NAME_MAX + 1];
	int r;

	if ((r = channel_get(hub->db, channel, release, err)) < 0 ||
	    (r = hub_nodes(hub, NULL, now_s, &all, err)) < 0)
		return r;
	for (size_t i = 0; i < json_length(all); i++) {
		json_object *node = json_object_array_get_idx(all, i);

		if (!strcmp(followed_by(node), channel))
			(void)json_object_array_add(followers, json_object_get(node));
	}
	return hub_push(hub, release, followers, now_s, &told, err);
}

static int was_sent(Hub *hub, const char *node, const char *release, int64_t now_s, int64_t *ret,
		    Error *err)
{
	return db_number(hub->db, 0, ret, err,
			 "SELECT count(*) FROM orders WHERE node = (SELECT id FROM nodes WHERE "
			 "name = ?) AND kind = 'fetch' AND json_extract(body, '$.release') = ? AND "
			 "(state IN ('queued', 'sent', 'running', 'done') OR finished_s > ?)",
			 "tti", node, release, now_s - AGAIN_S);
}

static int send_one(Hub *hub, const char *node, const char *channel, int64_t now_s, Error *err)
{
	_cleanup_json_ json_object *nodes = NULL, *told = NULL;
	char release[DOCUMENT_NAME_MAX + 1];
	int64_t sent = 0;
	int r = channel_get(hub->db, channel, release, err);

	if (r < 0 || !*release || (r = was_sent(hub, node, release, now_s, &sent, err)) < 0 ||
	    sent > 0 || (r = hub_nodes(hub, node, now_s, &nodes, err)) < 0)
		return r;
	return hub_push(hub, release, nodes, now_s, &told, err);
}

void follow_one(Hub *hub, const char *node, const char *channel, int64_t now_s)
{
	Error err = {0};

	if (channel && send_one(hub, node, channel, now_s, &err) < 0)
		(void)fprintf(stderr, SD_WARNING "Sending node %s what channel %s offers: %s\n",
			      node, channel, err.text);
}
