# SPDX-License-Identifier: Apache-2.0
# podjoule: one Makefile, no recursion.  Everything generated goes under build/.
# `make help` lists the targets; V=1 shows commands; SAN=1 builds the agent with ASan and UBSan.

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)
CC        ?= gcc
ifeq ($(origin CC),default)
CC        := gcc
endif
CLANG     ?= clang
BPFTOOL   ?= bpftool
PREFIX    ?= /usr/local
DESTDIR   ?=
BUILD     := build
SUDO      := $(if $(filter 0,$(shell id -u)),,sudo)
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2);)

# Debian keeps bpftool and its like where only root looks.
export PATH := $(PATH):/usr/sbin:/sbin

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---- what to install, and why (Debian package: reason) ---------------------------------------
define BUILD_PACKAGES
gcc: compiles the agent
clang: compiles the BPF programs
bpftool: makes skeletons from BPF objects
libbpf-dev: loads and relocates BPF programs
libelf-dev: libbpf reads ELF with it
zlib1g-dev: libbpf needs it
libdeflate-dev: gzip of /metrics, in less CPU time than zlib
libmicrohttpd-dev: HTTP server inside our event loop
libcurl4-gnutls-dev: watches pods over HTTPS inside our event loop
libcjson-dev: reads what the API server and container runtimes write
endef
define TEST_PACKAGES
libcriterion-dev: unit tests
libclang-rt-14-dev: sanitizers and libFuzzer for clang
clang-format: lint
clang-tidy: lint
cppcheck: lint
shellcheck: lint of shell scripts
jq: e2e tests read JSON
curl: e2e tests scrape
runc: e2e tests run real containers
busybox-static: root file system of the test containers
prometheus: a real scraper, and promtool
stress-ng: load for the conservation tests
util-linux: setpriv runs the agent with exactly its shipped capabilities
endef
export BUILD_PACKAGES TEST_PACKAGES

# Installs what is missing of a list; silent when nothing is.
define install_missing
	@missing=$$(printf '%s\n' "$$$(1)" | while IFS=: read -r name why; do \
		dpkg-query -W -f '$${db:Status-Status}' "$$name" 2>/dev/null | grep -q '^installed' || echo "$$name"; done); \
	if [ -n "$$missing" ]; then \
		command -v apt-get >/dev/null || { echo "make: install the equivalents of: $$missing" >&2; exit 1; }; \
		echo "  APT      $$missing" | tr '\n' ' '; echo; \
		$(SUDO) apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@mkdir -p $(@D) && touch $@
endef

$(BUILD)/.build-packages: ; $(call install_missing,BUILD_PACKAGES)
$(BUILD)/.test-packages:  ; $(call install_missing,TEST_PACKAGES)

# ---- flags ------------------------------------------------------------------------------------
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
            -Wvla -Wpointer-arith -Wundef
HARDEN   := -fstack-protector-strong -fPIE -ffp-contract=off
CPPFLAGS := -D_GNU_SOURCE -DPODJOULE_VERSION='"$(VERSION)"' -I. -Iagent -I$(BUILD)
CFLAGS   := -std=gnu17 -O2 -g $(WARN) $(HARDEN) -MMD -MP
LDFLAGS  := -pie -Wl,-z,relro,-z,now
LDLIBS   := -lbpf -lelf -lz -lmicrohttpd -ldeflate -lcurl-gnutls -lcjson -lpthread -lm
FORTIFY  := -D_FORTIFY_SOURCE=2
ASAN     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
WRAP     := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=strdup
TESTCPP  := -Itests -Itests/unit -Wno-missing-prototypes
BPFFLAGS := -target bpf -g -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I. -Ibpf

