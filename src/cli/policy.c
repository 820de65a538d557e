/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy.h"

#include <stdio.h>
#include <string.h>

static const VerbOption options[] = {POLICY_OPTIONS, {0}};

static bool is_policy(const char *name)
{
	for (const VerbOption *option = options; option->name; option++)
		if (!strcmp(option->name, name))
			return true;
	return false;
}

static void key_of(const char *option, char *key, size_t size)
{
	(void)snprintf(key, size, "%s", option);
	for (char *p = key; (p = strchr(p, '-'));)
		*p = '_';
}

int policy_of(const VerbArguments *arguments, const char *release, Policy *ret, Error *err)
{
	int r = policy_init(ret, err);

	if (r == 0 && release)
		r = policy_set(ret, "release", release, err);
	for (size_t i = 0; r == 0 && i < arguments->n_given; i++) {
		const VerbOption *option = arguments->given[i].option;
		char key[32];

		if (!is_policy(option->name))
			continue;
		key_of(option->name, key, sizeof(key));
		r = policy_set(ret, key, option->argument ? arguments->given[i].value : "true",
			       err);
	}
	return r;
}
