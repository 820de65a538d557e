/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of API requests. */
#include "node/request.h"

#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "http/body.h"

typedef int ParseSwap(json_object *body, SwapRequest *ret, Error *err);

static void swap_try(ParseSwap *parse, json_object *body)
{
	SwapRequest request = {0};
	Error err = {0};
	int r = parse(body, &request, &err);

	if (r < 0) {
		require_refusal(r, &err);
		return;
	}
	require(!request.deep || !request.no_trial);
	if (request.kernel)
		require(request.kernel[0] != '.' && !strchr(request.kernel, '/') &&
			strlen(request.kernel) <= 64);
}

static void keep_try(json_object *body)
{
	KeepRequest request = {0};
	Error err = {0};
	int r = request_parse_keep(body, &request, &err);

	if (r < 0)
		require_refusal(r, &err);
}

static void install_try(json_object *body)
{
	const char *release;
	Error err = {0};
	int r = request_parse_install(body, &release, &err);

	if (r < 0)
		require_refusal(r, &err);
	else
		require(release[0] != '.' && !strchr(release, '/'));
}

static void run_try(json_object *body)
{
	_cleanup_run_request_ RunRequest request = {0};
	Error err = {0};
	int r = request_parse_run(body, &request, &err);

	if (r < 0) {
		require_refusal(r, &err);
		return;
	}
	require(request.transient.argv[0][0] == '/');
	require(!request.unit || !strchr(request.unit, '/'));
	for (char **v = request.environment; v && *v; v++)
		require(strchr(*v, '=') && **v != '=');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	_cleanup_json_ json_object *body = NULL;
	Error err = {0};
	int r = body_parse(text, size, &body, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!body);
		return 0;
	}
	require(json_object_is_type(body, json_type_object));
	swap_try(request_parse_swap, body);
	swap_try(request_parse_check, body);
	keep_try(body);
	install_try(body);
	run_try(body);
	return 0;
}
