/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "test.h"

#define OLD "6.12.107+deb13-cloud-amd64"
#define NEW "7.3.4+deb13-cloud-amd64"

#define IMAGE_SIZE 8192
#define NAMES_MAX  256

/* A tree with the kernels of these tests, made anew for each. */
typedef struct Tree {
	char root[64];
} Tree;

static void put(const Tree *t, const char *path, const void *data, size_t size)
{
	_cleanup_free_ char *whole = text_format("%s/%s", t->root, path);
	_cleanup_free_ char *parent = strdup(whole);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(directory_make(AT_FDCWD, parent, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, whole, data, size, 0644, NULL), 0);
}

/* A bzImage of nothing: two sectors of setup, the rest zeros. */
static void make_image(uint8_t image[IMAGE_SIZE], const char *version)
{
	static const uint8_t header[] = {0x55, 0xaa, 0, 0, 'H', 'd', 'r', 'S', 0x0f, 0x02};

	memset(image, 0, IMAGE_SIZE);
	image[0x1f1] = 1;
	image[0x1f4] = (IMAGE_SIZE - 1024) / 16 & 0xff;
	image[0x1f5] = (IMAGE_SIZE - 1024) / 16 >> 8;
	memcpy(image + 0x1fe, header, sizeof(header));
	image[0x20e] = 0x20;
	image[0x20f] = 0x01;
	(void)snprintf((char *)image + 0x320, 200, "%s (builder@host) #1 SMP", version);
}

static void put_kernel(const Tree *t, const char *version, const char *image_path)
{
	_cleanup_free_ char *index = text_format("usr/lib/modules/%s/modules.dep.bin", version);
	uint8_t image[IMAGE_SIZE];

	make_image(image, version);
	put(t, image_path, image, sizeof(image));
	put(t, index, "", 0);
}

static int setup(void **state)
{
	static Tree tree;
	Tree *t = &tree;

	strcpy(t->root, "/tmp/segue-test-kernel-XXXXXX");
	if (!mkdtemp(t->root))
		return -1;
	put_kernel(t, OLD, "boot/vmlinuz-" OLD);
	put_kernel(t, NEW, "usr/lib/modules/" NEW "/vmlinuz");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	Tree *t = *state;

	return directory_remove(AT_FDCWD, t->root, NULL);
}

static void test_versions_are_ordered(void **state)
{
	/* Oldest first; each is older than all that follow. */
	static const char *const order[] = {
		"4.19.0-27-amd64",
		"6.1.0-9-cloud-amd64",
		"6.1.0-47-amd64",
		"6.1.0-47-cloud-amd64",
		"6.1.0-50-cloud-amd64",
		"6.12.94+deb13-cloud-amd64",
		"6.12.107+deb12-cloud-amd64",
		"6.12.107+deb13-cloud-amd64",
		"6.12.115+deb13-cloud-amd64",
		"6.12.115+deb13.1-cloud-amd64",
		"6.12.116+deb13-amd64",
		"7.0-rc1+deb14-amd64",
		"7.0-rc3+deb14-amd64",
		"7.0-rc12+deb14-amd64",
		"7.0+deb14-amd64",
		"7.0.4+deb13-cloud-amd64",
		"7.3.4+deb13-cloud-amd64",
		"10.0.0",
	};
	const size_t n = sizeof(order) / sizeof(order[0]);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			int d = kernel_version_compare(order[i], order[j]);

			if ((d < 0) != (i < j) || (d > 0) != (i > j))
				fail_msg("%s against %s: %d", order[i], order[j], d);
		}
	}
	assert_int_equal(kernel_version_compare("7.0~rc3-amd64", "7.0-rc3-amd64"), 0);
	assert_int_equal(kernel_version_compare("6.01", "6.1"), 0);
}

