/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/hook.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

typedef struct Hook {
	Hooks *hooks;
	int64_t number;
	pid_t pid;
	sd_event_source *child, *timer;
	struct Hook *next, **link;
} Hook;

struct Hooks {
	sd_event *event;
	HookEnded *ended;
	void *data;
	Hook *list;
};

int hooks_new(sd_event *event, HookEnded *ended, void *data, Hooks **ret, Error *err)
{
	Hooks *hooks = calloc(1, sizeof(*hooks));

	if (!hooks)
		return error_errno(err, -ENOMEM, "Starting rollouts");
	*hooks = (Hooks){.event = sd_event_ref(event), .ended = ended, .data = data};
	*ret = hooks;
	return 0;
}

static void hook_kill(const Hook *hook)
{
	(void)kill(-hook->pid, SIGKILL);
}

static void hook_free(Hook *hook)
{
	(void)sd_event_source_disable_unref(hook->child);
	(void)sd_event_source_disable_unref(hook->timer);
	*hook->link = hook->next;
	if (hook->next)
		hook->next->link = hook->link;
	free(hook);
}

void hooks_free(Hooks *hooks)
{
	if (!hooks)
		return;
	while (hooks->list) {
		hook_kill(hooks->list);
		(void)waitpid(hooks->list->pid, NULL, 0);
		hook_free(hooks->list);
	}
	(void)sd_event_unref(hooks->event);
	free(hooks);
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *data)
{
	Hook *hook = data;
	Hooks *hooks = hook->hooks;
	int64_t number = hook->number;
	bool well = info->si_code == CLD_EXITED && info->si_status == 0;

	/* What it has left in its group goes too. */
	hook_kill(hook);
	hook_free(hook);
	hooks->ended(number, well, hooks->data);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *data)
{
	hook_kill(data);
	return 0;
}

static char *variable(const char *name, const char *value)
{
	return text_format("%s=%s", name, value ? value : "");
}

static bool is_url(const char *command)
{
	return text_has_prefix(command, "http://") || text_has_prefix(command, "https://");
}

static json_object *case_describe(const HookCase *c)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "hook", c->hook);
	json_put_string(o, "node", c->node);
	json_put_string(o, "address", c->address);
	json_put_string(o, "group", c->group);
	json_put_string(o, "release", c->release);
	(void)json_object_object_add(o, "event", c->event ? json_tokener_parse(c->event) : NULL);
	return o;
}

/* What it answers is of no interest, but whether it is well. */
static size_t on_data(const char *data, size_t size, size_t n, const void *to)
{
	(void)data;
	(void)to;
	return size * n;
}

/* The process is one that hook_kill() ends when its time is over. */
static _Noreturn void url_post(const HookCase *c)
{
	_cleanup_json_ json_object *body = case_describe(c);
	struct curl_slist *header = curl_slist_append(NULL, "Content-Type: application/json");
	CURL *curl = curl_easy_init();
	CURLcode result = CURLE_OUT_OF_MEMORY;

	if (curl && header) {
		(void)curl_easy_setopt(curl, CURLOPT_URL, c->command);
		(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header);
		(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
		(void)curl_easy_setopt(
			curl, CURLOPT_POSTFIELDS,
			json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
		result = curl_easy_perform(curl);
	}
	if (result != CURLE_OK)
		(void)fprintf(stderr, SD_WARNING "Web hook %s for node %s: %s\n", c->hook,
			      c->node ? c->node : "", curl_easy_strerror(result));
	_exit(result != CURLE_OK);
}

static _Noreturn void hook_become(const HookCase *c, pid_t hub)
{
	char *environment[] = {
		(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		variable("NODE", c->node),
		variable("ADDRESS", c->address),
		variable("GROUP", c->group),
		variable("RELEASE", c->release),
		variable("EVENT", c->event),
		NULL,
	};
	const char *const argv[] = {"/bin/sh", "-c", c->command, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* What it says goes to the hub's journal. */
	if (getppid() == hub && is_url(c->command))
		url_post(c);
	if (getppid() == hub && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
	    dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO)
		(void)execve(argv[0], (char *const *)(uintptr_t)argv, environment);
	_exit(127);
}

static int hook_watch(Hook *hook, int64_t limit_us, Error *err)
{
	sd_event *event = hook->hooks->event;
	int r = sd_event_add_child(event, &hook->child, hook->pid, WEXITED, on_end, hook);

	if (r >= 0)
		r = sd_event_add_time_relative(event, &hook->timer, CLOCK_MONOTONIC,
					       (uint64_t)limit_us, 0, on_late, hook);
	return r < 0 ? error_errno(err, r, "Watching a hook") : 0;
}

int hooks_run(Hooks *hooks, int64_t number, const HookCase *c, Error *err)
{
	Hook *hook = calloc(1, sizeof(*hook));
	pid_t hub = getpid();
	int r;

	if (!hook)
		return error_errno(err, -ENOMEM, "Running a hook");
	hook->hooks = hooks;
	hook->number = number;
	hook->pid = fork();
	if (hook->pid == 0)
		hook_become(c, hub);
	if (hook->pid < 0) {
		free(hook);
		return error_errno(err, -EAGAIN, "Running a hook");
	}
	(void)setpgid(hook->pid, hook->pid);
	hook->next = hooks->list;
	hook->link = &hooks->list;
	if (hooks->list)
		hooks->list->link = &hook->next;
	hooks->list = hook;
	r = hook_watch(hook, c->limit_us, err);
	if (r < 0) {
		hook_kill(hook);
		(void)waitpid(hook->pid, NULL, 0);
		hook_free(hook);
	}
	return r;
}

bool hooks_has(const Hooks *hooks, int64_t number)
{
	for (const Hook *hook = hooks->list; hook; hook = hook->next)
		if (hook->number == number)
			return true;
	return false;
}

int hooks_check(json_object *hooks, Error *err)
{
	static const char *const names[] = {"gate_before", "gate_after", "drain", "undrain",
					    "event"};

	if (!hooks)
		return 0;
	json_object_object_foreach(hooks, key, value)
	{
		bool known = false;

		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			known |= !strcmp(names[i], key);
		if (!known)
			return error_set(err, -EINVAL, "\"hooks\": \"%.64s\" is not known", key);
		if (!json_object_is_type(value, json_type_string) ||
		    json_object_get_string_len(value) > HOOK_COMMAND_MAX ||
		    !*json_object_get_string(value))
			return error_set(
				err, -EINVAL,
				"\"hooks\": \"%.64s\" must be a command, or a URL, of at most %d "
				"bytes",
				key, HOOK_COMMAND_MAX);
	}
	if (!json_opt_string(hooks, "drain", NULL) != !json_opt_string(hooks, "undrain", NULL))
		return error_set(err, -EINVAL,
				 "\"hooks\": \"drain\" and \"undrain\" go together: what is taken "
				 "out of service must come back");
	return 0;
}
