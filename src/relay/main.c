/* SPDX-License-Identifier: Apache-2.0 */
/* segue-relay: see its --help, and command.h for what it is told and tells. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/file.h"
#include "relay/command.h"

#define PORT_DEFAULT     7420
#define CHILDREN_DEFAULT 8
#define PROGRESS_US      250000

#define _cleanup_event_ _cleanup_(sd_event_unrefp)

static const char usage[] =
	"Usage: segue-relay --depot DIR --ca FILE --cert FILE --key FILE [OPTION...]\n"
	"Serves releases to other nodes, and fetches those that standard input asks for.\n"
	"\n"
	"  --depot DIR         where the releases are\n"
	"  --ca FILE           certificate of who signed everybody's\n"
	"  --cert FILE         certificate of this node\n"
	"  --key FILE          its key\n"
	"  --revoked FILE      serial numbers of certificates that count no more\n"
	"  --listen ADDRESS    where to serve (default 0.0.0.0)\n"
	"  --port N            default 7420; 0: any\n"
	"  --rate-in N         bytes a second that are received at most; 4096 or more\n"
	"  --rate-out N        bytes a second that are sent at most\n"
	"  --link-rate N       of one connection, each way\n"
	"  --quota N           bytes of all releases at most; older ones go first\n"
	"  --max-children N    nodes that are served at once (default 8)\n"
	"  --stay              go on when standard input ends\n"
	"  --help, --version\n";

typedef struct Program {
	sd_event *event;
	Relay *relay;
	bool stay;
	int64_t told_us; /* when progress was told last */
	char line[COMMAND_MAX];
	size_t n_line;
} Program;

static void print(json_object *o)
{
	_cleanup_json_ json_object *owned = o;

	(void)printf("%s\n", json_object_to_json_string_ext(owned, JSON_C_TO_STRING_PLAIN));
	(void)fflush(stdout);
}

static void on_report(const RelayReport *report, void *data)
{
	Program *program = data;
	int64_t now = clock_monotonic_us();

	if (report->news == RELAY_PROGRESS && report->chunks_there < report->chunks) {
		if (now - program->told_us < PROGRESS_US)
			return;
		program->told_us = now;
	}
	print(report_compose(report));
}

static void command_run(Program *program, const char *line, size_t size)
{
	_cleanup_command_ Command command = {0};
	Error err = {0};
	int r = command_parse(line, size, &command, &err);

	if (r == 0)
		r = command.kind == COMMAND_FETCH
			    ? relay_fetch(program->relay, &command.order, &err)
			    : relay_cancel(program->relay, command.order.release, &err);
	if (r < 0)
		print(report_failed(&err));
}

static void lines_run(Program *program)
{
	char *end;

	while ((end = memchr(program->line, '\n', program->n_line))) {
		size_t size = (size_t)(end - program->line);

		command_run(program, program->line, size);
		program->n_line -= size + 1;
		memmove(program->line, end + 1, program->n_line);
	}
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	Program *program = userdata;
	ssize_t n =
		read(fd, program->line + program->n_line, sizeof(program->line) - program->n_line);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return program->stay ? sd_event_source_set_enabled(source, SD_EVENT_OFF)
				     : sd_event_exit(program->event, 0);
	program->n_line += (size_t)n;
	lines_run(program);
	if (program->n_line == sizeof(program->line)) {
		(void)fprintf(stderr, SD_ERR "A command has at most %d bytes\n", COMMAND_MAX);
		return sd_event_exit(program->event, 1);
	}
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	Program *program = userdata;

	return sd_event_exit(program->event, 0);
}

/* ---- options ---- */

enum {
	OPT_DEPOT = 256,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_REVOKED,
	OPT_LISTEN,
	OPT_PORT,
	OPT_RATE_IN,
	OPT_RATE_OUT,
	OPT_LINK_RATE,
	OPT_QUOTA,
	OPT_CHILDREN,
	OPT_STAY,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{"depot", required_argument, NULL, OPT_DEPOT},
	{"ca", required_argument, NULL, OPT_CA},
	{"cert", required_argument, NULL, OPT_CERT},
	{"key", required_argument, NULL, OPT_KEY},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"port", required_argument, NULL, OPT_PORT},
	{"revoked", required_argument, NULL, OPT_REVOKED},
	{"rate-in", required_argument, NULL, OPT_RATE_IN},
	{"rate-out", required_argument, NULL, OPT_RATE_OUT},
	{"link-rate", required_argument, NULL, OPT_LINK_RATE},
	{"quota", required_argument, NULL, OPT_QUOTA},
	{"max-children", required_argument, NULL, OPT_CHILDREN},
	{"stay", no_argument, NULL, OPT_STAY},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int number_parse(const char *text, int64_t max, int64_t *ret, Error *err)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end || value < 0 || value > max)
		return error_set(err, -EINVAL, "\"%s\" is not a number from 0 to %lld", text,
				 (long long)max);
	*ret = value;
	return 0;
}

