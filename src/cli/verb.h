/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of segue(8): one table of them, one file for each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Exit status; the same list is in segue(8). */
enum {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_REFUSED = 3,       /* check found something in the way; nothing was touched */
	STATUS_CALLED_OFF = 4,    /* still on the old kernel, programs go on */
	STATUS_RETURNED = 5,      /* back on the old kernel, programs go on */
	STATUS_BUSY = 6,          /* another check or swap is under way */
	STATUS_NOT_PERMITTED = 7, /* not root */
	STATUS_NOT_REACHABLE = 8, /* segued does not run */
};

/* A long option.  Lists end with an empty one. */
typedef struct VerbOption {
	const char *name;
	const char *argument; /* as it is called in the help; NULL: it takes none */
	const char *help;
} VerbOption;

typedef struct VerbArguments VerbArguments;

typedef struct Verb {
	const char *name;      /* one word, or two: "release create" */
	const char *arguments; /* as they are called in the help; "" if there are none */
	const char *summary;
	const VerbOption *options;
	int arguments_min, arguments_max; /* -1: any number */
	bool command; /* the first argument is a command, whose options are not the verb's */
	int (*run)(const VerbArguments *arguments); /* returns the exit status */
} Verb;

/* What was given on the command line. */
struct VerbArguments {
	const Verb *verb;
	struct {
		const VerbOption *option;
		const char *value;
	} * given; /* in order */
	size_t n_given;
	char *const *positional; /* ends with NULL */
	int n_positional;
};

extern const Verb verb_keep, verb_unkeep, verb_list, verb_run, verb_check, verb_swap, verb_status,
	verb_install, verb_watch, verb_log, verb_return, verb_release_create, verb_release_sign,
	verb_release_verify, verb_release_list, verb_release_show, verb_release_rm, verb_key_new,
	verb_key_show, verb_trust_new, verb_trust_sign, verb_trust_show, verb_rollout_plan,
	verb_rollout_simulate, verb_rollout_start, verb_rollout_status, verb_rollout_pause,
	verb_rollout_resume, verb_rollout_abort, verb_why, verb_hub_init, verb_hub_token,
	verb_hub_operator, verb_hub_channel, verb_hub_audit, verb_hub_status, verb_hub_backup,
	verb_hub_restore, verb_nodes, verb_node_show, verb_node_swap, verb_node_stage,
	verb_node_cancel, verb_node_revoke, verb_push, verb_join, verb_leave, verb_help;

/* Ends with NULL. */
extern const Verb *const verbs[];

const Verb *verb_find(const char *name);

/* The verb that a command line begins with, and how many words of it that takes.  NULL: there is
 * none and that was told, or what verbs begin with the first word, if --help follows it;
 * *ret_status is then the exit status. */
const Verb *verb_match(int n_words, char *const words[], int *ret_used, int *ret_status);

/* The value of an option, "" if it takes none; NULL if it was not given.  The last one counts. */
const char *verb_option(const VerbArguments *arguments, const char *name);

/* Runs a verb on the arguments that follow its name.  argv[0] is the last word of that. */
int verb_main(const Verb *verb, int argc, char *argv[]);

void verb_print_help(const Verb *verb);
void verb_print_overview(void);

/* Tells an error on standard error and returns the exit status for it. */
int verb_fail(const Error *err);

/* A wrong command line: tells it and where help is.  Returns STATUS_USAGE. */
int verb_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
