/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "swap/kernel_image.h"

#define CRIU_4_2 40200

static const char *const module_trees[] = {"/usr/lib/modules", "/lib/modules"};

static const KernelFeature features[] = {
	{"CONFIG_CHECKPOINT_RESTORE", true, "restore programs at all"},
	{"CONFIG_KEXEC_FILE", true, "leave that kernel again"},
	{"CONFIG_BLK_DEV_INITRD", true, "start segue-init"},
	{"CONFIG_DEVTMPFS", true, "find the root filesystem's device"},
	{"CONFIG_UTS_NS", true, "restore programs in a unit's namespaces"},
	{"CONFIG_TIME_NS", true, "keep the programs' clocks from running backwards"},
	{"CONFIG_FHANDLE", true, "restore inotify and fanotify watches"},
	{"CONFIG_EVENTFD", true, "restore event descriptors"},
	{"CONFIG_EPOLL", true, "restore epoll descriptors"},
	{"CONFIG_INOTIFY_USER", true, "restore inotify descriptors"},
	{"CONFIG_UNIX_DIAG", true, "capture unix sockets again"},
	{"CONFIG_INET_DIAG", true, "capture TCP connections again"},
	{"CONFIG_INET_TCP_DIAG", true, "capture TCP connections again"},
	{"CONFIG_INET_UDP_DIAG", true, "capture UDP sockets again"},
	{"CONFIG_PACKET_DIAG", true, "capture packet sockets again"},
	{"CONFIG_NETLINK_DIAG", true, "capture netlink sockets again"},
	{"CONFIG_NF_TABLES", true, "hold packets back until their sockets exist again"},
	{"CONFIG_NF_TABLES_INET", true, "hold packets back until their sockets exist again"},
	{"CONFIG_INET_RAW_DIAG", false, "capture raw sockets again"},
	{"CONFIG_MEM_SOFT_DIRTY", false, "copy memory ahead while programs run"},
	{"CONFIG_USERFAULTFD", false, "let programs run before all their memory is back"},
	{"CONFIG_X86_PMEM_LEGACY", false, "use the ram store"},
};

void kernel_free(Kernel *kernel)
{
	free(kernel->version);
	free(kernel->image);
	free(kernel->modules_dir);
	free(kernel->config);
	*kernel = (Kernel){0};
}

int kernel_running(char **ret_version)
{
	struct utsname name;
	char *version;

	if (uname(&name) < 0)
		return -errno;
	version = strdup(name.release);
	if (!version)
		return -ENOMEM;
	*ret_version = version;
	return 0;
}

/* ---- order of versions ---- */

/* "-rc3" precedes the release that it leads to, as "~" says in deb-version(7). */
static bool is_candidate(const char *p)
{
	return p[0] == '-' && p[1] == 'r' && p[2] == 'c' && isdigit((unsigned char)p[3]);
}

static int weight(const char *p)
{
	if (*p == '~' || is_candidate(p))
		return -1;
	if (*p == '\0' || isdigit((unsigned char)*p))
		return 0;
	if (isalpha((unsigned char)*p))
		return (unsigned char)*p;
	return (unsigned char)*p + 256;
}

/* deb-version(7), which is also what sort -V does. */
static int compare(const char *a, const char *b)
{
	while (*a || *b) {
		size_t na, nb;
		int d;

		while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
			d = weight(a) - weight(b);
			if (d != 0)
				return d;
			a += *a != '\0';
			b += *b != '\0';
		}
		a += strspn(a, "0");
		b += strspn(b, "0");
		na = strspn(a, "0123456789");
		nb = strspn(b, "0123456789");
		if (na != nb)
			return na < nb ? -1 : 1;
		d = strncmp(a, b, na);
		if (d != 0)
			return d;
		a += na;
		b += nb;
	}
	return 0;
}

/* The part after the version: "cloud-amd64" of "7.0-rc3+deb14-cloud-amd64". */
static const char *flavour(const char *version)
{
	const char *p = version;

	while ((p = strchr(p, '-')) && is_candidate(p))
		p++;
	return p ? p : version + strlen(version);
}

int kernel_version_compare(const char *a, const char *b)
{
	_cleanup_free_ char *left = strndup(a, (size_t)(flavour(a) - a));
	_cleanup_free_ char *right = strndup(b, (size_t)(flavour(b) - b));
	int d;

	/* Without memory the flavour counts as a part of the version, which is seldom wrong. */
	if (!left || !right)
		return compare(a, b);
	d = compare(left, right);
	return d != 0 ? d : compare(flavour(a), flavour(b));
}

