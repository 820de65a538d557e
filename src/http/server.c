/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "http/reply.h"

#define HTTP_BACKLOG  64
#define HTTP_AGAIN_US 200

/* TLS 1.2 is for what measures and backs up with the libraries of its day. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct Http {
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer, *resumed;
	HttpService service;
	unsigned connections;
	char refusal[256];
	struct Connection *suspended; /* list */
};

typedef struct Connection {
	HttpCall call; /* first: a call is its connection */
	Http *http;
	struct MHD_Connection *mhd;
	struct MHD_Response *response;
	unsigned status;
	bool handed, answered, suspended, too_large;
	size_t received;
	int sink_error;
	char *body; /* owned */
	struct Connection *next, **link;
} Connection;

static void connection_suspend(Connection *connection)
{
	Http *http = connection->http;

	connection->suspended = true;
	connection->next = http->suspended;
	connection->link = &http->suspended;
	if (http->suspended)
		http->suspended->link = &connection->next;
	http->suspended = connection;
	MHD_suspend_connection(connection->mhd);
}

static void connection_resume(Connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	connection->suspended = false;
	MHD_resume_connection(connection->mhd);
}

/* Lets the server do what is due, and asks when it wants to be called though nothing happens. */
static void http_run(Http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	(void)MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
		/* Never at once: with a request that it cannot finish it would ask for that until
		 * the client's time is over. */
		(void)sd_event_source_set_time_relative(http->timer,
							wait_ms ? wait_ms * 1000 : HTTP_AGAIN_US);
		(void)sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT);
	} else {
		(void)sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	http_run(data);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	http_run(data);
	return 0;
}

static int on_resumed(sd_event_source *source, void *data)
{
	http_run(data);
	return 0;
}

static void connection_answer(Connection *connection, unsigned status, const char *type,
			      struct MHD_Response *response)
{
	connection->answered = true;
	connection->status = status;
	connection->response = response;
	if (response)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (connection->suspended) {
		connection_resume(connection);
		(void)sd_event_source_set_enabled(connection->http->resumed, SD_EVENT_ONESHOT);
	}
}

void http_answer(HttpCall *call, unsigned status, const char *type, const char *text)
{
	connection_answer((Connection *)call, status, type,
			  MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
							  MHD_RESPMEM_MUST_COPY));
}

void http_answer_file(HttpCall *call, const char *type, int fd, uint64_t offset, uint64_t size)
{
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(size, fd, offset);

	if (!response)
		(void)close(fd);
	connection_answer((Connection *)call, MHD_HTTP_OK, type, response);
}

const char *http_argument(const HttpCall *call, const char *name)
{
	return MHD_lookup_connection_value(((const Connection *)call)->mhd, MHD_GET_ARGUMENT_KIND,
					   name);
}

const char *http_header(const HttpCall *call, const char *name)
{
	return MHD_lookup_connection_value(((const Connection *)call)->mhd, MHD_HEADER_KIND, name);
}

static enum MHD_Result connection_take(Connection *connection, const char *data, size_t size)
{
	HttpCall *call = &connection->call;
	char *more;

	if (connection->too_large || connection->sink_error < 0)
		return MHD_YES;
	connection->received += size;
	if (connection->received > call->body_max) {
		connection->too_large = true;
		return MHD_YES;
	}
	if (call->sink >= 0) {
		connection->sink_error = file_write_all(call->sink, data, size, NULL);
		return MHD_YES;
	}
	more = realloc(connection->body, call->body_size + size + 1);
	if (!more)
		return MHD_NO;
	memcpy(more + call->body_size, data, size);
	call->body_size += size;
	more[call->body_size] = '\0';
	connection->body = more;
	return MHD_YES;
}

static void connection_hand(Connection *connection)
{
	HttpCall *call = &connection->call;
	_cleanup_free_ char *text = NULL;
	Error err = {0};

	connection->handed = true;
	call->body = connection->body ? connection->body : "";
	if (connection->too_large) {
		text = text_format("The request's body is larger than %zu bytes", call->body_max);
		reply_fail(call, MHD_HTTP_CONTENT_TOO_LARGE, "too-large", text ? text : "");
	} else if (connection->sink_error < 0) {
		(void)error_errno(&err, connection->sink_error, "Storing the request's body");
		reply_error(call, &err);
	} else {
		connection->http->service.handle(call, connection->http->service.data);
	}
}

static Connection *connection_new(Http *http, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	void **peer = info ? info->socket_context : NULL;
	Connection *connection = peer ? calloc(1, sizeof(*connection)) : NULL;

	if (!connection)
		return NULL;
	connection->call.peer = peer;
	connection->http = http;
	connection->mhd = mhd;
	connection->call.body = "";
	connection->call.body_max = HTTP_BODY_MAX;
	connection->call.sink = -1;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection->call.socket = info ? info->connect_fd : -1;
	info = http->service.tls ? MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)
				 : NULL;
	connection->call.tls = info ? (gnutls_session_t)info->tls_session : NULL;
	return connection;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **memory)
{
	Connection *connection = *memory;
	Http *http = data;

	if (!connection) {
		connection = connection_new(http, mhd);
		if (!connection)
			return MHD_NO;
		*memory = connection;
		/* Both texts live as long as the connection's request. */
		connection->call.method = method;
		connection->call.path = url;
		if (http->service.begin)
			http->service.begin(&connection->call, http->service.data);
		return connection->response
			       ? MHD_queue_response(mhd, connection->status, connection->response)
			       : MHD_YES;
	}
	if (*upload_size > 0) {
		enum MHD_Result result = connection_take(connection, upload, *upload_size);

		*upload_size = 0;
		return result;
	}
	if (!connection->handed)
		connection_hand(connection);
	if (!connection->answered) {
		connection_suspend(connection);
		return MHD_YES;
	}
	if (!connection->response)
		return MHD_NO;
	return MHD_queue_response(mhd, connection->status, connection->response);
}

