/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <string.h>

#include "command_line.h"
#include "no_leaks.h"

TestSuite(config, .init = forget_environment, .fini = no_leaks);

Test(config, has_defaults_for_everything)
{
	struct config config;

	cr_assert(zero(int, parse("", &config)));
	cr_expect(eq(str, err, ""));
	cr_expect(eq(int, (int)config.command, COMMAND_RUN));
	cr_expect(eq(str, config.listen_host, "127.0.0.1"));
	cr_expect(eq(u16, config.listen_port, 9713));
	cr_expect(not(config.listen_given));
	cr_expect(not(config.health_given));
	cr_expect(zero(dbl, config.rate_hz));
	cr_expect(eq(u64, config.publish_ns, 1000000000));
	cr_expect(eq(str, (char *)config.energy, "auto"));
	cr_expect(eq(str, (char *)config.activity, "auto"));
	cr_expect(zero(ptr, (void *)config.hierarchy));
	cr_expect(zero(ptr, (void *)config.btf));
	cr_expect(zero(uint, config.require));
	cr_expect(eq(u32, config.max_cgroups, 4096));
	cr_expect(eq(u32, config.tombstones, 1000));
	cr_expect(eq(int, (int)config.pods, PODS_AUTO));
	cr_expect(zero(ptr, (void *)config.kube_server));
	cr_expect(zero(ptr, (void *)config.kube_token_file));
	cr_expect(zero(ptr, (void *)config.kube_ca_file));
	cr_expect(zero(ptr, (void *)config.pod_labels[0]));
	cr_expect(zero(uint, config.processes));
	cr_expect(eq(int, (int)config.idle, IDLE_NOT_SHARED));
	cr_expect(zero(ptr, (void *)config.rootfs));
	cr_expect(zero(u64, config.duration_ns));
	cr_expect(eq(int, (int)config.output, OUTPUT_NONE));
	cr_expect(eq(int, (int)config.log_level, LOG_LEVEL_INFO));
	cr_expect(gt(sz, strlen(config.node_name), 0));
}

Test(config, takes_every_flag)
{
	struct config config;

	cr_assert(
		zero(int, parse("run --listen=[::1]:80 --health-listen=:8080 --rate=12.5 "
				"--publish 2s --require=pmu,measured --node-name=n1 "
				"--max-cgroups=16 --tombstones=0 --realtime --duration=1.5s -ocsv",
				&config)));
	cr_expect(eq(str, config.listen_host, "::1"));
	cr_expect(eq(u16, config.listen_port, 80));
	cr_expect(config.listen_given);
	cr_expect(eq(str, config.health_host, ""));
	cr_expect(eq(u16, config.health_port, 8080));
	cr_expect(config.health_given);
	cr_expect(eq(dbl, config.rate_hz, 12.5));
	cr_expect(eq(u64, config.publish_ns, 2000000000));
	cr_expect(eq(uint, config.require, REQUIRE_PMU | REQUIRE_MEASURED));
	cr_expect(eq(str, (char *)config.node_name, "n1"));
	cr_expect(eq(u32, config.max_cgroups, 16));
	cr_expect(zero(u32, config.tombstones));
	cr_expect(config.realtime);
	cr_expect(eq(u64, config.duration_ns, 1500000000));
	cr_expect(eq(int, (int)config.output, OUTPUT_CSV));

	cr_assert(zero(int, parse("--sysfs=/ --procfs=/proc --cgroupfs=/tmp --hierarchy=cpuacct "
				  "--btf=/proc/self/status --live --log-level=debug "
				  "--log-format=json --energy=model --activity=proc,cgroup",
				  &config)));
	cr_expect(eq(str, (char *)config.sysfs, "/"));
	cr_expect(eq(str, (char *)config.procfs, "/proc"));
	cr_expect(eq(str, (char *)config.cgroupfs, "/tmp"));
	cr_expect(eq(str, (char *)config.hierarchy, "cpuacct"));
	cr_expect(eq(str, (char *)config.btf, "/proc/self/status"));
	cr_expect(config.live);
	cr_expect(eq(int, (int)config.log_level, LOG_LEVEL_DEBUG));
	cr_expect(eq(int, (int)config.log_format, LOG_FORMAT_JSON));
	cr_expect(eq(str, (char *)config.energy, "model"));
	cr_expect(eq(str, (char *)config.activity, "proc,cgroup"));
	cr_expect(eq(int, (int)config.output, OUTPUT_NONE));
}

