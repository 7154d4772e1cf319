# `make` alone lists what there is. Works with GNU make (also macOS's 3.81) and BSD make: what a recipe needs to know
# reaches it through the environment, where make puts NAME=value from its command line.

# In the order that they are named in, also with -j: `make up load` is one after the other.
.NOTPARALLEL:

.PHONY: help up load lab runs compare drill soak challenge pitfalls simulation audit test bench bench-lock figures race console report pack docs scale ps logs down sbom swarm swarm-down test-swarm check format clean

# Node 26 comes from the packages; the machine's own Node (20 or newer) only has to install them.
BIN = node_modules/.bin
NODE = $(BIN)/node
INSTALLED = node_modules/.package-lock.json

# What every program of ours does by itself: TICKET=5 on the command line is an error, and not ignored.
REFUSE_UNKNOWN = $(NODE) infra/command-line/main.ts

# Without a network npm would try again for a minute and a half without a word.
NPM_CI = npm ci --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000

# Not among the packages: 47 MB of them, for a list that is made once a release. npm's own `npm sbom` leaves out what other
# workspaces use for their tests, hono, pg and ioredis among it.
SBOM = PATH="$$PWD/$(BIN):$$PATH" npm exec --yes --package=@cyclonedx/cyclonedx-npm@6.0.1 -- cyclonedx-npm --omit dev --omit optional --omit peer --workspace services/booking --package-lock-only --output-reproducible

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  up, scale       REPLICAS=3 PORT=8080 QUORUM=0|3 HA=on|off WATCH=on|off RUNTIME=docker|native'
	@echo '  load            TICKETS=1 BUYERS=100 STRATEGY=... JSON=path, and more: make load ARGS=--help'
	@echo '  lab             WORKLOAD=rush STRATEGY=... REPLICAS=1,2,4 CONNECTIONS=64, and more: make lab ARGS=--help'
	@echo '  drill           NAME=pause-holder STRATEGY=... RUNS=1 SEED=... ALL=1 MISTAKE=..., and more: make drill ARGS=--help'
	@echo '  soak            MINUTES=10 SEED=... FAULTS=... NAME=... STRATEGY=..., and more: make soak ARGS=--help'
	@echo '  challenge       STRATEGY=path/to/my-guard.ts ONLY=..., and more: make challenge ARGS=--help'
	@echo '  bench, bench-lock  QUICK=1 ONLY=... JSON=path, and more: make bench ARGS=--help'
	@echo '  console         CONSOLE_PORT=8090'
	@echo '  logs            FOLLOW=0'

# `make up load TICKETS=abc` says so before anything is started. GNU make names its goals in one variable, BSD make in the
# other.
up: $(INSTALLED) ## start it: replicas behind nginx, Redis, Postgres; in Docker or natively
	@case ' $(MAKECMDGOALS) $(.TARGETS) ' in *' load '*) $(NODE) load/src/main.ts --dry-run ;; esac
	@$(NODE) infra/stack/main.ts up $(ARGS)

load: $(INSTALLED) ## let many buyers book at once, without the lock and with it, and count in Postgres
	@$(NODE) load/src/main.ts $(ARGS)

lab: $(INSTALLED) ## compare guards, replicas and loads on a stack of its own, and keep what was found
	@$(NODE) load/src/lab/main.ts $(ARGS)

runs: $(INSTALLED) ## list what the lab has found
	@$(NODE) load/src/runs/list/main.ts $(ARGS)

compare: $(INSTALLED) ## two runs of the lab, cell by cell: make compare A=... B=latest
	@$(NODE) load/src/runs/compare/main.ts $(ARGS)

drill: $(INSTALLED) ## break a running system on purpose, and see what each guard does: make drill NAME=pause-holder
	@$(NODE) load/src/drills/main.ts $(ARGS)

soak: $(INSTALLED) ## let everything run for long while faults strike at random: make soak MINUTES=60 SEED=7
	@$(NODE) load/src/soak/main.ts $(ARGS)

challenge: $(INSTALLED) ## attack a guard of your own: make challenge STRATEGY=load/challenge/template.ts
	@$(NODE) load/src/challenge/main.ts $(ARGS)

pitfalls: $(INSTALLED) ## play what programs with a lock get wrong, each broken and right
	@$(NODE) load/src/pitfalls/main.ts $(ARGS)

simulation: $(INSTALLED) ## play the guards in one process, thousands of histories a minute, with faults at any moment: SEED=1
	@$(NODE) simulation/main.ts $(ARGS)

