/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a swap: whatever it holds, whoever finds it can say what is true and go on. */
#include "swap/journal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sealed.h"
#include "fuzz.h"
#include "sandbox.h"
#include "swap/journal_file.h"
#include "swap/paths.h"
#include "swap/report.h"

#define FILE_NAME SEGUE_SWAP_DIR "/journal"

/* False where there are no private mounts: the machine's own journal is not for this. */
static bool machine_make(void)
{
	static enum { NOT_YET, MADE, CANNOT } made;

	if (made == NOT_YET)
		made = sandbox_enter() ? MADE : CANNOT;
	require(made == CANNOT || directory_make(AT_FDCWD, SEGUE_SWAP_DIR, 0700, NULL) == 0);
	return made == MADE;
}

static void report_try(json_object *object)
{
	_cleanup_json_ json_object *report = report_make(object);

	require(json_object_to_json_string(report));
}

/* As it is: what is not sealed is refused. */
static void decode_try(const uint8_t *bytes, size_t size)
{
	json_object *object = NULL;
	Error err = {0};
	int r = journal_decode((const char *)bytes, size, &object, &err);

	if (r < 0)
		require_refusal(r, &err);
	(void)json_object_put(object);
}

/* With a seal, which no input would ever hit upon. */
static void file_write(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *body = strndup((const char *)bytes, size);
	_cleanup_free_ char *text =
		body ? sealed_make("segue-journal", JOURNAL_VERSION, body) : NULL;
	int fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(text && fd >= 0 && file_write_all(fd, text, strlen(text), NULL) == 0 &&
		close(fd) == 0);
	(void)unlink(FILE_NAME JOURNAL_COPY);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_journal_ Journal *journal = NULL;
	Error err = {0};
	int r;

	decode_try(bytes, size);
	if (!machine_make())
		return 0;
	file_write(bytes, size);
	r = journal_open(&journal, &err);
	if (r < 0) {
		require_refusal(r, &err);
		return 0;
	}
	require(journal_state(journal) >= 0 && journal_state(journal) < SWAP_STATES);
	report_try(journal_object(journal));
	journal_steps_moved(json_opt_array(journal_object(journal), "steps"), 1000);
	journal_warn(journal, "a warning");
	require(journal_enter(journal, SWAP_LAND, NULL) == 0);
	require(journal_end(journal, SWAP_FAILED, &err, NULL) == 0);
	return 0;
}
