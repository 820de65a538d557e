/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sealed.h"
#include "swap/state.h"

#define MAGIC     "segue-pending"
#define VERSION   1
#define WORD_SIZE 7 /* with its newline */

static const char *const words[] = {
	[PENDING_STAGED] = "staged\n",
	[PENDING_ARMED] = "armed \n",
	[PENDING_TRIED] = "tried \n",
	[PENDING_ENDED] = "ended \n",
};

static const JsonMember members[] = {
	{"id", json_type_string},
	{"image", json_type_string},
	{"initrd", json_type_string},
	{"cmdline", json_type_string},
};

int pending_stage(const char *path, json_object *next, Error *err)
{
	_cleanup_free_ char *sealed =
		sealed_make(MAGIC, VERSION,
			    json_object_to_json_string_ext(next, JSON_C_TO_STRING_NOSLASHESCAPE));
	_cleanup_free_ char *text =
		sealed ? text_format("%s%s", words[PENDING_STAGED], sealed) : NULL;

	return text ? file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err)
		    : error_errno(err, -ENOMEM, "Writing %s", path);
}

static PendingState word_find(const char *text, size_t size)
{
	for (size_t i = PENDING_STAGED; i < sizeof(words) / sizeof(words[0]); i++)
		if (size > WORD_SIZE && memcmp(text, words[i], WORD_SIZE) == 0)
			return (PendingState)i;
	return PENDING_NONE;
}

PendingState pending_read(const char *path, json_object **ret_next)
{
	_cleanup_json_ json_object *next = NULL;
	_cleanup_free_ char *text = NULL;
	PendingState state;
	const char *body;
	size_t size = 0;

	if (ret_next)
		*ret_next = NULL;
	if (file_read(AT_FDCWD, path, &text, &size, NULL) < 0)
		return PENDING_NONE;
	state = word_find(text, size);
	if (state == PENDING_NONE ||
	    sealed_open(MAGIC, VERSION, text + WORD_SIZE, size - WORD_SIZE, &body, NULL) < 0)
		return PENDING_NONE;
	next = json_tokener_parse(body);
	if (!json_object_is_type(next, json_type_object) ||
	    json_check(next, members, sizeof(members) / sizeof(members[0]), NULL) < 0)
		return PENDING_NONE;
	if (ret_next)
		*ret_next = steal_ptr(&next);
	return state;
}

int pending_mark(const char *path, PendingState state, Error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (pwrite(fd, words[state], WORD_SIZE, 0) != WORD_SIZE || fdatasync(fd) < 0)
		return error_errno(err, -errno, "Writing %s", path);
	return 0;
}

int pending_judge(json_object *next, json_object *journal, const char *boot_id, Error *err)
{
	if (strcmp(json_opt_string(next, "id", ""), json_opt_string(journal, "id", "-")) != 0)
		return error_set(err, -ESTALE, "the captures are not those of the last swap");
	if (swap_state_by_name(json_opt_string(journal, "state", "")) != SWAP_JUMP)
		return error_set(err, -ESTALE, "the last swap is in the state %s",
				 json_opt_string(journal, "state", "unknown"));
	if (strcmp(json_opt_string(journal, "boot_id", ""), boot_id) == 0)
		return error_set(err, -ESTALE, "the boot that captured the programs still runs");
	return 0;
}