audit: $(INSTALLED) ## compare the counter of each event with its bookings; FIX=1 mends it
	@$(NODE) infra/stack/audit.ts $(ARGS)

test: $(INSTALLED) ## run every test that this machine can run
	@$(REFUSE_UNKNOWN)
	@npm test --silent -- $(ARGS)

bench: $(INSTALLED) ## measure the eleven ways to guard a booking
	@$(NODE) load/src/bench/main.ts $(ARGS)

bench-lock: $(INSTALLED) ## measure the lock beside other locks
	@$(NODE) services/locking/bench/main.ts $(ARGS)

figures: $(INSTALLED) ## what the benches found over all recorded runs; brings the tables of the READMEs up to it
	@$(REFUSE_UNKNOWN)
	@$(NODE) load/src/figures/main.ts $(ARGS)

pack: $(INSTALLED) ## build the lock as a package for npm, into .lastseat/package
	@$(REFUSE_UNKNOWN)
	@$(NODE) services/locking/packaging/main.ts

docs: $(INSTALLED) ## write the API reference of the lock, into .lastseat/docs
	@$(REFUSE_UNKNOWN)
	@cd services/locking && ../../$(NODE) node_modules/typedoc/bin/typedoc --logLevel Warn && echo 'written: .lastseat/docs/index.html'

race: $(INSTALLED) ## record a race for the last ticket on the stack that is up, and draw it
	@$(NODE) load/src/race/main.ts $(ARGS)

console: $(INSTALLED) ## a page that sells on the stack that is up, live, and pauses, kills and scales it meanwhile
	@$(NODE) load/src/console/main.ts $(ARGS)

report: $(INSTALLED) ## make a run of the lab into a page that opens without a network: RUN=latest
	@$(NODE) load/src/run-report/main.ts $(ARGS)

scale: $(INSTALLED) ## change the number of replicas while they sell: make scale REPLICAS=6
	@$(NODE) infra/stack/main.ts scale $(ARGS)

ps: $(INSTALLED) ## list the parts that run
	@$(NODE) infra/stack/main.ts ps $(ARGS)

logs: $(INSTALLED) ## follow what the parts say
	@$(NODE) infra/stack/main.ts logs $(ARGS)

down: $(INSTALLED) ## stop everything; its data stays
	@$(NODE) infra/stack/main.ts down $(ARGS)

sbom: $(INSTALLED) ## what the image is made of, with licences, as CycloneDX: sbom.cdx.json (needs the network)
	@$(REFUSE_UNKNOWN)
	@$(SBOM) --output-file sbom.cdx.json

swarm: $(INSTALLED) ## deploy it on a Docker Swarm, or change what is there: make swarm BOOKING_IMAGE=... REPLICAS=9
	@$(NODE) infra/swarm/main.ts $(ARGS)

swarm-down: $(INSTALLED) ## take it off the swarm; its data stays
	@$(NODE) infra/swarm/main.ts --remove

test-swarm: $(INSTALLED) ## on a swarm made for tests: scale, update, kill and unplug it while it sells: ARGS=--help
	@$(NODE) load/src/swarm/main.ts $(ARGS)

check: $(INSTALLED) ## types, lint, format
	@$(REFUSE_UNKNOWN)
	@npm run --silent check

format: $(INSTALLED) ## format the sources
	@$(REFUSE_UNKNOWN)
	@npm run --silent format

clean: ## stop everything, delete its data and the installed packages
	@if [ -x $(NODE) ]; then $(NODE) infra/stack/main.ts down --volumes; fi
	@rm -rf node_modules services/*/node_modules infra/node_modules lab-frame/node_modules load/node_modules

# npm writes this file last, so a run that was cut short is repeated, and one that was not is not.
$(INSTALLED): package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js 20 or newer (https://nodejs.org)' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "Node.js $$(node -v) is too old: install 20 or newer (https://nodejs.org)" >&2; exit 1; }
	@[ -w . ] || { echo "this folder is read-only, and the packages are installed into it: $$PWD" >&2; exit 1; }
	@echo 'installing the packages ...' >&2
	@said=$$($(NPM_CI) 2>&1) || { echo "$$said" | head -n 3 >&2; echo "the packages could not be installed: is $$(npm config get registry) within reach?" >&2; exit 1; }
	@[ -x $(NODE) ] || { echo 'npm has left out Node 26: let it run install scripts (npm config delete ignore-scripts) and try again' >&2; rm -f $@; exit 1; }
	@touch $@
