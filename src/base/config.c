/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/ini.h"

#define HEALTH_TIMEOUT_MAX_S 3600
#define SIZE_MAX_M           (1 << 24)
#define QUOTA_DEFAULT        ((int64_t)2 << 30)

static const char *const store_names[] = {
	[CONFIG_STORE_AUTO] = "auto",
	[CONFIG_STORE_DISK] = "disk",
	[CONFIG_STORE_RAM] = "ram",
	NULL,
};

static const char *const new_kernel_names[] = {
	[CONFIG_NEW_KERNEL_SAY] = "say",
	[CONFIG_NEW_KERNEL_SWAP] = "swap",
	NULL,
};

static const char *const on_release_names[] = {
	[CONFIG_ON_RELEASE_FETCH] = "fetch",
	[CONFIG_ON_RELEASE_INSTALL] = "install",
	[CONFIG_ON_RELEASE_SWAP] = "swap",
	NULL,
};

static const char *const truth_names[] = {"no", "yes", NULL};

static const char *const verb_names[] = {
	[CONFIG_VERB_STATUS] = "status",
	[CONFIG_VERB_LIST] = "list",
	[CONFIG_VERB_LOG] = "log",
	[CONFIG_VERB_METRICS] = "metrics",
	[CONFIG_VERB_KEEP] = "keep",
	[CONFIG_VERB_UNKEEP] = "unkeep",
	[CONFIG_VERB_CHECK] = "check",
	[CONFIG_VERB_SWAP] = "swap",
	[CONFIG_VERB_RETURN] = "return",
	[CONFIG_VERB_RUN] = "run",
	NULL,
};

const char *config_verb_name(ConfigVerb verb)
{
	return verb_names[verb];
}

const char *config_store_name(ConfigStore store)
{
	return store_names[store];
}

const char *config_new_kernel_name(ConfigNewKernel what)
{
	return new_kernel_names[what];
}

/* The index of the name that `value` is. */
static int choice_parse(const char *value, const char *const names[], unsigned *ret, Error *err)
{
	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(names[i], value)) {
			*ret = i;
			return 0;
		}
	}
	(void)error_set(err, -EINVAL, "\"%s\" is not known; write one of: %s", value, names[0]);
	for (unsigned i = 1; names[i]; i++)
		(void)snprintf(err->text + strlen(err->text), sizeof(err->text) - strlen(err->text),
			       ", %s", names[i]);
	return -EINVAL;
}

static int text_replace(char **text, const char *value, Error *err)
{
	char *copy = strdup(value);

	if (!copy)
		return error_errno(err, -ENOMEM, "\"%s\"", value);
	free(*text);
	*text = copy;
	return 0;
}

static int parse_store(const char *value, Config *config, Error *err)
{
	unsigned choice;
	int r = choice_parse(value, store_names, &choice, err);

	if (r < 0)
		return r;
	config->store = (ConfigStore)choice;
	return 0;
}

static int parse_on_new_kernel(const char *value, Config *config, Error *err)
{
	unsigned choice;
	int r = choice_parse(value, new_kernel_names, &choice, err);

	if (r < 0)
		return r;
	config->on_new_kernel = (ConfigNewKernel)choice;
	return 0;
}

static int parse_store_path(const char *value, Config *config, Error *err)
{
	if (*value != '/')
		return error_set(err, -EINVAL, "\"%s\" is not an absolute path", value);
	return text_replace(&config->store_path, value, err);
}

static void allow_clear(Config *config)
{
	for (size_t i = 0; i < config->n_allow; i++)
		free(config->allow[i].group);
	free(config->allow);
	config->allow = NULL;
	config->n_allow = 0;
}

static int allow_add(Config *config, const char *group, unsigned verbs, Error *err)
{
	ConfigAllow *more =
		reallocarray(config->allow, config->n_allow + 1, sizeof(*config->allow));
	char *copy = strdup(group);

	if (more)
		config->allow = more;
	if (!more || !copy) {
		free(copy);
		return error_errno(err, -ENOMEM, "\"%s\"", group);
	}
	more[config->n_allow++] = (ConfigAllow){copy, verbs};
	return 0;
}

