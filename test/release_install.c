/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel of a release, installed by root out of what another has put there. */
#include "release/install.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "release/create.h"
#include "release/seen.h"
#include "release_fixture.h"

#define IMAGE   "root/boot/vmlinuz-" KVER
#define TREE    "root/usr/lib/modules/" KVER
#define MODULE  TREE "/kernel/fs/ext4.ko.xz"
#define INDEX   TREE "/modules.dep.bin"
#define RELEASE "link/depot/releases/r"
#define HOOKED  "root/hooked"

static char *link_dir, *trust_dir, *state_dir, *root_dir;

static InstallPlace place(void)
{
	return (InstallPlace){
		.homes = {link_dir}, .trust = trust_dir, .state = state_dir, .root = root_dir};
}

static void hook_put(const char *kind, const char *text)
{
	_cleanup_free_ char *name = text_format("root/etc/kernel/%s.d/hook", kind), *path = NULL;

	put(name, text, strlen(text));
	path = in_top(name);
	assert_int_equal(chmod(path, 0755), 0);
}

static int64_t now_s(void)
{
	return clock_realtime_us() / 1000000;
}

/* Release `name`, signed by Alice, of the package that there is. */
static void release_make(const char *name, const char *cmdline, const char *root, int64_t version)
{
	static const Roles alone = {.owners = 1 << ALICE,
				    .owners_needed = 1,
				    .signers = 1 << ALICE,
				    .signers_needed = 1};
	_cleanup_free_ char *path = in_top("link/depot"), *deb = in_top("image.deb");
	_cleanup_trust_ Trust *trust = trust_make(&alone);
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_depot_ Depot *depot = NULL;
	const char *packages[] = {deb};
	PrivateKey *keys[] = {people[ALICE].private};
	const ReleasePlan plan = {
		.kernel = {.packages = packages, .n_packages = 1},
		.name = name,
		.cmdline = cmdline,
		.root = root,
		.version = version,
		.channel = CREATE_CHANNEL,
		.chunk_size = CHUNK,
		.now_s = now_s(),
		.expires_s = now_s() + DAY,
		.trust = trust,
		.keys = keys,
		.n_keys = 1,
	};
	Error err = {0};

	if (depot_open(path, true, &depot, &err) < 0 || depot_lock(depot, &err) < 0 ||
	    release_create(depot, &plan, &m, &err) < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	_cleanup_free_ char *lib = NULL;
	int r = top_make(state);

	link_dir = in_top("link");
	trust_dir = in_top("etc");
	state_dir = in_top("state");
	root_dir = in_top("root");
	if (r < 0 || mkdir(link_dir, 0700) < 0)
		return -1;
	put("root/boot/grub", "", 0);
	put("root/usr/lib/modules/README", "", 0);
	lib = in_top("root/lib");
	if (symlink("usr/lib", lib) < 0)
		return -1;
	hook_put("postinst", "#!/bin/sh\necho \"$DEB_MAINT_PARAMS $SEGUE_INSTALL $1\" "
			     "\"${2##*/}\" >>\"${2%/boot/*}/hooked\"; test -s \"$2\"\n");
	hook_put("postrm", "#!/bin/sh\necho \"$DEB_MAINT_PARAMS $1\" >>\"${2%/boot/*}/hooked\"\n");
	trust_put("etc", ALICE);
	deb_before_7("image.deb", "usr/lib/modules");
	release_make("r", NULL, NULL, 5);
	return 0;
}

static int tear_down(void **state)
{
	free(link_dir);
	free(trust_dir);
	free(state_dir);
	free(root_dir);
	return top_remove(state);
}

static bool is_there(const char *name)
{
	_cleanup_free_ char *path = in_top(name);

	return path_exists(AT_FDCWD, path);
}

static char *text_of(const char *name)
{
	_cleanup_free_ char *path = in_top(name);
	char *text = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, &text, NULL, NULL), 0);
	return text;
}