static void on_completed(void *data, struct MHD_Connection *mhd, void **memory,
			 enum MHD_RequestTerminationCode code)
{
	Connection *connection = *memory;

	if (!connection)
		return;
	if (connection->response)
		MHD_destroy_response(connection->response);
	cleanup_close(&connection->call.sink);
	free(connection->body);
	free(connection);
	*memory = NULL;
}

/* A NUL byte would end the path early, and make another one of it. */
static size_t on_unescape(void *data, struct MHD_Connection *mhd, char *text)
{
	size_t n = MHD_http_unescape(text);

	for (char *p = text; (p = memchr(p, '\0', n - (size_t)(p - text)));)
		*p = '\1';
	return n;
}

/* libmicrohttpd tells only here where it has its pointer; that leads to one of ours, in which the
 * service keeps what it remembers. */
static void on_connection(void *data, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	Http *http = data;
	void **peer;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		http->connections++;
		*context = calloc(1, sizeof(void *));
		return;
	}
	http->connections--;
	peer = *context;
	if (peer && *peer && http->service.peer_free)
		http->service.peer_free(*peer);
	free(peer);
	*context = NULL;
}

static int http_attach(Http *http, sd_event *event, Error *err)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info || info->epoll_fd < 0)
		return error_set(err, -EIO, "Starting the HTTP server: it has no epoll descriptor");
	if ((r = sd_event_add_io(event, &http->io, info->epoll_fd, EPOLLIN, on_io, http)) < 0 ||
	    /* To the microsecond: by default sd-event lets a timer wait for others, for 250 ms. */
	    (r = sd_event_add_time_relative(event, &http->timer, CLOCK_MONOTONIC, 0, 1, on_timer,
					    http)) < 0 ||
	    (r = sd_event_add_defer(event, &http->resumed, on_resumed, http)) < 0)
		return error_errno(err, r, "Starting the HTTP server");
	return 0;
}

static void on_library_error(void *data, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Why libmicrohttpd refuses to start is told nowhere else; what it says later is about clients. */
static void on_library_error(void *data, const char *fmt, va_list ap)
{
	Http *http = data;

	if (!http->daemon)
		(void)vsnprintf(http->refusal, sizeof(http->refusal), fmt, ap);
}

static struct MHD_Daemon *daemon_start(Http *http, int listen_fd)
{
	const HttpService *service = &http->service;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)service->connections_max, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)service->idle_limit_s, NULL},
		{service->connection_memory ? MHD_OPTION_CONNECTION_MEMORY_LIMIT : MHD_OPTION_END,
		 (intptr_t)service->connection_memory, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem tls[] = {
		{service->tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0,
		 service->tls ? (void *)(uintptr_t)service->tls->certificate : NULL},
		{MHD_OPTION_HTTPS_MEM_TRUST, 0,
		 service->tls ? (void *)(uintptr_t)service->tls->trust : NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
					(service->tls ? MHD_USE_TLS : 0),
				0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
				on_library_error, http, MHD_OPTION_LISTEN_SOCKET, listen_fd,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
				MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, http,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_ARRAY,
				options, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

int http_open(sd_event *event, int listen_fd, const HttpService *service, Http **ret, Error *err)
{
	Http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return error_errno(err, -ENOMEM, "Starting the HTTP server");
	http->service = *service;
	http->daemon = daemon_start(http, listen_fd);
	if (!http->daemon) {
		r = error_set(err, -EIO, "Starting the HTTP server: %s",
			      *http->refusal ? http->refusal : "libmicrohttpd refused");
		free(http);
		return r;
	}
	r = http_attach(http, event, err);
	if (r < 0) {
		http_close(http);
		return r;
	}
	*ret = http;
	return 0;
}

void http_quiesce(Http *http)
{
	int fd = MHD_quiesce_daemon(http->daemon);

	if (fd >= 0)
		(void)close(fd);
}

unsigned http_connections(const Http *http)
{
	return http->connections;
}

void http_close(Http *http)
{
	if (!http)
		return;
	/* It must not be stopped while connections are suspended. */
	while (http->suspended) {
		http->suspended->answered = true;
		connection_resume(http->suspended);
	}
	(void)MHD_run(http->daemon);
	(void)sd_event_source_disable_unref(http->io);
	(void)sd_event_source_disable_unref(http->timer);
	(void)sd_event_source_disable_unref(http->resumed);
	MHD_stop_daemon(http->daemon);
	free(http);
}

int http_listen(const char *path, int *ret_fd, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, -errno, "Making a socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return error_errno(err, -ENAMETOOLONG, "Listening on %s", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	/* Who may ask nothing may not take up a connection either. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, HTTP_BACKLOG) < 0)
		return error_errno(err, -errno, "Listening on %s", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}
