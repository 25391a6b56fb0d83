# Headgate's build; `make help` lists the targets.
#
#   BUILD=DIR       where everything built goes (default: build)
#   SANITIZE=1      address, undefined-behaviour and leak sanitizers (BUILD is then build-sanitize)
#   V=1             show the commands
#   DIRS="base …"   build the library from these folders only, for work on one module
#   HAPROXY=PATH    the HAProxy of `make component`

PREFIX   ?= /usr/local
DESTDIR  ?=
# From the tag; a tarball has the file VERSION, which git fills: what it calls the commit, if there is a tag, and its number.
VERSION  := $(shell { [ ! -e .git ] || git describe --tags --always --dirty 2>/dev/null; } | grep . || \
              sed -n '/Format/{s/.*/unknown/p;q};/./{s/^\([0-9a-f]\{12\}\)[0-9a-f]\{28\}$$/\1/;p;q}' VERSION)
ifeq ($(strip $(VERSION)),)
$(error VERSION is empty: leave it out, or give one, like VERSION=v1.2.3)
endif
# Which constant configuration the controller works with; deploy/dev/docs writes it there.
DIGEST   := $(shell sed -n 's/.*setenv HEADGATE_CONFIGURATION "\(.*\)".*/\1/p' haproxy-cfg/00-digest.cfg)
SANITIZE ?= 0
FUZZ     ?= 0
BUILD    ?= build$(if $(filter 1,$(SANITIZE)),-sanitize)$(if $(filter 1,$(FUZZ)),-fuzz)
DIRS     ?= base auth cert option kube manifest store model plan haproxy status admin
HAPROXY  ?= haproxy
Q        := $(if $(V),,@)

PKGS     := libcurl json-c yaml-0.1 libcrypto libcrypt libevent
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wformat=2 -Wpointer-arith -Wvla -Wundef
HARDEN   := -fstack-protector-strong -fPIE -fcf-protection=full -fno-strict-overflow
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack
OPTIM    := -O2 -g -D_FORTIFY_SOURCE=2
ifeq ($(SANITIZE),1)
OPTIM    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDOPTIM  := -fsanitize=address,undefined
endif
ifeq ($(FUZZ),1)
CC       := clang
OPTIM    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDOPTIM  := -fsanitize=fuzzer,address,undefined
WARN     += -Wno-missing-prototypes
endif
CONFIG_DIR ?= $(PREFIX)/share/headgate/haproxy-cfg
# Where it is built doesn't show in what is built.
CFLAGS   += -std=gnu11 $(WARN) $(HARDEN) $(OPTIM) -ffile-prefix-map=$(CURDIR)=.
CPPFLAGS += -D_GNU_SOURCE -Icontroller -I$(BUILD) -MMD -MP \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS  += $(LDHARDEN) $(LDOPTIM)
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -pthread