# ---- sources ----------------------------------------------------------------------------------
agent_c  := $(sort $(wildcard agent/*.c agent/*/*.c))
unit_c   := $(sort $(wildcard tests/unit/*.c))
sim_c    := $(sort $(wildcard tests/sim/*.c))
bpft_c   := $(sort $(wildcard tests/bpf/*.c))
fuzz_c   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
fuzzers  := $(patsubst tests/fuzz/fuzz_%.c,%,$(fuzz_c))
skels    := $(BUILD)/bpf/sched.skel.h $(BUILD)/bpf/life.skel.h
AGENT    := $(BUILD)/$(if $(SAN),san/)podjoule-agent

all: $(AGENT) ## build everything

# ---- BPF: %.bpf.c -> %.bpf.o -> %.skel.h --------------------------------------------------------
$(BUILD)/bpf/%.tmp.o: bpf/%.bpf.c | $(BUILD)/.build-packages
	@mkdir -p $(@D)
	$(call say,CLANGBPF,$<) $(CLANG) $(BPFFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@
$(BUILD)/bpf/%.tmp.o: tests/bench/%.bpf.c | $(BUILD)/.build-packages
	@mkdir -p $(@D)
	$(call say,CLANGBPF,$<) $(CLANG) $(BPFFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@
$(BUILD)/bpf/%.bpf.o: $(BUILD)/bpf/%.tmp.o
	$(call say,GENOBJ,$@) $(BPFTOOL) gen object $@ $<
$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name $*_bpf > $@

# ---- objects, once per variant -------------------------------------------------------------------
# variant NAME: directory, compiler, extra compile flags.  Skeletons are order-only: dependency
# files know who really includes them.
define variant
$(1)/%.o: %.c | $(skels) $(BUILD)/.build-packages
	@mkdir -p $$(@D)
	$$(call say,CC,$$<) $(2) $$(CPPFLAGS) $$(CFLAGS) $(3) $$(if $$(filter tests/%,$$<),$$(TESTCPP)) -c $$< -o $$@
endef
$(eval $(call variant,$(BUILD)/obj,$(CC),$(FORTIFY)))
$(eval $(call variant,$(BUILD)/san,$(CC),$(ASAN)))
$(eval $(call variant,$(BUILD)/clang,$(CLANG),$(FORTIFY)))
$(eval $(call variant,$(BUILD)/fuzz,$(CLANG),$(ASAN) -fsanitize=fuzzer-no-link))

objs      = $(patsubst %.c,$(1)/%.o,$(2))
no_main   = $(filter-out agent/main.c,$(agent_c))

$(BUILD)/podjoule-agent: $(call objs,$(BUILD)/obj,$(agent_c))
	$(call say,LD,$@) $(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/san/podjoule-agent: $(call objs,$(BUILD)/san,$(agent_c))
	$(call say,LD,$@) $(CC) $(LDFLAGS) $(ASAN) $^ $(LDLIBS) -o $@
$(BUILD)/clang/podjoule-agent: $(call objs,$(BUILD)/clang,$(agent_c))
	$(call say,LD,$@) $(CLANG) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(call objs,$(BUILD)/obj,$(unit_c) $(sim_c) $(bpft_c)) $(call objs,$(BUILD)/san,$(unit_c) $(sim_c)): | $(BUILD)/.test-packages
$(BUILD)/tests/unit: $(call objs,$(BUILD)/obj,$(unit_c) $(no_main))
$(BUILD)/tests/unit-san: $(call objs,$(BUILD)/san,$(unit_c) $(no_main))
$(BUILD)/tests/sim: $(call objs,$(BUILD)/obj,$(sim_c) $(no_main))
$(BUILD)/tests/bpf: $(call objs,$(BUILD)/obj,$(bpft_c) $(no_main))
$(BUILD)/tests/unit $(BUILD)/tests/unit-san $(BUILD)/tests/sim $(BUILD)/tests/bpf:
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $(if $(findstring san,$@),$(ASAN)) $(if $(findstring unit,$@),$(WRAP)) \
		$^ $(LDLIBS) -lcriterion -o $@

# Helper programs of the tests: one source each, linked with the agent's leaves.
leaves   := $(filter agent/platform/%,$(agent_c))
$(BUILD)/tests/%: $(BUILD)/obj/tests/bench/%.o $(call objs,$(BUILD)/obj,$(no_main))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/tests/%: $(BUILD)/obj/tests/e2e/%.o $(call objs,$(BUILD)/obj,$(leaves))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
# The fake API server has a folder of its own; -san is the same with ASan and UBSan.
apiserver_c := $(sort $(wildcard tests/apiserver/*.c))
$(BUILD)/tests/fake_apiserver: $(call objs,$(BUILD)/obj,$(apiserver_c) $(leaves))
$(BUILD)/tests/fake_apiserver-san: $(call objs,$(BUILD)/san,$(apiserver_c) $(leaves))
$(BUILD)/tests/fake_apiserver $(BUILD)/tests/fake_apiserver-san:
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $(if $(findstring san,$@),$(ASAN)) $^ $(LDLIBS) -o $@
$(BUILD)/obj/tests/bench/bench_switch.o: | $(BUILD)/bpf/empty.skel.h

# ---- fuzzing ------------------------------------------------------------------------------------
$(BUILD)/tests/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(call objs,$(BUILD)/fuzz,$(no_main))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CLANG) $(ASAN) -fsanitize=fuzzer $^ $(LDLIBS) -o $@
$(BUILD)/tests/replay_%: $(BUILD)/san/tests/fuzz/fuzz_%.o $(BUILD)/san/tests/fuzz/replay.o $(call objs,$(BUILD)/san,$(no_main))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $(ASAN) $^ $(LDLIBS) -o $@


# ---- what people type -----------------------------------------------------------------------------
.PHONY: all help deps run test test-full bench fuzz lint format install clean vmlinux-dump \
        test-unit test-sim test-bpf test-e2e test-fuzz test-lint test-clang test-sanitized \
        test-fuzz-short test-churn image

help: ## this list
	@awk -F':.*## ' '/^[a-zA-Z0-9_-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## what is needed, why, and what is missing
	@printf 'To build and run:\n'; printf '%s\n' "$$BUILD_PACKAGES" | $(show_packages)
	@printf 'To test:\n'; printf '%s\n' "$$TEST_PACKAGES" | $(show_packages)
define show_packages
while IFS=: read -r name why; do \
	state=$$(dpkg-query -W -f '$${db:Status-Status}' "$$name" 2>/dev/null || echo missing); \
	printf '  %-22s %-10s%s\n' "$$name" "$$state" "$$why"; done
endef

run: $(AGENT) ## run the agent on this node: live table, and /metrics on 127.0.0.1:9713 (DURATION=10s ends it)
	$(Q)$(SUDO) $(AGENT) run --live $(if $(DURATION),--duration=$(DURATION) --listen=127.0.0.1:9713) $(ARGS)

TALLY := tests/check/tally.sh
test: test-lint test-unit test-fuzz test-sim test-bpf test-e2e ## all tests but the slow ones (under 20 minutes)
	@echo 'make test: all suites passed'
test-full: test-clang test-sanitized test-churn test-fuzz-short ## the slower checks: all analysers, clang's build, the sanitized agent's whole life, two minutes of pods that come and go, 10 s of fuzzing each (under 60 minutes)
	@echo 'make test-full: all suites passed'
test-unit: $(BUILD)/tests/unit $(BUILD)/tests/unit-san
	$(Q)$(TALLY) run unit $(BUILD)/tests/unit -j2
	$(Q)$(TALLY) run unit-sanitized $(BUILD)/tests/unit-san -j2
test-sim: $(BUILD)/tests/sim
	$(Q)$(TALLY) run sim $(BUILD)/tests/sim
test-bpf: $(BUILD)/tests/bpf
	$(Q)$(TALLY) run bpf $(SUDO) $(BUILD)/tests/bpf -j1
test-fuzz: $(fuzzers:%=$(BUILD)/tests/replay_%)
	$(Q)$(TALLY) run fuzz-replay tests/fuzz/replay.sh $(BUILD)/tests $(fuzzers)
e2e_tools := podjoule-agent tests/short_lived tests/pod_churn tests/plant tests/fake_apiserver
e2e       := $(SUDO) env AGENT=$(CURDIR)/$(BUILD)/podjoule-agent TOOLS=$(CURDIR)/$(BUILD)/tests
test-e2e: $(e2e_tools:%=$(BUILD)/%)
	$(Q)$(TALLY) run e2e $(e2e) tests/e2e/run.sh
test-churn: $(e2e_tools:%=$(BUILD)/%)
	$(Q)$(TALLY) run churn $(e2e) CHURN_SECONDS=120 CHURN_PODS=250 LATE_SECONDS=60 tests/e2e/run.sh churn names
test-lint: | $(BUILD)/.test-packages
	$(Q)$(TALLY) run checks tests/check/selftest.sh
	$(Q)SUITE=style $(TALLY) run style tests/check/lint.sh style
test-clang: $(BUILD)/clang/podjoule-agent $(BUILD)/san/podjoule-agent
	$(Q)$(TALLY) run lint tests/check/lint.sh full

test-sanitized: $(BUILD)/san/podjoule-agent $(BUILD)/tests/fake_apiserver $(BUILD)/tests/pod_churn
	$(Q)$(TALLY) run sanitized $(SUDO) tests/e2e/sanitized.sh $(CURDIR)/$(BUILD)/san/podjoule-agent $(CURDIR)/$(BUILD)/tests
test-fuzz-short: $(fuzzers:%=$(BUILD)/tests/fuzz_%)
	$(Q)$(TALLY) run fuzz tests/fuzz/fuzz.sh $(BUILD) 10 $(fuzzers)

bench: $(BUILD)/podjoule-agent $(BUILD)/tests/bench_switch $(BUILD)/tests/bench_tick $(BUILD)/tests/bench_scrape $(BUILD)/tests/plant ## what it costs, as ratios in one run; prints its protocol
	$(Q)$(SUDO) tests/bench/run.sh $(BUILD)

FUZZ_SECONDS ?= 60
fuzz: $(fuzzers:%=$(BUILD)/tests/fuzz_%) ## fuzz every parser, FUZZ_SECONDS=60 each; findings go to build/fuzz-findings
	$(Q)tests/fuzz/fuzz.sh $(BUILD) $(FUZZ_SECONDS) $(fuzzers)

lint: $(BUILD)/podjoule-agent | $(BUILD)/.test-packages ## clang-format, clang-tidy, cppcheck, shellcheck, layers, style
	$(Q)tests/check/lint.sh full
format: ## put every source into shape
	$(Q)clang-format -i $(agent_c) $(wildcard agent/*.h agent/*/*.h bpf/*.[ch] tests/*/*.[ch])

install: $(AGENT) ## install to DESTDIR/PREFIX
	install -D -m 0755 $(AGENT) $(DESTDIR)$(PREFIX)/bin/podjoule-agent
	install -D -m 0644 deploy/podjoule-agent.service $(DESTDIR)$(PREFIX)/lib/systemd/system/podjoule-agent.service
image: $(BUILD)/podjoule-agent ## container image: the agent and the libraries that it names (needs buildah)
	$(Q)deploy/image.sh $(BUILD)/podjoule-agent

vmlinux-dump: ## the running kernel's types, to copy fields from into vmlinux.h
	$(Q)$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c
clean: ## remove everything generated
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
