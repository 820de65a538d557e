/* SPDX-License-Identifier: Apache-2.0 */
#include "node/http.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "node/client.h"

#define HTTP_BACKLOG 64

struct Http {
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer, *resumed, *overdue;
	const Permits *permits;
	Clients *clients;
	HttpHandler *handler;
	void *data;
	struct Connection *suspended; /* list */
};

typedef struct Connection {
	HttpCall call; /* first: a call is its connection */
	Http *http;
	struct MHD_Connection *mhd;
	Client *client; /* NULL: it was refused */
	struct MHD_Response *response;
	unsigned status;
	bool handed, answered, suspended, too_large;
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

static void overdue_wait(Http *http)
{
	int64_t due_us = clients_due_us(http->clients);

	(void)sd_event_source_set_time(http->overdue, (uint64_t)due_us);
	(void)sd_event_source_set_enabled(http->overdue,
					  due_us == INT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* Lets the server do what is due, and asks when it wants to be called though nothing happens. */
static void http_run(Http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	(void)MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
		/* Never at once: with a request that it cannot finish, such as a chunk extension
		 * that is larger than its memory for it, it would ask for that until the client's
		 * time is over. */
		(void)sd_event_source_set_time_relative(http->timer,
							(wait_ms ? wait_ms : 1) * 1000);
		(void)sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT);
	} else {
		(void)sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
	}
	overdue_wait(http);
}

void http_expire(Http *http, int64_t now_us)
{
	clients_expire(http->clients, now_us);
	http_run(http);
}

static int on_overdue(sd_event_source *source, uint64_t usec, void *data)
{
	http_expire(data, clock_monotonic_us());
	return 0;
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

void http_answer(HttpCall *call, unsigned status, const char *type, const char *text)
{
	Connection *connection = (Connection *)call;

	client_answered(connection->client, clock_monotonic_us());
	connection->answered = true;
	connection->status = status;
	connection->response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	if (connection->response)
		(void)MHD_add_response_header(connection->response, MHD_HTTP_HEADER_CONTENT_TYPE,
					      type);
	if (connection->suspended) {
		connection_resume(connection);
		(void)sd_event_source_set_enabled(connection->http->resumed, SD_EVENT_ONESHOT);
	}
}

int http_socket(const HttpCall *call)
{
	const Connection *connection = (const Connection *)call;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static enum MHD_Result connection_take(Connection *connection, const char *data, size_t size)
{
	char *more;

	if (connection->call.body_size + size > HTTP_BODY_MAX) {
		connection->too_large = true;
		return MHD_YES;
	}
	more = realloc(connection->body, connection->call.body_size + size + 1);
	if (!more)
		return MHD_NO;
	memcpy(more + connection->call.body_size, data, size);
	connection->call.body_size += size;
	more[connection->call.body_size] = '\0';
	connection->body = more;
	return MHD_YES;
}

static void connection_hand(Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	Http *http = connection->http;

	connection->handed = true;
	client_served(connection->client);
	connection->call.body = connection->body ? connection->body : "";
	/* Who cannot be told gets nothing. */
	if (info)
		(void)peer_verbs(info->connect_fd, http->permits, &connection->call.verbs, NULL);
	if (connection->too_large)
		http_answer(
			&connection->call, MHD_HTTP_CONTENT_TOO_LARGE, "application/json",
			"{\"error\":{\"code\":\"too-large\",\"message\":\"The request's body is "
			"larger than 64 KiB\"}}\n");
	else
		http->handler(&connection->call, http->data);
}

static Client *connection_client(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **memory)
{
	Connection *connection = *memory;

	if (!connection) {
		connection = calloc(1, sizeof(*connection));
		if (!connection)
			return MHD_NO;
		connection->http = data;
		connection->mhd = mhd;
		connection->client = connection_client(mhd);
		*memory = connection;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		enum MHD_Result result = connection_take(connection, upload, *upload_size);

		*upload_size = 0;
		return result;
	}
	if (!connection->handed) {
		/* Both texts live as long as the connection's request. */
		connection->call.method = method;
		connection->call.path = url;
		connection_hand(connection);
	}
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

static void on_connection(void *data, struct MHD_Connection *mhd, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	Http *http = data;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		client_free(*socket_context);
		*socket_context = NULL;
		/* A server that was full listens again only at its next turn. */
		(void)sd_event_source_set_enabled(http->resumed, SD_EVENT_ONESHOT);
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	*socket_context =
		info ? client_new(http->clients, info->connect_fd, clock_monotonic_us()) : NULL;
}

static int http_attach(Http *http, sd_event *event, Error *err)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info || info->epoll_fd < 0)
		return error_set(err, -EIO, "Starting the HTTP server: it has no epoll descriptor");
	if ((r = sd_event_add_io(event, &http->io, info->epoll_fd, EPOLLIN, on_io, http)) < 0 ||
	    (r = sd_event_add_time_relative(event, &http->timer, CLOCK_MONOTONIC, 0, 1, on_timer,
					    http)) < 0 ||
	    (r = sd_event_add_defer(event, &http->resumed, on_resumed, http)) < 0 ||
	    (r = sd_event_add_time(event, &http->overdue, CLOCK_MONOTONIC, 0, 0, on_overdue,
				   http)) < 0)
		return error_errno(err, r, "Starting the HTTP server");
	return 0;
}

int http_open(sd_event *event, int listen_fd, const Permits *permits, HttpHandler *handler,
	      void *data, Http **ret, Error *err)
{
	Http *http = calloc(1, sizeof(*http));
	int r;

	if (http)
		http->clients = clients_new();
	if (!http || !http->clients) {
		free(http);
		return error_errno(err, -ENOMEM, "Starting the HTTP server");
	}
	http->permits = permits;
	http->handler = handler;
	http->data = data;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		http, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, http, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CLIENTS_MOST,
		MHD_OPTION_END);
	if (!http->daemon) {
		clients_free(http->clients);
		free(http);
		return error_set(err, -EIO, "Starting the HTTP server: libmicrohttpd refused");
	}
	r = http_attach(http, event, err);
	if (r < 0) {
		http_close(http);
		return r;
	}
	*ret = http;
	return 0;
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
	MHD_stop_daemon(http->daemon);
	(void)sd_event_source_disable_unref(http->resumed);
	(void)sd_event_source_disable_unref(http->overdue);
	clients_free(http->clients);
	free(http);
}

/* The permissions of the file, as an access control list with an entry for each group, and the link
 * (linux/posix_acl_xattr.h; the entries are in the order of their tags). */
static int socket_open_to(const char *path, const Permits *permits)
{
	struct posix_acl_xattr_header *acl;
	struct posix_acl_xattr_entry *entry;
	size_t n = permits->n + 4 + (permits->link != 0), size = sizeof(*acl) + n * sizeof(*entry);
	_cleanup_free_ char *memory = calloc(1, size);

	if (!memory)
		return -ENOMEM;
	acl = (struct posix_acl_xattr_header *)(void *)memory;
	acl->a_version = htole32(POSIX_ACL_XATTR_VERSION);
	entry = (struct posix_acl_xattr_entry *)(void *)(acl + 1);
	*entry++ = (struct posix_acl_xattr_entry){htole16(ACL_USER_OBJ), htole16(06), 0};
	if (permits->link)
		*entry++ = (struct posix_acl_xattr_entry){htole16(ACL_USER), htole16(06),
							  htole32(permits->link)};
	*entry++ = (struct posix_acl_xattr_entry){htole16(ACL_GROUP_OBJ), 0, 0};
	for (size_t i = 0; i < permits->n; i++)
		*entry++ = (struct posix_acl_xattr_entry){htole16(ACL_GROUP), htole16(06),
							  htole32(permits->list[i].group)};
	*entry++ = (struct posix_acl_xattr_entry){htole16(ACL_MASK), htole16(06), 0};
	*entry = (struct posix_acl_xattr_entry){htole16(ACL_OTHER), 0, 0};
	return setxattr(path, "system.posix_acl_access", memory, size, 0) < 0 ? -errno : 0;
}

int http_listen(const char *path, const Permits *permits, int *ret_fd, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "Making a socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return error_errno(err, -ENAMETOOLONG, "Listening on %s", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	/* Who may ask nothing may not take up a connection either. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0)
		return error_errno(err, -errno, "Listening on %s", path);
	r = permits->n > 0 || permits->link ? socket_open_to(path, permits) : 0;
	if (r < 0)
		return error_errno(err, r, "Letting others than root connect to %s", path);
	if (listen(fd, HTTP_BACKLOG) < 0)
		return error_errno(err, -errno, "Listening on %s", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}