Test(config, knows_its_commands_wherever_they_stand)
{
	static const char *const probes[] = { "probe", "probe -o table", "-o table probe",
					      "--sysfs=/ probe --output=table", "-- probe" };
	struct config config;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		cr_assert(zero(int, parse(probes[i], &config)), "%s", err);
		cr_expect(eq(int, (int)config.command, COMMAND_PROBE));
		cr_expect(eq(int, (int)config.output, OUTPUT_TABLE));
	}
	cr_assert(zero(int, parse("--duration=5s run", &config)));
	cr_expect(eq(int, (int)config.command, COMMAND_RUN));
	cr_expect(eq(int, (int)config.output, OUTPUT_TABLE), "a result, or why run at all");
	cr_assert(zero(int, parse("--duration=5s --live", &config)));
	cr_expect(eq(int, (int)config.output, OUTPUT_NONE), "the live table is the result");
}

/* A command line, and what is said of it; one that ends with a space goes on with a list. */
static const char *const bad_lines[][2] = {
	{ "--rate=0", "--rate=0: takes auto or 1 to 1000 samples a second; try --rate=auto" },
	{ "--rate=nan", "--rate=nan: takes auto or 1 to 1000 samples a second; try --rate=auto" },
	{ "--rate=1001", "--rate=1001: takes auto or 1 to 1000 samples a second; try --rate=auto" },
	{ "--rate=", "--rate=: takes auto or 1 to 1000 samples a second; try --rate=auto" },
	{ "--rate=1\n2", "--rate=1?2: takes auto or 1 to 1000 samples a second; try --rate=auto" },
	{ "--frobnicate", "--frobnicate: unknown flag; see podjoule-agent --help" },
	{ "--frobnicate=1 probe", "--frobnicate: unknown flag; see podjoule-agent --help" },
	{ "--live --frobnicate", "--frobnicate: unknown flag; see podjoule-agent --help" },
	{ "-x", "-x: unknown flag; see podjoule-agent --help" },
	{ "--rate 5 -xyz run", "-xyz: unknown flag; see podjoule-agent --help" },
	{ "--rate", "--rate: needs a value; see podjoule-agent --help" },
	{ "--duration=1s -o", "-o: needs a value; see podjoule-agent --help" },
	{ "--li=:1", "--li: could be several flags; see podjoule-agent --help" },
	{ "--live=1", "--live=1: takes no value; try --live" },
	{ "--listen=1.2.3.4", "--listen=1.2.3.4: takes HOST:PORT, :PORT or [IPV6]:PORT; "
			      "try --listen=127.0.0.1:9713" },
	{ "--publish=99ms", "--publish=99ms: below the floor of 100ms (a limit on the power side "
			    "channel); try --publish=100ms, or add --unsafe-publish" },
	{ "--publish=2h", "--publish=2h: takes 100ms to 1h; try --publish=1s" },
	{ "--publish=0s --unsafe-publish", "--publish=0s: takes 100ms to 1h; try --publish=1s" },
	{ "--max-cgroups=15", "--max-cgroups=15: takes 16 to 1048576; try --max-cgroups=4096" },
	{ "--max-cgroups=1048577",
	  "--max-cgroups=1048577: takes 16 to 1048576; try --max-cgroups=4096" },
	{ "--tombstones=1000001",
	  "--tombstones=1000001: takes 0 to 1000000; try --tombstones=1000" },
	{ "--energy=model,sun", "--energy=model,sun: 'sun' is unknown; choose from " },
	{ "--activity=proc,proc", "--activity=proc,proc: has a name twice; give each once" },
	{ "--require=cats",
	  "--require=cats: 'cats' is unknown; choose from measured,bpf,pmu,pods" },
	{ "--hierarchy=../x", "--hierarchy=../x: takes unified or the name of a cgroup v1 "
			      "hierarchy; try --hierarchy=unified" },
	{ "--btf=/no/such", "--btf=/no/such: cannot read it: No such file or directory; "
			    "give the file with this kernel's BTF" },
	{ "--sysfs=/no/such", "--sysfs=/no/such: cannot open it: No such file or directory; "
			      "give the directory where the host's tree is mounted" },
	{ "--node-name=", "--node-name=: takes a name; try --node-name=node-1" },
	{ "--duration=0s", "--duration=0s: takes 1ms to 365d; try --duration=5s" },
	{ "-o json", "--output=json: needs --duration; add --duration=5s" },
	{ "--duration=1s -o xml", "--output=xml: takes table, json or csv; try --output=table" },
	{ "probe -o csv", "--output=csv: takes table or json; try --output=table" },
	{ "probe --rate=5", "--rate: not a flag of probe; see podjoule-agent probe --help" },
	{ "stop", "stop: unknown command; it is run or probe, see podjoule-agent --help" },
	{ "run probe", "probe: unexpected argument; see podjoule-agent --help" },
	{ "--processes=1001", "--processes=1001: takes 0 to 1000; try --processes=0" },
	{ "--idle=fair", "--idle=fair: takes none, request or equal; try --idle=none" },
	{ "--rootfs=/no/such", "--rootfs=/no/such: cannot open it: No such file or directory; "
			       "give the directory where the host's tree is mounted" },
	{ "probe --pod-label=a",
	  "--pod-label: not a flag of probe; see podjoule-agent probe --help" },
	{ "--log-level=loud", "--log-level=loud: takes error, warning, info or debug; "
			      "try --log-level=info" },
	{ "--log-format=xml", "--log-format=xml: takes text or json; try --log-format=text" },
};

