/* SPDX-License-Identifier: Apache-2.0 */
#include "link/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "link/session.h"

#define ANSWER_S     30L
#define DAY_S        ((int64_t)24 * 3600)
#define CLOCK_SKEW_S 600 /* less cannot be the reason */

void probe_release(Probe *probe)
{
	free(probe->authority);
	*probe = (Probe){0};
}

int probe(const char *hub, Probe *ret, Error *err)
{
	const SessionOptions options = {.hub = hub};
	_cleanup_session_ Session *session = NULL;
	_cleanup_json_ json_object *answer = NULL;
	const char *pem = NULL;
	int64_t time_s = 0;
	int r = session_open(&options, &session, err);

	if (r < 0 || (r = session_ask(session, "GET", "/v1/ca", NULL, ANSWER_S, &answer, err)) < 0)
		return r;
	if ((r = json_get_string(answer, "certificate", &pem, err)) < 0 ||
	    (r = json_get_int(answer, "time_s", &time_s, err)) < 0)
		return error_prefix(err, "What %s answers is not what a hub does", hub);
	ret->ahead_s = clock_realtime_us() / 1000000 - time_s;
	ret->authority = strdup(pem);
	return ret->authority ? 0 : error_errno(err, -ENOMEM, "Asking the hub");
}

int probe_explain(const char *hub, int code, Error *err)
{
	_cleanup_probe_ Probe told = {0};
	long long apart_s;

	if (probe(hub, &told, NULL) < 0)
		return code;
	apart_s = llabs(told.ahead_s);
	if (apart_s > CLOCK_SKEW_S)
		(void)error_hint(err, "the clock here is %lld %s %s the hub's: set it",
				 apart_s >= 2 * DAY_S ? (apart_s + DAY_S / 2) / DAY_S : apart_s,
				 apart_s >= 2 * DAY_S ? "days" : "s",
				 told.ahead_s > 0 ? "ahead of" : "behind");
	return code;
}
