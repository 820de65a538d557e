/* SPDX-License-Identifier: Apache-2.0 */
#include "init/rehearse.h"

#include <fcntl.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "init/beside.h"
#include "init/root.h"
#include "init/say.h"
#include "swap/guest_console.h"
#include "swap/handover.h"
#include "swap/hold.h"

#define CRIU_LIMIT_MS 300000 /* under emulation */

bool rehearse_is_asked(json_object *handover)
{
	return strcmp(json_opt_string(handover, "direction", ""), HANDOVER_REHEARSE) == 0;
}

static int modules_try(json_object *handover, Error *err)
{
	int r = root_load_modules(handover, err);

	return r < 0 ? r : root_load_other_modules(handover, err);
}

static int hold_try(json_object *handover, Error *err)
{
	int r = hold_raise(err);

	(void)handover;
	return r < 0 ? r : hold_lower(err);
}

static int criu_try(json_object *handover, Error *err)
{
	static const char *const argv[] = {"/usr/sbin/criu", "check", NULL};
	int r = directory_make(AT_FDCWD, "/tmp", 0700, err);

	(void)handover;
	if (r == 0)
		r = beside_loopback_up(err);
	return r < 0 ? r : process_run(argv, CRIU_LIMIT_MS, NULL, err);
}

static const struct {
	const char *name;
	int (*run)(json_object *handover, Error *err);
} steps[] = {
	{GUEST_STEP_MODULES, modules_try},
	{"hold", hold_try},
	{"criu", criu_try},
};

void rehearse(json_object *handover)
{
	say(GUEST_MARK GUEST_BEGUN ": ok");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		Error why = {0};

		if (steps[i].run(handover, &why) < 0)
			say(GUEST_MARK "%s: %s", steps[i].name, why.text);
		else
			say(GUEST_MARK "%s: ok", steps[i].name);
	}
	say(GUEST_MARK GUEST_ENDED ": ok");
	(void)reboot(RB_POWER_OFF);
	for (;;)
		(void)pause();
}
