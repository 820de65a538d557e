/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/json.h"
#include "hub/ask.h"
#include "hub/hub.h"
#include "hub/rollout.h"

int handle_rollouts(Request *request, json_object **ret_body, Error *err)
{
	return rollouts_list(request->hub->rollouts, ret_body, err);
}

int handle_rollout(Request *request, json_object **ret_body, Error *err)
{
	return rollouts_describe(request->hub->rollouts, request->names[0], ret_body, err);
}

int handle_rollout_start(Request *request, json_object **ret_body, Error *err)
{
	AskRollout ask;
	int r = ask_rollout(request->body, &ask, err);

	return r < 0 ? r
		     : rollouts_start(request->hub->rollouts, ask.policy, ask.hooks, ret_body, err);
}

static int wish(Request *request, RolloutWish what, json_object **ret_body, Error *err)
{
	int r = rollouts_wish(request->hub->rollouts, request->names[0], what, err);

	return r < 0 ? r : handle_rollout(request, ret_body, err);
}

int handle_rollout_pause(Request *request, json_object **ret_body, Error *err)
{
	return wish(request, ROLLOUT_WISH_PAUSE, ret_body, err);
}

int handle_rollout_resume(Request *request, json_object **ret_body, Error *err)
{
	return wish(request, ROLLOUT_WISH_RESUME, ret_body, err);
}

int handle_rollout_abort(Request *request, json_object **ret_body, Error *err)
{
	bool send_back = false;
	int r = ask_abort(request->body, &send_back, err);

	return r < 0 ? r
		     : wish(request, send_back ? ROLLOUT_WISH_SEND_BACK : ROLLOUT_WISH_ABORT,
			    ret_body, err);
}

int handle_why(Request *request, json_object **ret_body, Error *err)
{
	return rollouts_why(request->hub->rollouts, request->names[0], ret_body, err);
}