LIB_SRC  := $(filter-out %_test.c,$(foreach d,$(DIRS),$(wildcard controller/$(d)/*.c)))
TOP_SRC  := $(filter-out %_test.c,$(wildcard controller/*.c))
UNIT_SRC := $(foreach d,$(DIRS),$(wildcard controller/$(d)/*_test.c))
TOPT_SRC := $(wildcard controller/*_test.c)
COMP_SRC := $(wildcard controller/test/*_test.c)
COMP_LIB := $(filter-out %_test.c,$(wildcard controller/test/*.c))
FUZZ_SRC := $(wildcard controller/fuzz/*_fuzz.c)
LIB      := $(BUILD)/libheadgate.a
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
TOP_OBJ  := $(TOP_SRC:%.c=$(BUILD)/%.o)
COMP_OBJ := $(COMP_LIB:%.c=$(BUILD)/%.o)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
TOPT_BIN := $(TOPT_SRC:%.c=$(BUILD)/%)
COMP_BIN := $(COMP_SRC:%.c=$(BUILD)/%)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(BUILD)/%)
LINK      = @echo "LD  $@"; mkdir -p $(@D); \
            $(if $(V),set -x;) $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) $(LDLIBS)

.PHONY: all
#: make                 build the controller (build/headgate)
all: $(BUILD)/headgate

.PHONY: help
help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

$(BUILD)/headgate: $(TOP_OBJ) $(LIB)
	$(LINK)

$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/version.h: FORCE
	@mkdir -p $(BUILD)
	@printf '#define %s "%s"\n' HEADGATE_VERSION '$(VERSION)' HEADGATE_CONFIG_DIR '$(CONFIG_DIR)' \
		HEADGATE_CONFIGURATION '$(DIGEST)' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: FORCE
FORCE:

$(BUILD)/controller/%.o: controller/%.c | $(BUILD)/version.h
	@mkdir -p $(@D)
	@echo "CC  $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(UNIT_BIN): LDLIBS += -lcmocka
$(UNIT_BIN): $(BUILD)/%: %.c $(EXTRA_OBJ) $(LIB)
	$(LINK)

$(TOPT_BIN): LDLIBS += -lcmocka
$(TOPT_BIN): $(BUILD)/%: %.c $(filter-out %/main.o,$(TOP_OBJ)) $(LIB)
	$(LINK)

$(COMP_BIN): LDLIBS += -lcmocka
$(COMP_BIN): $(BUILD)/%: %.c $(COMP_OBJ) $(filter-out %/main.o,$(TOP_OBJ)) $(LIB)
	$(LINK)

$(FUZZ_BIN): $(BUILD)/%: %.c $(LIB)
	$(LINK)

# ---- tests ----
#
# A target that needs packages looks for them first and then calls make again: what pkg-config says is only known afterwards.

.PHONY: deps test unit component e2e fuzz fuzz-binaries
#: make deps            install what build, demo and tests need (Debian packages; as root or through sudo)
deps:
	deploy/dev/deps all

#: make test            everything: unit, component (HAProxy 2.6 and 3.4), end to end; SANITIZE=1 under the sanitizers
test:
	deploy/dev/deps --if-missing test
	$(MAKE) unit
	$(MAKE) component HAPROXY="$$(deploy/dev/haproxy 2.6)"
	$(MAKE) component HAPROXY="$$(deploy/dev/haproxy 3.4)"
	$(MAKE) e2e

#: make unit            the tests beside the code
unit: $(UNIT_BIN) $(TOPT_BIN)
	@set -e; for t in $(UNIT_BIN) $(TOPT_BIN); do echo "RUN $$t"; $$t; done

#: make component       the tests with a real HAProxy and no cluster (HAPROXY=PATH)
component: $(COMP_BIN)
	@set -e; for t in $(COMP_BIN); do echo "RUN $$t ($(HAPROXY))"; HAPROXY=$(HAPROXY) $$t; done

#: make e2e             the tests with a real kube-apiserver, etcd and HAProxy (RUN=REGEX chooses)
e2e: $(BUILD)/headgate
	BUILD=$(BUILD) e2e/run $(if $(RUN),-run '$(RUN)')

#: make fuzz            every parser and encoder, FUZZ_SECONDS (30) each, one a processor at a time; FUZZ_RUNS=N: N inputs, always the same
FUZZ_SECONDS ?= 30
fuzz:
	deploy/dev/deps --if-missing fuzz
	$(MAKE) FUZZ=1 fuzz-binaries
	@printf '%s\n' $(FUZZ_SRC:%.c=build-fuzz/%) | xargs -P "$$(nproc)" -I '{}' deploy/dev/fuzz '{}' $(FUZZ_SECONDS) $(FUZZ_RUNS)
fuzz-binaries: $(FUZZ_BIN)

# ---- looking at the code ----

.PHONY: lint format
#: make lint            layout, static analysis, house rules, go vet
lint:
	deploy/dev/deps --if-missing lint
	deploy/dev/lint

#: make format          lay the C files out as `make lint` wants them
format:
	find controller -name '*.[ch]' | xargs clang-format -i

# ---- running ----

.PHONY: demo bench install manifests docs release clean
#: make demo            real HAProxy, real traffic, no cluster (KEEP=1: stay up until Ctrl-C)
demo:
	deploy/dev/deps --if-missing demo
	$(MAKE) all
	HEADGATE=$(BUILD)/headgate deploy/demo/demo $(if $(KEEP),--keep)

#: make bench           measure, print a table, record it in bench/results/ (BENCH=full: with 100,000 Ingresses)
bench:
	deploy/dev/deps --if-missing test
	$(MAKE) all
	BUILD=$(BUILD) BENCH=$(BENCH) bench/run

#: make install         DESTDIR= PREFIX=
install: $(BUILD)/headgate
	install -D -m 755 $(BUILD)/headgate $(DESTDIR)$(PREFIX)/bin/headgate
	install -d $(DESTDIR)$(CONFIG_DIR)
	install -m 644 haproxy-cfg/*.cfg $(DESTDIR)$(CONFIG_DIR)
	install -d $(DESTDIR)$(CONFIG_DIR)/../lua
	install -m 644 lua/*.lua $(DESTDIR)$(CONFIG_DIR)/../lua
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/headgate/LICENSE
	install -D -m 644 deploy/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/headgate
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	deploy/dev/man $(BUILD)/headgate > $(DESTDIR)$(PREFIX)/share/man/man1/headgate.1

#: make docs            write docs/metrics.md, docs/flags.md and haproxy-cfg/00-digest.cfg from what they are made of
docs:
	deploy/dev/docs

#: make manifests       write deploy/kubernetes/ from the chart
manifests:
	cd e2e && "$$(../deploy/dev/go)" run ./cmd/render

#: make release         tarball, image, chart, manifests and checksums of the tag that is checked out, in build/release
release: all
	deploy/release $(BUILD)/headgate $(BUILD)/release

#: make clean           remove everything built
clean:
	rm -rf build build-*

-include $(LIB_OBJ:.o=.d) $(TOP_OBJ:.o=.d) $(COMP_OBJ:.o=.d)
-include $(UNIT_BIN:=.d) $(TOPT_BIN:=.d) $(COMP_BIN:=.d) $(FUZZ_BIN:=.d)
