/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of a rehearsal: its command line, and what is read on its console. */
#include "swap/guest.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "test.h"

#define OWN "console=ttyS0,115200 panic=-1 loglevel=6 printk.devkmsg=on no_timer_check nowatchdog"

static void test_cmdline(void **state)
{
	static const struct {
		const char *machine, *guest;
	} cases[] = {
		{"", OWN},
		{"root=UUID=1-2 ro quiet", "root=UUID=1-2 ro " OWN},
		{"console=tty0 console=ttyS1,9600 panic=10 mitigations=off loglevel=3",
		 "mitigations=off " OWN},
		{"memmap=1G!1G mem=8G crashkernel=512M hugepagesz=1G hugepages=900 x=1",
		 "x=1 " OWN},
		{"y=\"a quiet b\" ro -- single quiet",
		 "y=\"a quiet b\" ro " OWN " -- single quiet"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *line = NULL;

		assert_int_equal(guest_cmdline(cases[i].machine, &line, NULL), 0);
		assert_string_equal(line, cases[i].guest);
	}
}

static const char console_text[] =
	"SeaBIOS (version 1.16)\r\n\r\n"
	"[    0.000000] Linux version 7.3.4\r\n"
	"[    9.1] segue-init: rehearsal begun: ok\r\n"
	"[    9.2] segue-init: rehearsal modules: Loading the module /segue/modules/00-x.ko: "
	"Invalid argument\r\n"
	"[    9.3] segue-init: rehearsal hold: ok\r\n"
	"[    9.4] segue-init: rehearsal without end\r\n"
	"[    9.5] segue-init: rehearsal ended: ok\r\n";

static void step_require(const GuestConsole *console, size_t i, const char *step, bool ok,
			 const char *message)
{
	json_object *o = json_object_array_get_idx(console->steps, i);

	assert_string_equal(json_opt_string(o, "step", ""), step);
	assert_int_equal(json_opt_bool(o, "ok", !ok), ok);
	assert_string_equal(json_opt_string(o, "message", "none"), message);
}

/* However it comes: in one piece, and byte by byte. */
static void test_console(void **state)
{
	for (size_t piece = 1; piece < sizeof(console_text); piece += sizeof(console_text) - 2) {
		GuestConsole console = {0};

		for (size_t at = 0; at < sizeof(console_text) - 1; at += piece) {
			assert_false(console.ended);
			guest_console_feed(&console, console_text + at, piece);
		}
		assert_true(console.begun);
		assert_true(console.ended);
		assert_string_equal(console.panic, "");
		assert_int_equal(json_length(console.steps), 2);
		step_require(&console, 0, "modules", false,
			     "Loading the module /segue/modules/00-x.ko: Invalid argument");
		step_require(&console, 1, "hold", true, "none");
		guest_console_free(&console);
	}
}

static void test_console_panic(void **state)
{
	static const char text[] = "[ 1.0] x\n\n[ 1.1] Kernel panic - not syncing: No working init "
				   "found.\n[ 1.2] ---[ end Kernel\n";
	GuestConsole console = {0};

	guest_console_feed(&console, text, sizeof(text) - 1);
	assert_string_equal(console.panic, "No working init found.");
	assert_string_equal(console.last, "[ 1.2] ---[ end Kernel");
	assert_false(console.begun);
	guest_console_free(&console);
}

/* Whatever a guest sends: a line without an end, and no text. */
static void test_console_garbage(void **state)
{
	static const char mark[] = "\nsegue-init: rehearsal begun: ok\n";
	GuestConsole console = {0};

	for (int i = 0; i < 100000; i++)
		guest_console_feed(&console, (const char[]){(char)(i % 9)}, 1);
	guest_console_feed(&console, "\n\0\33[2J\n", 7);
	assert_string_equal(console.last + strlen(console.last) - 4, "?[2J");
	guest_console_feed(&console, mark, sizeof(mark) - 1);
	assert_true(console.begun);
	guest_console_free(&console);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_console),
		cmocka_unit_test(test_console_panic),
		cmocka_unit_test(test_console_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