static int order_newest_first(const void *a, const void *b, void *running)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;
	const char *like = running ? flavour(running) : NULL;
	size_t nl = (size_t)(flavour(left) - left), nr = (size_t)(flavour(right) - right);

	if (like && nl == nr && strncmp(left, right, nl) == 0) {
		bool l = strcmp(flavour(left), like) == 0, r = strcmp(flavour(right), like) == 0;

		if (l != r)
			return l ? -1 : 1;
	}
	return -kernel_version_compare(left, right);
}

/* ---- what is installed ---- */

/* Sets *ret to the first of the paths that exists; NULL if none does. */
static int first_existing(char **ret, char *a, char *b)
{
	_cleanup_free_ char *first = a, *second = b;

	*ret = NULL;
	if (!first || !second)
		return -ENOMEM;
	if (path_exists(AT_FDCWD, first))
		*ret = steal_ptr(&first);
	else if (path_exists(AT_FDCWD, second))
		*ret = steal_ptr(&second);
	return 0;
}

/* Fills in what there is of a version; members of what there is not stay NULL. */
static int kernel_locate(const char *root, const char *version, Kernel *ret)
{
	Kernel k = {.version = strdup(version)};
	int r = k.version ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && !k.modules_dir && i < 2; i++) {
		k.modules_dir = text_format("%s%s/%s", root, module_trees[i], version);
		if (!k.modules_dir) {
			r = -ENOMEM;
		} else if (!path_exists(AT_FDCWD, k.modules_dir)) {
			free(k.modules_dir);
			k.modules_dir = NULL;
		}
	}
	if (r == 0)
		r = first_existing(&k.image, text_format("%s/boot/vmlinuz-%s", root, version),
				   text_format("%s/usr/lib/modules/%s/vmlinuz", root, version));
	if (r == 0)
		r = first_existing(&k.config, text_format("%s/boot/config-%s", root, version),
				   text_format("%s/usr/lib/modules/%s/config", root, version));
	if (r < 0) {
		kernel_free(&k);
		return r;
	}
	*ret = k;
	return 0;
}

static bool kernel_is_indexed(const Kernel *kernel)
{
	_cleanup_free_ char *index = NULL;

	if (!kernel->modules_dir)
		return false;
	index = text_format("%s/modules.dep.bin", kernel->modules_dir);
	return index && path_exists(AT_FDCWD, index);
}

static bool is_listed(char **versions, size_t n, const char *version)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(versions[i], version) == 0)
			return true;
	return false;
}

static int list_tree(const char *root, const char *tree, char ***versions, size_t *n, Error *err)
{
	_cleanup_free_ char *path = text_format("%s%s", root, tree);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;

	if (!path)
		return error_errno(err, -ENOMEM, "Listing kernels");
	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "Opening %s", path);
	while ((entry = readdir(dir))) {
		Kernel k;
		bool complete;
		char **more;

		if (entry->d_name[0] == '.' || is_listed(*versions, *n, entry->d_name))
			continue;
		if (kernel_locate(root, entry->d_name, &k) < 0)
			return error_errno(err, -ENOMEM, "Listing kernels");
		complete = k.image && kernel_is_indexed(&k);
		if (complete) {
			more = realloc(*versions, (*n + 2) * sizeof(char *));
			if (more) {
				more[(*n)++] = steal_ptr(&k.version);
				more[*n] = NULL;
				*versions = more;
			}
		}
		kernel_free(&k);
		if (complete && !more)
			return error_errno(err, -ENOMEM, "Listing kernels");
	}
	return 0;
}

int kernel_list(const char *root, const char *running, char ***ret_versions, size_t *ret_n,
		Error *err)
{
	char **versions = calloc(1, sizeof(char *));
	size_t n = 0;

	if (!versions)
		return error_errno(err, -ENOMEM, "Listing kernels");
	for (size_t i = 0; i < 2; i++) {
		int r = list_tree(root ? root : "", module_trees[i], &versions, &n, err);

		if (r < 0) {
			kernel_list_free(versions);
			return r;
		}
	}
	qsort_r(versions, n, sizeof(char *), order_newest_first, (void *)running);
	*ret_versions = versions;
	if (ret_n)
		*ret_n = n;
	return 0;
}

void kernel_list_free(char **versions)
{
	for (size_t i = 0; versions && versions[i]; i++)
		free(versions[i]);
	free(versions);
}

