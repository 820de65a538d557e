# SPDX-License-Identifier: Apache-2.0
# Shorthands around Meson (the build) and dpkg-buildpackage (the package).
BUILD ?= build
BUILD_UNIT ?= build-unit
BUILD_FUZZ ?= build-fuzz
FUZZ_SECONDS ?= 600

.PHONY: all deb install lint test-unit fuzz test test-faults test-endurance test-programs test-rollouts demo bench-blackout bench-hub bench-relay bench-rollout deps clean

all: $(BUILD)/build.ninja
	meson compile -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup --prefix=/usr --sysconfdir=/etc $(BUILD)

# The Debian package, in deb/.  The lock: two of these in one tree would spoil each other's work.
deb:
	mkdir -p deb
	flock deb/.lock env DEB_DESTDIR="$(CURDIR)/deb" \
		DEB_BUILD_OPTIONS="$${DEB_BUILD_OPTIONS-nocheck}" \
		dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes \
		--buildinfo-file=deb/segue.buildinfo --buildinfo-option=-udeb \
		--changes-file=deb/segue.changes --changes-option=-udeb

install: all
	meson install -C $(BUILD)

lint: $(BUILD)/build.ninja
	tools/lint $(BUILD)

test-unit:
	tools/test-unit $(BUILD_UNIT)

# Every parser, for FUZZ_SECONDS each.
fuzz:
	tools/fuzz $(BUILD_FUZZ) $(FUZZ_SECONDS)

test: deps
	$(MAKE) lint
	lab/demo
	test/lab/run
	tools/test-unit $(BUILD_UNIT)

# Every failure at every place where one can be ordered.
test-faults: deps
	test/lab/faults

# Twenty swaps in a row.
test-endurance: deps
	test/lab/run --guests n2 --group endurance

# What doc/compatibility.md says: some 25 programs of Debian's, each under load, in about half an hour.
test-programs: deps
	test/lab/run --group programs --guests n2
	test/lab/compatibility

# Four machines behind a load balancer, one after the other and all at once, in about half an hour.
test-rollouts: deps
	test/lab/run --group rollouts --guests n2

demo: deps
	lab/demo

bench-blackout: deps
	bench/blackout

# A hub and 2,000 nodes on this machine.
bench-hub: deps all
	mkdir -p bench/out
	SEGUE_HUB=$(BUILD)/src/hub/segue-hub SEGUE_RELAY=$(BUILD)/src/relay/segue-relay $(BUILD)/test/bench-hub bench/out/hub.json

bench-relay: deps all
	bench/relay

# Simulated fleets, and four machines in the lab.
bench-rollout: deps all
	bench/rollout

deps:
	tools/install-deps

clean:
	rm -rf $(BUILD) $(BUILD_UNIT) $(BUILD_FUZZ) deb
