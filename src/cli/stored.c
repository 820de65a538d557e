/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stored.h"

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "release/chain.h"
#include "release/judge.h"

static const struct {
	int code;
	const char *text;
} verdicts[] = {
	{0, "valid"},
	{-EKEYEXPIRED, "expired"},
	{-ESTALE, "of an old epoch"},
	{-ETIME, "made in the future"},
};

StoredState stored_state(const Release *release, const Trust *trust, int64_t now_s)
{
	_cleanup_manifest_ Manifest *manifest = NULL;
	StoredState state;
	int r;

	if (!trust) {
		(void)snprintf(state.text, sizeof(state.text), "no trust");
		return state;
	}
	r = release_judge(&(JudgeCase){.bytes = release->bytes,
				       .size = release->size,
				       .signatures = &release->signatures,
				       .trust = trust,
				       .now_s = now_s},
			  &manifest, NULL);
	if (r == -EKEYREJECTED) {
		(void)snprintf(state.text, sizeof(state.text), "%lld of %lld signatures",
			       (long long)trust_count(trust, TRUST_SIGNERS, release->bytes,
						      release->size, &release->signatures),
			       (long long)trust->thresholds[TRUST_SIGNERS]);
		return state;
	}
	(void)snprintf(state.text, sizeof(state.text), "damaged");
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++)
		if (verdicts[i].code == r)
			(void)snprintf(state.text, sizeof(state.text), "%s", verdicts[i].text);
	return state;
}

json_object *stored_json(const Manifest *m, const char *state)
{
	json_object *o = json_object_new_object(), *files = json_object_new_array();

	json_put_string(o, "name", m->name);
	json_put_string(o, "channel", m->channel);
	json_put_int(o, "version", m->version);
	json_put_int(o, "epoch", m->epoch);
	json_put_string(o, "state", state);
	json_put_string(o, "kernel", m->kernel);
	json_put_string(o, "cmdline", m->cmdline);
	json_put_string(o, "created", time_text(m->created_s).text);
	json_put_string(o, "expires", time_text(m->expires_s).text);
	json_put_string(o, "sha256", digest_text(&m->digest).text);
	json_put_int(o, "size_bytes", manifest_size(m));
	json_put_int(o, "chunk_size", m->chunk_size);
	(void)json_object_object_add(o, "files", files);
	for (size_t i = 0; i < m->n_files; i++) {
		json_object *file = json_object_new_object();

		json_put_string(file, "name", m->files[i].name);
		json_put_int(file, "size_bytes", m->files[i].size);
		json_put_string(file, "sha256", digest_text(&m->files[i].digest).text);
		json_put_int(file, "chunks", (int64_t)m->files[i].n_chunks);
		(void)json_object_array_add(files, file);
	}
	return o;
}

int stored_trust(const Depot *depot, Trust **ret, Error *err)
{
	_cleanup_chain_ Chain chain = {0};
	int r = chain_read(depot, &chain, err);

	if (r < 0)
		return r;
	*ret = steal_ptr(&chain.current);
	return 0;
}
