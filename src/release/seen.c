/* SPDX-License-Identifier: Apache-2.0 */
#include "release/seen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define SEEN_KIND "seen"

static const SeenChannel *channel_find(const Seen *seen, const char *name)
{
	for (size_t i = 0; i < seen->n_channels; i++)
		if (strcmp(seen->channels[i].name, name) == 0)
			return &seen->channels[i];
	return NULL;
}

int seen_check(const Seen *seen, const Manifest *m, Error *err)
{
	const SeenChannel *channel;

	if (m->epoch < seen->epoch)
		return error_set(err, -ESTALE,
				 "Release %s is of epoch %lld, and epoch %lld was seen already",
				 m->name, (long long)m->epoch, (long long)seen->epoch);
	/* Nothing of an earlier epoch counts. */
	if (m->epoch > seen->epoch)
		return 0;
	channel = channel_find(seen, m->channel);
	if (!channel && seen->n_channels == SEEN_CHANNELS_MAX)
		return error_set(err, -ENOSPC,
				 "Channel %s would be one more than the %d that are remembered",
				 m->channel, SEEN_CHANNELS_MAX);
	if (!channel)
		return 0;
	if (m->version < channel->version)
		return error_set(err, -ESTALE,
				 "Release %s has version %lld, and version %lld of channel %s was "
				 "seen already; to go back sign the older content as a new release",
				 m->name, (long long)m->version, (long long)channel->version,
				 m->channel);
	if (m->version == channel->version && !digest_equal(&m->digest, &channel->digest))
		return error_set(err, -EBADMSG,
				 "Release %s has version %lld of channel %s, and so has another "
				 "that was seen already; sign it with a higher version",
				 m->name, (long long)m->version, m->channel);
	return 0;
}

void seen_add(Seen *seen, const Manifest *m)
{
	SeenChannel *channel;

	if (m->epoch > seen->epoch) {
		seen->epoch = m->epoch;
		seen->n_channels = 0;
	}
	channel = (SeenChannel *)channel_find(seen, m->channel);
	if (!channel)
		channel = &seen->channels[seen->n_channels++];
	memcpy(channel->name, m->channel, sizeof(channel->name));
	channel->version = m->version;
	channel->digest = m->digest;
	if (m->created_s > seen->time_s)
		seen->time_s = m->created_s;
}

int64_t seen_highest(const Seen *seen, int64_t epoch)
{
	int64_t highest = 0;

	for (size_t i = 0; seen->epoch == epoch && i < seen->n_channels; i++)
		if (seen->channels[i].version > highest)
			highest = seen->channels[i].version;
	return highest;
}

/* ---- the file ---- */

static int channel_parse(Seen *seen, json_object *o, Error *err)
{
	SeenChannel *channel = &seen->channels[seen->n_channels];
	const char *text;
	int r;

	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EBADMSG, "A channel is not an object");
	if ((r = document_get_name(o, "name", channel->name, err)) < 0 ||
	    (r = document_get_number(o, "version", 1, DOCUMENT_NUMBER_MAX, &channel->version,
				     err)) < 0 ||
	    (r = document_get_string(o, "sha256", DOCUMENT_NAME_MAX, &text, err)) < 0)
		return r;
	if (channel_find(seen, channel->name) || !digest_parse(text, &channel->digest))
		return error_set(err, -EBADMSG, "Channel %s is there twice, or has no SHA-256",
				 channel->name);
	seen->n_channels++;
	return 0;
}

static int seen_parse(Seen *seen, json_object *o, Error *err)
{
	json_object *channels;
	int r;

	if ((r = document_get_number(o, "epoch", 0, DOCUMENT_NUMBER_MAX, &seen->epoch, err)) < 0 ||
	    (r = document_get_time(o, "time", &seen->time_s, err)) < 0 ||
	    (r = json_get_array(o, "channels", &channels, err)) < 0)
		return r;
	if (json_length(channels) > SEEN_CHANNELS_MAX)
		return error_set(err, -EBADMSG, "There are more than %d channels",
				 SEEN_CHANNELS_MAX);
	for (size_t i = 0; i < json_length(channels); i++) {
		r = channel_parse(seen, json_object_array_get_idx(channels, i), err);
		if (r < 0)
			return r;
	}
	return 0;
}

int seen_read(int dirfd, Seen *ret, Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	_cleanup_free_ char *text = NULL;
	Seen seen = {0};
	size_t size;
	int r = file_read_max(dirfd, SEEN_FILE, SEEN_MAX, &text, &size, err);

	if (r == -ENOENT) {
		if (err)
			*err = (Error){0};
		*ret = seen;
		return 0;
	}
	if (r < 0)
		return r;
	if ((r = document_parse(text, size, SEEN_MAX, SEEN_KIND, &o, err)) < 0 ||
	    (r = seen_parse(&seen, o, err)) < 0) {
		(void)error_prefix(err, SEEN_FILE);
		(void)error_hint(err, "restore it: without it an older release would be taken");
		return r;
	}
	*ret = seen;
	return 0;
}

int seen_write(int dirfd, const Seen *seen, Error *err)
{
	_cleanup_json_ json_object *o = document_new(SEEN_KIND);
	json_object *channels = json_object_new_array();
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	json_put_int(o, "epoch", seen->epoch);
	json_put_string(o, "time", time_text(seen->time_s).text);
	(void)json_object_object_add(o, "channels", channels);
	for (size_t i = 0; i < seen->n_channels; i++) {
		json_object *channel = json_object_new_object();

		json_put_string(channel, "name", seen->channels[i].name);
		json_put_int(channel, "version", seen->channels[i].version);
		json_put_string(channel, "sha256", digest_text(&seen->channels[i].digest).text);
		(void)json_object_array_add(channels, channel);
	}
	r = document_text(o, &text, &size, err);
	return r < 0 ? r : file_write_atomic(dirfd, SEEN_FILE, text, size, 0644, err);
}
