/* SPDX-License-Identifier: Apache-2.0 */
/* The restore that is pending, and the files that the captures know of: whatever they hold, nothing
 * is begun that does not say all that is needed. */
#include "swap/pending.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sealed.h"
#include "fuzz.h"
#include "swap/openfiles.h"

static void read_try(const char *text, size_t size)
{
	_cleanup_free_ char *path = text_format("/proc/self/fd/%d/pending", fuzz_directory());
	json_object *next = NULL;
	PendingState state;

	fuzz_file("pending", (const uint8_t *)text, size);
	require(path != NULL);
	state = pending_read(path, &next);
	require((state == PENDING_NONE) == (next == NULL));
	require(!next ||
		(json_opt_string(next, "id", NULL) && json_opt_string(next, "image", NULL) &&
		 json_opt_string(next, "initrd", NULL) && json_opt_string(next, "cmdline", NULL)));
	(void)json_object_put(next);
}

static void files_try(const char *text)
{
	_cleanup_json_ json_object *capture = json_tokener_parse(text);
	Error err = {0};
	int r;

	if (!json_object_is_type(capture, json_type_object))
		return;
	r = openfiles_check(json_opt_array(capture, "openfiles"), &err);
	require(r == 0 || r == -ESTALE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *body = fuzz_text(bytes, size);
	/* With a seal, which no input would ever hit upon. */
	_cleanup_free_ char *sealed = sealed_make("segue-pending", 1, body);
	_cleanup_free_ char *whole = sealed ? text_format("armed \n%s", sealed) : NULL;

	if (!whole)
		abort();
	read_try(body, size);
	read_try(whole, strlen(whole));
	files_try(body);
	return 0;
}