static void test_list_is_newest_first(void **state)
{
	const Tree *t = *state;
	char **versions;
	size_t n;

	put(t, "usr/lib/modules/9.9.9/modules.dep.bin", "", 0); /* no image */
	put(t, "usr/lib/modules/9.9.8/vmlinuz", "", 0);         /* no modules */
	put_kernel(t, "7.3.4+deb13-amd64", "boot/vmlinuz-7.3.4+deb13-amd64");
	assert_int_equal(kernel_list(t->root, "6.1-amd64", &versions, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(versions[0], "7.3.4+deb13-amd64");
	assert_string_equal(versions[1], NEW);
	assert_string_equal(versions[2], OLD);
	assert_null(versions[3]);
	kernel_list_free(versions);

	assert_int_equal(kernel_list(t->root, OLD, &versions, NULL, NULL), 0);
	assert_string_equal(versions[0], NEW); /* of the flavour that runs */
	kernel_list_free(versions);
}

static void test_find_the_newest_and_a_named_one(void **state)
{
	const Tree *t = *state;
	Error err = {0};
	Kernel k;

	assert_int_equal(kernel_find(t->root, NULL, &k, &err), 0);
	assert_string_equal(k.version, NEW);
	assert_string_equal(strrchr(k.image, '/'), "/vmlinuz");
	assert_null(k.config);
	kernel_free(&k);
	assert_int_equal(kernel_find(t->root, OLD, &k, &err), 0);
	assert_string_equal(k.version, OLD);
	assert_non_null(strstr(k.image, "/boot/vmlinuz-" OLD));
	kernel_free(&k);
}

static void find_fails(const Tree *t, const char *version, int code, const char *text)
{
	Kernel k = {0};
	Error err = {0};

	assert_int_equal(kernel_find(t->root, version, &k, &err), code);
	if (!strstr(err.text, text))
		fail_msg("expected \"%s\" in: %s", text, err.text);
	assert_null(strchr(err.text, '\n'));
	assert_null(k.version);
}

static void test_find_says_what_is_missing(void **state)
{
	const Tree *t = *state;
	Tree none = {"/nonexistent"};

	find_fails(t, "6.6.6", -ENOENT, "installed: " NEW ", " OLD);
	find_fails(&none, NULL, -ENOENT, "No kernel is installed");
	find_fails(&none, "6.6.6", -ENOENT, "installed: none");
	find_fails(t, "../" OLD, -EINVAL, "not a kernel version");
	find_fails(t, "", -EINVAL, "not a kernel version");

	put(t, "boot/vmlinuz-8.0", "", 0);
	find_fails(t, "8.0", -ENOENT, "no modules");
	put(t, "lib/modules/8.0/modules.order", "", 0);
	find_fails(t, "8.0", -ENOENT, "run depmod 8.0");
	put(t, "usr/lib/modules/8.1/modules.dep.bin", "", 0);
	find_fails(t, "8.1", -ENOENT, "no image");
}

static void test_find_refuses_a_damaged_image(void **state)
{
	static const struct {
		size_t offset;
		uint8_t byte;
		size_t size;
		const char *text;
	} cases[] = {
		{0, 0, 0, "is cut short"},
		{0, 0, 0x20f, "is cut short"},
		{0, 0, IMAGE_SIZE - 1, "is cut short"},
		{0x1f1, 0, IMAGE_SIZE, "is cut short"}, /* 0 means 4 sectors */
		{0x202, 'h', IMAGE_SIZE, "not a bzImage"},
		{0x1fe, 0, IMAGE_SIZE, "not a bzImage"},
		{0x206, 3, IMAGE_SIZE, "not a bzImage"},
		{0x20f, 0x7f, IMAGE_SIZE, "does not say"},
		{0x320, '8', IMAGE_SIZE, "is of version 8.3.4+deb13-cloud-amd64, not " NEW},
		{0x320, ' ', IMAGE_SIZE, "does not say"},
	};
	const Tree *t = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t image[IMAGE_SIZE];

		make_image(image, NEW);
		image[cases[i].offset] = cases[i].byte;
		if (cases[i].offset == 0x206)
			image[0x207] = 2;
		put(t, "usr/lib/modules/" NEW "/vmlinuz", image, cases[i].size);
		find_fails(t, NULL, -EBADMSG, cases[i].text);
	}
}

static void collect(const KernelFeature *feature, void *userdata)
{
	char *names = userdata;
	size_t used = strlen(names);

	(void)snprintf(names + used, NAMES_MAX - used, "%s ", feature->config);
}

static void test_features_come_from_the_configuration(void **state)
{
	static const char config[] =
		"# CONFIG_TIME_NS is not set\n"
		"XCONFIG_TIME_NS=y\nCONFIG_KEXEC_FILE=y\nCONFIG_CHECKPOINT_RESTORE=y\n"
		"CONFIG_UTS_NS=y\nCONFIG_FHANDLE=y\nCONFIG_EVENTFD=y\nCONFIG_EPOLL=y\n"
		"CONFIG_INOTIFY_USER=y\nCONFIG_UNIX_DIAG=m\nCONFIG_INET_DIAG=m\n"
		"CONFIG_INET_TCP_DIAG=m\nCONFIG_INET_UDP_DIAG=m\nCONFIG_INET_RAW_DIAG=m\n"
		"CONFIG_PACKET_DIAG=m\nCONFIG_NETLINK_DIAG=m\nCONFIG_NF_TABLES=m\n"
		"CONFIG_MEM_SOFT_DIRTY=y\nCONFIG_X86_PMEM_LEGACY=m\nCONFIG_DEVTMPFS=y\n"
		"CONFIG_BLK_DEV_INITRD=y\nCONFIG_NF_TABLES_INETX=y";
	const Tree *t = *state;
	char names[NAMES_MAX] = "";
	Error err = {0};
	Kernel k;

	assert_int_equal(kernel_find(t->root, NEW, &k, &err), 0);
	assert_int_equal(kernel_has_config(&k, "CONFIG_EPOLL"), KERNEL_CONFIG_UNKNOWN);
	assert_int_equal(kernel_check_features(&k, NULL, NULL, &err), -ENODATA);
	kernel_free(&k);

	put(t, "usr/lib/modules/" NEW "/config", config, sizeof(config) - 1);
	assert_int_equal(kernel_find(t->root, NEW, &k, &err), 0);
	assert_int_equal(kernel_has_config(&k, "CONFIG_EPOLL"), KERNEL_CONFIG_BUILTIN);
	assert_int_equal(kernel_has_config(&k, "CONFIG_UNIX_DIAG"), KERNEL_CONFIG_MODULE);
	assert_int_equal(kernel_has_config(&k, "CONFIG_TIME_NS"), KERNEL_CONFIG_NO);
	assert_int_equal(kernel_check_features(&k, collect, names, &err), 2);
	assert_string_equal(names, "CONFIG_TIME_NS CONFIG_NF_TABLES_INET CONFIG_USERFAULTFD ");
	kernel_free(&k);
}

static void test_old_criu_cannot_leave_new_kernels(void **state)
{
	assert_true(kernel_criu_can_leave(OLD, 40101));
	assert_true(kernel_criu_can_leave("6.15.9-amd64", 40101));
	assert_false(kernel_criu_can_leave("6.16-rc1-amd64", 40101));
	assert_false(kernel_criu_can_leave("6.16.3+deb13-cloud-amd64", 40101));
	assert_false(kernel_criu_can_leave(NEW, 40101));
	assert_true(kernel_criu_can_leave(NEW, 40200));
	assert_true(kernel_criu_can_leave(NEW, 40201));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions_are_ordered),
		cmocka_unit_test_setup_teardown(test_list_is_newest_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_the_newest_and_a_named_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_find_says_what_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_refuses_a_damaged_image, setup, teardown),
		cmocka_unit_test_setup_teardown(test_features_come_from_the_configuration, setup,
						teardown),
		cmocka_unit_test(test_old_criu_cannot_leave_new_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