Test(config, says_in_one_line_what_is_wrong_and_what_to_do)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_lines); i++) {
		size_t len = strlen(bad_lines[i][1]);
		struct config config;
		char want[512];

		if (bad_lines[i][1][len - 1] == ' ') {
			cr_expect(eq(int, parse(bad_lines[i][0], &config), EXIT_USAGE + 1));
			cr_expect(zero(int, strncmp(err + 16, bad_lines[i][1], len)), "%s", err);
			cr_expect(eq(ptr, strchr(err, '\n'), err + strlen(err) - 1));
			continue;
		}
		snprintf(want, sizeof(want), "podjoule-agent: %s\n", bad_lines[i][1]);
		expect_error(bad_lines[i][0], want);
	}
}

Test(config, listens_to_the_environment_but_a_flag_wins)
{
	struct config config;

	setenv("PODJOULE_MAX_CGROUPS", "77", 1);
	setenv("PODJOULE_REALTIME", "true", 1);
	setenv("PODJOULE_LIVE", "0", 1);
	setenv("PODJOULE_UNSAFE_PUBLISH", "1", 1);
	setenv("PODJOULE_PUBLISH", "5ms", 1);
	setenv("PODJOULE_LISTEN", ":1", 1);
	setenv("PODJOULE_RATE", "", 1);
	setenv("NODE_NAME", "from-kubernetes", 1);
	cr_assert(zero(int, parse("", &config)), "%s", err);
	cr_expect(eq(u32, config.max_cgroups, 77));
	cr_expect(config.realtime);
	cr_expect(not(config.live));
	cr_expect(eq(u64, config.publish_ns, 5000000));
	cr_expect(config.listen_given);
	cr_expect(zero(dbl, config.rate_hz), "empty is unset");
	cr_expect(eq(str, (char *)config.node_name, "from-kubernetes"));

	setenv("PODJOULE_NODE_NAME", "ours", 1);
	setenv("PODJOULE_MAX_CGROUPS", "nonsense", 1);
	cr_assert(zero(int, parse("--max-cgroups=99", &config)), "%s", err);
	cr_expect(eq(u32, config.max_cgroups, 99), "what a flag replaces is not even read");
	cr_expect(eq(str, (char *)config.node_name, "ours"));
	cr_assert(zero(int, parse("probe", &config)), "nor what another command needs");
}