/* ---- finding one ---- */

static int not_installed(const char *version, char **versions, Error *err)
{
	char names[512] = "";
	size_t used = 0;

	for (size_t i = 0; versions[i] && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
					 versions[i]);
	return error_set(err, -ENOENT, "Kernel %s is not installed; installed: %s", version,
			 names[0] ? names : "none");
}

static int kernel_validate(const Kernel *k, char **versions, Error *err)
{
	if (!k->image && !k->modules_dir)
		return not_installed(k->version, versions, err);
	if (!k->image)
		return error_set(err, -ENOENT,
				 "Kernel %s has modules but no image (/boot/vmlinuz-%s or "
				 "/usr/lib/modules/%s/vmlinuz); install its package again",
				 k->version, k->version, k->version);
	if (!k->modules_dir)
		return error_set(err, -ENOENT,
				 "Kernel %s has an image but no modules (/usr/lib/modules/%s); "
				 "install its package again",
				 k->version, k->version);
	if (!kernel_is_indexed(k))
		return error_set(err, -ENOENT,
				 "Kernel %s has modules that are not indexed (no "
				 "%s/modules.dep.bin); run depmod %s",
				 k->version, k->modules_dir, k->version);
	return kernel_image_check(AT_FDCWD, k->image, k->version, err);
}

int kernel_find(const char *root, const char *version, Kernel *ret, Error *err)
{
	_cleanup_free_ char *running = NULL;
	char **versions = NULL;
	Kernel k = {0};
	int r;

	/* It becomes a part of paths, and may come from the network. */
	if (version && (!version[0] || version[0] == '.' || strchr(version, '/')))
		return error_set(err, -EINVAL,
				 "\"%s\" is not a kernel version; give one as listed in "
				 "/usr/lib/modules",
				 version);
	r = kernel_running(&running);
	if (r < 0)
		return error_errno(err, r, "Asking for the running kernel's version");
	r = kernel_list(root, running, &versions, NULL, err);
	if (r < 0)
		return r;
	if (!version)
		version = versions[0];
	if (!version)
		r = error_set(err, -ENOENT,
			      "No kernel is installed that has both an image and modules; install "
			      "one, such as linux-image-amd64");
	else if ((r = kernel_locate(root ? root : "", version, &k)) < 0)
		r = error_errno(err, r, "Finding kernel %s", version);
	else
		r = kernel_validate(&k, versions, err);
	kernel_list_free(versions);
	if (r < 0) {
		kernel_free(&k);
		return r;
	}
	*ret = k;
	return 0;
}

/* ---- what it can do ---- */

static KernelConfig config_lookup(const char *text, const char *config)
{
	size_t n = strlen(config);

	for (const char *p = text; (p = strstr(p, config)); p += n) {
		if ((p != text && p[-1] != '\n') || p[n] != '=')
			continue;
		return p[n + 1] == 'm' ? KERNEL_CONFIG_MODULE : KERNEL_CONFIG_BUILTIN;
	}
	return KERNEL_CONFIG_NO;
}

KernelConfig kernel_has_config(const Kernel *kernel, const char *config)
{
	_cleanup_free_ char *text = NULL;

	if (!kernel->config || file_read(AT_FDCWD, kernel->config, &text, NULL, NULL) < 0)
		return KERNEL_CONFIG_UNKNOWN;
	return config_lookup(text, config);
}

int kernel_check_features(const Kernel *kernel, KernelFeatureFn fn, void *userdata, Error *err)
{
	_cleanup_free_ char *text = NULL;
	int lacking = 0;

	if (!kernel->config)
		return error_set(err, -ENODATA,
				 "Kernel %s has no configuration installed (/boot/config-%s), so "
				 "what it supports is unknown; install its package whole",
				 kernel->version, kernel->version);
	if (file_read(AT_FDCWD, kernel->config, &text, NULL, err) < 0)
		return -ENODATA;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (config_lookup(text, features[i].config) != KERNEL_CONFIG_NO)
			continue;
		if (fn)
			fn(&features[i], userdata);
		lacking += features[i].required;
	}
	return lacking;
}

bool kernel_criu_can_leave(const char *kernel_version, int criu_version)
{
	/* From 6.16 SO_PASSCRED is refused for sockets that are not unix sockets (net/core/sock.c),
	 * and CRIU asked for it on every one until 4.2.  A candidate of 6.16 has that already. */
	return criu_version >= CRIU_4_2 || kernel_version_compare(kernel_version, "6.16~") < 0;
}
