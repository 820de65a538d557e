/* SPDX-License-Identifier: Apache-2.0 */
/* What check has to say: an array of findings, as described in swap.h. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

typedef enum Severity {
	SEVERITY_NOTE,    /* good to know */
	SEVERITY_WARNING, /* something will be different afterwards */
	SEVERITY_REFUSAL, /* stands in the way */
} Severity;

/* `subject`: the unit, kernel, store ... that it is about; `resource`: what of it; `remedy`: what
 * to do about it, or NULL. The same finding is not added twice. */
void findings_add(json_object *findings, Severity severity, const char *subject,
		  const char *resource, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

bool findings_refuse(json_object *findings); /* is there a refusal? */

/* One line for the first refusal: "subject: message; remedy (and N more: segue check)".  The caller
 * frees it. */
char *findings_summary(json_object *findings);
