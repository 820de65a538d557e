/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/json.h"
#include "hub/ask.h"
#include "hub/channel.h"
#include "hub/follow.h"
#include "hub/hub.h"

#define TYPE_BYTES "application/octet-stream"

int handle_releases(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = catalog_list(request->hub->catalog, &list, err);

	if (r < 0)
		return r;
	*ret_body = json_object_new_object();
	return json_object_object_add(*ret_body, "releases", list);
}

int handle_release(Request *request, json_object **ret_body, Error *err)
{
	return catalog_describe(request->hub->catalog, request->names[0], ret_body, err);
}

int handle_release_finish(Request *request, json_object **ret_body, Error *err)
{
	int r = catalog_finish(request->hub->catalog, request->names[0], err);

	return r < 0 ? r : handle_release(request, ret_body, err);
}

int handle_release_remove(Request *request, json_object **ret_body, Error *err)
{
	int r = channel_check_unused(request->hub->db, request->names[0], err);

	if (r < 0 || (r = catalog_remove(request->hub->catalog, request->names[0], err)) < 0)
		return r;
	rollouts_withdraw(request->hub->rollouts, request->names[0]);
	return 0;
}

/* ---- bytes out ---- */

static int piece_answer(Request *request, const CatalogPiece *piece)
{
	http_answer_file(request->call, TYPE_BYTES, piece->fd, piece->offset, piece->size);
	return REQUEST_LATER;
}

int handle_file(Request *request, json_object **ret_body, Error *err)
{
	CatalogPiece piece;
	int r = catalog_file(request->hub->catalog, request->names[0], request->names[1], &piece,
			     err);

	return r < 0 ? r : piece_answer(request, &piece);
}

int handle_chunk(Request *request, json_object **ret_body, Error *err)
{
	CatalogPiece piece;
	Digest digest;
	int r;

	if (!digest_parse(request->names[0], &digest))
		return error_set(err, -EINVAL, "\"%.80s\" is no SHA-256 in hexadecimal digits",
				 request->names[0]);
	r = catalog_chunk(request->hub->catalog, &digest, &piece, err);
	return r < 0 ? r : piece_answer(request, &piece);
}

int handle_signatures(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = catalog_signatures(request->hub->catalog, request->names[0], &list, err);

	if (r < 0)
		return r;
	*ret_body = json_object_new_object();
	return json_object_object_add(*ret_body, "signatures", list);
}

/* ---- bytes in ---- */

int receive_file(Request *request, Error *err)
{
	return catalog_receive(request->hub->catalog, request->names[0], request->names[1],
			       &request->call->sink, &request->call->body_max, err);
}

int receive_signature(Request *request, Error *err)
{
	return catalog_receive_signature(request->hub->catalog, request->names[0],
					 request->names[1], &request->call->sink,
					 &request->call->body_max, err);
}

int handle_received(Request *request, json_object **ret_body, Error *err)
{
	return 0;
}

/* ---- channels ---- */

int handle_channels(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = channel_list(request->hub->db, &list, err);

	if (r < 0)
		return r;
	*ret_body = json_object_new_object();
	return json_object_object_add(*ret_body, "channels", list);
}

int handle_channel_set(Request *request, json_object **ret_body, Error *err)
{
	const char *release;
	int r = ask_channel(request->body, &release, err);

	if (r == 0)
		r = channel_set(request->hub->db, request->hub->catalog, request->names[0], release,
				request->now_s, err);
	return r < 0 ? r : follow_all(request->hub, request->names[0], request->now_s, err);
}

int handle_channel_remove(Request *request, json_object **ret_body, Error *err)
{
	return channel_remove(request->hub->db, request->names[0], err);
}
