/* SPDX-License-Identifier: Apache-2.0 */
/* segue watch: a directory in which others put releases, or kernels. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/install.h"
#include "cli/verb.h"
#include "link/in_use.h"
#include "link/paths.h"
#include "relay/clean.h"
#include "release/chain.h"
#include "release/install.h"
#include "release/pull.h"
#include "swap/kernel.h"
#include "swap/paths.h"

#define PERIOD_S 30
#define KEEP_MAX 16
#define IMAGE    "vmlinuz-"

typedef struct Watch {
	const char *directory;
	Config config;
	char handled[DOCUMENT_NAME_MAX +
		     1]; /* release or kernel that nothing more is to be done for */
	char told[sizeof(((Error *)NULL)->text)];
} Watch;

static void watch_release(Watch *watch)
{
	config_release(&watch->config);
}

/* Once, not each time that it is looked. */
static void tell(Watch *watch, const char *level, const char *text)
{
	if (!strcmp(watch->told, text))
		return;
	(void)snprintf(watch->told, sizeof(watch->told), "%s", text);
	(void)fprintf(stderr, "%s%s\n", level, text);
}

static void handled(Watch *watch, const char *what)
{
	(void)snprintf(watch->handled, sizeof(watch->handled), "%s", what);
}

/* ---- swaps ---- */

/* A swap that was refused, or came back, is not tried again and again. */
static int was_tried(const char *kernel, Error *err)
{
	_cleanup_json_ json_object *log = NULL;
	int r = client_call("GET", "/v1/log", NULL, &log, err);

	for (size_t i = 0; r == 0 && i < json_length(log); i++)
		if (!strcmp(json_opt_string(json_object_array_get_idx(log, i), "to", ""), kernel))
			return 1;
	return r;
}

/* Unless it runs, or was tried. */
static int swap_begin(Watch *watch, const char *kernel, Error *err)
{
	_cleanup_json_ json_object *request = json_object_new_object();
	_cleanup_free_ char *text = text_format("Moving onto kernel %s", kernel);
	struct utsname running = {0};
	int r = uname(&running) == 0 && !strcmp(running.release, kernel);

	if (r == 0)
		r = was_tried(kernel, err);
	if (r != 0)
		return r < 0 ? r : 0;
	json_put_string(request, "kernel", kernel);
	r = client_call("POST", "/v1/swap", request, NULL, err);
	if (r == 0 && text)
		tell(watch, SD_NOTICE, text);
	return r;
}

/* ---- releases ---- */