static int parse_group(const char *value, Config *config, Error *err)
{
	if (*value)
		return text_replace(&config->group, value, err);
	free(config->group);
	config->group = NULL;
	return 0;
}

/* "check,swap". */
static int verbs_parse(char *list, unsigned *ret, Error *err)
{
	char *word;

	*ret = 0;
	while ((word = strsep(&list, ","))) {
		unsigned verb;
		int r = choice_parse(word, verb_names, &verb, err);

		if (r < 0)
			return r;
		*ret |= 1U << verb;
	}
	if (*ret & ~CONFIG_VERBS_OPEN)
		return error_set(err, -EINVAL,
				 "run starts any command as anybody, which only root may; let sudo "
				 "decide who may be root for it");
	return 0;
}

static int parse_allow(const char *value, Config *config, Error *err)
{
	_cleanup_free_ char *copy = strdup(value);
	char *colon = copy ? strchr(copy, ':') : NULL;
	unsigned verbs;
	int r;

	if (!copy)
		return error_errno(err, -ENOMEM, "\"%s\"", value);
	if (!*value) {
		allow_clear(config);
		return 0;
	}
	if (!colon || !colon[1])
		return error_set(err, -EINVAL,
				 "\"%s\" is not VERBS:GROUP, as in check,swap:operators", value);
	*colon = '\0';
	r = verbs_parse(copy, &verbs, err);
	return r < 0 ? r : allow_add(config, colon + 1, verbs, err);
}

static int parse_health_timeout(const char *value, Config *config, Error *err)
{
	unsigned long seconds;
	char *end;

	errno = 0;
	seconds = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || seconds < 1 ||
	    seconds > HEALTH_TIMEOUT_MAX_S)
		return error_set(err, -EINVAL, "\"%s\" is not a number of seconds from 1 to %d",
				 value, HEALTH_TIMEOUT_MAX_S);
	config->health_timeout_s = (unsigned)seconds;
	return 0;
}

static int parse_kexec_append(const char *value, Config *config, Error *err)
{
	return text_replace(&config->kexec_append, value, err);
}

static int parse_truth(const char *value, bool *ret, Error *err)
{
	unsigned choice;
	int r = choice_parse(value, truth_names, &choice, err);

	if (r == 0)
		*ret = choice == 1;
	return r;
}

static int parse_warm(const char *value, Config *config, Error *err)
{
	return parse_truth(value, &config->warm, err);
}

static int parse_lazy(const char *value, Config *config, Error *err)
{
	return parse_truth(value, &config->lazy, err);
}

/* "512M" or "4G". */
static bool size_parse(const char *value, int64_t *ret)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (*value < '1' || *value > '9' || errno || number > SIZE_MAX_M ||
	    (strcmp(end, "M") != 0 && strcmp(end, "G") != 0))
		return false;
	*ret = (int64_t)(number << (*end == 'M' ? 20 : 30));
	return true;
}

/* "no", "auto", or a size. */
static int parse_reserve_ram(const char *value, Config *config, Error *err)
{
	if (strcmp(value, "no") == 0 || strcmp(value, "auto") == 0) {
		config->reserve_bytes = *value == 'n' ? 0 : CONFIG_RESERVE_AUTO;
		return 0;
	}
	if (!size_parse(value, &config->reserve_bytes))
		return error_set(err, -EINVAL, "\"%s\" is not no, auto, or a size as 512M or 4G",
				 value);
	return 0;
}

static int parse_lend_ram(const char *value, Config *config, Error *err)
{
	return parse_truth(value, &config->lend_ram, err);
}

static int parse_compress_ram(const char *value, Config *config, Error *err)
{
	return parse_truth(value, &config->compress_ram, err);
}

static int parse_follow(const char *value, Config *config, Error *err)
{
	if (*value)
		return text_replace(&config->follow, value, err);
	free(config->follow);
	config->follow = NULL;
	return 0;
}

