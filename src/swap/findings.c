/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static const char *const severity_names[] = {
	[SEVERITY_NOTE] = "note",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_REFUSAL] = "refusal",
};

static bool is_known(json_object *findings, const char *subject, const char *message)
{
	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *f = json_object_array_get_idx(findings, i);

		if (strcmp(json_opt_string(f, "subject", ""), subject) == 0 &&
		    strcmp(json_opt_string(f, "message", ""), message) == 0)
			return true;
	}
	return false;
}

void findings_add(json_object *findings, Severity severity, const char *subject,
		  const char *resource, const char *remedy, const char *fmt, ...)
{
	char message[768];
	json_object *o;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (is_known(findings, subject, message))
		return;
	o = json_object_new_object();
	json_put_string(o, "severity", severity_names[severity]);
	json_put_string(o, "subject", subject);
	json_put_string(o, "resource", resource);
	json_put_string(o, "message", message);
	json_put_string(o, "remedy", remedy);
	(void)json_object_array_add(findings, o);
}

static bool is_refusal(json_object *finding)
{
	return strcmp(json_opt_string(finding, "severity", ""), severity_names[SEVERITY_REFUSAL]) ==
	       0;
}

bool findings_refuse(json_object *findings)
{
	for (size_t i = 0; i < json_length(findings); i++)
		if (is_refusal(json_object_array_get_idx(findings, i)))
			return true;
	return false;
}

char *findings_summary(json_object *findings)
{
	json_object *first = NULL;
	size_t n = 0;
	char more[64] = "";
	const char *remedy;

	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *f = json_object_array_get_idx(findings, i);

		if (!is_refusal(f))
			continue;
		if (n++ == 0)
			first = f;
	}
	if (!first)
		return strdup("nothing stands in the way");
	if (n > 1)
		(void)snprintf(more, sizeof(more), " (and %zu more: run segue check)", n - 1);
	remedy = json_opt_string(first, "remedy", NULL);
	return text_format("%s: %s%s%s%s", json_opt_string(first, "subject", ""),
			   json_opt_string(first, "message", ""), remedy ? "; " : "",
			   remedy ? remedy : "", more);
}
