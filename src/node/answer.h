/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the API's requests do.  Each answers with a JSON object (the caller puts it; NULL for null)
 * or an error.  Those that ask systemd, or do something, block: see api.c for which run in a child.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "base/error.h"

typedef struct Question {
	const Config *config;
	const char *config_error; /* NULL: the configuration is as its file says */
	const char *name;         /* the part of the path that names something, or NULL */
	const char *body;
	size_t body_size;
	bool swapping; /* something works on a swap at the moment */
} Question;

typedef int Answer(const Question *question, json_object **ret_body, Error *err);

Answer answer_status;
Answer answer_units;
Answer answer_keep;
Answer answer_unkeep;
Answer answer_run;
Answer answer_check;
Answer answer_check_progress;
Answer answer_swap;
Answer answer_install;
Answer answer_reboot;
Answer answer_swap_status;
Answer answer_log;
Answer answer_return;

/* A JSON text: Prometheus metrics are the one answer that is no object. */
Answer answer_metrics;