static int parse_watch(const char *value, Config *config, Error *err)
{
	if (*value && *value != '/')
		return error_set(err, -EINVAL, "\"%s\" is not an absolute path", value);
	if (*value)
		return text_replace(&config->watch, value, err);
	free(config->watch);
	config->watch = NULL;
	return 0;
}

static int parse_on_release(const char *value, Config *config, Error *err)
{
	unsigned choice;
	int r = choice_parse(value, on_release_names, &choice, err);

	if (r == 0)
		config->on_release = (ConfigOnRelease)choice;
	return r;
}

/* "no", which is as good as endless, or a size. */
static int limit_parse(const char *value, int64_t *ret, Error *err)
{
	if (strcmp(value, "no") == 0)
		*ret = 0;
	else if (!size_parse(value, ret))
		return error_set(err, -EINVAL, "\"%s\" is not no, or a size as 512M or 4G", value);
	return 0;
}

static int parse_quota(const char *value, Config *config, Error *err)
{
	return limit_parse(value, &config->quota_bytes, err);
}

static int parse_rate_in(const char *value, Config *config, Error *err)
{
	return limit_parse(value, &config->rate_in, err);
}

static int parse_rate_out(const char *value, Config *config, Error *err)
{
	return limit_parse(value, &config->rate_out, err);
}

static const struct {
	const char *key;
	int (*parse)(const char *value, Config *config, Error *err);
} keys[] = {
	{"Store", parse_store},
	{"StorePath", parse_store_path},
	{"Group", parse_group},
	{"Allow", parse_allow},
	{"OnNewKernel", parse_on_new_kernel},
	{"HealthTimeoutSec", parse_health_timeout},
	{"KexecAppend", parse_kexec_append},
	{"Warm", parse_warm},
	{"Lazy", parse_lazy},
	{"ReserveRam", parse_reserve_ram},
	{"LendRam", parse_lend_ram},
	{"CompressRam", parse_compress_ram},
	{"Follow", parse_follow},
	{"OnRelease", parse_on_release},
	{"Watch", parse_watch},
	{"Quota", parse_quota},
	{"RateIn", parse_rate_in},
	{"RateOut", parse_rate_out},
};

static int config_assign(const char *section, const char *key, const char *value, void *data,
			 Error *err)
{
	if (*section && strcmp(section, "segue") != 0)
		return error_set(err, -EINVAL,
				 "%s= is in section [%s]; the only one here is [segue]", key,
				 section);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		int r;

		if (strcmp(keys[i].key, key) != 0)
			continue;
		r = keys[i].parse(value, data, err);
		return r < 0 ? error_prefix(err, "%s=", key) : 0;
	}
	return error_set(err, -EINVAL, "%s= is not known; see segue.conf(5)", key);
}

int config_parse(const char *text, size_t size, const char *name, Config *ret, Error *err)
{
	_cleanup_config_ Config config = {
		.store_path = strdup("/var/lib/segue/capture"),
		.health_timeout_s = 30,
		.kexec_append = strdup(""),
		.warm = true,
		.lazy = true,
		.lend_ram = true,
		.compress_ram = true,
		.quota_bytes = QUOTA_DEFAULT,
	};
	int r;

	if (!config.store_path || !config.kexec_append)
		return error_errno(err, -ENOMEM, "Reading %s", name);
	r = ini_parse(text, size, name, INI_STRICT, config_assign, &config, err);
	if (r < 0)
		return r;
	*ret = config;
	config = (Config){0};
	return 0;
}

int config_read(const char *path, Config *ret, Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	Error inner = {0};
	int r = file_read(AT_FDCWD, path, &text, &size, &inner);

	if (r < 0 && r != -ENOENT)
		return error_set(err, r, "%s", inner.text);
	return config_parse(text ? text : "", size, path, ret, err);
}

void config_release(Config *config)
{
	free(config->store_path);
	free(config->group);
	allow_clear(config);
	free(config->kexec_append);
	free(config->follow);
	free(config->watch);
	*config = (Config){0};
}
