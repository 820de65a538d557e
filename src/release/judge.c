/* SPDX-License-Identifier: Apache-2.0 */
#include "release/judge.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static int time_check(const JudgeCase *c, const Manifest *m, Error *err)
{
	/* A clock that is set back brings nothing back to life: it is at least as late as the
	 * latest release says. */
	int64_t now = c->seen && c->seen->time_s > c->now_s ? c->seen->time_s : c->now_s;

	if (c->trust->expires_s <= now)
		return error_set(err, -EKEYEXPIRED,
				 "The trust (version %lld) expired at %s, and it is %s here; its "
				 "owners have to sign a new one: segue trust new",
				 (long long)c->trust->version, time_text(c->trust->expires_s).text,
				 time_text(now).text);
	if (m->expires_s <= now)
		return error_set(
			err, -EKEYEXPIRED,
			"Release %s expired at %s, and it is %s here; set the clock if that "
			"is wrong, else make a new release",
			m->name, time_text(m->expires_s).text, time_text(now).text);
	if (m->created_s > now + JUDGE_CLOCK_SKEW_S)
		return error_set(
			err, -ETIME,
			"Release %s was made at %s, and it is %s here; set the clock, here "
			"or where it was signed",
			m->name, time_text(m->created_s).text, time_text(now).text);
	return 0;
}

static int manifest_check(const JudgeCase *c, const Manifest *m, Error *err)
{
	if (m->epoch != c->trust->epoch)
		return error_set(err, -ESTALE,
				 "Release %s is of epoch %lld, and epoch %lld of the trust counts; "
				 "sign it as a new release",
				 m->name, (long long)m->epoch, (long long)c->trust->epoch);
	if (c->channel && strcmp(c->channel, m->channel) != 0)
		return error_set(err, -EBADMSG, "Release %s is of channel %s, not %s", m->name,
				 m->channel, c->channel);
	return c->seen ? seen_check(c->seen, m, err) : 0;
}

int release_judge(const JudgeCase *c, Manifest **ret, Error *err)
{
	_cleanup_manifest_ Manifest *m = NULL;
	int r;

	if (c->size > MANIFEST_MAX)
		return error_set(err, -EFBIG, MANIFEST_FILE " has %zu bytes; at most %zu are read",
				 c->size, MANIFEST_MAX);
	if ((r = trust_check_quorum(c->trust, TRUST_SIGNERS, c->bytes, c->size, c->signatures,
				    err)) < 0)
		return r;
	r = manifest_parse(c->bytes, c->size, &m, err);
	if (r < 0) {
		(void)error_prefix(err, MANIFEST_FILE);
		return r;
	}
	if ((r = manifest_check(c, m, err)) < 0 || (r = time_check(c, m, err)) < 0)
		return r;
	*ret = steal_ptr(&m);
	return 0;
}