static int choose(const Watch *watch, const Depot *from, Release **ret, Error *err)
{
	_cleanup_close_ int state = open(SEGUE_STATE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_trust_ Trust *trust = NULL;
	Seen seen;
	int r;

	if (state < 0)
		return error_errno(err, -errno, "Opening " SEGUE_STATE_DIR);
	if ((r = chain_trusted(LINK_TRUST_TOP, &trust, err)) < 0 ||
	    (r = seen_read(state, &seen, err)) < 0)
		return r;
	return pull_choose(&(PullCase){.from = from,
				       .channel = watch->config.follow,
				       .trust = trust,
				       .seen = &seen,
				       .now_s = clock_realtime_us() / 1000000},
			   ret, err);
}

static int room_make(const Watch *watch, Depot *depot, const Manifest *coming, Error *err)
{
	_cleanup_json_ json_object *used = releases_in_use(SEGUE_STATE_DIR, SEGUE_SOCKET);
	const char *keep[KEEP_MAX];
	size_t n = 0;

	for (; n < KEEP_MAX && n < json_length(used); n++)
		keep[n] = json_object_get_string(json_object_array_get_idx(used, n));
	return clean_depot(
		depot, coming,
		&(CleanPlan){.quota = watch->config.quota_bytes, .keep = keep, .n_keep = n}, err);
}

static int fetch(const Watch *watch, const Release *release, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	int r;

	if ((r = depot_open(SEGUE_STATE_DIR "/" INSTALL_DEPOT, true, &depot, err)) < 0 ||
	    (r = depot_lock(depot, err)) < 0 ||
	    (r = room_make(watch, depot, release->manifest, err)) < 0)
		return r;
	return pull_release(release, depot, NULL, err);
}

static int release_use(Watch *watch, const Release *release, Error *err)
{
	_cleanup_json_ json_object *installed = NULL;
	const char *name = release->manifest->name;
	_cleanup_free_ char *text = text_format("Release %s has come", name);
	int r = fetch(watch, release, err);

	if (r == 0 && text)
		tell(watch, SD_NOTICE, text);
	if (r == 0 && watch->config.on_release != CONFIG_ON_RELEASE_FETCH)
		r = install_release(name, &installed, err);
	if (r == 0 && watch->config.on_release == CONFIG_ON_RELEASE_SWAP)
		r = swap_begin(watch, json_opt_string(installed, "kernel", ""), err);
	if (r == 0)
		handled(watch, name);
	return r;
}

static int releases_look(Watch *watch, Error *err)
{
	_cleanup_release_ Release *release = NULL;
	_cleanup_depot_ Depot *from = NULL;
	int r;

	if ((r = depot_open(watch->directory, false, &from, err)) < 0 ||
	    (r = choose(watch, from, &release, err)) <= 0 ||
	    !strcmp(release->manifest->name, watch->handled))
		return r < 0 ? r : 0;
	return release_use(watch, release, err);
}

/* ---- kernels ---- */

/* The newest of those that are here with all they need; "": none. */
static int newest_find(const char *directory, char ret[DOCUMENT_NAME_MAX + 1], Error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	struct dirent *entry;

	ret[0] = '\0';
	if (!dir)
		return error_errno(err, -errno, "Opening %s", directory);
	while ((entry = readdir(dir))) {
		const char *version = entry->d_name + sizeof(IMAGE) - 1;
		Kernel kernel;

		if (!text_has_prefix(entry->d_name, IMAGE) || strlen(version) > DOCUMENT_NAME_MAX ||
		    (*ret && kernel_version_compare(version, ret) <= 0) ||
		    kernel_find(NULL, version, &kernel, NULL) < 0)
			continue;
		kernel_free(&kernel);
		(void)snprintf(ret, DOCUMENT_NAME_MAX + 1, "%s", version);
	}
	return 0;
}

static int kernels_look(Watch *watch, Error *err)
{
	char newest[DOCUMENT_NAME_MAX + 1];
	_cleanup_free_ char *text = NULL;
	struct utsname running = {0};
	int r = newest_find(watch->directory, newest, err);

	(void)uname(&running);
	if (r < 0 || !*newest || kernel_version_compare(newest, running.release) <= 0 ||
	    !strcmp(newest, watch->handled))
		return r;
	if (watch->config.on_new_kernel == CONFIG_NEW_KERNEL_SWAP) {
		r = swap_begin(watch, newest, err);
	} else {
		text = text_format("\"segue swap --kernel %s\" moves this machine onto it, with "
				   "its kept programs running",
				   newest);
		tell(watch, SD_NOTICE, text ? text : newest);
	}
	if (r == 0)
		handled(watch, newest);
	return r;
}

/* ---- looking ---- */

static int look(Watch *watch, Error *err)
{
	_cleanup_free_ char *releases = text_format("%s/" DEPOT_RELEASES, watch->directory);

	if (!releases)
		return error_errno(err, -ENOMEM, "Looking at %s", watch->directory);
	return path_exists(AT_FDCWD, releases) ? releases_look(watch, err)
					       : kernels_look(watch, err);
}

/* Until it is killed. */
static _Noreturn void look_on(Watch *watch)
{
	(void)sd_notify(0, "READY=1");
	for (;;) {
		Error err = {0};

		if (look(watch, &err) < 0)
			tell(watch, SD_WARNING, err.text);
		(void)nanosleep(&(struct timespec){.tv_sec = PERIOD_S}, NULL);
	}
}

static int run(const VerbArguments *arguments)
{
	_cleanup_(watch_release) Watch watch = {0};
	Error err = {0};

	if (config_read(CONFIG_PATH, &watch.config, &err) < 0)
		return verb_fail(&err);
	watch.directory =
		arguments->n_positional > 0 ? arguments->positional[0] : watch.config.watch;
	if (!watch.directory)
		return verb_usage("watch", "watch: give DIRECTORY, or Watch= in segue.conf");
	if (geteuid() != 0)
		return verb_fail(&(Error){-EPERM, "Only root may watch; use sudo"});
	if (!verb_option(arguments, "once"))
		look_on(&watch);
	return look(&watch, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
}

const Verb verb_watch = {
	.name = "watch",
	.arguments = "[DIRECTORY]",
	.summary = "Take releases, or move onto kernels, that come into a directory",
	.options = (const VerbOption[]){{"once", NULL, "look once, and end"}, {0}},
	.arguments_min = 0,
	.arguments_max = 1,
	.run = run,
};
