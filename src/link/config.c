/* SPDX-License-Identifier: Apache-2.0 */
#include "link/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/ini.h"
#include "hub/host.h"
#include "release/document.h"

#define CONFIG_SIZE_MAX ((size_t)64 << 10)
#define PORT_MAX        65535

void link_config_release(LinkConfig *config)
{
	free(config->hub);
	free(config->name);
	*config = (LinkConfig){0};
}

static bool port_is_valid(const char *port)
{
	size_t n = strlen(port);
	unsigned long number = strtoul(port, NULL, 10);

	return n > 0 && n <= 5 && strspn(port, "0123456789") == n && number > 0 &&
	       number <= PORT_MAX;
}

static int hub_parse(const char *text, char **ret, Error *err)
{
	uint8_t address[sizeof(struct in6_addr)];
	bool bare = inet_pton(AF_INET6, text, address) == 1, bracket = *text == '[';
	size_t n = bare ? strlen(text) : strcspn(text + bracket, bracket ? "]" : ":");
	_cleanup_free_ char *host = strndup(text + bracket, n);
	const char *rest = text + bracket + n, *port = HUB_PORT;

	if (!host)
		return error_errno(err, -ENOMEM, "Reading the name of the hub");
	if (bracket && *rest == ']')
		rest++;
	else if (bracket)
		*host = '\0';
	if (*rest == ':')
		port = rest + 1;
	if ((*rest && *rest != ':') || !port_is_valid(port) || !host_name_is_valid(host) ||
	    (bracket && !strchr(host, ':')))
		return error_set(err, -EINVAL,
				 "\"%.128s\" is no hub: write HOST or HOST:PORT, and an IPv6 "
				 "address with a port as [ADDRESS]:PORT",
				 text);
	*ret = text_format(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Reading the name of the hub");
}

int link_hub_parse(const char *text, char **ret, Error *err)
{
	_cleanup_free_ char *copy = strdup(text), *list = NULL;
	char *rest = copy, *word;

	if (!copy)
		return error_errno(err, -ENOMEM, "Reading the name of the hub");
	while ((word = strsep(&rest, ", "))) {
		_cleanup_free_ char *hub = NULL;
		char *longer;
		int r;

		/* Two separators in a row, as in "a, b". */
		if (!*word && list)
			continue;
		r = hub_parse(word, &hub, err);
		if (r < 0)
			return r;
		longer = list ? text_format("%s %s", list, hub) : strdup(hub);
		if (!longer)
			return error_errno(err, -ENOMEM, "Reading the name of the hub");
		free(list);
		list = longer;
	}
	*ret = steal_ptr(&list);
	return 0;
}

static int name_parse(const char *text, char **ret, Error *err)
{
	if (!name_is_valid(text))
		return error_set(err, -EINVAL, "\"%.64s\" is no name of a node", text);
	*ret = strdup(text);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Reading the name of the node");
}

static int on_assignment(const char *section, const char *key, const char *value, void *data,
			 Error *err)
{
	LinkConfig *config = data;

	if (!strcmp(section, "link") && !strcmp(key, "Hub") && !config->hub)
		return link_hub_parse(value, &config->hub, err);
	if (!strcmp(section, "link") && !strcmp(key, "Name") && !config->name)
		return name_parse(value, &config->name, err);
	return error_set(err, -EINVAL, "%s= is not known here, or was said before", key);
}

int link_config_read(const char *path, LinkConfig *ret, Error *err)
{
	_cleanup_link_config_ LinkConfig config = {0};
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = file_read_max(AT_FDCWD, path, CONFIG_SIZE_MAX, &text, &size, err);

	if (r >= 0)
		r = ini_parse(text, size, path, INI_STRICT, on_assignment, &config, err);
	if (r < 0)
		return r;
	if (!config.hub || !config.name)
		return error_set(err, -EBADMSG, "%s has no Hub= or no Name= in [link]", path);
	*ret = config;
	config = (LinkConfig){0};
	return 0;
}

int link_config_write(const char *path, const LinkConfig *config, Error *err)
{
	_cleanup_free_ char *text =
		text_format("# Written by segue join, and removed by segue leave.\n[link]\n"
			    "Hub=%s\nName=%s\n",
			    config->hub, config->name);

	if (!text)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	return file_write_new(AT_FDCWD, path, text, strlen(text), 0644, err);
}