static int option_take_number(int option, const char *text, RelaySetup *setup, Error *err)
{
	const int64_t most = (int64_t)1 << 50;
	int64_t value = 0;
	int r;

	switch (option) {
	case OPT_RATE_IN:
		return number_parse(text, most, &setup->rate_in, err);
	case OPT_RATE_OUT:
		return number_parse(text, most, &setup->rate_out, err);
	case OPT_LINK_RATE:
		return number_parse(text, most, &setup->link_rate, err);
	case OPT_QUOTA:
		return number_parse(text, most, &setup->quota, err);
	case OPT_PORT:
		r = number_parse(text, UINT16_MAX, &value, err);
		setup->port = (int)value;
		return r;
	default:
		r = number_parse(text, 4096, &value, err);
		setup->max_children = (int)value;
		return r;
	}
}

static int option_take(int option, const char *text, RelaySetup *setup, bool *stay, Error *err)
{
	switch (option) {
	case OPT_DEPOT:
		setup->depot = text;
		return 0;
	case OPT_CA:
		setup->files.ca = text;
		return 0;
	case OPT_CERT:
		setup->files.certificate = text;
		return 0;
	case OPT_KEY:
		setup->files.key = text;
		return 0;
	case OPT_REVOKED:
		setup->files.revoked = text;
		return 0;
	case OPT_LISTEN:
		setup->address = text;
		return 0;
	case OPT_STAY:
		*stay = true;
		return 0;
	default:
		return option_take_number(option, text, setup, err);
	}
}

/* 1: it was all that was asked for. */
static int options_parse(int argc, char **argv, RelaySetup *setup, bool *stay, Error *err)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		int r = 0;

		if (option == '?')
			return error_set(err, -EINVAL, "See segue-relay --help");
		if (option == OPT_HELP)
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		if (option == OPT_VERSION)
			return puts("segue-relay " SEGUE_VERSION) < 0 ? -EIO : 1;
		r = option_take(option, optarg, setup, stay, err);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return error_set(err, -EINVAL, "\"%s\" is too much; see segue-relay --help",
				 argv[optind]);
	if (!setup->depot || !setup->files.ca || !setup->files.certificate || !setup->files.key)
		return error_set(err, -EINVAL,
				 "--depot, --ca, --cert and --key are needed; see segue-relay "
				 "--help");
	return 0;
}

/* ---- */

static int run(Program *program, RelaySetup *setup, Error *err)
{
	_cleanup_event_ sd_event *event = NULL;
	_cleanup_relay_ Relay *relay = NULL;
	sigset_t mask;
	int r;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	if ((r = sd_event_new(&event)) < 0 ||
	    (r = sd_event_add_signal(event, NULL, SIGTERM, on_end, program)) < 0 ||
	    (r = sd_event_add_signal(event, NULL, SIGINT, on_end, program)) < 0)
		return error_errno(err, r, "Starting the event loop");
	setup->event = program->event = event;
	setup->tell = on_report;
	setup->data = program;
	r = relay_new(setup, &relay, err);
	if (r < 0)
		return r;
	program->relay = relay;
	r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, program);
	/* A file, or /dev/null, is never waited for. */
	if (r < 0 && !(r == -EPERM && program->stay))
		return error_errno(err, r, "Reading standard input");
	(void)printf("{\"tell\":\"serving\",\"port\":%d}\n", relay_port(relay));
	(void)fflush(stdout);
	(void)sd_notify(0, "READY=1");
	r = sd_event_loop(event);
	return r < 0 ? error_errno(err, r, "Waiting for events") : r;
}

int main(int argc, char **argv)
{
	RelaySetup setup = {
		.address = "0.0.0.0",
		.port = PORT_DEFAULT,
		.max_children = CHILDREN_DEFAULT,
	};
	static Program program;
	Error err = {0};
	int r = options_parse(argc, argv, &setup, &program.stay, &err);

	if (r == 1)
		return 0;
	if (r == 0)
		r = run(&program, &setup, &err);
	if (r < 0)
		(void)fprintf(stderr, "segue-relay: %s\n", err.text);
	return r == 0 ? 0 : 1;
}