Test(config, names_the_variable_that_is_wrong)
{
	setenv("PODJOULE_RATE", "0", 1);
	expect_error("",
		     "podjoule-agent: PODJOULE_RATE=0: takes auto or 1 to 1000 samples a second; "
		     "try PODJOULE_RATE=auto\n");
	unsetenv("PODJOULE_RATE");
	setenv("PODJOULE_LIVE", "maybe", 1);
	expect_error("", "podjoule-agent: PODJOULE_LIVE=maybe: takes 1, 0, true or false; "
			 "try PODJOULE_LIVE=1\n");
}

Test(config, helps_on_standard_output)
{
	static const char *const words[] = {
		"Naming pods:", "Usage: podjoule-agent ", "Measuring:",    "Serving:", "Output:",
		"Running:",     "(default: 4096)",        "16 to 1048576", "--help",   "Examples:",
		"PODJOULE_"
	};
	struct config config;

	cr_assert(eq(int, parse("--help", &config), EXIT_OK + 1));
	cr_expect(eq(str, err, ""));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		cr_expect(strstr(out, words[i]) != NULL, "%s", words[i]);

	cr_assert(eq(int, parse("probe --help", &config), EXIT_OK + 1));
	cr_expect(strstr(out, "Usage: podjoule-agent probe ") != NULL);
	cr_expect(strstr(out, "--max-cgroups") == NULL, "not a flag of probe");
	cr_assert(eq(int, parse("run --usage", &config), EXIT_OK + 1));
	cr_expect(zero(int, strncmp(out, "Usage: podjoule-agent run ", 26)));
	cr_assert(eq(int, parse("--version", &config), EXIT_OK + 1));
	cr_expect(zero(int, strncmp(out, "podjoule-agent ", 15)));
	cr_expect(eq(ptr, strchr(out, '\n'), out + strlen(out) - 1));
}

/* Lines of help stay on 80 columns, or a terminal breaks them where they hurt. */
Test(config, fits_its_help_into_a_terminal)
{
	struct config config;

	cr_assert(eq(int, parse("--help", &config), EXIT_OK + 1));
	for (char *line = out, *end; (end = strchr(line, '\n')); line = end + 1)
		cr_expect(le(sz, (size_t)(end - line), 80), "%.*s", (int)(end - line), line);
}

/* Words of the grammar and noise in random order: an answer and at most one line, never more. */
Test(config, answers_any_command_line_with_at_most_one_line)
{
	static const char *const words[] = {
		"run",
		"probe",
		"--",
		"-",
		"-o",
		"json",
		"-ojson",
		"--rate",
		"--rate=5",
		"--r",
		"--l",
		"--live",
		"--live=",
		"-?",
		"--help",
		"-V",
		"-x",
		"-xo",
		"--=",
		"--=x",
		"---",
		"5s",
		"",
		"--duration=5s",
		"--duration",
		"--publish=1ms",
		"--energy=,",
		"--btf=",
		"--\xff",
		"-\xff",
		"--pod-label=a,b",
		"--pod-label=,",
		"--pods=none",
		"--kube-server=http://h",
		"--pod",
	};
	uint64_t state = 99;

	for (int i = 0; i < 800; i++) {
		char line[256] = "";
		struct config config;
		const char *newline;
		int r;

		for (int n = (int)(state >> 61); n >= 0; n--) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			strncat(line, words[(state >> 33) % ARRAY_SIZE(words)],
				sizeof(line) - strlen(line) - 2);
			if (n)
				strncat(line, " ", 2);
		}
		r = parse(line, &config);
		newline = strchr(err, '\n');
		if (r == EXIT_USAGE + 1)
			cr_assert(newline && !newline[1] && !strncmp(err, "podjoule-agent: ", 16),
				  "'%s': '%s'", line, err);
		else
			cr_assert(r >= 0 && r <= EXIT_OK + 1 && !*err, "'%s': '%s'", line, err);
	}
}
