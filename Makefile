# The front of the house: `make run` for a demonstration, `make check` for all tests. The build itself is meson's.
PREFIX = /usr/local
DESTDIR =
MINUTES = 5
BUILD = build

all: build/waxwing

build/build.ninja:
	@tools/deps build
	@CC="$(or $(filter-out cc,$(CC)),gcc)" meson setup build -Dwerror=true -Dbuildtype=debugoptimized --prefix=$(PREFIX) >/dev/null

$(BUILD)/waxwing: $(BUILD)/build.ninja always
	@ninja -C $(BUILD) --quiet waxwing

run: build/waxwing
	@tools/demo

check:
	@tools/deps build test
	-@tools/deps clients # large; what needs them is skipped without
	@tools/check

bench: build/waxwing
	@tools/deps build bench
	@/usr/bin/python3 test/bench/run.py build/waxwing $(BENCH)

fuzz:
	@tools/deps build test
	@tools/fuzz $(MINUTES)

sanitize:
	@tools/deps build test
	@tools/check sanitize

format:
	@tools/deps test
	@git ls-files 'src/*.c' 'src/*.h' 'test/*.c' 'test/*.h' | xargs clang-format -i

# The parts that derive from the program's tables, into the pages that are written by hand.
man = $(BUILD)/waxwing $(1) --man | sed -e '/^@DERIVED@$$/{r /dev/stdin' -e 'd}' doc/man/$(2).in >$(DESTDIR)$(PREFIX)/share/man/$(3)

install: $(BUILD)/waxwing
	install -D -m 755 $(BUILD)/waxwing $(DESTDIR)$(PREFIX)/bin/waxwing
	install -d $(DESTDIR)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/waxwing.service >$(DESTDIR)/lib/systemd/system/waxwing.service
	install -D -m 644 packaging/systemd/sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/waxwing.conf
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	$(call man,help,waxwing.1,man1/waxwing.1)
	$(call man,config,waxwing.conf.5,man5/waxwing.conf.5)

clean:
	rm -rf build build-sanitize build-fuzz demo

.PHONY: all run check bench fuzz sanitize format install clean always