static void assert_nothing_is_installed(void)
{
	assert_false(is_there(IMAGE));
	assert_false(is_there(TREE));
	assert_false(is_there("root/boot/config-" KVER));
	assert_false(is_there("root/boot/.segue-new-vmlinuz-" KVER));
	assert_false(is_there("root/usr/lib/modules/.segue-new"));
	assert_false(is_there("state/kernels/" KVER ".json"));
}

static void install_one(const char *release, Installed *ret)
{
	const InstallPlace here = place();
	Error err = {0};

	if (release_install(&here, release, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void install(Installed *ret)
{
	install_one("r", ret);
}

static void assert_refused(const char *release, int code, const char *why)
{
	const InstallPlace here = place();
	Installed installed;
	Error err = {0};

	assert_int_equal(release_install(&here, release, &installed, &err), code);
	if (!strstr(err.text, why))
		fail_msg("%s", err.text);
}

static void test_it_is_a_kernel(void **state)
{
	_cleanup_free_ char *module = NULL, *hooked = NULL;
	Installed installed;

	install(&installed);
	assert_string_equal(installed.kernel, KVER);
	assert_false(installed.was_there);
	module = text_of(MODULE);
	assert_string_equal(module, "module");
	assert_true(is_there(INDEX));
	assert_true(is_there("root/boot/config-" KVER));
	hooked = text_of(HOOKED);
	assert_string_equal(hooked, "configure 1 " KVER " vmlinuz-" KVER "\n");
	install(&installed);
	assert_true(installed.was_there);
	assert_false(is_there("root/usr/lib/modules/.segue-new"));
}

/* Whoever owns the depot changes a byte of a file, or of the document. */
static void test_what_was_not_signed(void **state)
{
	static const char *const names[] = {RELEASE_KERNEL, RELEASE_MODULES, RELEASE_CONFIG,
					    MANIFEST_FILE};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		_cleanup_free_ char *name = text_format(RELEASE "/%s", names[i]);
		_cleanup_free_ char *path = in_top(name);
		_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
		char was, is;

		assert_int_equal(pread(fd, &was, 1, 5), 1);
		is = (char)(was ^ 1);
		assert_int_equal(pwrite(fd, &is, 1, 5), 1);
		assert_refused("r", -EBADMSG, "r");
		assert_nothing_is_installed();
		assert_int_equal(pwrite(fd, &was, 1, 5), 1);
	}
	install(&(Installed){0});
}

static void test_signed_by_another(void **state)
{
	_cleanup_free_ char *path = in_top("etc/trust");

	assert_int_equal(directory_remove(AT_FDCWD, path, NULL), 0);
	assert_refused("r", -ENOENT, "trusts nobody");
	trust_put("etc", MALLORY);
	assert_refused("r", -EKEYREJECTED, "r");
	assert_nothing_is_installed();
}

/* One that came before, as somebody shows it again. */
static void test_an_older_one(void **state)
{
	const InstallPlace here = place();
	Installed installed;

	release_make("newer", NULL, NULL, 6);
	assert_int_equal(release_install(&here, "newer", &installed, NULL), 0);
	assert_refused("r", -ESTALE, "r");
}

/* Names and links that lead elsewhere, and what is no file. */
static void test_tricks(void **state)
{
	_cleanup_free_ char *releases = in_top("link/depot/releases/r"),
			    *moved = in_top("elsewhere"), *image = in_top(RELEASE "/vmlinuz");

	assert_refused("../r", -EINVAL, "no name");
	assert_refused(".r", -EINVAL, "no name");
	assert_refused("none", -ENOENT, "segue push none");
	assert_int_equal(rename(releases, moved), 0);
	assert_int_equal(symlink(moved, releases), 0);
	assert_refused("r", -ELOOP, "r");
	assert_int_equal(unlink(releases), 0);
	assert_int_equal(rename(moved, releases), 0);
	assert_int_equal(unlink(image), 0);
	assert_int_equal(mkfifo(image, 0600), 0);
	assert_refused("r", -EBADMSG, "not a file");
	assert_nothing_is_installed();
}

static void test_more_than_a_kernel(void **state)
{
	_cleanup_free_ char *root = in_top("root.img");

	put("root.img", "an image", 8);
	release_make("more", NULL, root, 6);
	assert_refused("more", -EOPNOTSUPP, "root image");
	assert_nothing_is_installed();
}

/* Where a swap looks for it; another release of the same kernel brings another one, or none. */
static void test_command_line(void **state)
{
	static const char name[] = "state/kernels/" KVER ".cmdline";
	_cleanup_free_ char *text = NULL;
	Installed installed;

	release_make("quiet", "quiet mitigations=auto", NULL, 7);
	install_one("quiet", &installed);
	text = text_of(name);
	assert_string_equal(text, "quiet mitigations=auto");
	release_make("loud", NULL, NULL, 8);
	install_one("loud", &installed);
	assert_true(installed.was_there);
	assert_false(is_there(name));
}

/* A kernel of that version came by a package. */
static void test_packages_are_left_alone(void **state)
{
	_cleanup_free_ char *image = NULL;
	uint8_t same[IMAGE_SIZE];
	Installed installed;

	put(IMAGE, "another", 7);
	assert_refused("r", -EEXIST, "not by segue");
	image = text_of(IMAGE);
	assert_string_equal(image, "another");
	image_make(same, KVER);
	put(IMAGE, same, sizeof(same));
	put(MODULE, "module", 6);
	install(&installed);
	assert_true(installed.was_there);
	assert_false(is_there("state/kernels/" KVER ".json"));
}

static void test_a_hook_fails(void **state)
{
	hook_put("postinst", "#!/bin/sh\necho no room in /boot; exit 3\n");
	assert_refused("r", -EPROTO, "hook exited with return code 3");
	assert_nothing_is_installed();
	hook_put("postinst", "#!/bin/sh\n");
	install(&(Installed){0});
}

/* What one that was killed has left is made anew. */
static void test_a_half_of_it(void **state)
{
	Installed installed;

	put("state/kernels/" KVER ".json", "{\"complete\": false}", 19);
	put(TREE "/kernel/half.ko", "h", 1);
	put("root/usr/lib/modules/.segue-new/half.ko", "h", 1);
	put("root/boot/.segue-new-vmlinuz-" KVER, "h", 1);
	install(&installed);
	assert_false(installed.was_there);
	assert_false(is_there(TREE "/kernel/half.ko"));
	assert_false(is_there("root/boot/.segue-new-vmlinuz-" KVER));
	assert_true(is_there(INDEX));
}

static void kernel_came(const char *version, const char *at_us)
{
	_cleanup_free_ char *record = text_format("state/kernels/%s.json", version);
	_cleanup_free_ char *tree = text_format("root/usr/lib/modules/%s/modules.dep", version);
	_cleanup_free_ char *image = text_format("root/boot/vmlinuz-%s", version);
	_cleanup_free_ char *text = text_format("{\"complete\": true, \"at_us\": %s}", at_us);

	put(record, text, strlen(text));
	put(tree, "x", 1);
	put(image, "x", 1);
}

static void test_the_oldest_goes(void **state)
{
	static const char *const keep[] = {"6.1"};
	const InstallPlace here = place();
	_cleanup_free_ char *hooked = NULL;
	Error err = {0};

	kernel_came("6.1", "1");
	kernel_came("6.2", "2");
	kernel_came("6.3", "3");
	kernel_came("6.4", "4");
	put("root/boot/vmlinuz-6.0", "of a package", 12);
	if (release_tidy(&here, 3, keep, 1, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(is_there("root/boot/vmlinuz-6.1"));
	assert_false(is_there("root/boot/vmlinuz-6.2"));
	assert_false(is_there("root/usr/lib/modules/6.2"));
	assert_true(is_there("root/boot/vmlinuz-6.3"));
	assert_true(is_there("root/boot/vmlinuz-6.4"));
	assert_true(is_there("root/boot/vmlinuz-6.0"));
	hooked = text_of(HOOKED);
	assert_string_equal(hooked, "remove 6.2\n");
	assert_int_equal(release_tidy(&here, 3, keep, 1, &err), 0);
	assert_true(is_there("root/boot/vmlinuz-6.3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_is_a_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_not_signed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signed_by_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_older_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tricks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_than_a_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_command_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_packages_are_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_hook_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_half_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_oldest_goes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
